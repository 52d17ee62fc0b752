#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Shared shell functions of kspan's tools: messages, the cache, packages.
# Usage: source it, as the first thing a tool does:
#
#     set -euo pipefail
#     . "$(dirname "$0")/lib.sh"
#
# Everything a tool fetches or builds lives under $KSPAN_CACHE (default
# ${XDG_CACHE_HOME:-~/.cache}/kspan); nothing is written to the checkout
# but what `make` itself builds. Only need_packages installs anything.

KSPAN_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# A service may run without HOME.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
KSPAN_CACHE=${KSPAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kspan}
KSPAN_KERNELS="6.1 6.12 7.3"
KSPAN_JOBS=${KSPAN_JOBS:-$(nproc)}
export HOME KSPAN_CACHE KSPAN_TOP LC_ALL=C DEBIAN_FRONTEND=noninteractive
# A make above us must not leak its flags into the kernel's make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# shellcheck disable=SC2034 # the tools that source this use them
# What a kernel build, a module build and a boot need, as command:package.
# A package without a command of its own is looked up by dpkg: "-:package".
KSPAN_NEEDS_BUILD="gcc:gcc make:make flex:flex bison:bison bc:bc cpio:cpio \
	rsync:rsync xz:xz-utils depmod:kmod sparse:sparse perl:perl \
	python3:python3 -:libelf-dev -:libssl-dev -:libc6-dev"
# shellcheck disable=SC2034
KSPAN_NEEDS_BOOT="qemu-system-x86_64:qemu-system-x86 -:busybox-static \
	cpio:cpio gzip:gzip python3:python3 depmod:kmod"
# shellcheck disable=SC2034 # the command kspan
KSPAN_NEEDS_TOOL="-:libtracefs-dev -:libtraceevent-dev -:zlib1g-dev -:libjson-c-dev \
	-:libncurses-dev -:libgd-dev -:libprotobuf-c-dev protoc-c:protobuf-c-compiler"
# shellcheck disable=SC2034 # readers of profiles
KSPAN_NEEDS_PPROF="go:golang-go google-pprof:google-perftools"
# shellcheck disable=SC2034 # and its test
KSPAN_NEEDS_TOOL_TEST="chromium:chromium jq:jq mandoc:mandoc python3:python3"

info() {
	printf '%s\n' "kspan: $*" >&2
}

die() {
	printf '%s\n' "kspan: error: $1" >&2
	shift
	[ $# -eq 0 ] || printf '       %s\n' "$@" >&2
	exit 2
}

# The kernel's makefiles can't cope with it, nor say so.
case $KSPAN_TOP$KSPAN_CACHE in
*[[:space:]]*)
	die "a path has a space in it, which the kernel's makefiles can't cope with:" \
	    "the checkout, $KSPAN_TOP" "or the cache, $KSPAN_CACHE" \
	    "Move the checkout, or set KSPAN_CACHE= to another directory." ;;
esac

# no_room DIR: a hint for a failure, if the file system of DIR is full
no_room() {
	local left
	left=$(df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }')
	[ "${left:-1048576}" -ge 65536 ] || echo "The disk is full: $((left / 1024)) MiB are left for $1."
}

# Is $1 one of the words that follow?
one_of() {
	local word=$1 candidate
	shift
	for candidate; do
		[ "$word" != "$candidate" ] || return 0
	done
	return 1
}

# source_files [REGEX]: the files of the source tree, or those of them that match, each with a NUL
# behind it, without what a build leaves
source_files() {
	local file
	if [ -e "$KSPAN_TOP/.git" ]; then
		git -C "$KSPAN_TOP" ls-files -z --cached --others --exclude-standard
	else
		(cd "$KSPAN_TOP" && find . -type f -not -name '*.o' -not -name '*.ko' -not -name '*.mod*' \
			-not -name '.*.cmd' -not -name '.*.d' -not -name Module.symvers -printf '%P\0')
	fi | grep -zE "${1:-.}" | while IFS= read -r -d '' file; do
		[ ! -e "$KSPAN_TOP/$file" ] || printf '%s\0' "$file"
	done
}

# check_number NAME VALUE [UNIT]: a whole number from 1 on, that the shell can count with
check_number() {
	[[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die "$1=$2 is not a number of ${3:-them}, 1 to 999999999."
}

check_kernel() {
	# shellcheck disable=SC2086
	one_of "$1" $KSPAN_KERNELS ||
		die "KERNEL=$1 is not a kernel this project is tested on." \
		    "Valid: KERNEL=${KSPAN_KERNELS// / | }" \
		    "For a source tree of your own: KSRC=/path/to/linux with the KERNEL nearest to it."
}

flavours() {
	(cd "$KSPAN_TOP/tools/kernel" &&
	 for f in *.config; do echo "${f%.config}"; done | grep -vx base | xargs)
}

# flavours_of KERNEL: what there is of it. x86-64 has PREEMPT_RT since 6.12; 6.1 has no dm-vdo,
# and that of 6.12 formats no disks; what allocators are to Rust is 7.3's.
flavours_of() {
	local flavour
	for flavour in plain $(flavours); do
		case $1/$flavour in
		6.1/rt|6.1/dm|6.12/dm|6.1/rust|6.12/rust) ;;
		*) echo "$flavour" ;;
		esac
	done
}

