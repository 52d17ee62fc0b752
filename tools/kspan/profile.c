// SPDX-License-Identifier: GPL-2.0
/* kspan profile: the heap profile, for go tool pprof, as folded stacks, flame graph or text */
#include "profile.h"
#include "command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char profile_usage[] =
"usage: kspan profile [-o FILE] [--folded|--flame|--text] [--value TYPE] [--diff OLD]\n"
"                     [--kallsyms FILE] [--modules FILE] [--dir DIR | FILE]\n"
"\n"
"Writes the heap profile, debugfs/samples or a copy of it in FILE, as a profile.proto that\n"
"go tool pprof reads (kspan.pb.gz).\n"
"  -o, --output FILE     what is written (-: to the standard output)\n"
"      --folded          folded stacks, as flamegraph.pl and speedscope read them\n"
"      --flame           a flame graph: an SVG for a browser\n"
"      --text            a site a paragraph, the largest first\n"
"      --value TYPE      inuse_space (the default), inuse_objects, alloc_space, alloc_objects,\n"
"                        peak_space or peak_objects; a profile.proto has the first four\n"
"      --diff OLD        what there is more and less than in OLD, a copy of samples\n"
"      --kallsyms FILE   names of functions (/proc/kallsyms; with --dir, kallsyms in DIR)\n"
"      --modules FILE    places of modules (/proc/modules; with --dir, modules in DIR)\n"
"      --dir DIR         read the files of this directory (/sys/kernel/debug/kspan)\n";

/* Folded stacks */

void profile_put_folded(FILE *to, const struct samples *samples, const struct symbols *symbols,
			enum sample_value which)
{
	const struct sample *sample;
	unsigned int i;
	char *name;

	for (sample = samples->samples; sample < samples->samples + samples->nr; sample++) {
		if (!sample->value[which] && !sample->old[which])
			continue;
		for (i = sample->depth; i--;) {
			name = frame_name(symbols, sample->stack[i], false);
			fprintf(to, "%s%s", name, i ? ";" : "");
			free(name);
		}
		if (!sample->depth)
			fputs("unknown", to);
		if (samples->compared)
			fprintf(to, " %ld", sample->old[which]);
		fprintf(to, " %ld\n", sample->value[which]);
	}
}

/* Text: samples of one stack are one site here, whatever their size and node. */

struct paragraph {
	struct sample sum;
	int64_t order;
};

static int by_stack(const void *a, const void *b)
{
	const struct sample *left = &((const struct paragraph *)a)->sum;
	const struct sample *right = &((const struct paragraph *)b)->sum;
	int order = strcmp(left->heap, right->heap);

	if (order)
		return order;
	if (left->depth != right->depth)
		return left->depth < right->depth ? -1 : 1;
	return memcmp(left->stack, right->stack, left->depth * sizeof(*left->stack));
}

static int by_order(const void *a, const void *b)
{
	const struct paragraph *left = a, *right = b;

	if (left->order != right->order)
		return left->order > right->order ? -1 : 1;
	return by_stack(a, b);
}

static size_t unite(struct paragraph *paragraphs, const struct samples *samples,
		    enum sample_value which)
{
	struct paragraph *to = paragraphs, *from;
	unsigned int i;
	size_t n;

	for (n = 0; n < samples->nr; n++)
		paragraphs[n].sum = samples->samples[n];
	qsort(paragraphs, n, sizeof(*paragraphs), by_stack);
	for (from = paragraphs; from < paragraphs + n; from++) {
		if (to == paragraphs || by_stack(to - 1, from)) {
			*to++ = *from;
			continue;
		}
		for (i = 0; i < NR_VALUES; i++) {
			to[-1].sum.value[i] += from->sum.value[i];
			to[-1].sum.old[i] += from->sum.old[i];
		}
	}
	n = to - paragraphs;
	for (to = paragraphs; to < paragraphs + n; to++)
		to->order = llabs(sample_value(&to->sum, which));
	qsort(paragraphs, n, sizeof(*paragraphs), by_order);
	return n;
}

static void put_values(FILE *to, const struct sample *sample, const char *sign)
{
	static const char * const names[] = { "live", "allocated", "at the peak" };
	char text[16];
	unsigned int i;
	int64_t space;

	for (i = 0; i < COUNT_OF(names); i++) {
		space = sample_value(sample, 2 * i);
		fprintf(to, "%s%s %s%s bytes in %s%ld objects", i ? ", " : "", names[i],
			space > 0 ? sign : "", human(space, text, sizeof(text)),
			sample_value(sample, 2 * i + 1) > 0 ? sign : "",
			sample_value(sample, 2 * i + 1));
	}
}

