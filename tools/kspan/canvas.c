// SPDX-License-Identifier: GPL-2.0
/* What a picture is drawn on: an SVG or a PNG */
#include "canvas.h"

#include <gdfonts.h>
#include <string.h>

#define FONT_HEIGHT	13

void canvas_begin_svg(struct canvas *canvas, FILE *to, int width, int height)
{
	*canvas = (struct canvas){ .to = to };
	put_svg_start(to, "shape-rendering=\"crispEdges\"", width, height);
	canvas_rect(canvas, 0, 0, width, height, COLOR_PAPER, NULL);
}

void canvas_begin_png(struct canvas *canvas, FILE *to, int width, int height)
{
	*canvas = (struct canvas){ .to = to, .image = gdImageCreateTrueColor(width, height) };
	if (!canvas->image)
		die("no memory for a picture of %d x %d pixels", width, height);
	canvas_rect(canvas, 0, 0, width, height, COLOR_PAPER, NULL);
}

void canvas_rect(struct canvas *canvas, int x, int y, int width, int height, unsigned int color,
		 const char *title)
{
	if (canvas->image) {
		gdImageFilledRectangle(canvas->image, x, y, x + width - 1, y + height - 1, color);
		return;
	}
	fprintf(canvas->to, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"",
		x, y, width, height, color);
	if (!title) {
		fputs("/>\n", canvas->to);
		return;
	}
	fputs("><title>", canvas->to);
	put_xml(canvas->to, title);
	fputs("</title></rect>\n", canvas->to);
}

void canvas_text(struct canvas *canvas, int x, int y, const char *text)
{
	if (canvas->image) {
		gdImageString(canvas->image, gdFontGetSmall(), x, y, (unsigned char *)text,
			      COLOR_TEXT);
		return;
	}
	fprintf(canvas->to, "<text x=\"%d\" y=\"%d\" fill=\"#%06x\">", x, y + FONT_HEIGHT - 3,
		COLOR_TEXT);
	put_xml(canvas->to, text);
	fputs("</text>\n", canvas->to);
}

void canvas_end(struct canvas *canvas)
{
	if (!canvas->image) {
		fputs("</svg>\n", canvas->to);
		return;
	}
	gdImagePng(canvas->image, canvas->to);
	gdImageDestroy(canvas->image);
}
