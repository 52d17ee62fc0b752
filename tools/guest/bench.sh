# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: run the benchmark; its lines are in the kernel's log and in ours.
# shellcheck disable=SC1091
. /guest/lib.sh

load kspan.ko || exit 1
# shellcheck disable=SC2086 # parameters, one a word
load kspan_bench.ko $BENCH || exit 1
dmesg | sed -n 's/.*kspan-bench: //p'
rmmod kspan_bench && rmmod kspan
