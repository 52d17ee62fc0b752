/* SPDX-License-Identifier: GPL-2.0 */
/* Text of debugfs, with names of functions */
#ifndef KSPAN_SHOW_H
#define KSPAN_SHOW_H

#include "symbols.h"

/* Puts the function behind each address of code: 0xffffffffa007f9ba (words_insert+0x12a [words]) */
void put_with_names(FILE *to, const char *text, const struct symbols *symbols);

/* kspan report --html */
void report_put_html(FILE *to, const char *dir, const struct symbols *symbols,
		     unsigned int seconds);

#endif
