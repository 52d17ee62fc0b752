# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: record the traces that TRACES names, each of what /payload/NAME.sh does, and
# print them in base64 between two lines that name them.
for trace in $TRACES; do
	/payload/kspan record -b 32768 -o "/tmp/$trace.ktrace" -- \
		sh "/payload/$trace.sh" || exit 1
	/payload/kspan info "/tmp/$trace.ktrace" || exit 1
	echo "KSPAN-TRACE begin $trace"
	base64 "/tmp/$trace.ktrace"
	echo "KSPAN-TRACE end $trace"
done
