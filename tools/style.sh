#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What can be said about the sources without running them: the generated
# table is what its generator makes, checkpatch, licence lines, shellcheck
# where it is installed; that a static function's name tells in a trace which file it is of;
# and that no file of the module calls one above it, which tools/layers.sh says of a build
# for 6.12. Usage: tools/style.sh  (make style)
#
# checkpatch comes from the fetched kernel source; KERNEL= says which (6.12).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# checkpatch's messages that do not fit a module of its own tree:
#   FILE_PATH_CHANGES, SPDX_LICENSE_TAG of other file types: no MAINTAINERS here
#   CONFIG_DESCRIPTION, EMBEDDED_FILENAME: about patches to the kernel
IGNORED=FILE_PATH_CHANGES,CONFIG_DESCRIPTION,EMBEDDED_FILENAME
FAILED=0

report() {
	local name=$1 status=$2
	if [ "$status" = 0 ]; then
		printf '  %-14s ok%s\n' "$name" "${3:+ ($3)}"
	else
		printf '  %-14s FAILED\n' "$name"
		FAILED=$((FAILED + 1))
	fi
}

sources() {
	find module kunit tools -type f \( -name '*.c' -o -name '*.h' \) \
		-not -name '*.mod.c' 2>/dev/null | sort
}

check_size_classes() {
	[ -f tools/mksizeclasses.c ] || return 0
	local tool status=0
	tool=$(mktemp "${TMPDIR:-/tmp}/mksizeclasses.XXXXXX")
	gcc -O2 -Wall -Wextra -o "$tool" tools/mksizeclasses.c &&
		"$tool" --check || status=$?
	rm -f "$tool"
	report "size classes" $status
}

# Drops what checkpatch can't know: our own export macro stands right behind
# its function as EXPORT_SYMBOL does, user space has neither the kernel's macros
# nor its strscpy, zlib has names of its own, and a test's macro is called in the test alone; what a message of
# kspan's commands names may be called as its function. The public
# header's macros evaluate an argument once although it stands there twice, or
# take the name of a field; DEFINE_FREE and TRACE_EVENT are written as the kernel
# writes them; the first line of a table stands in one line, as it is printed.
not_our_own() {
	local file line rest
	while IFS=: read -r file line rest; do
		case $file:$rest in
		*LINE_SPACING*)
			sed -n "${line}p" "$file" | grep -q '^KSPAN_EXPORT_FOR_KUNIT' && continue ;;
		tools/mksizeclasses.c:*ARRAY_SIZE*|tools/mksizeclasses.c:*SPDX_LICENSE_TAG*)
			continue ;;
		tools/testing/*ARRAY_SIZE*|tools/testing/*STRCPY*|tools/testing/*VOLATILE*|tools/testing/*REPEATED_WORD*)
			continue ;;
		module/*/trace.h:*PARENTHESIS_ALIGNMENT*|module/*/trace.h:*OPEN_ENDED_LINE*)
			continue ;;
		*LONG_LINE*)
			sed -n "${line}p" "$file" | grep -q 'kspan_table_begin(.*"# kspan ' && continue ;;
		tools/kspan/*ARRAY_SIZE*|tools/kspan/*VOLATILE*|tools/kspan/*REPEATED_WORD*|tools/kspan/*MACRO_ARG_REUSE*|tools/kspan/*SPLIT_STRING*)
			continue ;;
		tools/kspan/*CAMELCASE*|tools/kspan/*STRCPY*|tools/kspan/*DEFINED_ATTRIBUTE_MACRO*|tools/kspan/*EMBEDDED_FUNCTION_NAME*)
			continue ;;
		tools/replay/load.c:*DEFINED_ATTRIBUTE_MACRO*|tools/replay/record.h:*BIT_MACRO*)
			continue ;;
		module/base/kunit_export.h:*LINUX_VERSION_CODE*|module/base/kunit_export.h:*CONSTANT_COMPARISON*)
			continue ;;
		module/base/context.h:*MACRO_ARG_*|module/include/linux/kspan*.h:*MACRO_ARG_*)
			continue ;;
		module/include/linux/kspan*.h:*SUSPECT_CODE_INDENT*)
			sed -n "${line}p" "$file" | grep -q '^DEFINE_FREE' && continue ;;
		kunit/*MACRO_ARG_REUSE*|tools/testing/*MACRO_ARG_REUSE*)
			continue ;;
		esac
		printf '%s:%s:%s\n' "$file" "$line" "$rest"
	done
}

check_patch() {
	local source status=0 out
	source=$("$KSPAN_TOP/tools/kernel.sh" --source "${KERNEL:-6.12}")
	out=$(sources | xargs -n 8 -P "$(nproc)" "$source/scripts/checkpatch.pl" \
		--root="$source" --no-tree --file --strict --terse --quiet --show-types \
		--max-line-length=100 --ignore "$IGNORED" 2>&1) || status=1
	# Where it has seen a name like zlib's it leaves a list of the kernel's, of none here.
	rm -f .checkpatch-camelcase.*
	out=$(printf '%s\n' "$out" | grep -v '^total:' | grep . | not_our_own)
	[ -z "$out" ] && status=0
	[ $status -eq 0 ] || printf '%s\n' "$out"
	report checkpatch $status "$(sources | wc -l) files"
}

check_licences() {
	local file status=0
	while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier:' && continue
		echo "$file: no SPDX-License-Identifier in its first three lines"
		status=1
	done < <(find . -type f -not -path './.git/*' \
		\( -name '*.[chS]' -o -name '*.sh' -o -name '*.py' -o -name '*.rs' -o -name '*.rst' \
		   -o -name '*.md' -o -name Makefile -o -name Kbuild -o -name '*.config' \
		   -o -path './.ci/*' -o -name .gitignore -o -name dkms.conf \) \
		-not -name '*.mod.c')
	report licences $status
}

check_shell() {
	command -v shellcheck >/dev/null || { echo "  shellcheck     not installed, left out"; return 0; }
	local status=0
	# shellcheck disable=SC2046
	shellcheck -x -S warning -e SC1091,SC2206,SC2086,SC3043 .ci/run \
		$(find tools -name '*.sh' | sort) tools/guest/init || status=1
	report shellcheck $status
}

# No two files of the module have static functions of one name.
check_names() {
	local doubled
	doubled=$(grep -oE '^static [^=;(]*[ *][a-z0-9_]+\(' module/*.c module/*/*.c |
		sed -E 's/^([^:]*):.*[ *]([a-z0-9_]+)\($/\2 \1/' | sort -u | awk '
		$1 == name { print file ", " $2 ": both have a static " name "()" }
		{ name = $1; file = $2 }')
	[ -z "$doubled" ] || echo "$doubled"
	report names "$([ -z "$doubled" ]; echo $?)"
}

# A build is refused where it is not so.
check_layers() {
	local status=0
	"$KSPAN_TOP/tools/build.sh" 6.12 plain >/dev/null || status=1
	report layers $status
}

main() {
	cd "$KSPAN_TOP"
	need_packages gcc:gcc perl:perl
	echo "style:"
	check_size_classes
	check_patch
	check_licences
	check_shell
	check_names
	check_layers
	[ $FAILED -eq 0 ] || exit 1
}

main "$@"
