#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kspan beside SLUB. Usage: tools/bench.sh  (make bench)
#	tools/bench.sh tables	print the last runs as the documentation has them
#	tools/bench.sh tsv	the same as tab-separated values, a line per measurement
#
# BENCH_WHAT= chooses what runs, a boot for each kernel:
#	pairs	kspan_malloc() and kspan_free(): patterns, sizes, numbers of objects
#	calls	each call beside its counterpart
#	large	33 KiB to 1 MiB, beside kmalloc() and alloc_pages()
#	churn	random replacement among live objects of mixed sizes
#	words	what the words of a text take as tiny objects and as others
#	all	all of these (default)
#	scaling	pairs while ever more objects and arenas are held
#	heaps	typed caches, private heaps, and the end of many objects at once
#	memory	pages held beside bytes asked for, by patterns of sizes, and over a long
#		churn; with MEM=2048, if that is not given
#	region	objects of regions, and their release at once
#	worst	the longest single allocation and free; then, as stretch, the longest
#		time with interrupts or preemption off in all that is hard on that
#	reclaim	requests that fail at a limit, and drop_caches while 600 MiB are held
#	rest	what is kept when everything was freed, on CPUS= CPUs (64) of a stock kernel
#	remote	objects allocated on one CPU and freed on another
#	parallel	all CPUs at once, one size
#	pool	object pools and fixed pools
#	fragmented	what is served where free blocks are small, and at what cost; with
#		MEM=384, if that is not given; modinfo kspan_fragmented lists parameters
#	profile	of pairs, once each: instructions by function, locked instructions,
#		lock acquisitions, and the longest stretch with preemption or
#		interrupts off; BENCH="pattern=fifo size=2048 n=1000" says
#		which (default: a few), CPUS=8 how many CPUs there are
#
# BENCH_ON= chooses the machine:
#	icount	QEMU's -icount, one CPU: exact numbers of instructions (default)
#	mttcg	QEMU with CPUS= CPUs (2), each with a thread of its own: times that
#		are compared in turns; for BENCH_WHAT=remote and parallel, which
#		nothing else can run, and for memory, which takes no time
#	uml	User Mode Linux, the same source: nanoseconds of this processor
#
# KERNEL= names one kernel (default: all three; words: 6.12), BENCH= parameters
# of the module, for example BENCH="n=1000 rounds=5"; modinfo kspan_bench lists
# them. BENCH_KSPAN= are those of kspan.ko: BENCH_KSPAN=exact_frees=0. INIT_ON_ALLOC=1 boots
# with init_on_alloc=1. MEM= is the guest's memory in
# MiB. SILENCE= is how many seconds a guest may print nothing (1800), TIMEOUT= how many it
# may take in all. The raw lines are kept under the cache, where the last line says.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

BENCH_WHAT=${BENCH_WHAT:-all}

BENCH_ON=${BENCH_ON:-icount}
INIT_ON_ALLOC=${INIT_ON_ALLOC:-0}

# boot KERNEL OUT PAYLOAD WHAT [option...]
boot() {
	local kernel=$1 out=$2 payload=$3 what=$4 kdir
	shift 4
	kdir=$("$KSPAN_TOP/tools/kernel.sh" "$kernel" plain)
	mkdir -p "$out"
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$kdir/arch/x86/boot/bzImage" --payload "$payload" \
		--guest bench.sh --env "BENCH=${BENCH:-}" --env "BENCH_KSPAN=${BENCH_KSPAN:-}" --env "BENCH_WHAT=$what" --out "$out" \
		--silence "${SILENCE:-1800}" --timeout "${TIMEOUT:-28800}" --label "$kernel $what" "$@"
	config_of "$kdir" >>"$out/results.log"
}

# What of the configuration decides what an allocation costs.
config_of() {
	sed -nE 's/^CONFIG_(SLUB.*|SLAB_.*|MEMCG|.*RETPOLINE|.*RETHUNK|.*SRSO|.*SLS|.*UNRET_ENTRY'`
		`'|PREEMPT.*|STACKPROTECTOR.*|HARDENED_USERCOPY|NUMA|SMP|HZ)=/config \1=/p' "$1/.config"
}

