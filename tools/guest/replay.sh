# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: replay every trace of /payload on kspan and on SLUB, in turns. A line of the
# samples begins with "sample" and the name of its trace. kfree_rcu() takes up to 5 seconds
# to free; slabs that have room only then would be counted as full at the start of a run.
# shellcheck disable=SC1091
. /guest/lib.sh

echo "command line: $(cat /proc/cmdline)"
load kspan.ko && load kspan_replay.ko || exit 1
for trace in /payload/*.ktrace; do
	name=$(basename "$trace" .ktrace)
	echo "trace: $name"
	# shellcheck disable=SC2086 # options, one a word
	/payload/kspan replay --pause 6 $REPLAY --tsv /tmp/samples.tsv "$trace" || exit 1
	sed "s/^/sample	$name	/" /tmp/samples.tsv
done
rmmod kspan_replay && rmmod kspan
