// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: the files arenas and map
 *
 * An arena is named by the number of its first page in kspan's map, and not by an address.
 *
 * The page heap's lock must not be held for long. So arenas are shown one at a time, from a copy
 * that is made some pages at a time. A page that changes meanwhile is shown as it was before or
 * after.
 *
 * Context: task; sleeps.
 */
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/seq_file.h>

#include "objects/heap.h"
#include "observe/debugfs.h"
#include "pages/map.h"
#include "pages/page_heap.h"
#include "pages/run.h"
#include "pages/span.h"

#define MAP_COLUMNS	64

/*
 * What is shown of an arena. @page is the number of its first page, @map has a character per page.
 */
struct arena_copy {
	unsigned long page;
	int nid;
	unsigned int order;
	unsigned int npages;
	unsigned int used;
	unsigned int holes;
	unsigned int free_runs;
	unsigned int largest_run;
	DECLARE_BITMAP(free, KSPAN_ARENA_PAGES);
	char map[KSPAN_ARENA_PAGES];
};

static unsigned long page_address_of(unsigned long page)
{
	return kspan_map.base + (page << KSPAN_PAGE_SHIFT);
}

/* A digit tells how many tenths of the slots are out. */
static char small_span_char(const struct kspan_span *span)
{
	unsigned int used = READ_ONCE(span->used);

	if (used == span->nslots)
		return '#';
	return '0' + clamp(used * 10 / span->nslots, 1U, 9U);
}

/* Pages that are copied while the lock is held once. */
#define COPIED_PAGES	24U

/* Copies a page in use, and returns how many pages of the same span were copied. */
static unsigned int copy_used(struct arena_copy *copy, struct kspan_arena *arena,
			      unsigned int page)
{
	unsigned long addr = arena->start + ((unsigned long)page << KSPAN_PAGE_SHIFT);
	struct kspan_span *span = kspan_map_span(addr);
	unsigned int n;

	lockdep_assert_held(&kspan_page_heap(copy->nid)->lock);
	copy->map[page] = '1';
	if (!span)
		return 1;
	if (kspan_span_is_small(span->state))
		copy->map[page] = small_span_char(span);
	/*
	 * A span that is DEAD was large, and is kept. A small span is copied page by page: each
	 * page of it leads to the span, and pages of a hollow span may be holes.
	 */
	if (!kspan_span_is_large(span->state) && span->state != KSPAN_SPAN_DEAD)
		return 1;
	n = kspan_span_npages(span) - ((addr - span->start) >> KSPAN_PAGE_SHIFT);
	n = min(n, copy->npages - page);
	if (span->state == KSPAN_SPAN_DEAD) {
		memset(copy->map + page, 'k', n);
		return n;
	}
	memset(copy->map + page, 'l', n);
	if (span->start == addr)
		copy->map[page] = 'L';
	return n;
}

/* Copies some pages from @page on, and returns the number of the page behind them. */
static unsigned int copy_some(struct arena_copy *copy, struct kspan_arena *arena,
			      unsigned int page)
{
	unsigned int end = min(page + COPIED_PAGES, copy->npages);

	lockdep_assert_held(&kspan_page_heap(copy->nid)->lock);
	while (page < end) {
		if (test_bit(page, arena->free))
			copy->map[page++] = '.';
		else if (test_bit(page, arena->absent))
			copy->map[page++] = '_';
		else
			page += copy_used(copy, arena, page);
	}
	return page;
}

static void copy_pages(struct arena_copy *copy)
{
	unsigned long start = page_address_of(copy->page), flags;
	struct kspan_page_heap *ph = kspan_page_heap(copy->nid);
	struct kspan_arena *arena;
	unsigned int page = 0;
	bool there = true;

	copy->free_runs = kspan_run_count(copy->free, copy->npages);
	copy->largest_run = kspan_run_longest(copy->free, copy->npages, copy->npages);
	memset(copy->map, '.', copy->npages);
	while (there && page < copy->npages) {
		raw_spin_lock_irqsave(&ph->lock, flags);
		arena = kspan_page_heap_next_arena(ph, start);
		/*
		 * The arena may have been freed meanwhile. An arena that lies there now, with the
		 * same start and length, is shown in its place.
		 */
		there = arena && arena->start == start && arena->npages == copy->npages;
		if (there)
			page = copy_some(copy, arena, page);
		raw_spin_unlock_irqrestore(&ph->lock, flags);
	}
}