# name_of KERNEL WHAT: the directory of its results.
name_of() {
	local name=$1-$2
	[ "$BENCH_ON" = icount ] || name+=-$BENCH_ON
	[ "$2" != memory ] || [ "${CPUS:-2}" = 2 ] || name+=-cpus$CPUS
	[ "$INIT_ON_ALLOC" = 0 ] || name+=-init
	[ -z "${BENCH_KSPAN:-}" ] || name+=-${BENCH_KSPAN//[^a-z0-9_]/-}
	echo "$name"
}

run() {
	local kernel=$1 what=$2 modules out mem=${MEM:-1024} unit=instructions machine=(--icount)
	out=$KSPAN_CACHE/bench/$(name_of "$kernel" "$what")
	[ "$what" != scaling ] || mem=${MEM:-6144}
	[ "$what" != memory ] || mem=${MEM:-2048}
	[ "$what" != fragmented ] || mem=${MEM:-384}
	[ "$what" != reclaim ] || mem=${MEM:-1536}
	[ "$what" != stretch ] || export KSPAN_STRETCH=1
	modules=$("$KSPAN_TOP/tools/build.sh" "$kernel" plain)
	unset KSPAN_STRETCH
	if [ "$BENCH_ON" = mttcg ]; then
		unit='nanoseconds (median; ratio: median and quartiles of the turns)'
		machine=(--cpus "${CPUS:-2}" --nodes 1)
	fi
	boot "$kernel" "$out" "$modules" "$what" "${machine[@]}" --mem "$mem" \
		--append "init_on_alloc=$INIT_ON_ALLOC"
	print_results "$kernel" "$what" "$out/results.log" "$unit"
}

# The initramfs of User Mode Linux: busybox, tools/guest, the modules.
make_initramfs() {
	local what=$1 modules=$2 to=$3 root=$3.root
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/guest" "$root/payload" "$root/dev"
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	cp "$KSPAN_TOP"/tools/guest/* "$root/guest/"
	mv "$root/guest/uml-init" "$root/init"
	cp "$modules/kspan.ko" "$modules/kspan_bench.ko" "$root/payload/"
	printf 'export BENCH=%q BENCH_WHAT=%q\n' "${BENCH:-}" "$what" >"$root/guest/env"
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$to"
	rm -rf "$root"
}

# run_uml KERNEL WHAT: no emulator between the benchmark and this processor.
run_uml() {
	local kernel=$1 what=$2 kdir modules out rc=0
	kdir=$("$KSPAN_TOP/tools/uml.sh" "$kernel")
	# On one CPU, up to 6.12, spin_lock() is inline and sparse thinks it is missing.
	modules=$(KSPAN_SPARSE_FLAGS=-Wno-context ARCH=um "$KSPAN_TOP/tools/build.sh" --kdir "$kdir" "$(basename "$kdir")")
	out=$KSPAN_CACHE/bench/$(name_of "$kernel" "$what")
	mkdir -p "$out"
	make_initramfs "$what" "$modules" "$out/initramfs.gz"
	with_progress "$out/results.log" "$kernel $what uml" \
		"grep -cE '(pattern|call)=' '$out/console.log'" \
		boot_uml "$kdir/linux" "$out" || rc=$?
	rm -f "$out/initramfs.gz"
	grep -q '^KSPAN-VERDICT pass' "$out/results.log" && [ $rc -eq 0 ] ||
		die "User Mode Linux $kernel failed: $(tail -n 1 "$out/console.log")" \
		    "The logs: $out/console.log, $out/results.log"
	config_of "$kdir" >>"$out/results.log"
	print_results "$kernel" "$what" "$out/results.log" nanoseconds
}

# boot_uml LINUX OUT: judged by silence, as tools/qemu.sh does.
boot_uml() {
	local silence=${SILENCE:-1800} pid
	start_uml "$@" &
	pid=$!
	# shellcheck disable=SC2064
	trap "kill $pid 2>/dev/null || :; exit 130" INT TERM
	silence_begins
	while kill -0 $pid 2>/dev/null; do
		sleep 1
		# Its other output is ours.
		silence_after "$(stat -c %s "$2/console.log" "$2/results.log" | xargs)"
		[ "$SILENT" -ge "$silence" ] || continue
		echo "silent for $silence s"
		kill $pid
		return 1
	done
	wait $pid
}

# Up to 6.12 the driver of serial ports would look for them at addresses that UML lacks.
start_uml() {
	exec timeout "${TIMEOUT:-28800}" "$1" "mem=${MEM:-1024}M" initrd="$2/initramfs.gz" rdinit=/init \
		con0=null,fd:1 con=null 8250.nr_uarts=0 rng_core.default_quality=1000 \
		"init_on_alloc=$INIT_ON_ALLOC" panic=-1 2>"$2/console.log"
}

# print_results KERNEL WHAT FILE UNIT
print_results() {
	local kernel=$1 what=$2 file=$3 unit=$4 columns='pattern size n kspan slub ratio peer'
	echo
	[ "$what" = fragmented ] || grep -E '^(seed=|configuration |left out)' "$file" ||
		die "the benchmark printed nothing; see $file"
	case $what in
	calls)
		echo "$kernel, $unit of each call per object, loop subtracted"
		tables show call call peer size batch kspan slub ratio <"$file" ;;
	memory)
		echo "$kernel, KiB requested and held, their quotients, the ratio of what both hold and"
		echo "its extremes; cached objects and metadata in per cent of kspan's arenas"
		grep -v 'reading=\(sample\|peak\)' "$file" |
			tables show pattern pattern reading n requested kspan_held slub_held kspan slub \
				ratio low high cached_share metadata_share
		grep -q 'reading=peak' "$file" || return 0
		echo "the most that was held in each wandering of drift, and beside the first one's"
		grep 'reading=peak' "$file" |
			tables show pattern cycle kspan_held slub_held kspan slub ratio creep slub_creep ;;
	fragmented)
		grep -q '^pattern=' "$file" || die "the benchmark printed nothing; see $file"
		echo "$kernel, KiB served where no free block is larger than of an order, and their ratio;"
		echo "instructions of all requests, and of the slowest; calls of the OOM killer"
		tables show pattern order gfp size kspan slub ratio kspan_ticks slub_ticks kspan_slowest \
			slub_slowest kspan_oom slub_oom <"$file" ;;
	stretch)
		echo "$kernel, the most instructions with interrupts or preemption off"
		tables show pattern pattern size n kspan limit where <"$file" ;;
	*)
		[ "$what" != scaling ] || columns+=' held live'
		! one_of "$what" remote parallel || columns+=' q1 q3'
		echo "$kernel, $what, $unit per alloc+free pair, loop subtracted"
		# shellcheck disable=SC2086
		tables show pattern $columns <"$file" ;;
	esac
	echo "raw lines: $file"
}

# On the distribution's kernel: the test kernels are for few CPUs. That many would each take
# seconds to find out how fast they are.
rest() {
	local kernel=$1 stock modules payload out=$KSPAN_CACHE/bench/$1-rest
	stock=$("$KSPAN_TOP/tools/stock.sh" "$kernel")
	modules=$("$KSPAN_TOP/tools/build.sh" --kdir "$stock/build" "stock-$(cat "$stock/complete")")
	payload=$out/payload
	mkdir -p "$payload"
	cp "$modules/kspan.ko" "$modules/kspan_bench.ko" "$payload/"
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$stock/vmlinuz" --payload "$payload" --guest bench.sh \
		--env "BENCH=${BENCH:-}" --env BENCH_WHAT=rest --out "$out" --label "$kernel rest" \
		--cpus "${CPUS:-64}" --nodes 1 --mem "${MEM:-1024}" --timeout "${TIMEOUT:-1800}" \
		--append "lpj=4000000 tsc=reliable"
	echo
	echo "stock $kernel, KiB that kspan keeps, seconds after everything was freed"
	tables show pattern pattern cpus heaps after arenas cached metadata limited <"$out/results.log"
	echo "raw lines: $out/results.log"
}

# The guest's instructions, read off QEMU's log while it runs.
profile() {
	local kernel=$1 modules kdir out=$KSPAN_CACHE/bench/$1-profile reader rc=0 machine=(--icount)
	if [ "${CPUS:-1}" != 1 ]; then
		out+=-cpus$CPUS
		machine=(--cpus "$CPUS" --nodes 1)
	fi
	modules=$("$KSPAN_TOP/tools/build.sh" "$kernel" plain)
	kdir=$("$KSPAN_TOP/tools/kernel.sh" "$kernel" plain)
	BENCH=${BENCH:-size=64,4096 n=64,1000}
	mkdir -p "$out"
	rm -f "$out/control" "$out/monitor" "$out/profile.txt" "$out/locks.log"
	python3 "$KSPAN_TOP/tools/bench/profile.py" "$out" "$kdir/System.map" &
	reader=$!
	boot "$kernel" "$out" "$modules" profile "${machine[@]}" --control --append noreplace-smp || rc=$?
	wait $reader || die "no profile was made (above); see $out/results.log"
	[ $rc -eq 0 ] || exit $rc
	cat "$out/profile.txt"
	echo
	echo "$kernel, instructions per operation (an alloc and its free), loop subtracted;"
	echo "locked instructions and lock acquisitions per 1000 operations; off: the longest"
	echo "stretch of instructions with preemption or interrupts off"
	tables show pattern pattern size n kspan slub ratio kspan_locked slub_locked \
		kspan_acquired slub_acquired kspan_off slub_off <"$out/locks.log"
	echo "the whole profile: $out/profile.txt"
}

# tables COMMAND...: what is tabulated by tools/tables.py
tables() {
	python3 "$KSPAN_TOP/tools/tables.py" "$@"
}

# The kernel's own documentation, in English.
words_text() {
	local source
	source=$("$KSPAN_TOP/tools/kernel.sh" --source "$1")
	(cd "$source" && find Documentation -name '*.rst' -not -path '*/translations/*' -print0 |
		sort -z | xargs -0 cat)
}

words() {
	local kernel=$1 modules out=$KSPAN_CACHE/bench/$1-words
	modules=$("$KSPAN_TOP/tools/build.sh" "$kernel" plain)
	rm -rf "$out/payload"
	mkdir -p "$out/payload"
	cp "$modules/kspan.ko" "$modules/kspan_counter.ko" "$out/payload/"
	words_text "$kernel" >"$out/payload/input"
	boot "$kernel" "$out" "$out/payload" words --cpus 1 --nodes 1
	rm -rf "$out/payload"
	echo
	echo "$kernel, the distinct words of its Documentation/, those of 1 to 16 bytes"
	tables words "$out/results.log"
	echo "raw lines: $out/results.log"
}

# check_parameters NAME WORDS: of a module. insmod warns of a name that the module does not have, and
# of a word without a value, and loads it all the same.
check_parameters() {
	local word names
	case $1 in
	BENCH) names=$(cat "$KSPAN_TOP"/tools/{bench,fragmented}/*.c) ;;
	*) names=$(cat "$KSPAN_TOP"/module/*.c "$KSPAN_TOP"/module/*/*.c) ;;
	esac
	names=$(sed -nE 's/^module_param[a-z_]*\(([a-z0-9_]+),.*/\1/p' <<<"$names" | sort -u | xargs)
	for word in $2; do
		[[ $word == *=* ]] && one_of "${word%%=*}" $names ||
			die "$1=\"$2\": $word sets no parameter of the module." "There are: $names"
	done
}

