// SPDX-License-Identifier: GPL-2.0
/*
 * What an address is: the file whatis, and the answer in a line for an oops
 *
 * The address may be any: of a live object or into its inside, of one that was freed, or none of
 * kspan's at all. The answer is found as lookup.h says: from a copy of the span, which is thrown
 * away if the span has become another one meanwhile. Nothing at the address is read, but for the
 * seal of a slot that is out, and that with the span pinned.
 *
 * A slot that is out is live or cached. Magazines are searched to tell which. A slot in no
 * magazine that has its seal was freed, too: it is on its way into a magazine or to its span. A
 * slot in a magazine without its seal was written to after its free.
 *
 * The answer is exact while nobody allocates or frees the object. It names no address: root, who
 * asks, has the address, and finds what is around it by the offsets.
 *
 * Context: any, NMI included, with KSPAN_GFP_NOLOCK; the file, task.
 */
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "base/kunit_export.h"
#include "base/name.h"
#include "base/table.h"
#include "kits/fixed_pool.h"
#include "kits/pool.h"
#include "objects/central.h"
#include "objects/cpu_caches.h"
#include "objects/heap.h"
#include "objects/kv.h"
#include "objects/lookup.h"
#include "objects/seal.h"
#include "objects/tiny.h"
#include "observe/whatis.h"

/* A span may change so often while it is looked at. Then it is pages that move. */
#define LOOKS	8

static const char * const kind_words[KSPAN_NR_WHATS] = {
	[KSPAN_WHAT_NONE]    = "none",
	[KSPAN_WHAT_SLOT]    = "slot",
	[KSPAN_WHAT_TINY]    = "tiny",
	[KSPAN_WHAT_LARGE]   = "large",
	[KSPAN_WHAT_CHUNK]   = "chunk",
	[KSPAN_WHAT_VMALLOC] = "vmalloc",
	[KSPAN_WHAT_PAGES]   = "pages",
};

static const char * const state_words[KSPAN_NR_STATES] = {
	[KSPAN_STATE_NONE]   = "-",
	[KSPAN_STATE_LIVE]   = "live",
	[KSPAN_STATE_CACHED] = "cached",
	[KSPAN_STATE_DEPOT]  = "depot",
	[KSPAN_STATE_FREED]  = "freed",
	[KSPAN_STATE_FREE]   = "free",
	[KSPAN_STATE_NEVER]  = "never_used",
	[KSPAN_STATE_TAIL]   = "tail",
	[KSPAN_STATE_KEPT]   = "kept",
	[KSPAN_STATE_MOVING] = "moving",
};

static void set_heap(struct kspan_what *what, const struct kspan_heap *heap)
{
	strscpy(what->heap, heap->name, sizeof(what->heap));
	strscpy(what->module, heap->private ? heap->private->module : KBUILD_MODNAME,
		sizeof(what->module));
}

/* Whether the seal of a slot that is out is there; @seal_known is false if it can't be read. */
static bool is_sealed(const struct kspan_found *found, unsigned long slot, bool *seal_known)
{
	bool sealed = false;

	*seal_known = static_key_enabled(&kspan_frees_exactly) && kspan_found_pin(found);
	if (!*seal_known)
		return false;
	/* Looked at again: the slot's page stays from here on, if the slot is out. */
	*seal_known = kspan_found_slot(found, slot) == KSPAN_SLOT_OUT;
	if (*seal_known)
		sealed = kspan_is_sealed((void *)slot, found->central->seal_at);
	kspan_span_unpin(found->span);
	return sealed;
}

/* A slot that is out of its span. */
static void look_at_slot_out(const struct kspan_found *found, gfp_t gfp, struct kspan_what *what)
{
	const struct kspan_central *central = found->central;
	void *slot = (void *)what->start;
	bool seal_known, sealed = is_sealed(found, what->start, &seal_known);

	what->cpu = kspan_cpu_caches_find(central->heap, central->class, slot);
	if (what->cpu < nr_cpu_ids)
		what->state = KSPAN_STATE_CACHED;
	else if (kspan_heap_depots_hold(central->heap, central->class, slot, gfp))
		what->state = KSPAN_STATE_DEPOT;
	else
		what->state = sealed ? KSPAN_STATE_FREED : KSPAN_STATE_LIVE;
	what->written = what->state != KSPAN_STATE_LIVE && seal_known && !sealed;
}

