// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_counter: counts the words written to /dev/kspan_counter, on kspan memory.
 *
 * What it is
 *	The load of the selftests: two kspan objects for each distinct word,
 *	allocated and freed on any CPU, in a private heap that ends with all of
 *	them when the module is unloaded. The objects of an open file are in the
 *	default heap. The selftests know each promise below.
 *
 *		# cat some.txt > /dev/kspan_counter
 *		# head -3 /dev/kspan_counter
 *		4711 the
 *		2020 of
 *		1984 a
 *		# echo 1 > /sys/module/kspan_counter/parameters/reset
 *
 * What a word is
 *	A longest run of ASCII letters, ASCII digits, '_' and bytes from 0x80
 *	up, so UTF-8 text keeps its words whole.  Every other byte, NUL included,
 *	separates words.  Case counts.  With coreutils:
 *		tr -cs 'A-Za-z0-9_\200-\377' '\n'
 *
 * Writing
 *	Each open file is a text of its own.  A word may go on in the next
 *	write() to the same open file; the last one ends where the file is
 *	closed.  Any number of files may be written at once.
 *
 *	A write() takes as many bytes as it can.  What it returned as taken is
 *	counted, or is the beginning of a word that is not over yet, and is
 *	neither lost nor counted again.  The rest can be written again as it is:
 *		ENOMEM		no memory for another word; free some, or reset
 *		EBUSY		the table is being resized; try again
 *		EFAULT		a bad address
 *		EMSGSIZE	a word of more than max_word bytes: it is not
 *				counted, and what follows of it, up to the next
 *				separator, will be taken and thrown away
 *
 * Reading
 *	"count word" lines, the most frequent word first, equal counts in the
 *	order of their bytes.  Reading from offset 0 takes a snapshot of all
 *	counts at one moment; reading on continues that snapshot.
 *
 * Parameters
 *	reset		write 1: forget all words (texts being written go on)
 *	max_word	longest word in bytes
 *	tiny		whether words below 16 bytes are kspan's tiny objects
 *
 * Locking
 *	words_lock is held for reading by all who look up, count and insert,
 *	which the rhashtable lets them do at the same time, and for writing by
 *	those who need the table at rest: snapshot, reset, unload.  As nothing is
 *	removed while a reader holds it, no object is freed under a lookup and
 *	none needs an RCU grace period.  It nests inside words_file.lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/rwsem.h>
#include <linux/seq_file.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include <linux/kspan.h>

/* A writer that fills the memory gets an errno: it must not wake the OOM killer. */
#define WORDS_GFP	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Bytes copied from user space at a time. */
#define WORDS_CHUNK	4096

#define WORDS_MAX_WORD	(1024 * 1024)

static unsigned int max_word = 64 * 1024;
static bool tiny;

/**
 * struct word - one distinct word
 * @node: in words_table
 * @count: how often it was written
 * @bytes: the word itself, a kspan object of its own, no NUL at the end
 * @len: bytes in @bytes
 * @ref: one for the table, one for each snapshot
 */
struct word {
	struct rhash_head node;
	atomic64_t count;
	u8 *bytes;
	u32 len;
	refcount_t ref;
};

struct words_key {
	const u8 *bytes;
	u32 len;
};

struct words_entry {
	struct word *word;
	u64 count;
};

/**
 * struct words_file - one open file
 * @lock: held by the writer
 * @buf: @len bytes of a word whose end was not written yet, then room
 * @len: at most max_word
 * @size: of @buf
 * @skip: inside a word that was too long
 * @spare: the next new word's node
 * @bytes: and its bytes.  There are both, with room for @len bytes, whenever that is
 *	not 0: with them, closing the file can count the last word when there is no
 *	memory.
 * @entries: the snapshot, under the seq_file's lock
 * @nr_entries: in @entries
 */