static void put_paragraph(FILE *to, const struct sample *sample, const struct symbols *symbols,
			  const char *sign)
{
	char *name, *heap = printable(sample->heap);
	unsigned int i;

	put_values(to, sample, sign);
	fprintf(to, ", heap %s\n", heap);
	for (i = 0; i < sample->depth; i++) {
		name = frame_name(symbols, sample->stack[i], true);
		fprintf(to, "    %s\n", name);
		free(name);
	}
	free(heap);
}

static void put_text(FILE *to, const struct samples *samples, const struct symbols *symbols,
		     enum sample_value which)
{
	struct paragraph *paragraphs = xzalloc(samples->nr * sizeof(*paragraphs));
	const char *sign = samples->compared ? "+" : "";
	struct sample total = { .heap = "all" };
	size_t i, n = unite(paragraphs, samples, which);
	unsigned int value;

	for (i = 0; i < n; i++)
		for (value = 0; value < NR_VALUES; value++) {
			total.value[value] += paragraphs[i].sum.value[value];
			total.old[value] += paragraphs[i].sum.old[value];
		}
	fprintf(to, "%zu sites, one object sampled in %lu bytes, %lu seconds, by %s%s\n", n,
		samples->rate, samples->seconds, sample_names[which],
		samples->compared ? ", what there is more (+) and less (-)" : "");
	fputs("all: ", to);
	put_values(to, &total, sign);
	fputc('\n', to);
	for (i = 0; i < n && (paragraphs[i].order || !samples->compared); i++) {
		fputc('\n', to);
		put_paragraph(to, &paragraphs[i].sum, symbols, sign);
	}
	free(paragraphs);
}

static enum sample_value value_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_VALUES; i++)
		if (!strcmp(name, sample_names[i]))
			return i;
	die("--value %s: must be inuse_space, inuse_objects, alloc_space, alloc_objects, "
	    "peak_space or peak_objects", name);
}

static void choose_form(char *form, char letter)
{
	if (*form && *form != letter)
		die("--folded, --flame and --text: one of them at a time");
	*form = letter;
}

/* Where a profile goes that is not told: what people read to the terminal. */
static const char *default_output(char form)
{
	return form == 'F' ? "kspan.svg" : form ? "-" : "kspan.pb.gz";
}

static void put_profile(const char *output, const struct samples *samples,
			const struct symbols *symbols, char form, enum sample_value which)
{
	FILE *to = open_output(output);

	if (form == 'f')
		profile_put_folded(to, samples, symbols, which);
	else if (form == 'F')
		profile_put_flame(to, samples, symbols, which);
	else if (form == 't')
		put_text(to, samples, symbols, which);
	else
		profile_put_proto(to, samples, symbols);
	close_output(to, output);
	if (to != stdout)
		fprintf(stderr, "kspan: %s: %zu samples, %s\n", output, samples->nr,
			form == 'F' ? "open it in a browser" :
				      "go tool pprof and the like read it");
}

void profile_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "folded", no_argument, NULL, 'f' },
		{ "flame", no_argument, NULL, 'F' },
		{ "text", no_argument, NULL, 't' },
		{ "value", required_argument, NULL, 'v' },
		{ "diff", required_argument, NULL, 'd' },
		{ "kallsyms", required_argument, NULL, 'k' },
		{ "modules", required_argument, NULL, 'm' },
		{ "dir", required_argument, NULL, 'D' },
		{ },
	};
	const char *output = NULL, *old = NULL;
	enum sample_value which = INUSE_SPACE;
	struct symbol_files files = { };
	struct samples samples;
	struct symbols symbols;
	char form = '\0';
	int option;

	while ((option = next_option(argc, argv, "o:", options)) != -1)
		switch (option) {
		case 'o':
			output = optarg;
			break;
		case 'f':
		case 'F':
		case 't':
			choose_form(&form, option);
			break;
		case 'v':
			which = value_named(optarg);
			break;
		case 'd':
			old = optarg;
			break;
		case 'k':
			files.kallsyms = optarg;
			break;
		case 'm':
			files.modules = optarg;
			break;
		case 'D':
			files.dir = optarg;
			break;
		}
	if (optind < argc - 1)
		die("%s: profile reads one FILE; the older of two is for --diff", argv[optind + 1]);
	if (!output)
		output = default_output(form);
	if (!form && !strcmp(output, "-") && isatty(STDOUT_FILENO))
		die("-o -: a profile.proto is not for a terminal; give -o FILE, or --text");
	samples_read(&samples, files.dir, argv[optind]);
	samples_need(&samples);
	if (old)
		samples_compare(&samples, old);
	symbols_load(&symbols, &files);
	put_profile(output, &samples, &symbols, form, which);
	symbols_free(&symbols);
	samples_free(&samples);
}
