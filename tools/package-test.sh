#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Install, upgrade and remove kspan in a clean Debian, by each way there is: make install, DKMS,
# Debian packages; and build the tarball, and a kernel's tree with the patches.
# Usage: tools/package-test.sh [make | dkms | deb | dist | patch]...  (make packages-test; all)
#
# The clean Debian is a chroot of this machine's release, made from this machine's own apt configuration, with the
# headers of two kernels. Nothing is booted: what is judged are files, and what modprobe and modinfo say
# of them. It must run as root. The last line is "packages PASSED FAILED 0".
#
# The chroot is made once and kept under the cache; each run works on a copy, and leaves it there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

WORK=$KSPAN_CACHE/packages
BASE=$WORK/base
ROOT=$WORK/root
LOG=$WORK/log
PASSED=0 FAILED=0

# in_root command...
in_root() {
	chroot "$ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

# check TEXT command...: a case, good when the command is
check() {
	local text=$1
	shift
	if "$@" >>"$LOG" 2>&1 </dev/null; then
		PASSED=$((PASSED + 1))
		echo "ok: $text" >&2
	else
		FAILED=$((FAILED + 1))
		echo "not ok: $text" >&2
	fi
	echo "== $text" >>"$LOG"
}

fails() {
	! "$@"
}

# --- the chroot

# The header packages of two kernels: the one that the release stands for, and the newest other one.
header_packages() {
	local first
	first=$(apt_private machine apt-cache depends linux-headers-amd64 |
		awk '$1 == "Depends:" && $2 ~ /^linux-headers-[0-9]/ { print $2; exit }')
	echo "$first"
	apt_private machine apt-cache pkgnames linux-headers- |
		grep -E '^linux-headers-[0-9].*[0-9](\+deb[0-9]+)?-amd64$' | grep -E '[0-9]\.[0-9]+\.[0-9]' |
		grep -vxF "$first" | sort -V | tail -n 1
}

make_base() {
	local packages
	packages=make,gcc,libc6-dev,kmod,dkms,dpkg-dev,$(header_packages | paste -sd,)
	[ "$(cat "$BASE.packages" 2>/dev/null)" != "$packages" ] || return 0
	info "making a chroot of $(suite) in $BASE"
	rm -rf "$BASE"
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' >"$WORK/sources.list"
	# A mirror behind a proxy, or one of another time.
	apt-config dump | grep -E '^Acquire::(Check-|http|https)' >"$WORK/apt.conf" || :
	mmdebstrap --variant=apt --aptopt="$WORK/apt.conf" --include="$packages" "$(suite)" "$BASE" \
		"$WORK/sources.list" >"$LOG" 2>&1 </dev/null ||
		die "making the chroot failed." "The log: $LOG"
	echo "$packages" >"$BASE.packages"
}

suite() {
	. /etc/os-release && echo "$VERSION_CODENAME"
}

# A fresh copy of the chroot, with /proc, which dkms wants, and the checkout in /kspan.
fresh_root() {
	clean_up
	rm -rf "$ROOT"
	cp -a --reflink=auto "$BASE" "$ROOT"
	mount -t proc proc "$ROOT/proc"
	mkdir -p "$ROOT/kspan"
	# As a tarball has it: no history.
	(cd "$KSPAN_TOP" && source_files | xargs -0 cp --parents -t "$ROOT/kspan")
	mapfile -t RELEASES < <(cd "$ROOT/lib/modules" && for dir in */build; do echo "${dir%/build}"; done)
	[ ${#RELEASES[@]} -ge 2 ] || die "the chroot has headers of ${#RELEASES[@]} kernels, and should have two."
}

clean_up() {
	! mountpoint -q "$ROOT/proc" || umount "$ROOT/proc"
}

# --- what is to be seen

# loads RELEASE: modprobe finds kspan
loads() {
	in_root modprobe -S "$1" -D kspan | grep -q '/kspan\.ko'
}

# has RELEASE VERSION: that is the version of what modprobe finds
has() {
	[ "$(in_root modinfo -k "$1" -F version kspan)" = "$2" ]
}

# dependent_builds RELEASE MK: a module that uses kspan
dependent_builds() {
	local dir=/tmp/dependent
	rm -rf "$ROOT$dir"
	mkdir -p "$ROOT$dir"
	cp "$KSPAN_TOP/tools/samples/words/words.c" "$ROOT$dir/"
	printf 'include %s\nobj-m := words.o\n' "$2" >"$ROOT$dir/Kbuild"
	in_root make -C "/lib/modules/$1/build" M=$dir modules || return 1
	[ "$(in_root modinfo -F depends $dir/words.ko)" = kspan ]
}

nothing_is_left() {
	local left
	left=$(cd "$ROOT" && find usr/src usr/local usr/share var/lib/dkms lib/modules usr/lib etc \
		-path '*kspan*' -not -path 'var/lib/dpkg/*')
	echo "$left"
	[ -z "$left" ]
}

# --- make install

test_make() {
	local release
	fresh_root
	for release in "${RELEASES[@]}"; do
		check "make modules_install install for $release" \
			in_root make -C /kspan "KDIR=/lib/modules/$release/build" modules_install install
		check "modprobe finds it on $release" loads "$release"
		check "it is the only module" [ "$(find "$ROOT/lib/modules/$release/" -name '*.ko*' -printf '%P\n' |
			sed 's/\.xz$//')" = updates/kspan.ko ]
		check "a module that uses it builds for $release" \
			dependent_builds "$release" /usr/local/src/kspan/kspan.mk
	done
	check "nothing was told of keys" fails grep -E 'SSL error|sign-file|signing_key|Skipping depmod' "$LOG"
	for release in "${RELEASES[@]}"; do
		check "make uninstall for $release" in_root make -C /kspan "KDIR=/lib/modules/$release/build" uninstall
		check "modprobe does not find it on $release" fails loads "$release"
	done
	rm -rf "$ROOT/kspan"
	check "nothing is left" nothing_is_left
}

# --- DKMS

# set_version VERSION [TREE]
set_version() {
	sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$1\"/" "${2:-$ROOT/kspan}/dkms.conf"
}

# each_has VERSION: each kernel
each_has() {
	local release
	for release in "${RELEASES[@]}"; do
		loads "$release" && has "$release" "$1" || return 1
	done
}

# all_have VERSION: each kernel, and DKMS knows no other
all_have() {
	each_has "$1" || return 1
	in_root dkms status kspan
	[ "$(in_root dkms status kspan | sed 's/,.*//' | sort -u)" = "kspan/$1" ] &&
		[ "$(cd "$ROOT/usr/src" && echo kspan-*)" = "kspan-$1" ]
}

# A source that does not build for one kernel, as when a new kernel changed an interface:
# break_for RELEASE TREE
break_for() {
	{
		echo '#include <generated/utsrelease.h>'
		echo "static_assert(__builtin_strcmp(UTS_RELEASE, \"$1\"));"
	} >>"$2/module/main.c"
}

test_dkms() {
	local release last
	fresh_root
	last=${RELEASES[-1]}
	set_version 1.1
	check "dkms-install" in_root make -C /kspan dkms-install
	check "every kernel has 1.1" all_have 1.1
	for release in "${RELEASES[@]}"; do
		check "a module that uses it builds for $release" dependent_builds "$release" /usr/local/src/kspan/kspan.mk
	done

	set_version 1.2
	check "dkms-install of 1.2" in_root make -C /kspan dkms-install
	check "every kernel has 1.2" all_have 1.2
	set_version 1.1
	check "dkms-install of 1.1 again" in_root make -C /kspan dkms-install
	check "every kernel has 1.1 again" all_have 1.1

	set_version 1.3
	break_for "$last" "$ROOT/kspan"
	check "dkms-install of what does not build for $last fails" fails in_root make -C /kspan dkms-install
	cp "$KSPAN_TOP/module/main.c" "$ROOT/kspan/module/"
	check "every kernel still has 1.1, and nothing else" all_have 1.1
	check "a module that uses it still builds" dependent_builds "$last" /usr/local/src/kspan/kspan.mk
	check "dkms-install of 1.3 mended" in_root make -C /kspan dkms-install
	check "every kernel has 1.3" all_have 1.3

	# A kernel that comes later: what Debian's hook does for it.
	in_root dkms remove -m kspan -v 1.3 -k "$last" >>"$LOG" 2>&1
	check "$last has no kspan" fails loads "$last"
	check "a kernel that comes gets it" in_root dkms autoinstall -k "$last"
	check "every kernel has 1.3 again" all_have 1.3

	# DKMS asks for the configuration that a kernel was built with.
	in_root sed -i "s/^CONFIG_64BIT=y/# &/" "/lib/modules/$last/build/.config"
	set_version 1.4
	check "dkms-install where a kernel is excluded" in_root make -C /kspan dkms-install
	check "the other one has 1.4" has "${RELEASES[0]}" 1.4
	check "the excluded one keeps 1.3" has "$last" 1.3

	mkdir -p "$ROOT/sys/firmware/efi/efivars"
	printf '\6\0\0\0\1' >"$ROOT/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	set_version 1.5
	check "dkms-install with secure boot" in_root make -C /kspan dkms-install
	check "names the key to enrol" grep "mokutil --import" "$LOG"
	check "dkms-remove" in_root make -C /kspan dkms-remove
	for release in "${RELEASES[@]}"; do
		check "modprobe does not find it on $release" fails loads "$release"
	done
	rm -rf "$ROOT/kspan" "$ROOT/sys/firmware"
	check "nothing is left" nothing_is_left
}

# --- Debian packages

# make_packages VERSION [RELEASE]: in the chroot's /debs/VERSION; they do not build for RELEASE
make_packages() {
	local tree=$WORK/tree
	rm -rf "$tree"
	mkdir -p "$tree" "$ROOT/debs"
	(cd "$KSPAN_TOP" && source_files | xargs -0 cp -p --parents -t "$tree")
	set_version "$1" "$tree"
	[ $# -eq 1 ] || break_for "$2" "$tree"
	DEBFULLNAME="The kspan developers" DEBEMAIL=kspan@example.org HTML=$HTML SOURCE_DATE_EPOCH=1700000000 \
		KSPAN_CACHE="$WORK" "$tree/tools/deb.sh" || return 1
	rm -rf "$ROOT/debs/$1" "$tree"
	mv "$WORK/deb/$1" "$ROOT/debs/"
}

# apt_install PACKAGE...: files in the chroot, and what they depend on
apt_install() {
	in_root apt-get install -y --no-install-recommends --allow-downgrades "$@"
}

test_deb() {
	local release last
	need_packages lintian:lintian
	fresh_root
	rm -rf "$ROOT/kspan"
	cp /etc/resolv.conf "$ROOT/etc/" 2>/dev/null || :
	last=${RELEASES[-1]}
	# The documentation that was made before serves, if HTML= says where it is.
	HTML=${HTML:-$(dirname "$("$KSPAN_TOP/tools/docs.sh" | tail -n 1)")}

	check "make deb" make_packages 1.1
	cp "$ROOT/debs/1.1/SHA256SUMS" "$WORK/first"
	check "make deb again" make_packages 1.1
	check "both times the packages are the same" cmp "$ROOT/debs/1.1/SHA256SUMS" "$WORK/first"
	check "lintian has nothing to say" lintian --tag-display-limit 0 --fail-on error,warning \
		--allow-root "$ROOT"/debs/1.1/*.changes
	check "apt-get update" in_root apt-get update
	check "apt-get install of all packages" apt_install \
		/debs/1.1/kspan-{dkms,dev,doc}_1.1_all.deb "/debs/1.1/kspan-tools_1.1_$(dpkg --print-architecture).deb"
	check "every kernel has 1.1" all_have 1.1
	for release in "${RELEASES[@]}"; do
		check "a module that uses it builds for $release" dependent_builds "$release" /usr/src/kspan/kspan.mk
	done
	check "the command kspan runs" in_root kspan --help

	check "make deb of 1.2" make_packages 1.2
	check "an upgrade to 1.2" apt_install /debs/1.2/kspan-{dkms,dev}_1.2_all.deb
	check "every kernel has 1.2" all_have 1.2

	check "make deb of 1.3, which does not build for $last" make_packages 1.3 "$last"
	check "an upgrade to 1.3 fails" fails apt_install /debs/1.3/kspan-{dkms,dev}_1.3_all.deb
	check "every kernel still has 1.2" each_has 1.2
	check "a module that uses it still builds" dependent_builds "$last" /usr/src/kspan/kspan.mk
	check "a downgrade to 1.1" apt_install /debs/1.1/kspan-{dkms,dev}_1.1_all.deb
	check "every kernel has 1.1 again" all_have 1.1

	check "apt-get purge" in_root apt-get purge -y kspan-dkms kspan-dev kspan-tools kspan-doc
	for release in "${RELEASES[@]}"; do
		check "modprobe does not find it on $release" fails loads "$release"
	done
	check "nothing is left" nothing_is_left
}

# --- tarball and patches

# make_dist UMASK: of a clone of the commit; leaves the checksum in $WORK/sum-UMASK
make_dist() {
	local clone=$WORK/clone out
	rm -rf "$clone"
	(umask "$1" && git clone -q "$KSPAN_TOP" "$clone") || return 1
	out=$(umask "$1" && KSPAN_CACHE=$WORK "$clone/tools/dist.sh") || return 1
	(cd "$out" && sha256sum -c SHA256SUMS) && cp "$out/SHA256SUMS" "$WORK/sum-$1"
	TARBALL=$(echo "$out"/*.tar.xz)
}

test_dist() {
	local release
	check "make dist" make_dist 022
	check "make dist by somebody else" make_dist 077
	check "both times the tarball is the same" cmp "$WORK/sum-022" "$WORK/sum-077"
	fresh_root
	rm -rf "$ROOT/kspan"
	release=${RELEASES[0]}
	mkdir "$ROOT/kspan"
	check "it unpacks" tar -x -f "$TARBALL" -C "$ROOT/kspan" --strip-components=1
	check "it builds" in_root make -C /kspan "KDIR=/lib/modules/$release/build"
	check "its version is that of dkms.conf" [ "$(in_root modinfo -F version /kspan/kspan.ko)" = \
		"$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$KSPAN_TOP/dkms.conf")" ]
}

# in_tree m|y: the directory alone, in a kernel's tree that has the patches
in_tree() {
	local make=(make -C "$WORK/linux" "O=$WORK/linux-build" ARCH=x86_64 -j"$KSPAN_JOBS")
	"$WORK/linux/scripts/config" --file "$WORK/linux-build/.config" --set-val KSPAN "$1" &&
		"${make[@]}" olddefconfig &&
		grep -x "CONFIG_KSPAN=$1" "$WORK/linux-build/.config" &&
		"${make[@]}" prepare && "${make[@]}" mm/kspan/
}

# The tree is one of links to the files of the fetched one; patch makes new files.
test_patch() {
	local patches source
	source=$("$KSPAN_TOP/tools/kernel.sh" --source 6.12)
	patches=$(KERNEL=6.12 "$KSPAN_TOP/tools/patch.sh")
	rm -rf "$WORK/linux" "$WORK/linux-build"
	cp -al "$source" "$WORK/linux" 2>/dev/null || cp -a "$source" "$WORK/linux"
	mkdir "$WORK/linux-build"
	cp "$("$KSPAN_TOP/tools/kernel.sh" 6.12 plain)/.config" "$WORK/linux-build/"
	cat "$patches"/*.patch >"$WORK/series"
	check "the patches apply" patch -p1 -d "$WORK/linux" --fuzz=0 -i "$WORK/series"
	check "CONFIG_KSPAN=m builds" in_tree m
	check "and is a module" grep -x mm/kspan/kspan.o "$WORK/linux-build/mm/kspan/modules.order"
	check "CONFIG_KSPAN=y builds" in_tree y
	rm -rf "$WORK/linux" "$WORK/linux-build"
}

main() {
	local what
	[ "$(id -u)" = 0 ] || die "a chroot wants root." "Run this as root: make packages-test"
	for what; do
		one_of "$what" make dkms deb dist patch || die "usage: tools/package-test.sh [make | dkms | deb | dist | patch]..."
	done
	[ $# -gt 0 ] || set -- make dkms deb dist patch
	need_packages mmdebstrap:mmdebstrap git:git patch:patch $KSPAN_NEEDS_BUILD
	mkdir -p "$WORK"
	apt_ready machine || no_network "a chroot"
	with_lock packages run "$@"
}

run() {
	local what
	make_base
	trap clean_up EXIT
	: >"$LOG"
	for what; do
		echo "# $what" >&2
		"test_$what"
	done
	echo "the log: $LOG" >&2
	echo "packages $PASSED $FAILED 0"
	[ $FAILED -eq 0 ] && [ $PASSED -gt 0 ]
}

main "$@"
