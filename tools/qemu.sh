#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot a kernel in QEMU, run one script in it, judge what happened.
#
#   tools/qemu.sh --kernel BZIMAGE --guest SCRIPT --out DIR [options]
#
#   --kernel FILE      the bzImage to boot
#   --guest SCRIPT     run in the guest: a name under tools/guest/, or a file
#   --out DIR          gets console.log (kernel), results.log (the script's
#                      output) and verdict (one line)
#   --payload DIR      is /payload in the guest, the script's working directory
#   --env NAME=VALUE   set for the script (may be repeated)
#   --cpus N --nodes N --mem MIB   default 2, 2, 1024; as many CPUs on each node
#   --dimm MIB@ADDRESS a DIMM at a physical address, for example 128@0x12000000000
#   --plug MIB         room for that much memory, which is added when the script prints
#                      a line KSPAN-PLUG MIB
#   --memoryless N     node N has CPUs and no memory: the others share it
#   --silence SECONDS  how long the guest may print nothing (300)
#   --timeout SECONDS  how long it may take in all (14400)
#   --append WORDS     more kernel parameters
#   --icount           one CPU whose TSC counts instructions exactly
#   --control          the results port is also a socket, DIR/control, to whose
#                      other end the script can listen, and DIR/monitor is QEMU's
#   --label TEXT       what progress lines call this run
#
# Nodes stand in a row: node A is 10 + 10 * |A - B| away from node B, so that the
# nearest other node of each is known. A node has whole sections (128 MiB).
#
# Time is judged by silence. A slow host makes a guest slow, but not silent: it has
# failed when neither log grew for --silence seconds, and the verdict names the test
# that ran last. Reports of stalls repeat for ever and are no progress: after the first
# of them only lines of tests and of ours count. --timeout is for a guest that talks
# and never ends; it is no measure of how long a test should take.
#
# Exit 0 when the guest's last word is "pass" and the kernel's log holds no
# complaint: no oops, BUG, WARN, lockup, stall, sanitizer, lockdep, leak or
# bad-page line. Silence is failure. A line "kspan-expect: TEXT" in the kernel's
# log allows one complaint that contains TEXT: a test's own crime.
#
# KVM is used only where the processor has it; under TCG a boot of several CPUs fails
# now and then, before any module is loaded, or by a fault of the emulator's that can be
# told from the log (emulators_fault). Such a boot is repeated, once, and the verdict says so.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

KERNEL='' GUEST='' OUT='' PAYLOAD='' ENV=() CPUS=2 NODES=2 MEM=1024 MEMORYLESS=''
SILENCE=300 TIMEOUT=14400 APPEND='' ICOUNT='' CONTROL='' DIMM='' PLUG='' LABEL='' QEMU_PID=''
# MiB of memory that a kernel on x86-64 takes for one piece
SECTION=128

# A guest that is stuck goes on with these.
STALLS='detected stall|rcu: .*stall|blocked for more than|soft lockup|hard LOCKUP|workqueue lockup'
# Lines that tell how far a guest is.
STEPS='^ *(\[[ 0-9.]*\](\[ *[TC][0-9]+\])? *)?(# |ok |not ok |TAP |KTAP |KSPAN-|kspan[-a-z]*: |pattern=|call=)'

COMPLAINTS='BUG: |BUG [a-z]|Oops|kernel BUG at|general protection fault|WARNING: |Kernel panic'
COMPLAINTS+='|KASAN: |UBSAN: |KCSAN: |KMSAN: |KFENCE: |ODEBUG: |DEBUG_LOCKS_WARN_ON'
COMPLAINTS+='|detected stall|self-detected|rcu: .*stall|blocked for more than|soft lockup|hard LOCKUP|LOCKUP'
COMPLAINTS+='|Bad page (state|map|cache)|unreferenced object|kmemleak: [1-9][0-9]* new suspected'
COMPLAINTS+='|possible (circular|recursive)|inconsistent lock state|suspicious RCU usage|bad unlock balance'
COMPLAINTS+='|sleeping function called|scheduling while atomic|(list_add|list_del) corruption|refcount_t: '
COMPLAINTS+='|pagealloc: memory corruption|lockdep is turned off|turning off the locking correctness|nobody cared|kmem_cache_destroy .*: .*objects'
COMPLAINTS+='|kmemleak: .*(disabled|Cannot)|[Oo]ut of memory|invoked oom-killer|unable to handle'

