#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The command kspan on files that were taken from a guest: make check has it as the suite tool.
# Usage: tools/kspan/test.sh OUT [CASE...]    prints "tool PASSED FAILED SKIPPED"
#
# OUT gets the program, and what the last case has printed. testdata/heap is kspan at work
# under kspan_stress, testdata/later the same a second later; samples is written by hand.
set -uo pipefail
. "$(dirname "$0")/../lib.sh"

OUT=$1
HERE=$KSPAN_TOP/tools/kspan
HEAP=$HERE/testdata/heap LATER=$HERE/testdata/later
KSPAN=$OUT/kspan
# Of the last kspan() or refused().
PRINTED=$OUT/printed
PASSED=0 FAILED=0

# kspan ARGUMENT...: runs it; its output is in $PRINTED
kspan() {
	"$KSPAN" "$@" >"$PRINTED" 2>"$OUT/errors"
}

# has PATTERN...: $PRINTED has a line of each
has() {
	local pattern
	for pattern; do
		grep -q -- "$pattern" "$PRINTED" || { echo "no line of $PRINTED has: $pattern"; return 1; }
	done
}

# refused TEXT ARGUMENT...: exit status 2, and one line with TEXT
refused() {
	local text=$1 status
	shift
	"$KSPAN" "$@" >"$PRINTED" 2>&1 </dev/null
	status=$?
	[ $status -eq 2 ] && [ "$(wc -l <"$PRINTED")" -eq 1 ] && grep -qF -- "$text" "$PRINTED" || {
		echo "kspan $*: status $status, wanted 2 and: $text"
		sed 's/^/	/' "$PRINTED"
		return 1
	}
}

# changed FILE SED: a copy of testdata/heap where this is done to FILE; prints its name
changed() {
	rm -rf "$OUT/changed"
	cp -r "$HEAP" "$OUT/changed"
	sed -i "$2" "$OUT/changed/$1"
	echo "$OUT/changed"
}

# --- top

test_top_sums() {
	kspan top --once --dir "$HEAP" &&
		has "^stress  *kspan_stress " "^documents  *kspan_heap .* 1.0M  *0\$" &&
		[ "$(sed 1,3d "$PRINTED" | wc -l)" -eq "$(sed 1d "$HEAP/heaps" | wc -l)" ]
}

test_top_sorts() {
	kspan top classes --once --sort allocs --lines 3 --dir "$HEAP" || return 1
	[ "$(sed 1,3d "$PRINTED" | awk '{ print $1 }' | paste -sd ' ')" = \
		"$(sed 1d "$HEAP/classes" | sort -k8,8nr | head -n 3 | awk '{ print $1 }' | paste -sd ' ')" ] || return 1
	kspan top heaps --once --sort name --reverse --dir "$HEAP" &&
		[ "$(sed 1,3d "$PRINTED" | awk '{ print $1 }' | paste -sd ' ')" = \
			'words stress\040limited stress stress documents default' ]
}

