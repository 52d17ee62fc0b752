# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: 160 containers, of all namespaces but those of users, eight at a time. They
# are all there for a second, and end together.
mkdir /tmp/up || exit 1
i=0
while [ $i -lt 160 ]; do
	unshare -m -u -i -n -p -f sh /payload/container.sh $i &
	i=$((i + 1))
	while [ $((i % 8)) = 0 ] && [ "$(ls /tmp/up | wc -l)" -lt $i ]; do
		sleep 1
	done
done
sleep 1
: >/tmp/stop
wait
# What a network namespace had is freed by a work item.
sleep 2