# check_flavour FLAVOUR [KERNEL]
check_flavour() {
	local valid
	valid="plain $(flavours)"
	# shellcheck disable=SC2086
	one_of "$1" $valid ||
		die "FLAVOUR=$1 is not a kernel flavour of this project." \
		    "Valid: FLAVOUR=${valid// / | }"
	[ -n "${2:-}" ] || return 0
	valid=$(flavours_of "$2" | xargs)
	# shellcheck disable=SC2086
	one_of "$1" $valid ||
		die "there is no KERNEL=$2 FLAVOUR=$1: x86-64 has PREEMPT_RT since 6.12, and what the ports and Rust need is 7.3's." \
		    "Valid with KERNEL=$2: FLAVOUR=${valid// / | }"
}

# compiler_of KERNEL FLAVOUR: the command. KASAN sees memset() and its kin by a prefix that
# compilers give them, gcc from 13 and clang from 15 on; 6.1 by functions of its own.
compiler_of() {
	local gcc
	gcc=$(gcc -dumpversion)
	if [ "$2" = debug ] && [ "$1" != 6.1 ] && [ "${gcc%%.*}" -lt 13 ]; then
		echo clang-19
	else
		echo gcc
	fi
}

# compiler_version COMMAND
compiler_version() {
	case $1 in
	gcc) gcc -dumpfullversion -dumpversion ;;
	*) "$1" -dumpversion ;;
	esac
}

