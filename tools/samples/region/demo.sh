# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The demo of kspan_region: has settings made into a tree, shows that a wrong line
# changes nothing, and forgets them all.
# shellcheck disable=SC1091
. "${KSPAN_GUEST:-/guest}/demo-lib.sh"

device=/dev/kspan_region

# The kernel's own, as sysctl prints them; without sysctl the words of a text.
settings() {
	sysctl -a 2>/dev/null || :
	awk '{ for (i = 1; i <= NF && i < 4; i++) print "text.line" NR % 50 ".word" i " = " $i }' \
		"$INPUT" | grep -v '= *[#.]' | head -n 100
	echo "kernel.hostname = demo"
}

# The last value of every name.
wanted() {
	awk '$0 ~ / = / { name = $1; value[name] = $0 } END { for (n in value) print value[n] }' "$1" |
		sed 's/ *= */=/; s/[ \t]*$//' | sort
}

# The same, of the tree.
names_of() {
	awk '/^#/ { next } {
		match($0, /^ */); depth = RLENGTH / 2; line = substr($0, RLENGTH + 1)
		eq = index(line, " = ")
		path[depth] = eq ? substr(line, 1, eq - 1) : line
		sub(/ =$/, "", path[depth])
		if (!eq && line !~ / =$/) next
		full = path[0]
		for (i = 1; i <= depth; i++) full = full "." path[i]
		print full "=" (eq ? substr(line, eq + 3) : "")
	}' "$1" | sed 's/[ \t]*$//' | sort
}

demo() {
	settings >"$SCRATCH/settings"
	step "cat settings >$device    ($(wc -l <"$SCRATCH/settings") lines, $(wc -c <"$SCRATCH/settings") bytes)"
	cat "$SCRATCH/settings" >$device || fail "the settings were not taken"
	cat $device >"$SCRATCH/tree" || fail "the tree was not given"
	step "head -n 12 $device; tail -n 1 $device"
	head -n 12 "$SCRATCH/tree"
	tail -n 1 "$SCRATCH/tree"
	step "every name of the settings is there, with its last value"
	wanted "$SCRATCH/settings" >"$SCRATCH/want"
	names_of "$SCRATCH/tree" >"$SCRATCH/got"
	cmp "$SCRATCH/want" "$SCRATCH/got" || fail "the tree is not what was written"
	echo "$(wc -l <"$SCRATCH/got") names"

	step "echo 'kernel.made_up..name = 1' >$device"
	# shellcheck disable=SC2015 # it is the failure that is wanted
	echo 'kernel.made_up..name = 1' >$device 2>/dev/null && fail "it was taken" || :
	cat $device >"$SCRATCH/again" || fail "the tree was not given"
	cmp "$SCRATCH/tree" "$SCRATCH/again" || fail "it has changed the tree"
	echo "refused; the tree and the bytes that it takes are as before"

	step "echo 'kernel.hostname = other' >$device"
	echo 'kernel.hostname = other' >$device || fail "the setting was not taken"
	grep ' hostname = other' $device || fail "the setting was not changed"
	show grep -E '^(HeapInuse|Sys|BadFreeRegion|RefusedMark):' $DEBUGFS/stats
	step "echo reset >$device"
	echo reset >$device || fail "the reset was refused"
	show cat $device
	expect "lines after the reset" "$(wc -l <$device)" 1
}

run_demo region