# top reads, and reads again after a second: meanwhile the files become the later ones.
rates() {
	rm -rf "$OUT/live"
	cp -r "$HEAP" "$OUT/live"
	"$KSPAN" top "$@" --once --delay 2 --dir "$OUT/live" >"$PRINTED" 2>"$OUT/errors" &
	sleep 1
	cp "$LATER"/* "$OUT/live/"
	wait $!
}

test_top_rates() {
	rates heaps --json || return 1
	# 2 seconds and what the machine was late
	python3 - "$HEAP/heaps" "$LATER/heaps" "$PRINTED" <<-END
		import json, sys
		def allocs(name):
		    return {l.split()[0]: int(l.split()[7]) for l in open(name).readlines()[1:]}
		old, new = allocs(sys.argv[1]), allocs(sys.argv[2])
		rows = {row['name']: row for row in json.load(open(sys.argv[3]))['heaps']}
		for row in rows['default'], rows['words']:
		    grown = new[row['name']] - old[row['name']]
		    assert grown / 20 <= row['allocs_per_second'] <= grown / 2, (row, grown)
		    assert row['allocs'] == new[row['name']]
		assert new['default'] > old['default']
	END
}

# A column that later versions of the module have
test_top_peak() {
	kspan top --once --dir "$HEAP" && has "^words  *kspan_words  *3.6M  *-  *-  *3.5M " &&
		kspan top --once --dir "$(changed heaps '1s/$/ peak_bytes/; 2,$s/$/ 7777/')" &&
		has "^words  *kspan_words  *3.6M  *-  *7777  *3.5M "
}

test_top_json() {
	local view
	for view in heaps classes sites; do
		kspan top $view --once --json --dir "$HEAP" || return 1
		[ "$(jq -r .stats.HeapSys "$PRINTED")" = "$(sed -n 's/^HeapSys: //p' "$HEAP/stats")" ] ||
			return 1
	done
	kspan top classes --once --json --dir "$HEAP" &&
		[ "$(jq '[.classes[].spans] | add' "$PRINTED")" = "$(awk 'NR > 1 { n += $4 } END { print n }' "$HEAP/classes")" ] &&
		[ "$(jq -c '.classes[] | select(.class == "large") | .size' "$PRINTED")" = null ]
}

# 17.5 times 65536 bytes, as one object in 8.5 was sampled; the frame of kspan is not the site.
test_top_sites() {
	kspan top sites --once --json --dir "$HEAP" &&
		[ "$(jq -r '.sites[] | select(.site | startswith("words_open+")) | .live' "$PRINTED")" = 17 ] &&
		[ "$(jq -r '[.sites[].site] | map(select(startswith("words_insert+"))) | length' "$PRINTED")" = 1 ] &&
		! grep -q 'kspan_heap_malloc' "$PRINTED"
}

# On a terminal: the second view, another column, and the end.
test_top_screen() {
	TERM=xterm python3 - "$KSPAN" "$HEAP" >"$PRINTED" <<-'END'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if not pid:
		    os.execv(sys.argv[1], ['kspan', 'top', '--dir', sys.argv[2]])
		seen = b''
		def until(text):
		    global seen
		    end = time.time() + 20
		    while text not in seen:
		        assert time.time() < end and select.select([fd], [], [], 20)[0], (text, seen)
		        seen += os.read(fd, 65536)
		until(b'HELD*')
		os.write(fd, b'c')
		until(b'WASTE*')
		os.write(fd, b'>')
		until(b'ALLOCS*')
		os.write(fd, b's')
		until(b'words_insert+0x12a')
		os.write(fd, b'q')
		status = os.waitpid(pid, 0)[1]
		assert status == 0, status
	END
}

test_top_refuses() {
	refused "no such view; there are heaps, classes and sites" top pools &&
		refused "no such column of heaps; there are name module held" top --once --sort size --dir "$HEAP" &&
		refused "--delay 0: must be a number, 1 to 86400" top --delay 0 &&
		refused "--nothing: no such option" top --nothing &&
		refused "/absent/stats: cannot be read: No such file" top --once --dir /absent &&
		refused "heaps, line 3: has 11 columns, and the first line names 10" \
			top --once --dir "$(changed heaps '3s/$/ 7/')" &&
		refused "heaps: has no column held_bytes" \
			top --once --dir "$(changed heaps '1s/held_bytes/held/')" &&
		refused "is it a file of kspan?" top --once --dir "$(changed heaps '1s/kspan/slab/')" &&
		refused "stats, line 2: TotalAlloc: \"x\" is no number" \
			top --once --dir "$(changed stats '2s/: .*/: x/')"
}

# --- map

# The signs of all pages, as many as the file has of each kind.
test_map_pages() {
	local glyph sign
	kspan map --dir "$HEAP" --width 64 --no-color || return 1
	sed '/^node\|^free runs\|a cell:/d' "$PRINTED" >"$OUT/glyphs"
	python3 -c 'import sys; assert max(map(len, open(sys.argv[1]))) == 65' "$OUT/glyphs" || return 1
	while read -r sign glyph; do
		[ "$(sed 1d "$HEAP/map" | cut -d' ' -f3 | grep -o "[$sign]" | wc -l)" -eq \
			"$(grep -oE "$glyph" "$OUT/glyphs" | wc -l)" ] || { echo "$sign $glyph"; return 1; }
	done <<-END
		. ·
		k ░
		_ _
		12 ▁
		# █
		Ll ▓
	END
}