parse_arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		--icount) ICOUNT=1; shift; continue ;;
		--control) CONTROL=1; shift; continue ;;
		--kernel|--guest|--out|--payload|--env|--cpus|--nodes|--mem|--memoryless|--dimm|--plug|--silence|--timeout|--append|--label)
			[ $# -ge 2 ] || die "$1 wants a value." ;;
		*) die "unknown argument: $1" "The head of tools/qemu.sh lists what there is." ;;
		esac
		case $1 in
		--kernel) KERNEL=$2 ;;
		--guest) GUEST=$2 ;;
		--out) OUT=$2 ;;
		--payload) PAYLOAD=$2 ;;
		--env) ENV+=("$2") ;;
		--cpus) CPUS=$2 ;;
		--nodes) NODES=$2 ;;
		--mem) MEM=$2 ;;
		--memoryless) MEMORYLESS=$2 ;;
		--dimm) DIMM=$2 ;;
		--plug) PLUG=$2 ;;
		--silence) SILENCE=$2 ;;
		--timeout) TIMEOUT=$2 ;;
		--append) APPEND=$2 ;;
		--label) LABEL=$2 ;;
		esac
		shift 2
	done
	[ -n "$KERNEL" ] && [ -n "$GUEST" ] && [ -n "$OUT" ] ||
		die "usage: tools/qemu.sh --kernel BZIMAGE --guest SCRIPT --out DIR [options]"
	[ -r "$KERNEL" ] || die "no kernel image at $KERNEL." "tools/kernel.sh KERNEL FLAVOUR makes one."
	[ $((CPUS % NODES)) -eq 0 ] || die "--cpus $CPUS is no multiple of --nodes $NODES."
	check_memory
	[ -z "$PAYLOAD" ] || [ -d "$PAYLOAD" ] || die "no payload directory at $PAYLOAD."
	[ -f "$GUEST" ] || GUEST=$KSPAN_TOP/tools/guest/$GUEST
	[ -f "$GUEST" ] || die "no guest script at $GUEST."
	LABEL=${LABEL:-$(basename "$GUEST" .sh)}
	[ -z "$DIMM" ] || [[ $DIMM =~ ^[0-9]+@0x[0-9a-f]+$ ]] ||
		die "--dimm $DIMM is not MIB@ADDRESS." "For example: --dimm 128@0x12000000000"
	[ -z "$PLUG" ] || [[ $PLUG =~ ^[0-9]+$ ]] || die "--plug $PLUG is not a number of MiB."
	check_seconds --silence "$SILENCE"
	check_seconds --timeout "$TIMEOUT"
}

check_seconds() {
	case $2 in
	''|0*|*[!0-9]*) die "$1 $2 is not a number of seconds." ;;
	esac
}

# The kernel ignores a firmware whose nodes share a section of memory.
check_memory() {
	local with=$NODES
	if [ -n "$MEMORYLESS" ]; then
		[ "$MEMORYLESS" -lt "$NODES" ] && [ "$NODES" -gt 1 ] ||
			die "--memoryless $MEMORYLESS: there are $NODES nodes, and one has to have memory."
		with=$((NODES - 1))
	fi
	[ $((MEM / SECTION)) -ge "$with" ] && [ $((MEM % SECTION)) -eq 0 ] ||
		die "--mem $MEM is no multiple of $SECTION, or too little for $with nodes."
}

