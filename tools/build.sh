#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build the project's modules against a test kernel, as clean as asked:
# W=1, sparse, and any warning about a file of ours is an error.
#
#   tools/build.sh KERNEL FLAVOUR       print the directory of the .ko files
#   tools/build.sh --kdir DIR NAME      the same against any kernel build
#
# KSPAN_BUILD=samples leaves out what is for tests (default: all).
# KSPAN_STRETCH=1 makes a kspan.ko that notes for how long interrupts or preemption are
# off, for BENCH_WHAT=stretch alone.
#
# The checkout stays as it is: its sources are copied to a directory of that
# kernel under the cache, one for all checkouts, where the objects that other
# builds left are good for every source that has not changed since.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Only what make compiles; a build in the checkout leaves no trace here.
copy_sources() {
	local to=$1 parts=("$KSPAN_TOP/Kbuild" "$KSPAN_TOP/dkms.conf" "$KSPAN_TOP/module")
	[ ! -d "$KSPAN_TOP/kunit" ] || parts+=("$KSPAN_TOP/kunit")
	mkdir -p "$to"
	# By content, and without its time: make then sees what changed.
	rsync -rlp --checksum --delete --delete-excluded --prune-empty-dirs \
		--filter='P *.o' --filter='P *.mod*' --filter='P .*.cmd' \
		--filter='P Module.symvers' --filter='P modules.order' \
		--filter='P *.log' --filter='P .module-common*' \
		--include='*/' --include='*.c' --include='*.h' --include='*.S' \
		--include='Kbuild' --include='dkms.conf' --exclude='*' \
		"${parts[@]}" "$to/"
	# Kbuild takes every sample there is: none of another checkout may be left.
	rsync -rlp --checksum --delete --prune-empty-dirs \
		--include='*/' --include='*.c' --include='*.h' --exclude='*' \
		"$KSPAN_TOP/tools" "$to/"
}

# Warnings about files of ours; the kernel's own headers are not ours.
our_warnings() {
	local log=$1 kdir=$2 source=$3
	grep -E '(warning|error|WARNING|ERROR):' "$log" |
		grep -vE 'the compiler differs from the one used|pahole version differs|Skipping BTF|warning: (make|Clock skew)' |
		grep -vF -e "$source/" -e "$kdir/" |
		grep -vE '^(\./)?(include|arch)/' || :
}

# Prints the clang that a kernel was built by, as modules have its flags; or nothing.
clang_of() {
	sed -nE 's/^CONFIG_CLANG_VERSION=([1-9][0-9]*)[0-9]{4}$/clang-\1/p' "$1/.config"
}

# C=1: sparse sees what is compiled. What is not compiled again has passed it.
compile() {
	local check=${KSPAN_STRETCH:+0} clang
	clang=$(clang_of "$1")
	make -C "$1" M="$2" ${clang:+CC="$clang"} W=1 C="${check:-1}" CHECK="$KSPAN_TOP/tools/sparse.sh" \
		KSPAN_BUILD="$KSPAN_BUILD" -j"$KSPAN_JOBS" modules
}

# The .ko files of this build, not those of a module that is gone since.
built_modules() {
	sed 's|.*/||; s|\.[^.]*$||' "$1/modules.order" | while read -r module; do
		echo "$1/$module.ko"
	done
}

# build_modules KDIR NAME OBJECTS RESULT: the .ko files are left in RESULT.
build_modules() {
	local kdir=$1 name=$2 dir=$3 result=$4 log=$3/build.log rc=0 source warnings
	info "building the modules for $name"
	# What other checkouts left may be told of; the result is the only output.
	copy_sources "$dir" >&2
	source=$(source_of "$kdir")
	# A failed build may have left objects whose warnings would not come again.
	[ ! -e "$dir/.failed.log" ] || find "$dir" -name '*.o' -delete
	: >"$dir/.failed.log"
	compile "$kdir" "$dir" >"$log" 2>&1 </dev/null || rc=$?
	! grep -q 'sparse is not available' "$log" ||
		die "this sparse is too old for $name: $(sparse --version)." "The log: $log"
	warnings=$(our_warnings "$log" "$kdir" "$source")
	if [ $rc -ne 0 ]; then
		printf '%s\n' "${warnings:-$(tail -n 20 "$log")}" >&2
		die "building the modules for $name failed." "The log: $log"
	fi
	if [ -n "$warnings" ]; then
		printf '%s\n' "$warnings" >&2
		die "the modules built for $name with $(echo "$warnings" | wc -l) warnings (above); none is allowed." \
		    "The log: $log"
	fi
	"$KSPAN_TOP/tools/layers.sh" "$dir" || die "files of module/ know what is above them (above)."
	rm -f "$dir/.failed.log"
	rm -rf "$result"
	mkdir -p "$result"
	built_modules "$dir" | xargs -d '\n' cp -t "$result" "$dir/Module.symvers"
}

# recipe KDIR: how the objects were made. Another compiler or other checks make others.
recipe() {
	local clang
	clang=$(clang_of "$1")
	{ "${clang:-gcc}" --version; sparse --version; cat "$KSPAN_TOP/tools/build.sh" "$KSPAN_TOP/tools/sparse.sh"; } |
		sha256sum | cut -c1-6
}

source_of() {
	if [ -e "$1/source" ]; then realpath "$1/source"; else realpath "$1"; fi
}

main() {
	local kdir name objects result
	[ $# -ge 2 ] || die "usage: tools/build.sh KERNEL FLAVOUR | --kdir DIR NAME"
	if [ "$1" = --kdir ]; then
		kdir=$2 name=$3
	else
		use_toolchain "$2"
		kdir=$("$KSPAN_TOP/tools/kernel.sh" "$1" "$2")
		name=$(basename "$kdir")
	fi
	[ -f "$KSPAN_TOP/Kbuild" ] || die "$KSPAN_TOP has no Kbuild to build."
	need_packages $KSPAN_NEEDS_BUILD
	KSPAN_BUILD=${KSPAN_BUILD:-all}
	name+=${KSPAN_STRETCH:+-stretch}
	objects=$KSPAN_CACHE/objects/$name-$(recipe "$kdir")
	result=$KSPAN_CACHE/modules/$name-$KSPAN_BUILD-$(echo "$KSPAN_TOP" | sha256sum | cut -c1-6)
	with_lock "objects-$(basename "$objects")" build_modules "$kdir" "$name" "$objects" "$result"
	echo "$result"
}

main "$@"