struct words_file {
	struct mutex lock;	/* one writer at a time */
	u8 *buf;
	size_t len;
	size_t size;
	bool skip;
	struct word *spare;
	u8 *bytes;

	struct words_entry *entries;
	size_t nr_entries;
};

static struct kspan_heap *words_heap;
static DECLARE_RWSEM(words_lock);
static struct rhashtable words_table;
/* The parameters' files outlive the table on both ends. */
static bool words_table_ready;

static u32 words_key_hash(const void *data, u32 len, u32 seed)
{
	const struct words_key *key = data;

	return jhash(key->bytes, key->len, seed);
}

static u32 words_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct word *word = data;

	return jhash(word->bytes, word->len, seed);
}

static int words_obj_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct words_key *key = arg->key;
	const struct word *word = obj;

	return word->len != key->len || memcmp(word->bytes, key->bytes, key->len);
}

static const struct rhashtable_params words_params = {
	.head_offset = offsetof(struct word, node),
	.hashfn = words_key_hash,
	.obj_hashfn = words_obj_hash,
	.obj_cmpfn = words_obj_cmp,
};

static void word_put(struct word *word)
{
	if (!refcount_dec_and_test(&word->ref))
		return;
	kspan_free(word->bytes);
	kspan_free(word);
}

static void words_table_free_one(void *ptr, void *arg)
{
	word_put(ptr);
}

/* Counting */

static bool words_count_known(const struct words_key *key)
{
	struct word *word;

	lockdep_assert_held(&words_lock);

	word = rhashtable_lookup_fast(&words_table, key, words_params);
	if (word)
		atomic64_inc(&word->count);
	return word;
}

/* Takes @bytes over, unless it fails. */
static int words_insert(struct words_file *wf, u8 *bytes, u32 len)
{
	struct words_key key = { .bytes = bytes, .len = len };
	struct word *word = wf->spare;
	struct word *old;

	lockdep_assert_held(&words_lock);

	word->bytes = bytes;
	word->len = len;
	atomic64_set(&word->count, 1);
	refcount_set(&word->ref, 1);

	old = rhashtable_lookup_get_insert_key(&words_table, &key, &word->node,
					       words_params);
	if (IS_ERR(old))
		return PTR_ERR(old);

	if (old) {
		/* Another writer was faster. */
		atomic64_inc(&old->count);
		kspan_free(bytes);
	} else {
		wf->spare = NULL;
	}
	return 0;
}

static int words_get_spare(struct words_file *wf)
{
	if (!wf->spare)
		wf->spare = kspan_heap_zalloc(words_heap, sizeof(*wf->spare), WORDS_GFP);
	return wf->spare ? 0 : -ENOMEM;
}

/* What closing the file needs after @len bytes of a word. */
static int words_reserve_last(struct words_file *wf, size_t len)
{
	int err = words_get_spare(wf);
	u8 *bytes;

	if (err)
		return err;
	bytes = kspan_heap_realloc(words_heap, wf->bytes, len, WORDS_GFP);
	if (!bytes)
		return -ENOMEM;
	wf->bytes = bytes;
	return 0;
}

static u8 *words_copy(const u8 *bytes, u32 len)
{
	u8 *copy;

	if (READ_ONCE(tiny))
		copy = kspan_heap_tiny_alloc(words_heap, len, WORDS_GFP);
	else
		copy = kspan_heap_malloc(words_heap, len, WORDS_GFP);
	if (copy)
		memcpy(copy, bytes, len);
	return copy;
}

static int words_count(struct words_file *wf, const u8 *bytes, u32 len)
{
	struct words_key key = { .bytes = bytes, .len = len };
	u8 *copy;
	int err;

	if (words_count_known(&key))
		return 0;

	err = words_get_spare(wf);
	if (err)
		return err;
	copy = words_copy(bytes, len);
	if (!copy)
		return -ENOMEM;
	err = words_insert(wf, copy, len);
	if (err)
		kspan_free(copy);
	return err;
}