# The initramfs: busybox, tools/guest and the payload.
make_initramfs() {
	local root=$OUT/root busybox env
	busybox=$(command -v busybox) || die "no busybox; install busybox-static."
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/guest" "$root/payload"
	cp "$busybox" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	cp "$KSPAN_TOP"/tools/guest/* "$root/guest/"
	cp "$GUEST" "$root/guest/"
	mv "$root/guest/init" "$root/init"
	chmod +x "$root/init"
	[ -z "$PAYLOAD" ] || cp -rL "$PAYLOAD/." "$root/payload/"
	{
		printf 'export GUEST=%q\n' "$(basename "$GUEST")"
		for env in ${ENV+"${ENV[@]}"}; do
			printf 'export %s=%q\n' "${env%%=*}" "${env#*=}"
		done
	} >"$root/guest/env"
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$OUT/initramfs.gz"
	rm -rf "$root"
}

# Sets ARGS, QEMU's command line.
qemu_arguments() {
	local words="console=ttyS0 no_timer_check panic=-1 oops=panic nokaslr"
	words+=" ignore_loglevel kunit.enable=1 page_poison=1 $APPEND"
	ARGS=(-nodefaults -no-user-config -display none -no-reboot -m "$MEM"
	      # Half of the time that a debug kernel boots would go to AML for slots.
	      -global PIIX4_PM.acpi-root-pci-hotplug=off
	      -global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off
	      -kernel "$KERNEL" -initrd "$OUT/initramfs.gz"
	      -serial "file:$OUT/console.log")
	[ -z "$DIMM$PLUG" ] || dimm_arguments
	if [ -n "$CONTROL" ]; then
		ARGS+=(-chardev "socket,id=control,path=$OUT/control,server=on,wait=off,logfile=$OUT/results.log"
		       -serial chardev:control -monitor "unix:$OUT/monitor,server=on,wait=off")
	else
		ARGS+=(-serial "file:$OUT/results.log")
	fi
	if [ -n "$ICOUNT" ]; then
		ARGS+=(-accel tcg -icount "shift=0,sleep=off" -cpu "qemu64,+cx16")
		CPUS=1 NODES=1
	elif grep -qwE 'svm|vmx' /proc/cpuinfo && [ -w /dev/kvm ]; then
		ARGS+=(-accel kvm -cpu host)
	else
		ARGS+=(-accel "tcg,thread=multi" -cpu "qemu64,+cx16${DIMM:+,phys-bits=46}")
	fi
	# A node is a socket: a package across nodes is nonsense to the kernel.
	ARGS+=(-smp "$CPUS,sockets=$NODES,cores=$((CPUS / NODES)),threads=1" -append "$words")
	[ "$NODES" -eq 1 ] || numa_arguments
}

# Slots for DIMMs, the addresses that they may have, and one of them.
dimm_arguments() {
	local most=$((MEM + ${PLUG:-0} + 1024))M
	[ -z "$DIMM" ] || most=2T
	ARGS+=(-m "$MEM,slots=2,maxmem=$most")
	[ -z "$PLUG" ] || [ -n "$CONTROL" ] || ARGS+=(-monitor "unix:$OUT/monitor,server=on,wait=off")
	[ -z "$DIMM" ] || ARGS+=(-object "memory-backend-ram,id=far,size=${DIMM%@*}M"
				 -device "pc-dimm,id=dimm,memdev=far,addr=${DIMM#*@}")
}

# The memory that the guest asked for, once.
plug_if_asked() {
	[ -n "$PLUG" ] && grep -aq '^KSPAN-PLUG ' "$OUT/results.log" || return 0
	printf 'object_add memory-backend-ram,id=new,size=%sM\ndevice_add pc-dimm,id=added,memdev=new\n' "$PLUG" |
		python3 -c '
import socket, sys, time
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
for line in sys.stdin:
    time.sleep(0.5)
    monitor.sendall(line.encode())
time.sleep(0.5)
sys.stdout.write(monitor.recv(65536).decode(errors="replace"))' "$OUT/monitor" >"$OUT/monitor.log"
	PLUG=
}

# Nodes, each with its CPUs and its share of the sections, and their distances.
numa_arguments() {
	local node other owned size each=$((CPUS / NODES)) left=$NODES sections=$((MEM / SECTION))
	[ -z "$MEMORYLESS" ] || left=$((NODES - 1))
	for ((node = 0; node < NODES; node++)); do
		owned=cpus=$((node * each))-$(((node + 1) * each - 1))
		if [ "$node" = "$MEMORYLESS" ]; then
			ARGS+=(-numa "node,nodeid=$node,$owned")
		else
			size=$(((sections + left - 1) / left))
			sections=$((sections - size)) left=$((left - 1))
			ARGS+=(-object "memory-backend-ram,id=mem$node,size=$((size * SECTION))M"
			       -numa "node,nodeid=$node,memdev=mem$node,$owned")
		fi
		for ((other = 0; other < node; other++)); do
			ARGS+=(-numa "dist,src=$node,dst=$other,val=$((10 + 10 * (node - other)))")
		done
	done
}

stop_qemu() {
	[ -z "$QEMU_PID" ] || kill "$QEMU_PID" 2>/dev/null || :
	QEMU_PID=
}

# Both logs as text.
logs() {
	cat "$OUT/console.log" "$OUT/results.log" | tr -d '\r\000'
}

# Prints what changes for as long as the guest makes progress.
progress_mark() {
	if grep -aqE "$STALLS" "$OUT/console.log"; then
		echo "$(logs | grep -acE "$STEPS" || :) after a stall"
	else
		stat -c %s "$OUT/console.log" "$OUT/results.log" | xargs
	fi
}

# Prints which test runs, or the last one that ran: KTAP's suites and cases, what KUnit
# cases say when they begin, and what the selftests' runner and their harness do.
running() {
	logs | awk '
		{
			sub(/^\[[ 0-9.]+\](\[ *[TC][0-9]+\])? /, "")
			sub(/^( *# )+(# )*( *#)*/, "# ")
			sub(/^ +/, "")
		}
		/^# selftests: / { suite = $3 " " $4; last = current = ""; next }
		/^# Subtest: / { last = current = ""; suite = $3; next }
		/^#? *RUN +/ { current = $(NF - 1); next }
		/^# [a-z0-9_]+: begins$/ { current = substr($2, 1, length($2) - 1); next }
		/^(#  *)?(not )?ok [0-9]+/ {
			sub(/^# +/, ""); sub(/^not /, ""); sub(/^ok [0-9]+ (- )?/, ""); sub(/ +#.*/, "")
			if ($0 == suite) suite = ""
			last = $0; current = ""
		}
		/^pattern=|^call=|^KSPAN-LOADING / { last = $0 }
		END {
			if (suite) printf "in %s", suite
			if (current) printf "%s%s", suite ? ", " : "in ", current
			else if (last) printf "%safter %s", suite ? ", " : "", substr(last, 1, 80)
			else if (!suite) printf "before any test"
			print ""
		}'
}