# Arenas that follow one another without a gap are told apart.
test_map_sums() {
	local node
	kspan map --dir "$HEAP" || return 1
	for node in 0 1; do
		has "^node $node: .* in $(awk -v n=$node 'NR > 1 && $1 == n' "$HEAP/arenas" | wc -l) arenas," || return 1
	done
	has "^8 KiB a cell:" && kspan map --pages 8 --dir "$HEAP" && has "^64 KiB a cell:"
}

# Of the SVG each cell is counted, of the PNG its size and the colors in it.
test_map_pictures() {
	kspan map --svg "$OUT/map.svg" --png "$OUT/map.png" --dir "$HEAP" || return 1
	python3 - "$OUT/map.svg" "$OUT/map.png" "$HEAP/map" <<-'END'
		import re, struct, sys, xml.dom.minidom, zlib
		svg, png, signs = sys.argv[1:]
		signs = ''.join(line.split()[2] for line in open(signs).readlines()[1:])
		cells = 0
		for rect in xml.dom.minidom.parse(svg).getElementsByTagName('rect'):
		    if 'large' in (rect.firstChild.firstChild.data if rect.firstChild else ''):
		        cells += round((int(rect.getAttribute('width')) + 1) / 9)
		assert cells == sum(sign in 'Ll' for sign in signs), cells
		data = open(png, 'rb').read()
		assert data[:8] == b'\x89PNG\r\n\x1a\n'
		width, height = struct.unpack('>II', data[16:24])
		assert width > 1000 and height > 400, (width, height)
		at, body = 8, b''
		while at < len(data):
		    length, kind = struct.unpack('>I4s', data[at:at + 8])
		    body += data[at + 8:at + 8 + length] if kind == b'IDAT' else b''
		    at += 12 + length
		assert len(zlib.decompress(body)) == height * (3 * width + 1)
	END
}

# More pages than cells: each cell is of some.
test_map_scales() {
	mkdir -p "$OUT/huge"
	python3 - "$HEAP" "$OUT/huge" <<-'END'
		import sys
		head = [open(f'{sys.argv[1]}/{name}').readline() for name in ('arenas', 'map')]
		arenas, pages = (open(f'{sys.argv[2]}/{name}', 'w') for name in ('arenas', 'map'))
		arenas.write(head[0])
		pages.write(head[1])
		for arena in range(1024):
		    start = 0x1000 + 512 * arena
		    arenas.write(f'0 {start:#x} 10 512 256 0 8 32\n')
		    for line in range(8):
		        pages.write(f'0 {start + 64 * line:#x} {"#" * 32 + "." * 32}\n')
	END
	kspan map --dir "$OUT/huge" --svg "$OUT/huge.svg" &&
		[ "$(wc -c <"$OUT/huge.svg")" -lt 8000000 ] && grep -q "a cell is 64 KiB" "$OUT/huge.svg" &&
		kspan map --dir "$OUT/huge" &&
		has "^node 0: 4.0G in 1024 arenas, 50 % of it objects; free 2.0G in 8192 runs, the longest 256K" \
			"free runs by pages:  32-63: 8192\$" "^512 KiB a cell"
}

test_map_refuses() {
	refused "map, line 3: 'x' stands for no kind of page" map --dir "$(changed map '3s/#/x/')" &&
		refused "map: has version 9; this kspan reads version 3" \
			map --dir "$(changed map '1s/v3/v9/')" &&
		refused "map, line 2: is not \"NODE START PAGES\"" map --dir "$(changed map '2s/0x/0y/')" &&
		refused "\"zz16a0\" is no number of a page" map --dir "$(changed arenas '2s/0x/zz/')" &&
		refused "--pages 0: must be a number" map --pages 0 &&
		refused "/absent/map.png: cannot be created" map --png /absent/map.png --dir "$HEAP" &&
		refused "heap: is no option" map heap
}

# --- profile