static void copy_arena(struct arena_copy *copy, struct kspan_arena *arena)
{
	lockdep_assert_held(&kspan_page_heap(arena->nid)->lock);
	copy->page = kspan_map_page(arena->start);
	copy->nid = arena->nid;
	copy->order = arena->order;
	copy->npages = arena->npages;
	copy->used = arena->used;
	copy->holes = arena->holes;
	bitmap_copy(copy->free, arena->free, KSPAN_ARENA_PAGES);
}

/* Copies the node's first arena at or above @page, if it lies below the one in @copy. */
static void copy_next_of_node(struct arena_copy *copy, int nid, unsigned long page)
{
	struct kspan_page_heap *ph = kspan_page_heap(nid);
	struct kspan_arena *arena;
	unsigned long flags;

	raw_spin_lock_irqsave(&ph->lock, flags);
	arena = kspan_page_heap_next_arena(ph, page_address_of(page));
	if (arena && kspan_map_page(arena->start) < copy->page)
		copy_arena(copy, arena);
	raw_spin_unlock_irqrestore(&ph->lock, flags);
}

/* Position 0 is the header. Position p is the first arena from page p - 1 on. */
static void *arena_start(struct seq_file *m, loff_t *pos)
{
	struct arena_copy *copy = m->private;
	int nid;

	if (!*pos)
		return SEQ_START_TOKEN;
	copy->page = ULONG_MAX;
	for_each_node(nid)
		copy_next_of_node(copy, nid, *pos - 1);
	if (copy->page == ULONG_MAX)
		return NULL;
	copy_pages(copy);
	return copy;
}

static void *arena_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct arena_copy *copy = m->private;

	/*
	 * The next arena may begin right behind the first page, as one may lie in a hole of this
	 * one.
	 */
	*pos = v == SEQ_START_TOKEN ? 1 : copy->page + 2;
	return arena_start(m, pos);
}

static void arena_stop(struct seq_file *m, void *v)
{
}

static int arenas_show(struct seq_file *m, void *v)
{
	const struct arena_copy *copy = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# kspan arenas v2: node start order pages used_pages holes free_runs largest_run\n");
		return 0;
	}
	seq_printf(m, "%d %#lx %u %u %u %u %u %u\n", copy->nid, copy->page, copy->order,
		   copy->npages, copy->used, copy->holes, copy->free_runs, copy->largest_run);
	return 0;
}

static int map_show(struct seq_file *m, void *v)
{
	const struct arena_copy *copy = v;
	unsigned int first;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "# kspan map v3: page_size %lu . free, k kept, _ given back, # full span, digits 1-9 tenths of a partly used span, L large, l large continued\n",
			   KSPAN_PAGE_SIZE);
		return 0;
	}
	for (first = 0; first < copy->npages; first += MAP_COLUMNS)
		seq_printf(m, "%d %#lx %.*s\n", copy->nid, copy->page + first,
			   min_t(int, MAP_COLUMNS, copy->npages - first), copy->map + first);
	return 0;
}

/* A line per arena. */
const struct seq_operations kspan_arenas_sops = {
	.start = arena_start,
	.next = arena_next,
	.stop = arena_stop,
	.show = arenas_show,
};

/* A character per page of all arenas. */
const struct seq_operations kspan_map_sops = {
	.start = arena_start,
	.next = arena_next,
	.stop = arena_stop,
	.show = map_show,
};

/* The private data of the file's inode are its seq_operations. */
static int arena_file_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, inode->i_private, sizeof(struct arena_copy));
}

/* Each open file has a struct arena_copy. */
const struct file_operations kspan_arena_file_fops = {
	.owner = THIS_MODULE,
	.open = arena_file_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};
