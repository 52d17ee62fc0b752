# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the tests in shell have in common; they source it first. KSPAN_MODULES is the
# directory of the .ko files (unset: modprobe finds them).

DIR=$(dirname "$(readlink -f "$0")")
HELPERS=${KTAP_HELPERS:-$DIR/../kselftest/ktap_helpers.sh}
if [ ! -r "$HELPERS" ]; then
	echo "1..0 # SKIP no ktap_helpers.sh: it came with Linux 6.8"
	exit 4
fi
# shellcheck disable=SC1090
. "$HELPERS"

# For those who source this.
# shellcheck disable=SC2034
DEVICE=/dev/kspan_counter
DEBUGFS=/sys/kernel/debug/kspan
# A kernel with kmemleak has other detectors, too, and is some ten times slower.
DETECTORS=
# shellcheck disable=SC2034
[ ! -e /sys/kernel/debug/kmemleak ] || DETECTORS=1
MARK="kspan-test-$$"

# load MODULE [parameter=value...]
load() {
	local module=$1
	shift
	if [ -n "$KSPAN_MODULES" ]; then
		insmod "$KSPAN_MODULES/$module.ko" "$@" 2>/dev/null
	else
		modprobe "$module" "$@" 2>/dev/null
	fi
}

loaded() {
	[ -d "/sys/module/$1" ]
}

unload_all() {
	local module
	# The kernel lists those that use others before these.
	for module in $(awk '$1 ~ /^kspan/ { print $1 }' /proc/modules); do
		rmmod "$module"
	done
}

# stat_of NAME: from debugfs/stats
stat_of() {
	awk -v name="$1:" '$1 == name { print $2 }' $DEBUGFS/stats
}

skip_all() {
	ktap_skip_all "$*"
	exit "$KSFT_SKIP"
}

# Without root nothing can be tested; whatever was loaded goes.
begin() {
	ktap_print_header
	[ "$(id -u)" -eq 0 ] || skip_all "not root"
	unload_all
}

# need MODULE...: loaded from here on
need() {
	local module
	for module; do
		load "$module" || skip_all "cannot load $module (KSPAN_MODULES?)"
	done
}

# From here on the log is to be quiet.
mark_log() {
	echo "$MARK" >/dev/kmsg
}

# The kernel's log since then
log_since_mark() {
	dmesg | sed "1,/$MARK/d"
}

# test_quiet_log [PATTERN]: what is expected
test_quiet_log() {
	local found
	found=$(log_since_mark | grep -v "${1:-^$}" |
		grep -E 'WARNING|BUG|Oops|never freed|Call Trace|bad (page|free)|refcount_t')
	[ -z "$found" ] || ktap_print_msg "$found"
	[ -z "$found" ]
}
