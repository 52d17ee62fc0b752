// SPDX-License-Identifier: GPL-2.0
/*
 * mksizeclasses - derive kspan's size classes and prove the generated tables
 *
 * Usage: mksizeclasses             write the headers, in the project's root
 *        mksizeclasses --check     exit 1 unless they are what would be written
 *
 * The rules are those of Go's allocator (runtime/mksizeclasses.go):
 *
 *  1. Candidate sizes are multiples of a step. The step starts at 8 and grows
 *     at powers of two so that rounding up wastes at most 1/8: 16 from 32 on,
 *     size/8 from 128 on, 256 from 2048 on.
 *  2. A span is the smallest number of pages whose unusable tail is at most
 *     1/8 of it.
 *  3. A candidate with the pages and the object count of its predecessor
 *     replaces it.
 *  4. Every class is stretched to the largest multiple of 128 that keeps its
 *     object count (when that is larger).
 *
 * To these kspan adds that the span of a class with few objects is doubled, up
 * to 32 KiB or 16 objects, whichever is first: what a span costs is shared by
 * its objects then. SLUB's slabs hold as many.
 *
 * It also adds the alignment rule of kmalloc (Linux 6.12): an object
 * is aligned to the largest power of two that divides its size. A size whose
 * smallest fitting class does not conform goes to the next class that does,
 * and classes whose own divisor exceeds a page get aligned spans.
 *
 * Everything printed has been checked by brute force; a failed proof prints
 * what failed and exits 1.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_PAGE_SHIFT	13	/* the classes are derived for 8 KiB pages */
#define MAX_SMALL	32768
#define MIN_ALIGN	8
#define STRETCH		128
#define FEW_OBJECTS	16
#define MAX_DOUBLED	32768
#define TINY_BLOCK	16	/* a class of its own, which no size leads to */
#define MAX_CLASSES	128
#define NR_INDEX	(MAX_SMALL / MIN_ALIGN + 1)

struct class {
	unsigned int size;
	unsigned int pages;	/* by rule 2 */
};

