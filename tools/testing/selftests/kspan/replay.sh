#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kspan record, replay, info and kspan_replay: a trace is replayed on kspan and on SLUB with all of
# its objects and nothing left; what is no trace, or cannot be one, is refused, and said
# why; what the kernel does is recorded, and what was recorded can be replayed.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

MODULE=/sys/kernel/debug/kspan_replay
TRACEFS=/sys/kernel/tracing
[ -d $TRACEFS/instances ] || TRACEFS=/sys/kernel/debug/tracing
REPLAY=$DIR/kspan
SHORT=$DIR/short.ktrace
SCRATCH=$(mktemp -d)
OUTPUT=$SCRATCH/output

tell() {
	sed 's/^/# /' "$OUTPUT"
}

# value_of NAME: of what kspan info has told
value_of() {
	sed -n "s/^$1: \([0-9.]*\).*/\1/p" "$OUTPUT"
}

# is_consistent FILE: what its info says fits together; leaves it in $OUTPUT
is_consistent() {
	"$REPLAY" info "$1" >"$OUTPUT" 2>&1 || { tell; return 1; }
	[ "$(value_of events)" -eq $(($(value_of allocations) + $(value_of frees))) ] &&
		[ "$(value_of 'live at the end')" -eq \
			$(($(value_of allocations) - $(value_of frees))) ] &&
		[ "$(awk '/^size up to/ { on = 1; next } on { n += $2 } END { print n }' "$OUTPUT")" \
			-eq "$(value_of allocations)" ] || { tell; return 1; }
}

# replays FILE: on both, with every allocation and free, and nothing is left
replays() {
	local events allocs peak before
	is_consistent "$1" || return 1
	events=$(value_of events) allocs=$(value_of allocations)
	peak=$(value_of 'bytes requested live at the peak')
	before=$(stat_of HeapObjects)
	"$REPLAY" replay --samples 50 --tsv "$SCRATCH/samples" "$1" >"$OUTPUT" 2>&1 ||
		{ tell; return 1; }
	[ "$(stat_of HeapObjects)" -eq "$before" ] ||
		{ ktap_print_msg "$(stat_of HeapObjects) objects are left, $before were there"; return 1; }
	# held is arenas and metadata; it is not less than what is requested of them
	awk -v events="$events" -v allocs="$allocs" -v peak="$peak" '
		$3 == "peak" { peaks++; good += $5 == peak && ($1 != "kspan" || $6 >= peak) }
		$3 == "end" { ends++; good += $4 == events }
		$3 == "freed" { good += $5 == 0 }
		$1 == "time:" { times++; good += $4 == "allocs=" allocs && $5 == "frees=" allocs }
		END { exit !(peaks == 4 && ends == 4 && times == 4 && good == 16) }' "$OUTPUT" ||
		{ tell; return 1; }
	# on round events requested held ...
	awk -v events="$events" -v peak="$peak" '
		NR > 1 && $4 > most { most = $4 }
		{ last = $3 }
		END { exit !(NR > 40 && last == events && most == peak) }' "$SCRATCH/samples" ||
		{ sed 's/^/# /' "$SCRATCH/samples" | tail -n 5; return 1; }
}

# refused FILE TEXT: info and replay exit with 2, and say TEXT, alone
refused() {
	local command
	for command in info replay; do
		"$REPLAY" $command "$1" >"$OUTPUT" 2>&1
		if [ $? -ne 2 ] || [ "$(wc -l <"$OUTPUT")" -ne 1 ] || ! grep -q "$2" "$OUTPUT"; then
			ktap_print_msg "$command, expected: $2"
			tell
			return 1
		fi
	done
}

