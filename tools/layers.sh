#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No file of the module calls or reads anything of a file above its own, as their objects'
# symbols say. Usage: tools/layers.sh OBJECTS, where kspan.ko was built; tools/build.sh does it.
#
# The rooms, from below. Within a room the files must have an order, too: no two call each
# other, be it by way of others.
set -euo pipefail
ROOMS="base pages objects api kits reclaim observe main"

# Lines "FROM TO SYMBOL" of files like pages/map.
calls() {
	sed 's|.*/module/|module/|; s|^module/||' ../kspan.mod | xargs nm -A |
		sed -E 's/^([^:]*)\.o:[0-9a-f ]*/\1 /' | awk '
		$2 == "U" { used[$1, $3]; next }
		$2 ~ /^[TDBRVWC]$/ { home[$3] = $1 }
		END {
			for (key in used) {
				split(key, part, SUBSEP)
				to = home[part[2]]
				if (to != "" && to != part[1])
					print part[1], to, part[2]
			}
		}' | sort
}

upwards() {
	awk -v rooms="$ROOMS" '
		function rank(file) { sub("/.*", "", file); return level[file] }
		BEGIN { n = split(rooms, room, " "); for (i = 1; i <= n; i++) level[room[i]] = i }
		!rank($1) || !rank($2) { print $1 " or " $2 " is in no room that tools/layers.sh knows"; next }
		rank($1) < rank($2) { print $1 ".c uses " $3 " of " $2 ".c, which is above it" }'
}

[ $# -eq 1 ] || { echo "usage: tools/layers.sh OBJECTS" >&2; exit 2; }
cd "$1/module"
wrong=$(calls | upwards)
loop=$(calls | awk '{ print $1, $2 }' | tsort 2>&1 >/dev/null | sed 's/^tsort: -: input contains a loop:/these use each other:/; s/^tsort: //') || :
[ -z "$wrong$loop" ] && exit
printf '%s\n' "$wrong" "$loop" | grep . >&2
exit 1
