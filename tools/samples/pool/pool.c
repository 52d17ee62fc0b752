// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_pool: finds lines that have a word twice, with parsers from a kspan pool.
 *
 * What it is
 *	A sample of how a module uses object pools: each line of what is written to
 *	/dev/kspan_pool is taken apart by a parser, whose table of words is made once
 *	and cleared only where the last line used it.
 *
 *		# cat some.txt > /dev/kspan_pool
 *		# cat /dev/kspan_pool
 *		lines 4711
 *		words 20417
 *		repeats 1203
 *		cut 0
 *		# cat /sys/kernel/debug/kspan/pools
 *
 *	A word is a longest run of ASCII letters, ASCII digits and '_'; case counts.
 *
 * Writing
 *	Each open file is a text of its own. A line may go on in the next write()
 *	to the same open file; the last one ends where the file is closed. Of a line
 *	only the first 1023 bytes are looked at; "cut" counts the longer ones.
 *
 *	A write() takes as many bytes as it can. ENOMEM: there is no memory for
 *	a parser. EFAULT: a bad address.
 *
 * Reading
 *	The counts of all lines since the module was loaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/jhash.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include <linux/kspan.h>

#define MAX_LINE	1023
#define MAX_WORDS	((MAX_LINE + 1) / 2)
/* More than words, so that there is always an empty place. */
#define TABLE_SIZE	1024
#define CHUNK		4096

struct word {
	u16 start;
	u16 len;
	u16 place;	/* in the table */
};

/**
 * struct parser - what a line is taken apart with
 * @len:	bytes of @line
 * @cut:	the line has more
 * @nr_words:	different words in @words
 * @line:	the line, without its end
 * @words:	of @line
 * @table:	hash table: number of a word, from 1; 0 is empty
 */
struct parser {
	unsigned int len;
	bool cut;
	unsigned int nr_words;
	u8 line[MAX_LINE];
	struct word words[MAX_WORDS];
	u16 table[TABLE_SIZE];
};

/**
 * struct text - an open file
 * @lock:	held by the writer
 * @parser:	of a line whose end was not written yet, or NULL
 */
struct text {
	struct mutex lock;	/* one writer at a time */
	struct parser *parser;
};

static struct kspan_pool *parsers, *chunks;
static atomic64_t lines, words, repeats, cut;

static void *parser_new(gfp_t gfp)
{
	return kspan_zalloc(sizeof(struct parser), gfp);
}

/* What is clear stays so: a line uses few places of the table. */
static void parser_reset(void *object)
{
	struct parser *parser = object;
	unsigned int i;

	for (i = 0; i < parser->nr_words; i++)
		parser->table[parser->words[i].place] = 0;
	parser->nr_words = 0;
	parser->len = 0;
	parser->cut = false;
}

static const struct kspan_pool_ops parser_ops = {
	.name = "parsers",
	.new = parser_new,
	.reset = parser_reset,
};

/* Buffers need nothing done to them. */
static const struct kspan_pool_ops chunk_ops = {
	.name = "chunks",
	.size = CHUNK,
};

static bool is_word_byte(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Whether the word was there. */
static bool parser_add(struct parser *parser, unsigned int start, unsigned int len)
{
	u32 place = jhash(parser->line + start, len, 0) % TABLE_SIZE;
	struct word *word;

	for (; parser->table[place]; place = (place + 1) % TABLE_SIZE) {
		word = &parser->words[parser->table[place] - 1];
		if (word->len == len &&
		    !memcmp(parser->line + word->start, parser->line + start, len))
			return true;
	}
	parser->words[parser->nr_words++] = (struct word) {
		.start = start, .len = len, .place = place,
	};
	parser->table[place] = parser->nr_words;
	return false;
}

static void parser_finish(struct parser *parser)
{
	unsigned int start = 0, end, nr_words = 0;
	bool repeated = false;

	while (start < parser->len) {
		for (end = start; end < parser->len && is_word_byte(parser->line[end]); end++)
			;
		if (end > start) {
			repeated |= parser_add(parser, start, end - start);
			nr_words++;
		}
		start = end + 1;
	}
	atomic64_inc(&lines);
	atomic64_add(nr_words, &words);
	atomic64_add(repeated, &repeats);
	atomic64_add(parser->cut, &cut);
	kspan_pool_put(parsers, parser);
}

/* Returns how many bytes were taken. */
static size_t text_feed(struct text *text, const u8 *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!text->parser)
			text->parser = kspan_pool_get(parsers);
		if (!text->parser)
			break;
		if (bytes[i] == '\n') {
			parser_finish(text->parser);
			text->parser = NULL;
		} else if (text->parser->len < MAX_LINE) {
			text->parser->line[text->parser->len++] = bytes[i];
		} else {
			text->parser->cut = true;
		}
	}
	return i;
}

static ssize_t text_feed_from(struct text *text, const char __user *from, size_t len)
{
	u8 *chunk = kspan_pool_get(chunks);
	size_t done = 0, taken, n;
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	while (done < len && !err) {
		n = min_t(size_t, len - done, CHUNK);
		taken = n - copy_from_user(chunk, from + done, n);
		if (taken < n)
			err = -EFAULT;
		n = taken;
		taken = text_feed(text, chunk, n);
		if (taken < n)
			err = -ENOMEM;
		done += taken;
		cond_resched();
	}
	kspan_pool_put(chunks, chunk);
	return done ? done : err;
}

static ssize_t pool_write(struct file *file, const char __user *from, size_t len, loff_t *ppos)
{
	struct text *text = file->private_data;
	ssize_t done;

	if (mutex_lock_interruptible(&text->lock))
		return -ERESTARTSYS;
	done = text_feed_from(text, from, len);
	mutex_unlock(&text->lock);
	return done;
}

static ssize_t pool_read(struct file *file, char __user *to, size_t len, loff_t *ppos)
{
	char buf[128];
	int n;

	n = scnprintf(buf, sizeof(buf), "lines %lld\nwords %lld\nrepeats %lld\ncut %lld\n",
		      atomic64_read(&lines), atomic64_read(&words), atomic64_read(&repeats),
		      atomic64_read(&cut));
	return simple_read_from_buffer(to, len, ppos, buf, n);
}

static int pool_open(struct inode *inode, struct file *file)
{
	struct text *text = kspan_zalloc(sizeof(*text), GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	mutex_init(&text->lock);
	file->private_data = text;
	return 0;
}

static int pool_release(struct inode *inode, struct file *file)
{
	struct text *text = file->private_data;

	if (text->parser)
		parser_finish(text->parser);
	kspan_free(text);
	return 0;
}

static const struct file_operations pool_fops = {
	.owner = THIS_MODULE,
	.open = pool_open,
	.read = pool_read,
	.write = pool_write,
	.release = pool_release,
};

static struct miscdevice pool_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &pool_fops,
};

static int __init pool_init(void)
{
	int err = -ENOMEM;

	parsers = kspan_pool_create(&parser_ops, GFP_KERNEL);
	chunks = kspan_pool_create(&chunk_ops, GFP_KERNEL);
	if (parsers && chunks)
		err = misc_register(&pool_device);
	if (err) {
		kspan_pool_destroy(chunks);
		kspan_pool_destroy(parsers);
	}
	return err;
}

static void __exit pool_exit(void)
{
	misc_deregister(&pool_device);
	kspan_pool_destroy(chunks);
	kspan_pool_destroy(parsers);
}

module_init(pool_init);
module_exit(pool_exit);

MODULE_DESCRIPTION("Finds lines that have a word twice, with parsers from a kspan pool");
MODULE_LICENSE("GPL");
