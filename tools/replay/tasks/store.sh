# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Guest: a store of content, see load.c, in a tmpfs. It is made, looked through, and
# removed.
store=/tmp/store
mkdir $store && mount -t tmpfs tmpfs $store || exit 1
/payload/kspan-load store /payload/list $store || exit 1
find $store -type l | wc -l
ls -lR $store | wc -l
rm -rf "${store:?}"/*
umount $store