package_missing() {
	local command=${1%%:*} package=${1#*:}
	if [ "$command" != - ]; then
		! PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null
	else
		! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed
	fi
}

# need_packages command:package...: have them, or install what is missing.
need_packages() {
	local need missing=()
	for need; do
		if package_missing "$need"; then missing+=("${need#*:}"); fi
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	local line="apt-get install -y --no-install-recommends ${missing[*]}"
	local sudo=
	if [ "$(id -u)" != 0 ]; then
		if sudo -n true 2>/dev/null; then
			sudo="sudo -n"
		else
			die "these packages are missing: ${missing[*]}" \
			    "Install them as root, then run this again:" "  $line"
		fi
	fi
	command -v apt-get >/dev/null ||
		die "these packages are missing: ${missing[*]}" \
		    "There is no apt-get here; install what stands for them in your distribution."
	info "installing ${missing[*]}"
	mkdir -p "$KSPAN_CACHE/log"
	local log=$KSPAN_CACHE/log/apt-install.log
	: >"$log"
	# shellcheck disable=SC2086
	if ! $sudo $line >>"$log" 2>&1 </dev/null; then
		if ! { $sudo apt-get update && $sudo $line; } >>"$log" 2>&1 </dev/null; then
			tail -n 5 "$log" >&2
			die "installing ${missing[*]} failed (log: $log)." \
			    "$(no_room / | grep . || echo "Is the network up, and does apt-get update work?") Then: $line"
		fi
	fi
}

# --- apt, with private state: the system's lists and caches stay as they are

# apt_private NAME apt-command...: NAME is "machine" (the sources this
# machine has) or a suite of the same mirror, such as trixie-backports.
apt_private() {
	local name=$1 dir=$KSPAN_CACHE/apt/$1 command=$2
	shift 2
	local opts=(-o "Dir::State=$dir/state" -o "Dir::State::lists=$dir/lists"
		    -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache"
		    -o APT::Sandbox::User=root -o Debug::NoLocking=1
		    -o Acquire::Retries=3 -o Acquire::http::Timeout=30
		    -o APT::Update::Post-Invoke-Success::= -q)
	if [ "$name" != machine ]; then
		mkdir -p "$dir/none"
		opts+=(-o "Dir::Etc::SourceList=$dir/sources.list"
		       -o "Dir::Etc::SourceParts=$dir/none"
		       -o "Dir::Etc::Preferences=$dir/none"
		       -o "Dir::Etc::PreferencesParts=$dir/none")
	fi
	mkdir -p "$dir/state" "$dir/lists/partial" "$dir/cache/archives/partial"
	[ -e "$dir/status" ] || : >"$dir/status"
	"$command" "${opts[@]}" "$@"
}

# The mirror this machine uses, from its own apt configuration.
mirror() {
	local uri
	uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$1 !~ /security/ && $2 ~ /^[a-z]+$/ && $1 ~ /debian\/?$/ { print $1; exit }')
	[ -n "$uri" ] ||
		die "this machine's apt configuration names no Debian mirror." \
		    "Set KSRC= to a kernel source tree of your own."
	echo "$uri"
}

# apt_ready NAME: private lists present, fetched at most once a day.
apt_ready() {
	local name=$1 dir=$KSPAN_CACHE/apt/$1
	mkdir -p "$dir"
	if [ "$name" != machine ]; then
		local keyring keys=
		for keyring in /usr/share/keyrings/debian-archive-keyring.gpg \
			       /usr/share/keyrings/debian-archive-*.gpg; do
			[ -r "$keyring" ] && keys=$keyring && break
		done
		echo "deb${keys:+ [signed-by=$keys]} $(mirror) $name main" >"$dir/sources.list"
	fi
	[ -z "$(find "$dir/fetched" -mmin -1440 2>/dev/null)" ] || return 0
	info "reading the package lists of ${name/machine/this machine\'s sources}"
	# A third party's broken source is no obstacle; no list at all is.
	apt_private "$name" apt-get update >"$dir/update.log" 2>&1 </dev/null || :
	if ! compgen -G "$dir/lists/*_Packages*" >/dev/null; then
		grep -E '^(E|W|Err):?' "$dir/update.log" | head -n 4 >&2 || :
		return 1
	fi
	touch "$dir/fetched"
}

apt_candidate() {
	apt_private "$1" apt-cache policy "$2" 2>/dev/null |
		awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

no_network() {
	die "cannot fetch $1: no package list could be read." \
	    "Is the network up? \`apt-get update\` should work here first." \
	    "What is fetched once is kept in $KSPAN_CACHE and needs no network again."
}

# apt_fetch NAME PACKAGE DIR: leaves the .deb in DIR, prints its path.
apt_fetch() {
	local name=$1 package=$2 dir=$3 log=$KSPAN_CACHE/apt/$1/download.log
	mkdir -p "$dir"
	info "downloading $package $(apt_candidate "$name" "$package")"
	if ! (cd "$dir" && apt_private "$name" apt-get download "$package") >"$log" 2>&1 </dev/null; then
		# The lists may be older than the mirror: read them again, once.
		rm -f "$KSPAN_CACHE/apt/$name/fetched"
		if ! apt_ready "$name" ||
		   ! (cd "$dir" && apt_private "$name" apt-get download "$package") >"$log" 2>&1 </dev/null; then
			tail -n 3 "$log" >&2
			die "cannot download the package $package." \
			    "$(no_room "$dir" | grep . || echo "Is the network up?") (log: $log)"
		fi
	fi
	local deb
	deb=$(find "$dir" -name "${package}_*.deb" | head -n 1)
	[ -n "$deb" ] && dpkg-deb -I "$deb" >/dev/null 2>&1 ||
		die "the download of $package is not a Debian package: ${deb:-nothing arrived}" \
		    "Remove $dir and run this again."
	echo "$deb"
}

# apt_find PACKAGE SUITE...: the first of the sources that has PACKAGE.
apt_find() {
	local package=$1 name reachable=
	shift
	for name; do
		apt_ready "$name" || continue
		reachable=1
		if [ -n "$(apt_candidate "$name" "$package")" ]; then
			echo "$name"
			return 0
		fi
	done
	[ -n "$reachable" ] || no_network "$package"
	return 1
}

# use_toolchain FLAVOUR: what a kernel of it, and modules for that, are compiled by.
use_toolchain() {
	local bin
	[ "$1" = rust ] || return 0
	bin=$("$KSPAN_TOP/tools/rust-toolchain.sh")
	PATH=$bin:$PATH
}

# --- long work

# Silence of somebody who works: silence_begins, then silence_after MARK time and
# again, where MARK is what changes when he makes progress. Sets SILENT, the seconds
# since it changed.
silence_begins() {
	SILENT=0 SILENCE_MARK='' SILENCE_SINCE=$SECONDS
}

silence_after() {
	if [ "$1" != "$SILENCE_MARK" ]; then
		SILENCE_MARK=$1 SILENCE_SINCE=$SECONDS
	fi
	# shellcheck disable=SC2034 # for who called
	SILENT=$((SECONDS - SILENCE_SINCE))
}

# with_lock NAME command...: one at a time, across processes.
with_lock() {
	local name=$1
	shift
	mkdir -p "$KSPAN_CACHE/lock"
	(
		if ! flock -n 9; then
			info "waiting for another run that works on $name"
			flock 9
		fi
		"$@" 9>&-
	) 9>"$KSPAN_CACHE/lock/$name"
}

# with_progress LOG LABEL COUNT_COMMAND command...: output to LOG, and a line
# every 20 s that says how far it is; the log's tail if the command fails.
with_progress() {
	local log=$1 label=$2 count=$3 start=$SECONDS pid rc=0
	shift 3
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2064
	trap "kill $pid 2>/dev/null || :" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		for _ in $(seq 20); do
			kill -0 "$pid" 2>/dev/null || break 2
			sleep 1
		done
		info "$label: $((SECONDS - start)) s, $(eval "$count" 2>/dev/null || echo '?')"
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	if [ $rc -ne 0 ]; then
		tail -n 25 "$log" >&2
		info "$label failed (exit $rc); the whole log: $log"
	fi
	return $rc
}
