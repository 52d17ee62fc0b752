# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: what serve.sh does, shorter; for the selftest.
ifconfig lo up 127.0.0.1 && /payload/kspan-load serve 40 1000
