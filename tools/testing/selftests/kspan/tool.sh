#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The command kspan on a live system: what it shows is what debugfs has, at work and at rest, and
# without the module it says what is missing. What it makes of files is tested by
# tools/kspan/test.sh, without a kernel.

# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/kspan_lib.sh"

KSPAN=$DIR/kspan
SCRATCH=$(mktemp -d)
OUTPUT=$SCRATCH/output

tell() {
	sed 's/^/# /' "$OUTPUT"
}

# kspan ARGUMENT...: its output is in $OUTPUT
kspan() {
	"$KSPAN" "$@" >"$OUTPUT" 2>&1 || { tell; return 1; }
}

# refused TEXT ARGUMENT...
refused() {
	local text=$1
	shift
	"$KSPAN" "$@" >"$OUTPUT" 2>&1
	[ $? -eq 2 ] && [ "$(wc -l <"$OUTPUT")" -eq 1 ] && grep -q "$text" "$OUTPUT" || { tell; return 1; }
}

test_not_loaded() {
	refused 'kspan is not loaded; as root: modprobe kspan' top --once
}

# Words that the sample keeps in its heap
work() {
	seq 20000 >$DEVICE
}

test_top() {
	kspan top --once --sort allocs && head -n 4 "$OUTPUT" | tail -n 1 | grep -q '^words  *kspan_counter ' ||
		{ tell; return 1; }
	ktap_print_msg "$(grep '^words ' "$OUTPUT")"
}

# json VIEW KEY: the sum of this key in the rows
json() {
	"$KSPAN" top "$1" --once --json | grep -o "\"$2\":[0-9]*" | awk -F: '{ n += $2 } END { print n }'
}

test_top_json() {
	[ "$(json heaps allocs)" = "$(awk 'NR > 1 { n += $8 } END { print n }' $DEBUGFS/heaps)" ] &&
		[ "$(json classes spans)" = "$(awk 'NR > 1 { n += $4 } END { print n }' $DEBUGFS/classes)" ]
}

# In a second nothing else happens than that more words come.
test_rates() {
	"$KSPAN" top --once --delay 2 --json >"$OUTPUT" &
	sleep 1
	seq 30000 35000 >$DEVICE
	wait $!
	grep -o '"name":"words".*"frees_per_second":[0-9.]*' "$OUTPUT" |
		grep -q '"allocs_per_second":[1-9][0-9]*\.' || { tell; return 1; }
}

test_map() {
	kspan map --svg "$SCRATCH/map.svg" --png "$SCRATCH/map.png" && kspan map &&
		[ "$(sed -n 's/.* in \([0-9]*\) arenas,.*/\1/p' "$OUTPUT" | awk '{ n += $1 } END { print n }')" \
			-eq "$(stat_of Arenas)" ] && [ -s "$SCRATCH/map.png" ] &&
		tail -n 1 "$SCRATCH/map.svg" | grep -q '</svg>'
}

# The heap of the sample: nothing changes it meanwhile.
words_row() {
	kspan top --once "$@" && grep '^words ' "$OUTPUT"
}

# Files that were copied, for another machine, give the same.
test_copy() {
	local row
	mkdir "$SCRATCH/copy"
	for file in stats heaps classes arenas map; do
		cat $DEBUGFS/$file >"$SCRATCH/copy/$file" || return 1
	done
	row=$(words_row --dir "$SCRATCH/copy") && [ -n "$row" ] && [ "$row" = "$(words_row)" ] || { tell; return 1; }
}

test_page() {
	kspan report --html "$SCRATCH/report.html" --seconds 2 &&
		grep -q '<td class="text">kspan_counter</td>' "$SCRATCH/report.html" &&
		[ "$(grep -c '<polyline' "$SCRATCH/report.html")" -eq 3 ]
}

# A version of the module that has not the profile says so.
test_profile() {
	if [ -e $DEBUGFS/samples ]; then
		echo 1 >/sys/module/kspan/parameters/profile_rate && seq 40000 41000 >$DEVICE &&
			kspan profile --text && grep -q 'words_.*\[kspan_counter\]' "$OUTPUT" || { tell; return 1; }
	else
		refused 'may not have the file' profile --text
	fi
}

# text FILE COMMAND...: shows the file of debugfs, or says that this version has none
text() {
	local file=$1
	shift
	if [ -e "$DEBUGFS/$file" ]; then
		kspan "$@"
	else
		refused 'may not have the file' "$@"
	fi
}

test_texts() {
	text report report && text leaks leaks && text whatis whatis ffffffffffffffff || return 1
	[ ! -e $DEBUGFS/whatis ] || grep -q '^kind: none' "$OUTPUT" || { tell; return 1; }
}

begin
ktap_set_plan 10
trap 'unload_all; rm -rf "$SCRATCH"' EXIT
mark_log
ktap_test_result "without the module it is said what is missing" test_not_loaded
need kspan kspan_counter
work
ktap_test_result "top shows the heap at work first" test_top
ktap_test_result "top's JSON has the sums of debugfs" test_top_json
ktap_test_result "top has rates" test_rates
ktap_test_result "the map has all arenas" test_map
ktap_test_result "copied files give the same" test_copy
ktap_test_result "the report is a page" test_page
ktap_test_result "the profile names who allocates" test_profile
ktap_test_result "report, leaks and whatis are shown" test_texts
ktap_test_result "nothing to complain about in the kernel log" test_quiet_log
ktap_finished