# Runs QEMU to its end, or until the guest is silent or late; sets ENDED to "exit",
# "silence" or "timeout".
boot() {
	local start=$SECONDS next=20 last
	: >"$OUT/console.log"
	: >"$OUT/results.log"
	ENDED='exit'
	qemu-system-x86_64 "${ARGS[@]}" >"$OUT/qemu.log" 2>&1 </dev/null &
	QEMU_PID=$!
	trap stop_qemu EXIT
	trap 'stop_qemu; exit 130' INT TERM
	silence_begins
	while kill -0 "$QEMU_PID" 2>/dev/null; do
		sleep 0.5
		[ -d "/proc/$PPID" ] || die "$LABEL: whoever started this boot is gone."
		plug_if_asked
		silence_after "$(progress_mark)"
		if [ "$SILENT" -ge "$SILENCE" ]; then
			ENDED=silence
			break
		fi
		if [ $((SECONDS - start)) -ge "$TIMEOUT" ]; then
			ENDED=timeout
			break
		fi
		if [ $((SECONDS - start)) -ge $next ]; then
			next=$((next + 20))
			last=$(logs | grep -aE "$STEPS" | tail -n 1 | cut -c1-70 || :)
			[ "$SILENT" -lt 20 ] || last+="; silent for $SILENT s"
			info "$LABEL: $((SECONDS - start)) s ${last:+(}${last}${last:+)}"
		fi
	done
	stop_qemu
	wait 2>/dev/null || :
	TOOK=$((SECONDS - start))
}

# Functions that access what their caller gives them: a data race there is the caller's.
LIBRARY='_*(list|llist|rb|find|bitmap|mem|str)'