/* Counts the word that the end of the file ended; needs no memory of kspan. */
static int words_count_last(struct words_file *wf)
{
	struct words_key key = { .bytes = wf->buf, .len = wf->len };
	int err;

	if (words_count_known(&key))
		return 0;

	memcpy(wf->bytes, wf->buf, wf->len);
	err = words_insert(wf, wf->bytes, wf->len);
	if (!err)
		wf->bytes = NULL;
	return err;
}

/* Writing */

static bool is_word_byte(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static size_t find_separator(const u8 *buf, size_t pos, size_t end)
{
	while (pos < end && is_word_byte(buf[pos]))
		pos++;
	return pos;
}

static size_t find_word(const u8 *buf, size_t pos, size_t end)
{
	while (pos < end && !is_word_byte(buf[pos]))
		pos++;
	return pos;
}

/* Where the first word in @wf->buf begins: with the old bytes, if there are any. */
static size_t words_begin(struct words_file *wf, size_t end)
{
	size_t pos = 0;

	if (wf->len)
		return 0;
	if (wf->skip) {
		pos = find_separator(wf->buf, 0, end);
		wf->skip = pos == end;
	}
	return find_word(wf->buf, pos, end);
}

/*
 * Takes the @n new bytes that follow the @wf->len old ones in @wf->buf and
 * returns how many it took.  On an error these are the new bytes before the word
 * that could not be counted, so that the caller can write that word again; the
 * old bytes stay if they are its beginning.
 */
static size_t words_take(struct words_file *wf, size_t n, int *err)
{
	size_t old = wf->len;
	size_t end = old + n;
	size_t start = words_begin(wf, end);
	size_t pos = max(start, old);

	*err = 0;
	while (start < end) {
		pos = find_separator(wf->buf, pos, end);
		if (pos - start > READ_ONCE(max_word))
			*err = -EMSGSIZE;
		else if (pos == end)
			*err = words_reserve_last(wf, end - start);
		else
			*err = words_count(wf, wf->buf + start, pos - start);
		if (*err || pos == end)
			break;
		start = find_word(wf->buf, pos, end);
		pos = start;
	}

	if (*err) {
		if (start)
			wf->len = 0;
		return start ? start - old : 0;
	}
	wf->len = end - start;
	memmove(wf->buf, wf->buf + start, wf->len);
	return n;
}

static int words_reserve(struct words_file *wf, size_t n)
{
	size_t size = roundup_pow_of_two(wf->len + n);
	u8 *buf;

	if (size <= wf->size)
		return 0;
	buf = kspan_realloc(wf->buf, size, WORDS_GFP);
	if (!buf)
		return -ENOMEM;
	wf->buf = buf;
	wf->size = size;
	return 0;
}

static ssize_t words_write_chunk(struct words_file *wf, const char __user *from,
				 size_t n, int *err)
{
	size_t taken;

	*err = words_reserve(wf, n);
	if (*err)
		return 0;

	/* Not under words_lock: the page fault may take as long as it likes. */
	n -= copy_from_user(wf->buf + wf->len, from, n);
	if (!n) {
		*err = -EFAULT;
		return 0;
	}

	down_read(&words_lock);
	taken = words_take(wf, n, err);
	up_read(&words_lock);
	return taken;
}

static ssize_t words_write(struct file *file, const char __user *from,
			   size_t len, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	struct words_file *wf = m->private;
	size_t done = 0;
	int err = 0;

	if (mutex_lock_interruptible(&wf->lock))
		return -ERESTARTSYS;

	while (done < len && !err) {
		done += words_write_chunk(wf, from + done,
					  min_t(size_t, len - done, WORDS_CHUNK),
					  &err);
		if (!err && signal_pending(current))
			err = -ERESTARTSYS;
		cond_resched();
	}

	/* Told once, or the file could never be written on. */
	if (!done && err == -EMSGSIZE) {
		wf->len = 0;
		wf->skip = true;
	}
	mutex_unlock(&wf->lock);
	return done ? done : err;
}

/* Reading */

static void words_snapshot_empty(struct words_file *wf)
{
	while (wf->nr_entries)
		word_put(wf->entries[--wf->nr_entries].word);
}

static void words_snapshot_free(struct words_file *wf)
{
	words_snapshot_empty(wf);
	kvfree(wf->entries);
	wf->entries = NULL;
}

/*
 * One walk over the table.  -EAGAIN if the table was being resized: the walk may
 * then have met a word twice.
 */
static int words_snapshot_walk(struct words_file *wf, size_t nr_words)
{
	struct rhashtable_iter iter;
	struct word *word;

	words_snapshot_empty(wf);
	rhashtable_walk_enter(&words_table, &iter);
	rhashtable_walk_start(&iter);
	while ((word = rhashtable_walk_next(&iter)) && !IS_ERR(word)) {
		if (wf->nr_entries == nr_words) {
			word = ERR_PTR(-EAGAIN);
			break;
		}
		refcount_inc(&word->ref);
		wf->entries[wf->nr_entries++] = (struct words_entry) {
			.word = word,
			.count = atomic64_read(&word->count),
		};
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	return PTR_ERR_OR_ZERO(word);
}

/* Collects under words_lock, held for writing: nothing moves but a late resize. */
static int words_snapshot_collect(struct words_file *wf)
{
	size_t nr_words = atomic_read(&words_table.nelems);
	int err;

	/* An array for all words may be larger than a heap object can be. */
	wf->entries = kvmalloc_array(nr_words, sizeof(*wf->entries), WORDS_GFP);
	if (!wf->entries)
		return -ENOMEM;

	/* No one inserts: the resize comes to its end. */
	while ((err = words_snapshot_walk(wf, nr_words)) == -EAGAIN)
		msleep(20);
	return err;
}

static int words_compare(const void *va, const void *vb)
{
	const struct words_entry *a = va, *b = vb;
	int order;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	order = memcmp(a->word->bytes, b->word->bytes,
		       min(a->word->len, b->word->len));
	if (order)
		return order;
	return a->word->len < b->word->len ? -1 : 1;
}

static int words_snapshot(struct words_file *wf)
{
	int err;

	words_snapshot_free(wf);

	down_write(&words_lock);
	err = words_snapshot_collect(wf);
	up_write(&words_lock);
	if (err)
		return err;

	sort(wf->entries, wf->nr_entries, sizeof(*wf->entries), words_compare,
	     NULL);
	return 0;
}

static struct words_entry *words_seq_at(struct words_file *wf, loff_t pos)
{
	return pos < wf->nr_entries ? &wf->entries[pos] : NULL;
}

static void *words_seq_start(struct seq_file *m, loff_t *pos)
{
	struct words_file *wf = m->private;
	int err;

	if (!*pos) {
		err = words_snapshot(wf);
		if (err)
			return ERR_PTR(err);
	}
	return words_seq_at(wf, *pos);
}

static void *words_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	return words_seq_at(m->private, ++*pos);
}

static void words_seq_stop(struct seq_file *m, void *v)
{
}

static int words_seq_show(struct seq_file *m, void *v)
{
	const struct words_entry *entry = v;

	seq_printf(m, "%llu ", entry->count);
	seq_write(m, entry->word->bytes, entry->word->len);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations words_seq_ops = {
	.start = words_seq_start,
	.next = words_seq_next,
	.stop = words_seq_stop,
	.show = words_seq_show,
};

/* Opening and closing */

static int words_open(struct inode *inode, struct file *file)
{
	struct words_file *wf;
	struct seq_file *m;
	int err;

	wf = kspan_zalloc(sizeof(*wf), WORDS_GFP);
	if (!wf)
		return -ENOMEM;
	mutex_init(&wf->lock);

	/* misc_open() left its device there, seq_open() wants it empty. */
	file->private_data = NULL;
	err = seq_open(file, &words_seq_ops);
	if (err) {
		kspan_free(wf);
		return err;
	}
	m = file->private_data;
	m->private = wf;
	return 0;
}

static void words_finish(struct words_file *wf)
{
	int tries = 50;
	int err;

	if (!wf->len)
		return;

	/* Only the table's resizing can stand in the way, and that is short. */
	do {
		down_read(&words_lock);
		err = words_count_last(wf);
		up_read(&words_lock);
		if (err)
			msleep(20);
	} while (err && --tries);
	if (err)
		pr_warn_ratelimited("lost the last word of a file: error %d\n", err);
}

static int words_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct words_file *wf = m->private;

	words_finish(wf);
	words_snapshot_free(wf);
	kspan_free(wf->spare);
	kspan_free(wf->bytes);
	kspan_free(wf->buf);
	kspan_free(wf);
	return seq_release(inode, file);
}

static const struct file_operations words_fops = {
	.owner = THIS_MODULE,
	.open = words_open,
	.read = seq_read,
	.write = words_write,
	.llseek = seq_lseek,
	.release = words_release,
};

static struct miscdevice words_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &words_fops,
};