# changed OFFSET BYTE: a copy of the short trace with this byte there, as octal
changed() {
	cp "$SHORT" "$SCRATCH/changed"
	# shellcheck disable=SC2059
	printf "\\$2" | dd of="$SCRATCH/changed" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

# The tests, in this order

test_info() {
	is_consistent "$SHORT" && [ "$(value_of 'lost events')" = 0 ] &&
		[ "$(value_of allocations)" -gt 1000 ] && grep -q '^kernel: 6' "$OUTPUT"
}

test_replay() {
	replays "$SHORT"
}

test_all_flags() {
	"$REPLAY" replay --flags all --rounds 1 --samples 10 "$SHORT" >"$OUTPUT" 2>&1 &&
		[ "$(grep -c '^time:' "$OUTPUT")" -eq 2 ]
}

test_on_one() {
	"$REPLAY" replay --on kspan --rounds 3 --samples 1 "$SHORT" >"$OUTPUT" 2>&1 &&
		[ "$(grep -c '^time: on=kspan' "$OUTPUT")" -eq 3 ] && ! grep -q '^slub' "$OUTPUT"
}

test_truncated() {
	local size length rc=0
	size=$(wc -c <"$SHORT")
	for length in 8 50 91 92 100 $((size / 2)) $((size - 1)); do
		head -c $length "$SHORT" >"$SCRATCH/changed"
		refused "$SCRATCH/changed" "is truncated" || rc=1
	done
	return $rc
}

test_corrupt() {
	local size
	size=$(wc -c <"$SHORT")
	# the number of lost events; the last text; the middle and the end of the body
	changed 32 377 && refused "$SCRATCH/changed" "corrupt: the checksum of its header" &&
		changed 95 377 && refused "$SCRATCH/changed" "corrupt: the checksum of its header" &&
		changed 12 0 && refused "$SCRATCH/changed" "corrupt: a header of" &&
		changed $((size / 2)) 0 && changed_is_corrupt &&
		changed $((size - 1)) 377 && changed_is_corrupt
}

changed_is_corrupt() {
	! cmp -s "$SHORT" "$SCRATCH/changed" &&
		refused "$SCRATCH/changed" "is corrupt: \(its events cannot\|the checksum of its events\)"
}

test_version() {
	changed 8 2 && refused "$SCRATCH/changed" "has version 2 of the format; this program reads version 1"
}

test_no_trace() {
	: >"$SCRATCH/changed"
	refused "$SCRATCH/changed" "is no trace" && refused "$0" "is no trace" &&
		refused "$SCRATCH/absent" "cannot be opened: No such file" &&
		refused "$SCRATCH" "is no regular file"
}

test_appended() {
	{ cat "$SHORT"; echo more; } >"$SCRATCH/changed"
	refused "$SCRATCH/changed" "has 5 bytes too many"
}

# wrong KIND TEXT: a trace whose checksums are right is refused with this
wrong() {
	"$DIR/kspan-bad-trace" "$1" "$SCRATCH/changed" && refused "$SCRATCH/changed" "$2"
}

test_impossible() {
	"$DIR/kspan-bad-trace" good "$SCRATCH/good" && replays_few "$SCRATCH/good" &&
		wrong size "event 1 allocates 4194305 bytes; kmalloc() gives 1 to 4194304" &&
		wrong empty "event 1 allocates 0 bytes" &&
		wrong twice "event 3 frees what is not live" &&
		wrong slots "event 1 has an object whose number is too large" &&
		wrong allocs "has 2 allocations and 2 objects at once, its header says 3 and 2" &&
		wrong events "has 0 events; there may be 1 to" &&
		wrong flags "event 1 has flags that are not known"
}

# thrifty COMMAND ARGUMENT...: kspan with 16 MiB of memory at most
thrifty() {
	(
		# shellcheck disable=SC3045 # what runs this has it
		ulimit -v 16384
		exec "$REPLAY" "$@"
	) >"$OUTPUT" 2>&1
}

# What the events of a million would take is more than that.
test_memory() {
	"$DIR/kspan-bad-trace" many "$SCRATCH/many" &&
		[ "$(wc -c <"$SCRATCH/many")" -lt 16384 ] && thrifty info "$SCRATCH/many" &&
		[ "$(value_of events)" -eq 1000000 ] && [ "$(value_of allocations)" -eq 500000 ] &&
		"$DIR/kspan-bad-trace" claims "$SCRATCH/changed" &&
		! thrifty info "$SCRATCH/changed" && grep -q "is corrupt" "$OUTPUT" &&
		thrifty replay --rounds 1 --samples 1 "$SCRATCH/many" || { tell; return 1; }
}

# Nothing that a terminal would obey, and no line that is not info's own.
test_texts() {
	"$DIR/kspan-bad-trace" texts "$SCRATCH/changed" &&
		"$REPLAY" info "$SCRATCH/changed" >"$OUTPUT" &&
		[ "$(LC_ALL=C tr -d '\n -~' <"$OUTPUT" | wc -c)" -eq 0 ] &&
		grep -qF 'command: \033]0;title\007 \302\233 a\134b\012frame' "$OUTPUT" ||
		{ tell; return 1; }
}

# Of 4 events, 164 bytes at the peak.
replays_few() {
	"$REPLAY" replay "$1" >"$OUTPUT" 2>&1 &&
		[ "$(awk '$3 == "peak" && $4 == 2 && $5 == 164' "$OUTPUT" | wc -l)" -eq 4 ] &&
		[ "$(awk '$3 == "end" && $4 == 4 && $5 == 0' "$OUTPUT" | wc -l)" -eq 4 ]
}

test_arguments() {
	local rc=0
	while IFS=: read -r arguments text; do
		# shellcheck disable=SC2086 # a word each
		"$REPLAY" $arguments >"$OUTPUT" 2>&1
		[ $? -eq 2 ] && grep -q -e "$text" "$OUTPUT" ||
			{ ktap_print_msg "$arguments, expected: $text"; tell; rc=1; }
	done <<-END
		:a command is missing
		dance:dance: no such command
		info:info wants one FILE
		info a b:info wants one FILE
		replay:replay wants one FILE
		replay --on slab $SHORT:--on slab: must be kspan or slub
		replay --rounds 0 $SHORT:--rounds 0: must be a number, 1 to 1000
		replay --samples 1x $SHORT:--samples 1x: must be a number, 1 to 100000
		replay --flags some $SHORT:--flags some: must be plain or all
		replay --tsv /absent/file $SHORT:/absent/file: cannot be created
		record -b 0 -- true:-b 0: must be a number
		record true:true: a command comes after --
		record -- /absent/command:/absent/command cannot be run: No such file
	END
	return $rc
}

test_not_loaded() {
	rmmod kspan_replay && "$REPLAY" replay "$SHORT" >"$OUTPUT" 2>&1
	[ $? -eq 2 ] && grep -q 'load kspan.ko and kspan_replay.ko' "$OUTPUT" && load kspan_replay
}

# module_says TEXT: the module's last message is this
module_says() {
	dmesg | grep 'kspan-replay: ' | tail -n 1 >"$OUTPUT"
	grep -q "$1" "$OUTPUT" || { ktap_print_msg "expected: $1"; tell; return 1; }
}

# no_command COMMAND TEXT
no_command() {
	! echo "$1" 2>/dev/null >$MODULE/control || { ktap_print_msg "taken: $1"; return 1; }
	module_says "$2"
}

# no_record BYTES TEXT: records as printf's octal numbers, of a trace of 2 with 2 slots
no_record() {
	echo "load 2 2" >$MODULE/control || return 1
	# shellcheck disable=SC2059
	! printf "$1" 2>/dev/null >$MODULE/events || { ktap_print_msg "taken: $1"; return 1; }
	module_says "$2" && no_command "run kspan 1" "0 of 0 events are loaded"
}

test_bad_commands() {
	no_command "load 0 0" "load: 0 events: must be 1" &&
		no_command "load 268435457 1" "load: 268435457 events: must be 1" &&
		no_command "load 2 3" "load: 3 slots of 2 events: must be 1...2" &&
		no_command "load 2" "must be \"load EVENTS SLOTS\"" &&
		no_command "run" "must be \"load EVENTS SLOTS\"" &&
		no_command "run kspan 1 2" "must be \"load EVENTS SLOTS\"" &&
		no_command "run kspan 1" "0 of 0 events are loaded" &&
		no_command "$(printf %0100d 0)" "a command of 101 bytes" &&
		echo clear >$MODULE/control
}

# slot 4 bytes, size 4, node 2, kind, flags
ALLOC='\0\0\0\0\100\0\0\0\377\377\1\0'
FREE='\0\0\0\0\0\0\0\0\377\377\2\0'

test_bad_records() {
	no_record '\0\0\0\0\100\0\0\0\377\377\3\0' "record 0 is bad: it is neither" &&
		no_record '\2\0\0\0\100\0\0\0\377\377\1\0' "record 0 is bad: there is no such slot (kind 1, slot 2" &&
		no_record '\0\0\0\0\0\0\0\0\377\377\1\0' "record 0 is bad: the size is 0 or above 4 MiB" &&
		no_record '\0\0\0\0\1\0\100\0\377\377\1\0' "record 0 is bad: the size is 0 or above 4 MiB" &&
		no_record '\0\0\0\0\100\0\0\0\377\177\1\0' "record 0 is bad: there is no such node" &&
		no_record '\0\0\0\0\100\0\0\0\377\377\1\20' "record 0 is bad: there are no such flags" &&
		no_record "$ALLOC$ALLOC" "record 1 is bad: the slot has an object already" &&
		no_record "$FREE" "record 0 is bad: the slot has no object" &&
		no_record '\0\0\0\0\100\0\0\0\377\377\2\0' "record 0 is bad: a free has size" &&
		no_record "$ALLOC$FREE$ALLOC" "3 records, where 2 of 2 are missing" &&
		no_record 'short' "5 bytes are no whole records"
}

test_unfinished() {
	echo "load 2 1" >$MODULE/control || return 1
	# shellcheck disable=SC2059
	printf "$ALLOC" >$MODULE/events && no_command "run slub 5" "1 of 2 events are loaded" || return 1
	# shellcheck disable=SC2059
	printf "$FREE" >$MODULE/events || return 1
	no_command "run slob 5" "run: slob: must be kspan, slub or empty" &&
		no_command "run slub 0" "0 samples: must be 1" &&
		no_command "run slub 100001" "100001 samples: must be 1" &&
		echo "run slub 5" >$MODULE/control && [ "$(wc -l <$MODULE/samples)" -eq 3 ]
}

# More than is free: nothing is begun.
test_too_much() {
	local n=600
	echo "load $n $n" >$MODULE/control || return 1
	awk -v n=$n 'BEGIN {
		for (i = 0; i < n; i++)
			printf "\\%o\\%o\\0\\0\\0\\0\\100\\0\\377\\377\\1\\0", i % 256, i / 256
	}' >"$SCRATCH/octal"
	# shellcheck disable=SC2059
	printf "$(cat "$SCRATCH/octal")" >"$SCRATCH/records"
	dd if="$SCRATCH/records" of=$MODULE/events bs=$((n * 12)) 2>/dev/null &&
		no_command "run kspan 5" "the trace has 2516582400 bytes live at once"
}

