// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_pool: counts the lines written to /dev/kspan_pool that have a word twice.
 *
 * What it shows
 *	An object pool: a line is taken apart by a parser, whose table of words is made once, and
 *	cleared only where the line before used it.
 *
 *		# cat some.txt > /dev/kspan_pool
 *		# cat /dev/kspan_pool
 *		lines 4711
 *		words 20417
 *		repeats 1203
 *		# cat /sys/kernel/debug/kspan/pools
 *
 *	A word is a longest run of ASCII letters, ASCII digits and '_'. Case counts.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jhash.h>

#include "../lines.h"

#define MAX_WORDS	((LINES_MAX + 1) / 2)
/* More than words, so that there is always an empty place. */
#define TABLE_SIZE	LINES_MAX

struct word {
	const char *text;
	u16 len;
	u16 place;	/* in the table */
};

/**
 * struct parser - finds words that a line has twice
 * @nr_words:	different words in @words
 * @words:	of the line
 * @table:	hash table: number of a word, from 1; 0 is empty
 */
struct parser {
	unsigned int nr_words;
	struct word words[MAX_WORDS];
	u16 table[TABLE_SIZE];
};

static struct kspan_pool *parsers;
static atomic64_t lines, words, repeats;

static void *parser_new(gfp_t gfp)
{
	return kspan_zalloc(sizeof(struct parser), gfp);
}

/* A line uses few places of the table: the others are clear already. */
static void parser_reset(void *object)
{
	struct parser *parser = object;

	while (parser->nr_words)
		parser->table[parser->words[--parser->nr_words].place] = 0;
}

static const struct kspan_pool_ops parser_ops = {
	.name = "parsers",
	.new = parser_new,
	.reset = parser_reset,
};

/* Whether the word was there. */
static bool parser_add(struct parser *parser, const char *text, u16 len)
{
	u16 place = jhash(text, len, 0) % TABLE_SIZE;
	struct word *word;

	for (; parser->table[place]; place = (place + 1) % TABLE_SIZE) {
		word = &parser->words[parser->table[place] - 1];
		if (word->len == len && !memcmp(word->text, text, len))
			return true;
	}
	parser->words[parser->nr_words++] = (struct word) { text, len, place };
	parser->table[place] = parser->nr_words;
	return false;
}

static bool is_word_byte(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static int pool_take(char *line, size_t len)
{
	struct parser *parser = kspan_pool_get(parsers);
	size_t start, end;
	bool repeated = false;

	if (!parser)
		return -ENOMEM;
	for (start = 0; start < len; start = end + 1) {
		for (end = start; end < len && is_word_byte(line[end]); end++)
			;
		if (end == start)
			continue;
		repeated |= parser_add(parser, line + start, end - start);
		atomic64_inc(&words);
	}
	atomic64_inc(&lines);
	atomic64_add(repeated, &repeats);
	kspan_pool_put(parsers, parser);
	return 0;
}

static void pool_show(struct seq_file *m, unsigned int part)
{
	seq_printf(m, "lines %lld\nwords %lld\nrepeats %lld\n", atomic64_read(&lines),
		   atomic64_read(&words), atomic64_read(&repeats));
}

static struct lines_device pool_device = LINES_DEVICE(pool_take, pool_show, 1);

static int __init pool_init(void)
{
	int err;

	parsers = kspan_pool_create(&parser_ops, LINES_GFP);
	if (!parsers)
		return -ENOMEM;
	err = misc_register(&pool_device.misc);
	if (err)
		kspan_pool_destroy(parsers);
	return err;
}

static void __exit pool_exit(void)
{
	misc_deregister(&pool_device.misc);
	kspan_pool_destroy(parsers);
}

module_init(pool_init);
module_exit(pool_exit);

MODULE_DESCRIPTION("Counts lines that have a word twice, with parsers from a kspan pool");
MODULE_LICENSE("GPL");