# scaled VALUE [OLD]: the sum of a profile's column, in testdata/later, by the formula; with OLD,
# less that of OLD.
scaled() {
	python3 - "$1" "$LATER/samples" ${2:+"$2"} <<-'END'
		import math, sys
		def total(name):
		    lines = [line.rstrip('\n').split('\t') for line in open(name)]
		    rate, names = int(lines[0][0].split()[4]), lines[1]
		    def of(row, column):
		        return int(row[names.index(column)])
		    return sum(round(of(row, sys.argv[1]) / -math.expm1(-of(row, 'size') / rate))
		               for row in lines[2:])
		print(total(sys.argv[2]) - (total(sys.argv[3]) if sys.argv[3:] else 0))
	END
}

# profile ARGUMENT...: of testdata/later
profile() {
	kspan profile --kallsyms "$HEAP/kallsyms" --modules "$HEAP/modules" "$@" "$LATER/samples"
}

# pprof ARGUMENT...: what it prints is in $PRINTED
pprof() {
	go tool pprof "$@" >"$PRINTED" 2>"$OUT/errors"
}

# sums TYPE COLUMN [OLD]: pprof's total is that of the samples
sums() {
	pprof -top -nodefraction=0 -sample_index="$1" -unit=b "$OUT/later.pb.gz" &&
		grep -qE "^Showing nodes accounting for $(scaled "$2" ${3:+"$3"})[Bb]?, " "$PRINTED" || {
			echo "$1: wanted $(scaled "$2" ${3:+"$3"})"
			cat "$PRINTED"
			return 1
		}
}

test_profile_totals() {
	profile -o "$OUT/later.pb.gz" && sums inuse_space live_bytes && sums inuse_objects live &&
		sums alloc_space alloc_bytes && sums alloc_objects allocs
}

test_profile_labels() {
	profile -o "$OUT/later.pb.gz" && pprof -raw "$OUT/later.pb.gz" &&
		has "heap:\[words\] module:\[kspan_words\]" "node:\[0 node\] size:\[65536 bytes\]" \
			"heap:\[default\] module:\[kernel\]" "module:\[unknown\]" \
			"0xffffffff81000000/0xffffffff81600000/0x0 \[kernel.kallsyms\]_stext" \
			"0xffffffffa007f9b9 M=3 words_insert \[kspan_words\]" &&
		pprof -top -tagfocus=heap=default -sample_index=inuse_objects "$OUT/later.pb.gz" &&
		has "^Showing nodes accounting for 1, .* of "
}

test_profile_diff() {
	profile --diff "$HEAP/samples" -o "$OUT/later.pb.gz" &&
		sums inuse_space live_bytes "$HEAP/samples" &&
		pprof -top "$OUT/later.pb.gz" && has "^ *-544.67kB .* words_open" || return 1
	profile --diff "$HEAP/samples" --text &&
		has "^live -545K bytes in -8 objects, .*, heap words" && ! has "0xffffffffa0200123" >/dev/null
}

test_profile_folded() {
	profile --folded --value alloc_objects &&
		has "^do_syscall_64;ksys_write;vfs_write;words_open \[kspan_words\] 26\$" &&
		[ "$(awk '{ n += $NF } END { print n }' "$PRINTED")" = "$(scaled allocs)" ] || return 1
	profile --folded --diff "$HEAP/samples" &&
		has ";words_open \[kspan_words\] 1115477 557738\$"
}

# A frame is as wide as what is under it.
test_profile_flame() {
	profile --flame -o "$OUT/flame.svg" || return 1
	python3 - "$OUT/flame.svg" "$(scaled live_bytes)" <<-'END'
		import sys, xml.dom.minidom
		groups = xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName('g')
		frames = {g.getAttribute('data-n'): float(g.getAttribute('data-w')) for g in groups}
		depths = {g.getAttribute('data-n'): int(g.getAttribute('data-d')) for g in groups}
		total = int(sys.argv[2])
		assert frames['all'] == 1
		assert abs(frames['words_open [kspan_words]'] * total - 557738) < total / 1e5, frames
		assert frames['words_insert [kspan_words]'] == frames['kspan_heap_malloc [kspan]'], frames
		assert 'process_one_work' not in frames
		assert depths['do_syscall_64'] == 1 and depths['kspan_heap_malloc [kspan]'] == 6, depths
	END
}