/* The table and the module */

static int words_table_create(void)
{
	int err;

	down_write(&words_lock);
	err = rhashtable_init(&words_table, &words_params);
	words_table_ready = !err;
	up_write(&words_lock);
	return err;
}

/* Forgets all words, and leaves their memory to the heap. */
static void words_table_destroy(void)
{
	down_write(&words_lock);
	words_table_ready = false;
	rhashtable_destroy(&words_table);
	up_write(&words_lock);
}

static void words_reset(void)
{
	down_write(&words_lock);
	if (words_table_ready) {
		rhashtable_free_and_destroy(&words_table, words_table_free_one,
					    NULL);
		/* It fails for bad parameters only, and these were good. */
		WARN_ON_ONCE(rhashtable_init(&words_table, &words_params));
	}
	up_write(&words_lock);
}

static int reset_set(const char *val, const struct kernel_param *kp)
{
	bool reset;
	int err;

	err = kstrtobool(val, &reset);
	if (err)
		return err;
	if (reset)
		words_reset();
	return 0;
}

static const struct kernel_param_ops reset_ops = {
	.set = reset_set,
};
module_param_cb(reset, &reset_ops, NULL, 0200);
MODULE_PARM_DESC(reset, "write 1: forget all words");

static int max_word_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, WORDS_MAX_WORD);
}