/* A block of tiny objects. Its seal, if it is free, is where objects may be: it tells nothing. */
static void look_at_tiny(const struct kspan_found *found, gfp_t gfp, struct kspan_what *what)
{
	unsigned long start;
	unsigned int size;

	start = kspan_tiny_around(found, what->addr, &size);
	if (start) {
		what->start = start;
		what->bytes = size;
		what->state = KSPAN_STATE_LIVE;
		return;
	}
	look_at_slot_out(found, gfp, what);
	/* The block is in use, and the address is in a part of it that has no object. */
	if (what->state == KSPAN_STATE_LIVE)
		what->state = KSPAN_STATE_FREE;
	what->written = false;
}

static void look_at_small(const struct kspan_found *found, gfp_t gfp, struct kspan_what *what)
{
	bool exact;

	set_heap(what, found->central->heap);
	what->kind = found->class == KSPAN_CLASS_TINY ? KSPAN_WHAT_TINY : KSPAN_WHAT_SLOT;
	what->class = found->central->class;
	what->slot = kspan_slot_index(found->magic, what->addr - found->start, &exact);
	what->nr_slots = found->bytes / found->size;
	what->span_start = found->start;
	what->span_bytes = found->bytes;
	what->start = found->start + (unsigned long)what->slot * found->size;
	what->bytes = found->size;
	if (what->slot >= what->nr_slots) {
		what->state = KSPAN_STATE_TAIL;
		what->bytes = found->start + found->bytes - what->start;
		return;
	}
	what->site = kspan_found_site(found, what->slot);
	switch (kspan_found_slot(found, what->start)) {
	case KSPAN_SLOT_OUT:
		if (what->kind == KSPAN_WHAT_TINY)
			look_at_tiny(found, gfp, what);
		else
			look_at_slot_out(found, gfp, what);
		break;
	case KSPAN_SLOT_NEVER_OUT:
		what->state = KSPAN_STATE_NEVER;
		break;
	default:
		what->state = KSPAN_STATE_FREE;
	}
}

static void look_at_large(const struct kspan_found *found, struct kspan_what *what)
{
	const struct kspan_large_owner *owner = found->owner;
	const struct kspan_heap *heap = &kspan_default_heap;

	if (owner == KSPAN_OWNER_UNKNOWN)
		return;
	if (owner)
		heap = container_of(owner, struct kspan_private, large)->heap;
	set_heap(what, heap);
	what->kind = found->word.state == KSPAN_SPAN_CHUNK ? KSPAN_WHAT_CHUNK : KSPAN_WHAT_LARGE;
	what->start = found->start;
	what->bytes = found->bytes;
	/* Of a large span, @site is where a small one has @alloc_bits. */
	what->site = heap->tracked ? (unsigned long)found->alloc_bits : 0;
	switch (found->word.state) {
	case KSPAN_SPAN_LARGE_CACHED:
		what->state = KSPAN_STATE_CACHED;
		break;
	case KSPAN_SPAN_LARGE_DEFERRED:
		what->state = KSPAN_STATE_FREED;
		break;
	default:
		what->state = KSPAN_STATE_LIVE;
	}
}

/* An address in a span. Returns false if there is none; then @what is not set. */
static bool look_at_span(unsigned long addr, gfp_t gfp, struct kspan_what *what)
{
	struct kspan_found found;
	unsigned int looks = LOOKS;

	while (looks-- && kspan_lookup(addr, &found)) {
		*what = (struct kspan_what) {
			.addr = addr, .nid = found.nid, .cpu = nr_cpu_ids,
		};
		if (kspan_span_is_small(found.word.state))
			look_at_small(&found, gfp, what);
		else
			look_at_large(&found, what);
		if (kspan_found_stays(&found) && what->kind)
			return true;
	}
	return false;
}

static bool look_at_vmalloc(unsigned long addr, struct kspan_what *what)
{
	struct kspan_heap *heap;
	bool live;

	heap = kspan_kv_around(addr, &what->start, &what->bytes, &live);
	if (!heap)
		return false;
	set_heap(what, heap);
	what->kind = KSPAN_WHAT_VMALLOC;
	what->state = live ? KSPAN_STATE_LIVE : KSPAN_STATE_FREED;
	return true;
}