# A rate of 1: each object is sampled, nothing is scaled. Without symbols addresses stay.
test_profile_exact() {
	sed '1s/524288/1/' "$HEAP/samples" >"$OUT/exact"
	kspan profile --folded --value inuse_objects "$OUT/exact" --kallsyms /dev/null --modules /dev/null &&
		[ "$(awk '{ n += $NF } END { print n }' "$PRINTED")" = 14 ] && has "0xffffffffa0014ecd 6" &&
		grep -q "no names: /dev/null hides its addresses" "$OUT/errors"
}

test_profile_refuses() {
	refused "samples: has version 2 of the format; this kspan reads version 1" \
		profile --text --dir "$(changed samples '1s/version 1/version 2/')" &&
		refused "samples, line 2: has no column heap" \
			profile --text --dir "$(changed samples '2s/heap/pile/')" &&
		refused "samples, line 4: live is \"-5\", which is no number" \
			profile --text --dir "$(changed samples '4s/^5/-5/')" &&
		refused "samples, line 3: has 11 fields, and the second line names 10" \
			profile --text --dir "$(changed samples '3s/^/1\t/')" &&
		refused "\"f00\" is no address" \
			profile --text --dir "$(changed samples '3s/0xffffffffa0014ecd/f00/')" &&
		refused "has no samples, as its rate is 0; to sample an object in 512 KiB, as root: echo 524288 >" \
			profile --text --dir "$(changed samples '1s/524288/0/; 3,$d')" &&
		refused "is no profile of kspan" profile "$HEAP/heaps" &&
		refused "kallsyms, line 2: \"xyz\" is no address" \
			profile --text --dir "$(changed kallsyms '2s/^[^ ]*/xyz/')" &&
		refused "--value size: must be inuse_space" profile --value size &&
		refused "one of them at a time" profile --text --flame &&
		refused "/absent: cannot be read" profile --text --diff /absent --dir "$HEAP"
}

# --- leaks, whatis, report

# A directory with what debugfs has beside testdata/heap; prints its name.
with_texts() {
	rm -rf "$OUT/texts"
	cp -r "$HEAP" "$OUT/texts"
	echo "heap=words size=32 stack=0xffffffffa007f9ba ffffffff8121b894 0xffffffffa0200123" >"$OUT/texts/leaks"
	printf 'version: <1>\nHeapSys: 7\n' >"$OUT/texts/report"
	printf '%018d kind=slot\n' 0 >"$OUT/texts/whatis"
	echo "$OUT/texts"
}

test_leaks() {
	kspan leaks --dir "$(with_texts)" &&
		has "stack=0xffffffffa007f9ba (words_insert+0x12a \[kspan_words\]) ffffffff8121b894 (vfs_write+0xe4) 0xffffffffa0200123\$"
}

# The answer is read from the file that the address was written to.
test_whatis() {
	kspan whatis ffffffffa007f9ba --dir "$(with_texts)" &&
		has "^0xffffffffa007f9ba (words_insert+0x12a \[kspan_words\]) kind=slot\$"
}

test_report() {
	kspan report --dir "$(with_texts)" && has "^HeapSys: 7\$"
}

# What the page is after a click on a frame and on a column, in a browser.
browse() {
	sed "s|</body>|<script>document.querySelector('g.f[data-n^=words_write] rect')\
		.dispatchEvent(new MouseEvent('click', { bubbles: true }));\
		const head = [...document.querySelectorAll('h2#heaps + div th')].find(h => h.textContent === 'held_bytes');\
		head.click();\
		document.title = [document.querySelector('g.f[data-n^=words_insert] rect').getAttribute('width'),\
			document.querySelector('g.f[data-n^=kthread]').style.display,\
			document.querySelector('h2#heaps + div tbody tr:last-child td').textContent].join(' ');</script></body>|" \
		"$1" >"$OUT/clicked.html"
	timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$OUT/chromium" \
		--dump-dom "file://$OUT/clicked.html" >"$PRINTED" 2>"$OUT/errors"
}

test_report_html() {
	kspan report --html "$OUT/report.html" --dir "$(with_texts)" &&
		! grep -qE '(src|href)=|@import|url\(' "$OUT/report.html" || return 1
	browse "$OUT/report.html" && has "<title>1179.5 none documents</title>" \
		"<h2 id=\"map\">" "<h2 id=\"classes\">" "<h2 id=\"leaks\">" "^version: &lt;1&gt;\|<pre>version: &lt;1&gt;" &&
		[ "$(grep -o '<td class="text">' "$PRINTED" | wc -l)" -ge 18 ]
}

