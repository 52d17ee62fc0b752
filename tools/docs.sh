#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build the documentation as HTML, and check it against the code.
# Usage: tools/docs.sh [check]     (make docs; `check` builds no HTML)
#
# The pages of Documentation/ are copied under the cache. What can be derived is added
# there: the reference of the calls, from kernel-doc comments, and the plots, from the tables of
# measurements. Sphinx builds the HTML; a warning is an error. The last line of the output names
# the first page. kernel-doc comes from the fetched kernel source; KERNEL= says which (6.12).
#
# Documentation/sphinx/generate.py fails when the documentation lacks something that the code
# has: a key of debugfs, a parameter, a file, an exported call's kernel-doc.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

NEEDS="-:python3-sphinx -:python3-alabaster -:python3-matplotlib perl:perl"
# Debian's packages are for Debian's python3, whatever else is first in PATH.
PYTHON=/usr/bin/python3

# One directory for each checkout.
out_of() {
	echo "$KSPAN_CACHE/docs/$(basename "$KSPAN_TOP")-$(echo "$KSPAN_TOP" | sha256sum | cut -c1-8)"
}

build() {
	local out=$1 status=0
	rm -rf "$out/source"
	mkdir -p "$out/source"
	cp -r "$KSPAN_TOP/Documentation/." "$out/source/"
	"$PYTHON" -B "$KSPAN_TOP/Documentation/sphinx/generate.py" "$KSPAN_TOP" "$out/source"
	[ "$WHAT" = html ] || return 0
	"$PYTHON" -B "$KSPAN_TOP/Documentation/sphinx/plots.py" "$out/source/benchmarks"
	rm -rf "$out/html"
	PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore KSPAN_KERNEL_SOURCE=$SOURCE \
		nice "$PYTHON" -m sphinx -b html -q -W --keep-going \
		-d "$out/doctrees" "$out/source" "$out/html" 2>"$out/log" || status=$?
	# Sphinx lets warnings of kernel-doc pass.
	! grep -q 'warning: ' "$out/log" || status=1
	sed "s|$out/source/tree/||g; s|$out/source/|Documentation/|g" "$out/log" >&2
	[ $status -eq 0 ] || die "building the documentation failed." "The log: $out/log"
	echo "$out/html/index.html"
}

case ${1:-html} in
html|check) WHAT=${1:-html} ;;
*) die "usage: tools/docs.sh [check]" ;;
esac
[ "$WHAT" = check ] || need_packages $NEEDS
need_packages python3:python3
SOURCE=
[ "$WHAT" = check ] || SOURCE=$("$KSPAN_TOP/tools/kernel.sh" --source "${KERNEL:-6.12}")
OUT=$(out_of)
with_lock "docs-$(basename "$OUT")" build "$OUT"
