# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: a server with 6000 connections over TCP and unix sockets, see load.c.
ifconfig lo up 127.0.0.1 &&
	echo 4096 >/proc/sys/net/unix/max_dgram_qlen &&
	/payload/kspan-load serve 6000 60000