# Without a profile the page says how to have one; the trend has as many points as seconds.
test_report_trend() {
	local dir
	dir=$(changed samples '1s/524288/0/; 3,$d')
	kspan report --html "$OUT/report.html" --seconds 1 --dir "$dir" || return 1
	grep -q "echo 524288 &gt;/sys/module/kspan/parameters/profile_rate" "$OUT/report.html" &&
		[ "$(grep -c '<polyline' "$OUT/report.html")" -eq 3 ] &&
		grep -q "watching, 1 of 1 seconds" "$OUT/errors"
}

test_texts_refuse() {
	refused "whatis wants one ADDR" whatis &&
		refused "zzz: is no address: hexadecimal digits are wanted" whatis zzz &&
		refused "/absent/whatis: cannot be read" whatis ff00 --dir /absent &&
		refused "/absent/leaks: cannot be read" leaks --dir /absent &&
		refused "--seconds 5: is of --html FILE" report --seconds 5 &&
		refused "/absent/a.html: cannot be created" report --html /absent/a.html --dir "$HEAP"
}

# Without kspan it is said what is missing.
test_absent() {
	if [ -e /sys/kernel/debug/kspan ]; then
		kspan top --once
	elif ! mountpoint -q /sys/kernel/debug; then
		refused "debugfs is not mounted; as root: mount -t debugfs" top --once
	elif [ -x /sys/kernel/debug ]; then
		refused "the module kspan is not loaded; as root: modprobe kspan" top --once
	else
		refused "be root" top --once
	fi
}

# Files of others are no commands to a terminal.
test_harmless() {
	kspan top --once --dir "$(changed heaps '2s/default/\x1b]0;a\x07/')" && has "^?]0;a? *kspan" &&
		kspan leaks --dir "$(printf '\033[2J\0heap\n' >"$OUT/changed/leaks"; echo "$OUT/changed")" &&
		has "^?\[2J?heap\$"
}

# Each command's help is what it does.
test_help() {
	local command
	kspan help || return 1
	for command in $(sed -n 's/^  \([a-z]*\) .*/\1/p' "$PRINTED"); do
		kspan "$command" --help && has "^usage: kspan $command" || return 1
	done
	kspan --version && has "^kspan [0-9]" || return 1
	refused "a command is missing; kspan help lists them" && refused "dance: no such command" dance
}

# Each option of each command is in the manual page, which mandoc has nothing to warn of.
test_manual() {
	local command option
	mandoc -T lint -W warning "$HERE/kspan.1" || return 1
	kspan help || return 1
	for command in $(sed -n 's/^  \([a-z]*\) .*/\1/p' "$PRINTED"); do
		kspan "$command" --help || return 1
		for option in $(grep -oE -e '--[a-z-]+' "$PRINTED" | sort -u); do
			grep -qE "(Fl|,|\\|) ${option#-}( |\$)" "$HERE/kspan.1" || {
				echo "kspan.1 lacks $option of $command"
				return 1
			}
		done
	done
}

# --- all

# cases [CASE...]: these, or all
cases() {
	if [ $# -gt 0 ]; then
		echo "$@"
	else
		sed -n 's/^\(test_[a-z_]*\)() {$/\1/p' "$0"
	fi
}

main() {
	local name
	shift
	mkdir -p "$OUT"
	make -s -C "$HERE" OUTPUT="$OUT" kspan >"$OUT/build.log" 2>&1 || {
		cat "$OUT/build.log" >&2
		echo "tool 0 1 0"
		return 1
	}
	for name in $(cases "$@"); do
		if "$name" >"$OUT/$name.log" 2>&1; then
			PASSED=$((PASSED + 1))
		else
			FAILED=$((FAILED + 1))
			{ echo "not ok: tool $name"; head -n 20 "$OUT/$name.log" "$OUT/errors"; } >&2
		fi
	done
	echo "tool $PASSED $FAILED 0"
	[ $FAILED -eq 0 ]
}

main "$@"