# Work of all kinds that a kernel without a network does.
work() {
	echo "mkdir $SCRATCH/work && cd $SCRATCH/work &&
		for i in $(seq 60 | xargs); do ln -s /a/target/of/some/length/\$i link\$i; done &&
		ls -l | sort | gzip | gunzip | wc -l >count &&
		sh -c 'ls /proc/self/fd | cat | cat | cat' >/dev/null && rm -r $SCRATCH/work"
}

test_record() {
	"$REPLAY" record -o "$SCRATCH/recorded" -- sh -c "$(work)" >"$OUTPUT" 2>&1 ||
		{ tell; return 1; }
	grep -q 'recorded: [0-9]* events, [0-9]* allocations, 0 lost' "$OUTPUT" &&
		is_consistent "$SCRATCH/recorded" && [ "$(value_of allocations)" -ge 100 ] &&
		grep -q "^kernel: $(uname -r)\$" "$OUTPUT" &&
		grep -q '^command: sh -c mkdir' "$OUTPUT" || { tell; return 1; }
	ktap_print_msg "recorded $(value_of events) events," \
		"$(value_of 'bytes requested live at the peak') bytes live at the peak"
	# The targets of 60 links, 27 bytes and more each, and a NUL.
	[ "$(awk '$1 == 32 { print $2 }' "$OUTPUT")" -ge 60 ] || { tell; return 1; }
	no_instances
}

