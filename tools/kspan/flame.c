// SPDX-License-Identifier: GPL-2.0
/*
 * kspan profile --flame: a flame graph
 *
 * Stacks are a tree whose root is below: a frame is as wide as what was allocated under it. Of a
 * profile that is compared, a stack is as wide as the larger of both, red where more is in use
 * than before, blue where less is.
 */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH		1200
#define HEIGHT		17	/* of a frame */
#define MARGIN		10
#define TOP		34
#define LETTER		6.7
/* A frame that is narrower is left out, and what is above it. */
#define LEAST		0.0002

/**
 * struct frame - a function in the tree
 * @weight:	what its width is made of
 */
struct frame {
	char *name;
	int64_t weight, value, old;
	struct frame **children;
	size_t nr, room;
};

struct flame {
	FILE *to;
	enum sample_value which;
	bool compared;
	double total;
	unsigned int depth;	/* frames in the highest stack */
};

static struct frame *child_of(struct frame *frame, char *name)
{
	struct frame *child;
	size_t i;

	for (i = 0; i < frame->nr; i++)
		if (!strcmp(frame->children[i]->name, name)) {
			free(name);
			return frame->children[i];
		}
	child = xzalloc(sizeof(*child));
	child->name = name;
	GROW(frame->children, frame->nr, frame->room);
	frame->children[frame->nr++] = child;
	return child;
}

static void add_to(struct frame *frame, int64_t weight, int64_t value, int64_t old)
{
	frame->weight += weight;
	frame->value += value;
	frame->old += old;
}

static void add_stack(struct flame *flame, struct frame *root, const struct sample *sample,
		      const struct symbols *symbols)
{
	int64_t value = sample->value[flame->which], old = sample->old[flame->which];
	int64_t weight = value > old ? value : old;
	struct frame *frame = root;
	unsigned int i;

	if (weight <= 0)
		return;
	add_to(root, weight, value, old);
	for (i = sample->depth; i--;) {
		frame = child_of(frame, frame_name(symbols, sample->stack[i], false));
		add_to(frame, weight, value, old);
	}
	if (sample->depth > flame->depth)
		flame->depth = sample->depth;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct frame * const *)a)->name, (*(struct frame * const *)b)->name);
}

static void free_frame(struct frame *frame)
{
	size_t i;

	for (i = 0; i < frame->nr; i++)
		free_frame(frame->children[i]);
	free(frame->children);
	free(frame->name);
	free(frame);
}

/* Colors: of a module's frames by its name; the kernel's are pale. */

static unsigned int mix(unsigned int value, unsigned int from, unsigned int to)
{
	unsigned int shift, color = 0;
	int a, b;

	for (shift = 0; shift <= 16; shift += 8) {
		a = from >> shift & 255;
		b = to >> shift & 255;
		color |= (unsigned int)(a + (b - a) * (int)value / 100) << shift;
	}
	return color;
}

static unsigned int hash(const char *text)
{
	unsigned int value = 5381;

	while (*text)
		value = value * 33 + (unsigned char)*text++;
	return value >> 3;
}

static unsigned int color_of(const struct flame *flame, const struct frame *frame)
{
	static const unsigned int modules[] = {
		0xf2884b, 0x62b58f, 0x7ea6e0, 0xd98cb3, 0xc2b04a, 0x9b8ad6,
	};
	const char *module = strstr(frame->name, " [");
	double change;

	if (flame->compared) {
		change = (double)(frame->value - frame->old) / frame->weight;
		return change > 0 ? mix(100 * change, 0xf2f2f2, 0xe8402c) :
				    mix(-100 * change, 0xf2f2f2, 0x3070d0);
	}
	if (!module)
		return mix(hash(frame->name) % 100, 0xf6dfb4, 0xf3cf93);
	return mix(hash(frame->name) % 40, modules[hash(module) % COUNT_OF(modules)], 0xffffff);
}

/* Frames */

static void put_amount(const struct flame *flame, int64_t value)
{
	char text[16];

	if (is_space(flame->which))
		fprintf(flame->to, "%s bytes", human(value, text, sizeof(text)));
	else
		fprintf(flame->to, "%ld objects", value);
}

static void put_title(const struct flame *flame, const struct frame *frame)
{
	fputs("<title>", flame->to);
	put_xml(flame->to, frame->name);
	fputs(": ", flame->to);
	put_amount(flame, frame->value);
	fprintf(flame->to, ", %.1f %%", 100.0 * frame->weight / flame->total);
	if (flame->compared) {
		fputs("; before: ", flame->to);
		put_amount(flame, frame->old);
	}
	fputs("</title>", flame->to);
}

/* As much of the name as there is room for. */
static void put_label(const struct flame *flame, const struct frame *frame, double width)
{
	size_t room = width < 3 * LETTER ? 0 : (width - 6) / LETTER, len = strlen(frame->name);
	char *label = xstrdup(frame->name);

	if (len > room && room > 2)
		strcpy(label + room - 2, "..");
	else if (len > room)
		*label = '\0';
	put_xml(flame->to, label);
	free(label);
}