# Complaints in the kernel's log, less those that a test announced. The kernel has data races
# of its own: one counts where a function that raced is kspan's, or a library's called by kspan.
complaints() {
	tr -d '\r\000' <"$OUT/console.log" | awk -v bad="$COMPLAINTS" -v library=" $LIBRARY" '
		function complain(line,    text) {
			for (text in allowed)
				if (allowed[text] > 0 && index(line, text)) { allowed[text]--; return }
			print line
		}
		/kspan-expect: / { sub(/.*kspan-expect: /, ""); allowed[$0]++; next }
		/^(\[[ 0-9.]+\]( *\[ *[TC][0-9]+\])? )?kspan: / { next }
		/BUG: KCSAN: / { race = $0; looking = 0; next }
		race && / bytes by (task|interrupt)/ { looking = 1; next }
		looking && /\+0x[0-9a-f]+\// {
			looking = $0 ~ library
			if (/ \[kspan/) { complain(race); race = ""; looking = 0 }
			next
		}
		$0 ~ bad { complain($0) }'
}

# Prints the verdict of the boot that ended.
judge() {
	local found last late=
	case $ENDED in
	silence) late="silent for $SILENCE s, $(running)" ;;
	timeout) late="no verdict within $TIMEOUT s, $(running)" ;;
	esac
	found=$(complaints | head -n 3)
	last=$(tr -d '\r\000' <"$OUT/results.log" | sed -n 's/^KSPAN-VERDICT //p' | tail -n 1)
	if [ -n "$found" ]; then
		echo "fail: the kernel complained: $(echo "$found" | head -n 1 | sed 's/^\[[^]]*\] *//')${late:+; $late}"
	elif [ -n "$late" ] && [ -z "$last" ]; then
		echo "fail: $late"
	elif [ -z "$last" ]; then
		echo "fail: the guest ended without a verdict$(head -n 1 "$OUT/qemu.log" | sed 's/^/: /')"
	else
		echo "$last"
	fi
}

# Nothing of ours was loaded yet: the emulator's doing, or the kernel's.
failed_before_us() {
	! grep -aq '^KSPAN-LOADING' "$OUT/results.log" &&
		! grep -aq 'loading out-of-tree module' "$OUT/console.log" &&
		! grep -aq '^KSPAN-VERDICT' "$OUT/results.log"
}

# The kernel patches its code, and the emulator still runs what was there before: a
# breakpoint, where the bytes before the one in <> are none (int3 is cc); or a single step
# that nobody asked for. It may happen at any time, in any code.
emulators_fault() {
	local found
	found=$(complaints)
	case $(echo "$found" | head -n 1) in
	*"Oops: int3: "*|*"int3: 0000 "*)
		tr -d '\r\000' <"$OUT/console.log" | awk '
			/int3: 0000/ { oops = 1 }
			oops && / Code: .*</ { sub(/ <.*/, ""); exit $NF == "cc" }
			END { if (!oops) exit 1 }' ;;
	*exc_debug_kernel*) [ "$(echo "$found" | wc -l)" -eq 1 ] ;;
	*) false ;;
	esac
}

main() {
	local verdict repeated='' why=
	parse_arguments "$@"
	need_packages $KSPAN_NEEDS_BOOT
	mkdir -p "$OUT"
	OUT=$(cd "$OUT" && pwd)
	rm -f "$OUT/verdict"
	make_initramfs
	qemu_arguments
	boot
	verdict=$(judge)
	if [ "$verdict" != pass ]; then
		if emulators_fault; then
			why="the emulator ran code that was not there"
		elif failed_before_us; then
			why="the boot failed before a module was loaded"
		fi
	fi
	if [ -n "$why" ]; then
		info "$LABEL: $why ($verdict); repeating it"
		cp "$OUT/console.log" "$OUT/console.first-boot.log"
		repeated=" (boot repeated: ${verdict#fail: })"
		boot
		verdict=$(judge)
	fi
	rm -f "$OUT/initramfs.gz"
	echo "$verdict$repeated" >"$OUT/verdict"
	info "$LABEL: $verdict$repeated, $TOOK s"
	[ "$verdict" = pass ] || { complaints | head -n 20 >&2; exit 1; }
}

main "$@"
