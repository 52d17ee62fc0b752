// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_words: counts the words of the lines written to /dev/kspan_words.
 *
 * What it shows
 *	A private heap: many objects in a heap of their own, which are all freed at once.
 *
 *		# cat some.txt > /dev/kspan_words
 *		# sort -rn /dev/kspan_words | head -n 3
 *		4711 the
 *		2020 of
 *		1984 a
 *		# echo 1 > /sys/module/kspan_words/parameters/reset
 *
 *	A word is a longest run of ASCII letters, digits, '_' and bytes from 0x80 up. Case counts.
 *	A line counts as a whole, or not at all when there is no memory for one of its words.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hashtable.h>
#include <linux/jhash.h>

#include "../lines.h"

#define WORDS_BITS	14

/**
 * struct word - one distinct word
 * @node:	in words
 * @count:	how often it was written
 * @len:	bytes of @text
 * @text:	the word, without a NUL
 */
struct word {
	struct hlist_node node;
	u64 count;
	u32 len;
	char text[];
};

static DEFINE_MUTEX(words_lock);
/* All that follows is under the lock. */
static DEFINE_HASHTABLE(words, WORDS_BITS);
static struct kspan_heap *words_heap;

static bool is_word_byte(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c >= 0x80;
}

/* The word, made if it is a new one, with a count of 0; NULL without memory. */
static struct word *word_get(const char *text, u32 len)
{
	u32 hash = jhash(text, len, 0);
	struct word *word;

	hash_for_each_possible(words, word, node, hash)
		if (word->len == len && !memcmp(word->text, text, len))
			return word;

	word = kspan_heap_malloc(words_heap, struct_size(word, text, len), LINES_GFP);
	if (!word)
		return NULL;
	word->count = 0;
	word->len = len;
	memcpy(word->text, text, len);
	hash_add(words, &word->node, hash);
	return word;
}

/* Adds @n to the count of each word of the line. */
static int add_to_all(const char *line, size_t len, unsigned int n)
{
	size_t start = 0, end;
	struct word *word;

	for (; start < len; start = end + 1) {
		for (end = start; end < len && is_word_byte(line[end]); end++)
			;
		if (end == start)
			continue;
		word = word_get(line + start, end - start);
		if (!word)
			return -ENOMEM;
		word->count += n;
	}
	return 0;
}

static int words_take(char *line, size_t len)
{
	int err;

	mutex_lock(&words_lock);
	/* The first pass makes what is new, so the second one can't fail. */
	err = add_to_all(line, len, 0) ?: add_to_all(line, len, 1);
	mutex_unlock(&words_lock);
	return err;
}

/* A part is a chain of the hash table. */
static void words_show(struct seq_file *m, unsigned int part)
{
	struct word *word;

	mutex_lock(&words_lock);
	hlist_for_each_entry(word, &words[part], node)
		if (word->count)
			seq_printf(m, "%llu %.*s\n", word->count, word->len, word->text);
	mutex_unlock(&words_lock);
}

static struct lines_device words_device = LINES_DEVICE(words_take, words_show, BIT(WORDS_BITS));

static int reset_set(const char *val, const struct kernel_param *kp)
{
	bool reset;
	int err;

	err = kstrtobool(val, &reset);
	if (err || !reset)
		return err;
	mutex_lock(&words_lock);
	/* The parameter's file is there before the heap is, and after. */
	if (words_heap) {
		hash_init(words);
		kspan_heap_reset(words_heap);
	}
	mutex_unlock(&words_lock);
	return 0;
}

static const struct kernel_param_ops reset_ops = {
	.set = reset_set,
};
module_param_cb(reset, &reset_ops, NULL, 0200);
MODULE_PARM_DESC(reset, "write 1: forget all words");

static void set_heap(struct kspan_heap *heap)
{
	mutex_lock(&words_lock);
	swap(words_heap, heap);
	mutex_unlock(&words_lock);
	if (heap) {
		/* All words at once. kspan_heap_destroy() reports what it finds in a heap. */
		kspan_heap_reset(heap);
		kspan_heap_destroy(heap);
	}
}

static int __init words_init(void)
{
	struct kspan_heap *heap = kspan_heap_create("words", 0, 0);
	int err;

	if (!heap)
		return -ENOMEM;
	set_heap(heap);
	err = misc_register(&words_device.misc);
	if (err)
		set_heap(NULL);
	return err;
}

static void __exit words_exit(void)
{
	misc_deregister(&words_device.misc);
	set_heap(NULL);
}

module_init(words_init);
module_exit(words_exit);

MODULE_DESCRIPTION("Counts the words written to /dev/kspan_words, in a private heap");
MODULE_LICENSE("GPL");