static void put_frame(const struct flame *flame, const struct frame *frame, int64_t before,
		      unsigned int depth)
{
	double left = before / flame->total, width = frame->weight / flame->total;
	double x = MARGIN + left * (WIDTH - 2 * MARGIN), pixels = width * (WIDTH - 2 * MARGIN);
	unsigned int y = TOP + (flame->depth - depth) * HEIGHT;
	size_t i;

	if (width < LEAST)
		return;
	fprintf(flame->to, "<g class=\"f\" data-l=\"%.6f\" data-w=\"%.6f\" data-d=\"%u\" data-n=\"",
		left, width, depth);
	put_xml(flame->to, frame->name);
	fputs("\">", flame->to);
	put_title(flame, frame);
	fprintf(flame->to, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\"", x, y,
		pixels > 0.6 ? pixels - 0.5 : pixels, HEIGHT - 1);
	fprintf(flame->to, " fill=\"#%06x\" rx=\"1\"/>", color_of(flame, frame));
	fprintf(flame->to, "<text x=\"%.2f\" y=\"%u\">", x + 3, y + HEIGHT - 5);
	put_label(flame, frame, pixels);
	fputs("</text></g>\n", flame->to);
	qsort(frame->children, frame->nr, sizeof(*frame->children), by_name);
	for (i = 0; i < frame->nr; i++) {
		put_frame(flame, frame->children[i], before, depth + 1);
		before += frame->children[i]->weight;
	}
}

static const char style[] =
"<style>g.f{cursor:pointer} g.f:hover rect{stroke:#000;stroke-width:.6}\n"
".button{cursor:pointer;fill:#2b5fb0}</style>\n";

/* A click on a frame makes it as wide as the picture; search marks what it finds. */
static const char script[] =
"<script><![CDATA[\n"
"(function () {\n"
"  const svg = document.querySelector('svg.kspan-flame'), W = 1200, M = 10, LETTER = 6.7;\n"
"  const frames = [...svg.querySelectorAll('g.f')];\n"
"  const number = (g, key) => parseFloat(g.dataset[key]);\n"
"  function zoom(to) {\n"
"    const l = number(to, 'l'), w = number(to, 'w'), d = number(to, 'd');\n"
"    for (const g of frames) {\n"
"      const gl = number(g, 'l'), gw = number(g, 'w'), below = number(g, 'd') < d;\n"
"      const shown = gl < l + w - 1e-9 && gl + gw > l + 1e-9;\n"
"      g.style.display = shown ? '' : 'none';\n"
"      g.style.opacity = below ? 0.5 : 1;\n"
"      if (!shown) continue;\n"
"      const from = Math.max(0, (gl - l) / w), end = Math.min(1, (gl + gw - l) / w);\n"
"      const x = M + from * (W - 2 * M), width = (end - from) * (W - 2 * M);\n"
"      const rect = g.querySelector('rect'), text = g.querySelector('text');\n"
"      rect.setAttribute('x', x);\n"
"      rect.setAttribute('width', Math.max(width - 0.5, 0.2));\n"
"      text.setAttribute('x', x + 3);\n"
"      const room = Math.floor((width - 6) / LETTER), name = g.dataset.n;\n"
"      text.textContent = name.length <= room ? name :\n"
"        room > 2 ? name.slice(0, room - 2) + '..' : '';\n"
"    }\n"
"  }\n"
"  function search() {\n"
"    const text = prompt('Functions whose names contain:');\n"
"    for (const g of frames)\n"
"      g.querySelector('rect').style.stroke = text && g.dataset.n.includes(text) ? '#c0f' : '';\n"
"  }\n"
"  for (const g of frames) g.addEventListener('click', () => zoom(g));\n"
"  svg.querySelector('.all').addEventListener('click', () => zoom(frames[0]));\n"
"  svg.querySelector('.search').addEventListener('click', search);\n"
"})();\n"
"]]></script>\n";

static void put_picture(const struct flame *flame, const struct frame *root)
{
	unsigned int height = TOP + (flame->depth + 1) * HEIGHT + MARGIN;

	put_svg_start(flame->to, "class=\"kspan-flame\"", WIDTH, height);
	fputs(style, flame->to);
	fprintf(flame->to, "<rect width=\"%d\" height=\"%u\" fill=\"#fff\"/>\n", WIDTH, height);
	fprintf(flame->to, "<text x=\"%d\" y=\"20\" font-size=\"13\">%s of kspan%s: ", MARGIN,
		sample_names[flame->which],
		flame->compared ? ", red: more than before, blue: less" : "");
	put_amount(flame, root->value);
	fputs("</text>\n", flame->to);
	fprintf(flame->to, "<text class=\"button all\" x=\"%d\" y=\"20\">show all</text>\n",
		WIDTH - 130);
	fprintf(flame->to, "<text class=\"button search\" x=\"%d\" y=\"20\">search</text>\n",
		WIDTH - 60);
	if (root->weight)
		put_frame(flame, root, 0, 0);
	fputs(script, flame->to);
	fputs("</svg>\n", flame->to);
}

void profile_put_flame(FILE *to, const struct samples *samples, const struct symbols *symbols,
		       enum sample_value which)
{
	struct flame flame = { .to = to, .which = which, .compared = samples->compared };
	struct frame *root = xzalloc(sizeof(*root));
	size_t i;

	root->name = xstrdup("all");
	for (i = 0; i < samples->nr; i++)
		add_stack(&flame, root, &samples->samples[i], symbols);
	flame.total = root->weight;
	put_picture(&flame, root);
	free_frame(root);
}