test_record_replays() {
	"$REPLAY" replay --samples 100 "$SCRATCH/recorded" >"$OUTPUT" 2>&1 || { tell; return 1; }
	[ "$(grep -c '^time:' "$OUTPUT")" -eq 4 ]
}

test_interrupted() {
	local pid
	"$REPLAY" record -o "$SCRATCH/interrupted" >"$OUTPUT" 2>&1 &
	pid=$!
	# It records when its ring has the event on.
	for _ in $(seq 300); do
		grep -qs 1 "$TRACEFS"/instances/*/events/kmem/kmalloc/enable && break
		sleep 0.2
	done
	ln -s /some/target "$SCRATCH/link"
	kill -TERM $pid
	wait $pid && is_consistent "$SCRATCH/interrupted" && grep -q '^command: -' "$OUTPUT" &&
		no_instances
}

# The recorder stands still while the smallest ring there is overflows.
lossy() {
	# shellcheck disable=SC2016
	"$REPLAY" record -b 4 -o "$SCRATCH/lossy" "$@" -- sh -c 'kill -STOP $PPID
		for i in $(seq 200); do ln -s /some/target '"$SCRATCH"'/loss; rm '"$SCRATCH"'/loss; done
		kill -CONT $PPID' >"$OUTPUT" 2>&1
}

test_lost() {
	rm -f "$SCRATCH/lossy"
	lossy
	[ $? -eq 2 ] && grep -q '[1-9][0-9]* events were lost, rings of 4 KiB were full' "$OUTPUT" &&
		[ ! -e "$SCRATCH/lossy" ] && no_instances || { tell; return 1; }
	lossy --allow-lost && grep -q ', [1-9][0-9]* lost' "$OUTPUT" &&
		is_consistent "$SCRATCH/lossy" && [ "$(value_of 'lost events')" -gt 0 ] || { tell; return 1; }
}

no_instances() {
	[ -z "$(ls $TRACEFS/instances)" ] || { ktap_print_msg "$(ls $TRACEFS/instances)"; return 1; }
}

test_unload() {
	[ "$(stat_of HeapObjects)" -eq 0 ] && rmmod kspan_replay && [ ! -e $MODULE ] && rmmod kspan
}

begin
need kspan kspan_replay

trap 'unload_all; rm -rf "$SCRATCH"' EXIT
mark_log

ktap_set_plan 24
ktap_test_result "what a trace says of itself fits together" test_info
ktap_test_result "a trace is replayed on both, with nothing left" test_replay
ktap_test_result "a trace is replayed with all flags" test_all_flags
ktap_test_result "a trace is replayed on one of them" test_on_one
ktap_test_result "truncated files are refused" test_truncated
ktap_test_result "corrupt files are refused" test_corrupt
ktap_test_result "another version is refused" test_version
ktap_test_result "what is no trace is refused" test_no_trace
ktap_test_result "a file that is too long is refused" test_appended
ktap_test_result "impossible traces are refused" test_impossible
ktap_test_result "a trace takes no more memory than its objects need" test_memory
ktap_test_result "texts of a trace are no commands to a terminal" test_texts
ktap_test_result "wrong arguments are refused" test_arguments
ktap_test_result "without the module it is said what is missing" test_not_loaded
ktap_test_result "the module refuses bad commands" test_bad_commands
ktap_test_result "the module refuses bad records" test_bad_records
ktap_test_result "the module refuses to run what is not complete" test_unfinished
ktap_test_result "the module refuses what does not fit the memory" test_too_much
if [ -d $TRACEFS/events/kmem/kmalloc ]; then
	ktap_test_result "work is recorded" test_record
	ktap_test_result "what was recorded is replayed" test_record_replays
	ktap_test_result "recording ends when it is interrupted" test_interrupted
	ktap_test_result "lost events are told" test_lost
else
	for name in "work is recorded" "what was recorded is replayed" \
		"recording ends when it is interrupted" "lost events are told"; do
		ktap_test_skip "$name (no kmem events in this kernel)"
	done
fi
ktap_test_result "kspan_replay and kspan unload" test_unload
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
