# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: the demos of $SAMPLES, each /payload/NAME.sh, one after the other.
for sample in $SAMPLES; do
	sh "/payload/$sample.sh" || exit 1
done
