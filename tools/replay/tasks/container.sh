# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: what a container does, see containers.sh: it mounts what it needs, has a
# network of its own with a small server and its clients, and waits for its end.
mount -t tmpfs tmpfs /run || exit 1
mkdir /run/sys /run/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /run/sys
mount -t tmpfs -o size=10m tmpfs /run/tmp
ifconfig lo up 127.0.0.1
hostname "container$1"
ls -lR /proc/1 /run/sys/class >/run/tmp/list 2>/dev/null
/payload/kspan-load serve 20 400 >/run/tmp/served || exit 1
: >"/tmp/up/$1"
while [ ! -e /tmp/stop ]; do
	sleep 1
done