main() {
	local kernel what kernels=${KERNEL:-$KSPAN_KERNELS}
	one_of "$BENCH_WHAT" pairs calls large churn words scaling heaps memory region pool worst stretch \
		rest reclaim remote parallel profile fragmented all ||
		die "BENCH_WHAT=$BENCH_WHAT is nothing that can be measured." \
		    "Valid: BENCH_WHAT=pairs | calls | large | churn | words | scaling | heaps |" \
		    "memory | region | pool | worst | stretch | rest | reclaim | remote |" \
		    "parallel | profile | fragmented | all"
	! one_of "$BENCH_WHAT" remote parallel memory || BENCH_ON=mttcg
	[ "$BENCH_WHAT" != fragmented ] || BENCH_ON=icount
	one_of "$BENCH_ON" icount uml mttcg ||
		die "BENCH_ON=$BENCH_ON is no machine to measure on." "Valid: BENCH_ON=icount | uml | mttcg"
	one_of "$INIT_ON_ALLOC" 0 1 || die "INIT_ON_ALLOC=$INIT_ON_ALLOC must be 0 or 1."
	[ -z "${KERNEL:-}" ] || check_kernel "$KERNEL"
	check_parameters BENCH "${BENCH:-}"
	check_parameters BENCH_KSPAN "${BENCH_KSPAN:-}"
	[ -z "${SILENCE:-}" ] || check_number SILENCE "$SILENCE" seconds
	[ -z "${TIMEOUT:-}" ] || check_number TIMEOUT "$TIMEOUT" seconds
	case ${1:-} in
	tables) tables rst $KSPAN_KERNELS; return ;;
	tsv) tables tsv $KSPAN_KERNELS; return ;;
	esac
	[ $# -eq 0 ] || die "usage: tools/bench.sh [tables | tsv]"
	# shellcheck disable=SC2086
	need_packages $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	for what in pairs calls large churn scaling heaps memory region pool worst stretch rest reclaim remote \
		parallel profile fragmented; do
		[ "$BENCH_WHAT" = $what ] || [ "$BENCH_WHAT-$what" = worst-stretch ] ||
			{ [ "$BENCH_WHAT" = all ] && one_of $what pairs calls large churn; } || continue
		for kernel in $kernels; do
			case $what-$BENCH_ON in
			profile-*) profile "$kernel" ;;
			rest-*) [ "$kernel" = 7.3 ] || rest "$kernel" ;;
			*-uml) run_uml "$kernel" $what ;;
			*) run "$kernel" $what ;;
			esac
		done
	done
	if one_of "$BENCH_WHAT" words all && [ "$BENCH_ON" = icount ]; then
		words "${KERNEL:-6.12}"
	fi
}

main "$@"
