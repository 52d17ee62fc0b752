#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run a module of yours on kspan, on the distribution's kernel in QEMU: make run.
#
#   MODULE=DIR [CMD=...] tools/run.sh      a directory with a Kbuild or Makefile that has obj-m; it
#                                          finds kspan's headers without any setting
#   MODULE=FILE.ko [CMD=...] tools/run.sh  a module that was built for that kernel
#
# CMD is a line for the guest's shell, busybox, while the module is loaded. KERNEL=6.1|6.12 chooses
# the kernel (default: the one that linux-image-amd64 stands for). It fails when the module does not
# load or unload, when CMD fails, when the kernel complains, and when kspan does: of a wrong free, or of
# what was never freed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

MODULE=${MODULE:-}
OUT=$KSPAN_CACHE/run/$$

# What the build needs is looked for where it is missed.
check_arguments() {
	[ -n "$MODULE" ] || die "MODULE= names no module." "Give a directory or a .ko file: make run MODULE=/path/to/my"
	[ -e "$MODULE" ] || die "MODULE=$MODULE: there is no such file or directory."
	if [ -d "$MODULE" ]; then
		grep -qs 'obj-m' "$MODULE/Kbuild" "$MODULE/Makefile" ||
			die "MODULE=$MODULE has no Kbuild or Makefile with obj-m." \
			    "A Kbuild of one line will do: obj-m := my.o"
	else
		case $MODULE in
		*.ko) ;;
		*) die "MODULE=$MODULE is no directory and no .ko file." ;;
		esac
	fi
}

# build_module STOCK KSPAN: a copy of the directory; leaves the .ko files in the payload, sets MODULES.
build_module() {
	info "building $(basename "$MODULE")"
	cp -rL "$MODULE" "$OUT/build"
	make -C "$1/build" M="$OUT/build" KCFLAGS="-I$KSPAN_TOP/module/include" \
		KBUILD_EXTRA_SYMBOLS="$2/Module.symvers" modules >"$OUT/build.log" 2>&1 </dev/null || {
		tail -n 20 "$OUT/build.log" >&2
		die "MODULE=$MODULE did not build (above)." "The log: $OUT/build.log"
	}
	MODULES=$(sed -E 's|.*/||; s|\.k?o$||' "$OUT/build/modules.order" | xargs)
	find "$OUT/build" -name '*.ko' -exec cp -t "$OUT/payload" {} +
}

# take_module RELEASE
take_module() {
	local release
	release=$(modinfo -F vermagic "$MODULE" 2>/dev/null | cut -d' ' -f1)
	[ "$release" = "$1" ] ||
		die "MODULE=$MODULE is for Linux ${release:-(nobody knows)}; the guest runs $1." \
		    "Give its directory, to have it built; or KERNEL= for another guest."
	MODULES=$(basename "$MODULE" .ko)
	cp "$MODULE" "$OUT/payload/"
}

main() {
	local stock release kspan rc=0
	[ $# -eq 0 ] || die "usage: MODULE=DIR|FILE.ko [CMD=...] tools/run.sh"
	check_arguments
	need_packages $KSPAN_NEEDS_BUILD $KSPAN_NEEDS_BOOT
	PATH=$PATH:/usr/sbin:/sbin
	stock=$("$KSPAN_TOP/tools/stock.sh" "${KERNEL:-}")
	release=$(cat "$stock/complete")
	kspan=$(KSPAN_BUILD=modules "$KSPAN_TOP/tools/build.sh" --kdir "$stock/build" "stock-$release")
	mkdir -p "$OUT/payload"
	trap 'rm -rf "$OUT/payload" "$OUT/build"' EXIT
	cp "$kspan/kspan.ko" "$OUT/payload/"
	if [ -d "$MODULE" ]; then
		build_module "$stock" "$kspan"
	else
		take_module "$release"
	fi
	info "booting Debian's $release with $MODULES"
	"$KSPAN_TOP/tools/qemu.sh" --kernel "$stock/vmlinuz" --payload "$OUT/payload" --guest run.sh \
		--out "$OUT" --label run --silence "${SILENCE:-120}" ${TIMEOUT:+--timeout "$TIMEOUT"} \
		--env "MODULES=$MODULES" --env "CMD=${CMD:-}" || rc=$?
	sed -n '/^KSPAN-RUN begin/,/^KSPAN-RUN end/p' "$OUT/results.log" | tr -d '\r' | grep -v '^KSPAN-' || :
	[ $rc -eq 0 ] || die "$MODULES failed: $(sed -n 's/^failed: //p' "$OUT/results.log" | grep . ||
		sed 's/^fail: //' "$OUT/verdict" 2>/dev/null || echo 'there was no verdict')" \
		"The kernel's log: $OUT/console.log"
	info "$MODULES ran, and kspan had nothing to complain about; logs: $OUT"
}

main "$@"