static const struct kernel_param_ops max_word_ops = {
	.set = max_word_set,
	.get = param_get_uint,
};
module_param_cb(max_word, &max_word_ops, &max_word, 0644);
MODULE_PARM_DESC(max_word, "longest word in bytes, 1 to 1048576 (default 65536)");

module_param(tiny, bool, 0644);
MODULE_PARM_DESC(tiny, "keep words below 16 bytes several to a block (default 0)");

static int __init words_init(void)
{
	int err;

	words_heap = kspan_heap_create("words", 0, 0);
	if (!words_heap)
		return -ENOMEM;
	err = words_table_create();
	if (err)
		goto err_heap;
	err = misc_register(&words_device);
	if (err)
		goto err_table;
	return 0;

err_table:
	words_table_destroy();
err_heap:
	kspan_heap_destroy(words_heap);
	return err;
}

static void __exit words_exit(void)
{
	misc_deregister(&words_device);
	words_table_destroy();
	/* All words at once; after a reset there is nothing left to be told of. */
	kspan_heap_reset(words_heap);
	kspan_heap_destroy(words_heap);
}

module_init(words_init);
module_exit(words_exit);

MODULE_DESCRIPTION("Counts the words written to /dev/kspan_counter, on kspan memory");
MODULE_LICENSE("GPL");