static void look_at_pages(unsigned long addr, gfp_t gfp, struct kspan_what *what)
{
	struct kspan_page_look look;

	if (!kspan_page_heap_look(addr, gfp, &look))
		return;
	what->kind = KSPAN_WHAT_PAGES;
	what->nid = look.nid;
	what->start = ALIGN_DOWN(addr, KSPAN_PAGE_SIZE);
	what->bytes = KSPAN_PAGE_SIZE;
	what->run = (unsigned long)look.run << KSPAN_PAGE_SHIFT;
	if (!look.is_free)
		what->state = look.kept ? KSPAN_STATE_KEPT : KSPAN_STATE_MOVING;
	else if (look.state == KSPAN_PAGE_NEVER_USED)
		what->state = KSPAN_STATE_NEVER;
	else
		what->state = KSPAN_STATE_FREE;
}

/**
 * kspan_whatis() - find out what an address is
 * @addr:	any address at all
 * @gfp:	0, or KSPAN_GFP_NOLOCK: try each lock once. Then a slot in a depot may be found to
 *		be freed, and pages without an object to be none of kspan's.
 * @what:	set to the answer
 *
 * Context: any, NMI included, with KSPAN_GFP_NOLOCK; else task, softirq, hardirq.
 */
void kspan_whatis(unsigned long addr, gfp_t gfp, struct kspan_what *what)
{
	rcu_read_lock();
	if (!look_at_span(addr, gfp, what)) {
		*what = (struct kspan_what) {
			.addr = addr, .nid = NUMA_NO_NODE, .cpu = nr_cpu_ids,
		};
		if (!look_at_vmalloc(addr, what))
			look_at_pages(addr, gfp, what);
	}
	rcu_read_unlock();
}
KSPAN_EXPORT_FOR_KUNIT(kspan_whatis);

/* What the log calls each kind. */
static const char * const kind_names[KSPAN_NR_WHATS] = {
	[KSPAN_WHAT_NONE]    = "nothing of kspan's",
	[KSPAN_WHAT_SLOT]    = "object",
	[KSPAN_WHAT_TINY]    = "tiny object",
	[KSPAN_WHAT_LARGE]   = "large object",
	[KSPAN_WHAT_CHUNK]   = "chunk of a region",
	[KSPAN_WHAT_VMALLOC] = "object of vmalloc()",
	[KSPAN_WHAT_PAGES]   = "page of an arena",
};

/**
 * kspan_what_line() - put an answer into one line
 * @what:	the answer
 * @line:	set to the line, without a newline
 * @size:	bytes of @line; KSPAN_WHAT_LINE is enough
 *
 * Context: any.
 * Return: @line.
 */
const char *kspan_what_line(const struct kspan_what *what, char *line, size_t size)
{
	char code[160];
	int n;

	if (what->kind == KSPAN_WHAT_NONE)
		n = scnprintf(line, size, "%s", kind_names[what->kind]);
	else
		n = scnprintf(line, size, "%lu bytes into %s %s of %lu bytes",
			      what->addr - what->start, state_words[what->state],
			      kind_names[what->kind], what->bytes);
	if (*what->heap)
		n += scnprintf(line + n, size - n, ", heap %s of %s", what->heap, what->module);
	if (what->written)
		n += scnprintf(line + n, size - n, ", written to after its free");
	if (what->site)
		scnprintf(line + n, size - n, ", allocated by %s",
			  kspan_name_of_code(code, sizeof(code), what->site));
	return line;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_what_line);

/*
 * The file. Each open file has its own answer, which is found when an address is written. The
 * lock of the seq_file protects it, as a read of the same open file may run at the same time.
 */

/**
 * struct answer - of an open file
 * @asked:	an address was written
 * @what:	what it is
 * @before:	what lies before the object
 * @after:	what lies behind it
 * @pool:	name of the pool that the object is in, or empty
 * @fixed:	the address is in a fixed pool
 * @place:	where it is there
 */
struct answer {
	bool asked;
	struct kspan_what what;
	struct kspan_what before;
	struct kspan_what after;
	char pool[KSPAN_WHAT_NAME];
	bool fixed;
	struct kspan_fixed_place place;
};

