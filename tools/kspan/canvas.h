/* SPDX-License-Identifier: GPL-2.0 */
/* What a picture is drawn on: an SVG or a PNG */
#ifndef KSPAN_CANVAS_H
#define KSPAN_CANVAS_H

#include "util.h"

#include <gd.h>

#define COLOR_TEXT	0x1a1a1a
#define COLOR_PAPER	0xffffff

/* @image NULL: it is an SVG, which goes to @to as it is drawn. */
struct canvas {
	FILE *to;
	gdImagePtr image;
};

void canvas_begin_svg(struct canvas *canvas, FILE *to, int width, int height);
void canvas_begin_png(struct canvas *canvas, FILE *to, int width, int height);
/* @title is what a browser shows of it under the pointer; may be NULL */
void canvas_rect(struct canvas *canvas, int x, int y, int width, int height, unsigned int color,
		 const char *title);
/* Its top left corner is at @x, @y; it is 13 pixels high, and 6 wide a letter. */
void canvas_text(struct canvas *canvas, int x, int y, const char *text);
void canvas_end(struct canvas *canvas);

#endif
