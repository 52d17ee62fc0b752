# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: kspan as an allocator of Rust's (tools/samples/rust), by the tests that its module
# has, and by what the module does; then a module that forgets boxes, which must be seen.
# Prints KTAP.
# shellcheck disable=SC1091
. /guest/lib.sh
. /guest/ktap.sh

RESULTS=/sys/kernel/debug/kunit/kspan_rust/results

# said: what the sample told last of what it found
said() {
	dmesg | sed -n 's/.*kspan_rust: \([0-9]* primes\)/\1/p' | tail -n 1
}

# holds OBJECTS BYTES: that many are in use, and no more
holds() {
	[ "$(stat_of HeapObjects)" = "$1" ] && [ "$(stat_of Alloc)" = "$2" ]
}

in_use() {
	echo "$(stat_of HeapObjects) objects, $(stat_of Alloc) bytes are in use"
}

memory_begin || exit 1
load kspan.ko && load kspan_rust.ko limit=200000
LOADED=$?
# The suite of the module's own tests.
cat $RESULTS
suite kspan_rust_sample 11
result "kspan and the sample load" $LOADED
grep -q '^ok 1 kspan_rust$' $RESULTS
result "the allocator's tests pass" $?
said | grep -q '^17984 primes below 200000, the last 199999, in 73728 bytes$'
result "the primes are found" $? "$(said)"
# The primes in 9 pages of 8 KiB, and the box that has the vector.
holds 2 $((9 * 8192 + 32))
result "they are in memory of kspan's" $? "$(in_use)"
rmmod kspan_rust && at_rest
result "it comes back with the module" $? "$(in_use)"
# 664579 primes: what grows to 4 MiB shrinks to 325 pages. The sieve is vmalloc()'s.
load kspan_rust.ko limit=10000000 && holds 2 $((325 * 8192 + 32)) && rmmod kspan_rust && at_rest
result "and again, with more of them" $? "$(said), $(in_use)"
load kspan_rust.ko limit=1000 lose=3 && rmmod kspan_rust
result "a module loads that loses three boxes" $?
! at_rest && holds 3 $((3 * 64))
result "they are seen" $? "$(in_use)"
rmmod kspan && dmesg | grep -q 'heap default: 3 objects of class 64 were never freed'
result "kspan tells of them when it is unloaded" $?
# Its tests ran each time that it was loaded.
[ "$(dmesg | grep -c '\] ok [0-9]* kspan_rust$')" = 3 ] && ! dmesg | grep 'not ok'
result "no test failed that ran again" $?
memory_end
result "memory comes back" $?
suite_end