static void find_answer(unsigned long addr, struct answer *answer)
{
	struct kspan_what *what = &answer->what;

	memset(answer, 0, sizeof(*answer));
	answer->asked = true;
	kspan_whatis(addr, 0, what);
	answer->fixed = kspan_fixed_pool_find(addr, &answer->place);
	if (!what->kind)
		return;
	kspan_whatis(what->start - 1, 0, &answer->before);
	kspan_whatis(what->start + what->bytes, 0, &answer->after);
	if (what->state == KSPAN_STATE_LIVE)
		kspan_pools_find((void *)what->start, answer->pool, sizeof(answer->pool));
}

static void show_number(struct kspan_table *table, const char *key, u64 value)
{
	kspan_table_key(table, key);
	kspan_table_number(table, 0, value);
}

static void show_name(struct kspan_table *table, const char *key, const char *name)
{
	kspan_table_key(table, key);
	kspan_table_name(table, name);
}

static void show_neighbour(struct kspan_table *table, const char *key,
			   const struct kspan_what *what)
{
	char line[KSPAN_WHAT_LINE];

	kspan_table_key(table, key);
	kspan_table_text(table, kspan_what_line(what, line, sizeof(line)));
}

static void show_place(struct kspan_table *table, const struct kspan_what *what)
{
	show_number(table, "offset", what->addr - what->start);
	show_number(table, "size", what->bytes);
	if (what->nid != NUMA_NO_NODE)
		show_number(table, "node", what->nid);
	if (*what->heap) {
		show_name(table, "heap", what->heap);
		show_name(table, "module", what->module);
	}
	if (what->run)
		show_number(table, "run_bytes", what->run);
	if (!what->span_bytes)
		return;
	show_number(table, "class", what->class);
	show_number(table, "slot", what->slot);
	show_number(table, "slots", what->nr_slots);
	show_number(table, "span_offset", what->addr - what->span_start);
	show_number(table, "span_bytes", what->span_bytes);
}

static void show_pools(struct kspan_table *table, const struct answer *answer)
{
	const struct kspan_fixed_place *place = &answer->place;

	if (*answer->pool)
		show_name(table, "pool", answer->pool);
	if (!answer->fixed)
		return;
	show_number(table, "fixed_block", place->block);
	show_number(table, "fixed_offset", place->addr - place->start);
	show_number(table, "fixed_size", place->size);
	show_name(table, "fixed_state", place->out ? "live" : "free");
}

static void show_answer(struct kspan_table *table, const struct answer *answer)
{
	const struct kspan_what *what = &answer->what;

	show_name(table, "kind", kind_words[what->kind]);
	show_name(table, "state", state_words[what->state]);
	if (what->kind)
		show_place(table, what);
	if (what->cpu < nr_cpu_ids)
		show_number(table, "cpu", what->cpu);
	if (what->written)
		show_number(table, "written_after_free", 1);
	if (what->site) {
		kspan_table_key(table, "allocated_by");
		kspan_table_code(table, what->site);
	}
	show_pools(table, answer);
	if (what->kind) {
		show_neighbour(table, "before", &answer->before);
		show_neighbour(table, "after", &answer->after);
	}
}

static int whatis_show(struct seq_file *m, void *unused)
{
	const struct answer *answer = m->private;
	struct kspan_table table;

	if (!answer->asked)
		return -ENODATA;
	kspan_table_begin_lines(&table, m, file_inode(m->file)->i_private, "whatis", 1);
	kspan_table_row(&table);
	show_answer(&table, answer);
	kspan_table_end_row(&table);
	kspan_table_end(&table);
	return 0;
}

static int whatis_open(struct inode *inode, struct file *file)
{
	struct answer *answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	int err;

	if (!answer)
		return -ENOMEM;
	err = single_open(file, whatis_show, answer);
	if (err)
		kfree(answer);
	return err;
}

static int whatis_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	kfree(m->private);
	return single_release(inode, file);
}

/* An address, as "%px" and "0x%lx" print it. The next read begins at the start of the answer. */
static ssize_t whatis_write(struct file *file, const char __user *text, size_t count, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	unsigned long addr;
	int err = kstrtoul_from_user(text, count, 16, &addr);

	if (err)
		return err;
	mutex_lock(&m->lock);
	find_answer(addr, m->private);
	mutex_unlock(&m->lock);
	*pos = 0;
	return count;
}

const struct file_operations kspan_whatis_fops = {
	.owner = THIS_MODULE,
	.open = whatis_open,
	.read = seq_read,
	.write = whatis_write,
	.llseek = seq_lseek,
	.release = whatis_release,
};