/* Entry 0 stands for "no class" and stays zero. */
static struct class classes[MAX_CLASSES];
static unsigned int nr_classes = 1;
static unsigned char size_to_class[NR_INDEX];

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("mksizeclasses: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static unsigned int pow2_divisor(unsigned int n)
{
	return n & -n;
}

static int is_pow2(unsigned int n)
{
	return pow2_divisor(n) == n;
}

/* Rule 2. */
static unsigned int least_pages(unsigned int size)
{
	unsigned int pages = 1;

	while ((pages << BASE_PAGE_SHIFT) % size > (pages << BASE_PAGE_SHIFT) / 8)
		pages++;
	return pages;
}

/*
 * Pages of a class's span: those that gave the class its size, in pages of this
 * size, and more where its objects are few and small.
 */
static unsigned int span_pages(unsigned int c, unsigned int page_shift)
{
	unsigned int size = classes[c].size, page = 1U << page_shift;
	unsigned int bytes = (classes[c].pages << BASE_PAGE_SHIFT) + page - 1;

	bytes -= bytes % page;
	while (bytes % size > bytes / 8)
		bytes += page;
	while (size < MAX_DOUBLED / 2 && bytes / size < FEW_OBJECTS && 2 * bytes <= MAX_DOUBLED)
		bytes *= 2;
	return bytes >> page_shift;
}

static unsigned int span_bytes(unsigned int c, unsigned int page_shift)
{
	return span_pages(c, page_shift) << page_shift;
}

static unsigned int span_align(unsigned int size, unsigned int page_shift)
{
	unsigned int align = pow2_divisor(size) >> page_shift;

	return align ? align : 1;
}

static unsigned int next_step(unsigned int size, unsigned int step)
{
	if (!is_pow2(size))
		return step;
	if (size >= 2048)
		return 256;
	if (size >= 128)
		return size / 8;
	return size >= 32 ? 16 : step;
}

static void derive_classes(void)
{
	const unsigned int page = 1U << BASE_PAGE_SHIFT;
	unsigned int size, step = MIN_ALIGN, i;

	for (size = step; size <= MAX_SMALL; size += step) {
		struct class *last = &classes[nr_classes - 1];
		unsigned int pages = least_pages(size);

		step = next_step(size, step);
		if (nr_classes > 1 && pages == last->pages &&
		    pages * page / size == pages * page / last->size) {
			last->size = size;
			continue;
		}
		if (nr_classes == MAX_CLASSES)
			die("more than %d classes", MAX_CLASSES);
		classes[nr_classes].size = size;
		classes[nr_classes].pages = pages;
		nr_classes++;
	}
	for (i = 1; i < nr_classes; i++) {
		unsigned int bytes = classes[i].pages * page;
		unsigned int stretched = bytes / (bytes / classes[i].size) / STRETCH * STRETCH;

		if (stretched > classes[i].size)
			classes[i].size = stretched;
	}
}

static unsigned int smallest_class(unsigned int size)
{
	unsigned int c = 1;

	while (classes[c].size < size)
		c++;
	return c;
}

static unsigned int conforming_class(unsigned int size)
{
	unsigned int c = smallest_class(size);

	while (classes[c].size % pow2_divisor(size))
		if (++c == nr_classes)
			die("no class conforms to the alignment of size %u", size);
	return c;
}

static void map_sizes(void)
{
	unsigned int i;

	for (i = 1; i < NR_INDEX; i++)
		size_to_class[i] = conforming_class(i * MIN_ALIGN);
}

static uint32_t magic(unsigned int size)
{
	return (uint32_t)(((uint64_t)1 << 32) / size + 1);
}

/*
 * For every byte offset of a span: the high half of offset * magic is the
 * slot, and the low half is below magic exactly at the start of a slot. It is below
 * 2^32 / MAX_SMALL then, too, which no class has a lower magic than.
 */
static void prove_index(unsigned int size, unsigned int bytes)
{
	const uint32_t m = magic(size);
	unsigned int offset;

	for (offset = 0; offset < bytes; offset++) {
		uint64_t product = (uint64_t)offset * m;

		if (product >> 32 != offset / size)
			die("size %u: offset %u gives slot %llu", size, offset,
			    (unsigned long long)(product >> 32));
		if (((uint32_t)product < m) != (offset % size == 0) ||
		    ((uint32_t)product < ((uint64_t)1 << 32) / MAX_SMALL) != (offset % size == 0))
			die("size %u: offset %u is misjudged as a slot's start or not",
			    size, offset);
	}
}

static void prove_alignment(unsigned int page_shift)
{
	unsigned int size, slot;

	for (size = MIN_ALIGN; size <= MAX_SMALL; size += MIN_ALIGN) {
		unsigned int c = size_to_class[size / MIN_ALIGN];
		unsigned int bytes = span_bytes(c, page_shift);
		unsigned int base = span_align(classes[c].size, page_shift) << page_shift;

		if (classes[c].size < size)
			die("size %u does not fit its class %u", size, classes[c].size);
		for (slot = 0; slot < bytes / classes[c].size; slot++)
			if ((base + slot * classes[c].size) % pow2_divisor(size))
				die("size %u: slot %u of class %u is misaligned",
				    size, slot, classes[c].size);
	}
}

static void prove(unsigned int page_shift)
{
	unsigned int c;

	for (c = 1; c < nr_classes; c++)
		prove_index(classes[c].size, span_bytes(c, page_shift));
	prove_alignment(page_shift);
}

/* Largest share of a span that can be lost: smallest request in every slot. */
static double max_waste(unsigned int c)
{
	unsigned int bytes = span_bytes(c, BASE_PAGE_SHIFT);
	unsigned int slots = bytes / classes[c].size;

	return 100.0 * (bytes - slots * (classes[c - 1].size + 1)) / bytes;
}

/* Mean share lost to rounding up over the uniform sizes 1...limit. */
static double mean_waste(unsigned int limit)
{
	double requested = 0, given = 0;
	unsigned int size;

	for (size = 1; size <= limit; size++) {
		requested += size;
		given += classes[size_to_class[(size + MIN_ALIGN - 1) / MIN_ALIGN]].size;
	}
	return 100.0 * (given - requested) / given;
}

static unsigned int moved_sizes(void)
{
	unsigned int size, moved = 0;

	for (size = MIN_ALIGN; size <= MAX_SMALL; size += MIN_ALIGN)
		moved += size_to_class[size / MIN_ALIGN] != smallest_class(size);
	return moved;
}

static void print_summary(FILE *f)
{
	unsigned int c;

	fputs(" * class  bytes/object  bytes/span  objects  tail waste  max waste  alignment\n", f);
	for (c = 1; c < nr_classes; c++) {
		unsigned int size = classes[c].size;
		unsigned int bytes = span_bytes(c, BASE_PAGE_SHIFT);

		fprintf(f, " * %5u %13u %11u %8u %11u %9.2f%% %10u\n", c, size, bytes,
			bytes / size, bytes % size, max_waste(c), pow2_divisor(size));
	}
	fprintf(f, " *\n * Mean waste of uniform sizes: %.1f %% up to 8192, %.1f %% up to %d.\n",
		mean_waste(8192), mean_waste(MAX_SMALL), MAX_SMALL);
	fprintf(f, " * %u of the %d multiples of %d move to a higher class for their alignment.\n",
		moved_sizes(), NR_INDEX - 1, MIN_ALIGN);
}

static void print_classes(FILE *f, unsigned int page_shift)
{
	unsigned int c;

	fputs("#define KSPAN_SIZE_CLASSES {\t\\\n\t{ 0 },\t\\\n", f);
	for (c = 1; c < nr_classes; c++) {
		unsigned int size = classes[c].size;
		unsigned int pages = span_pages(c, page_shift);

		fprintf(f, "\t{ .size = %u, .magic = %uU, .slots = %u, .pages = %u, .align = %u },",
			size, magic(size), (pages << page_shift) / size, pages,
			span_align(size, page_shift));
		fputs("\t\\\n", f);
	}
	fputs("\t[KSPAN_CLASS_TINY] = {\t\\\n", f);
	fprintf(f, "\t\t.size = %u, .magic = %uU, .slots = %u, .pages = 1, .align = 1,\t\\\n",
		TINY_BLOCK, magic(TINY_BLOCK), (1 << page_shift) / TINY_BLOCK);
	fputs("\t},\t\\\n", f);
	fputs("}\n", f);
}

static void print_size_to_class(FILE *f)
{
	unsigned int i;

	fputs("#define KSPAN_SIZE_TO_CLASS {", f);
	for (i = 0; i < NR_INDEX; i++)
		fprintf(f, "%s%u,", i % 20 ? " " : "\t\\\n\t", size_to_class[i]);
	fputs("\t\\\n}\n", f);
}

/* The same map as comparisons, which fold away when the size is a constant. */
static void print_constant_map(FILE *f)
{
	unsigned int i;

	fputs("static __always_inline unsigned int kspan_constant_class(size_t size)\n{\n", f);
	fputs("\tif (!size)\n\t\treturn 0;\n", f);
	for (i = 1; i < NR_INDEX; i++)
		if (i == NR_INDEX - 1 || size_to_class[i] != size_to_class[i + 1])
			fprintf(f, "\tif (size <= %u)\n\t\treturn %u;\n",
				i * MIN_ALIGN, size_to_class[i]);
	fputs("\treturn 0;\n}\n", f);
}

static void print_head(FILE *f, const char *what, const char *guard)
{
	fprintf(f, "/* SPDX-License-Identifier: GPL-2.0 */\n"
		"/*\n * %s. Generated by tools/mksizeclasses.c; do not edit.\n", what);
	if (guard)
		fprintf(f, " */\n#ifndef %s\n#define %s\n\n", guard, guard);
}

static void print_table(FILE *f)
{
	static const unsigned int page_shifts[] = { 13, 14, 16 };
	unsigned int i;

	print_head(f, "Size classes", NULL);
	fputs(" *\n * With pages of 8 KiB:\n *\n", f);
	print_summary(f);
	fputs(" */\n#ifndef KSPAN_SIZE_CLASS_TABLE_H\n#define KSPAN_SIZE_CLASS_TABLE_H\n\n", f);
	fputs("#include <linux/kspan_size_class.h>\n\n", f);
	fprintf(f, "/* Blocks of tiny objects are a class that no size leads to. */\n"
		"#define KSPAN_CLASS_TINY\t%u\n#define KSPAN_NR_CLASSES\t%u\n",
		nr_classes, nr_classes + 1);
	fprintf(f, "#define KSPAN_NR_SIZE_INDEX\t%d\n", NR_INDEX);
	for (i = 0; i < sizeof(page_shifts) / sizeof(page_shifts[0]); i++) {
		prove(page_shifts[i]);
		fprintf(f, "\n#%sif KSPAN_PAGE_SHIFT == %u\n", i ? "el" : "", page_shifts[i]);
		print_classes(f, page_shifts[i]);
	}
	fputs("#else\n#error \"kspan: no size classes for this PAGE_SIZE\"\n#endif\n\n", f);
	print_size_to_class(f);
	fputs("\n#endif /* KSPAN_SIZE_CLASS_TABLE_H */\n", f);
}

static void print_public(FILE *f)
{
	print_head(f, "Size classes of constant sizes", "_LINUX_KSPAN_SIZE_CLASS_H");
	fputs("#include <linux/compiler.h>\n#include <linux/types.h>\n\n", f);
	fputs("/* Largest size that has a class, in bytes. */\n", f);
	fprintf(f, "#define KSPAN_MAX_SMALL\t%d\n\n", MAX_SMALL);
	fputs("/* For a constant size all of this is a constant. */\n", f);
	print_constant_map(f);
	fputs("\n#endif /* _LINUX_KSPAN_SIZE_CLASS_H */\n", f);
}

struct header {
	const char *path;
	void (*print)(FILE *f);
};

static const struct header headers[] = {
	{ "module/base/size_class_table.h", print_table },
	{ "module/include/linux/kspan_size_class.h", print_public },
};

static FILE *open_header(const struct header *header, const char *mode)
{
	FILE *f = fopen(header->path, mode);

	if (!f)
		die("cannot open %s: %s; is this the project's root?", header->path,
		    strerror(errno));
	return f;
}

static void check(const struct header *header)
{
	char *made;
	size_t len;
	FILE *f = open_memstream(&made, &len);
	size_t i;
	int c;

	header->print(f);
	fclose(f);
	f = open_header(header, "r");
	for (i = 0; (c = fgetc(f)) != EOF; i++)
		if (i >= len || c != (unsigned char)made[i])
			die("%s: byte %zu is not what is made here; mend: mksizeclasses",
			    header->path, i);
	if (i != len)
		die("%s ends after %zu of %zu bytes; mend: mksizeclasses",
		    header->path, i, len);
	fclose(f);
	free(made);
	printf("mksizeclasses: %s is true: %u classes\n", header->path, nr_classes - 1);
}

static void write_header(const struct header *header)
{
	FILE *f = open_header(header, "w");

	header->print(f);
	if (fclose(f))
		die("cannot write %s: %s", header->path, strerror(errno));
}

int main(int argc, char **argv)
{
	int checking = argc == 2 && !strcmp(argv[1], "--check");
	unsigned int i;

	if (argc != 1 && !checking)
		die("usage: mksizeclasses [--check]");
	derive_classes();
	map_sizes();
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (checking)
			check(&headers[i]);
		else
			write_header(&headers[i]);
	}
	return 0;
}
