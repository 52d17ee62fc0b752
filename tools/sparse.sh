#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# sparse, told what 7.3's headers expect and 0.6.4 does not know:
# __typeof_unqual__, and __builtin_strlen of a literal as a constant (the
# assertion in MODULE_INFO). KSPAN_SPARSE_FLAGS= has options besides.
# Usage: make C=2 CHECK=tools/sparse.sh
# shellcheck disable=SC2086 # options, one a word
exec sparse ${KSPAN_SPARSE_FLAGS:-} -D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s)-1)' "$@"
