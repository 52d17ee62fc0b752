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

#include "base/table.h"
#include "objects/heap.h"
#include "observe/debugfs.h"
#include "pages/map.h"
#include "pages/page_heap.h"
#include "pages/run.h"
#include "pages/span.h"

#define MAP_COLUMNS	64

/*
 * What is shown of an arena. @page is the number of its first page, @map has a character per page.
 * @first is set for the first arena of the file.
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
	struct kspan_table table;
	bool json;
	bool first;
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

/* What follows the last arena, and its position. */
#define END_TOKEN	((void *)2)
#define END_POS		LLONG_MAX

/*
 * Position 0 is the header. Position p is the first arena from page p - 1 on, or the end of the
 * table if there is none.
 */
static void *arena_start(struct seq_file *m, loff_t *pos)
{
	struct arena_copy *copy = m->private;
	int nid;

	if (!*pos)
		return SEQ_START_TOKEN;
	if (*pos == END_POS)
		return NULL;
	copy->first = *pos == 1;
	copy->page = ULONG_MAX;
	for_each_node(nid)
		copy_next_of_node(copy, nid, *pos - 1);
	if (copy->page == ULONG_MAX)
		return END_TOKEN;
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
	if (v == END_TOKEN)
		*pos = END_POS;
	else
		*pos = v == SEQ_START_TOKEN ? 1 : copy->page + 2;
	return arena_start(m, pos);
}

static void arena_stop(struct seq_file *m, void *v)
{
}

/* An arena may be shown again, with a larger buffer: what its rows begin with must be the same. */
static void begin_row(struct arena_copy *copy, bool first)
{
	copy->table.nr_rows = !(copy->first && first);
	kspan_table_row(&copy->table);
}

static int arenas_show(struct seq_file *m, void *v)
{
	struct arena_copy *copy = m->private;
	struct kspan_table *t = &copy->table;

	if (v == SEQ_START_TOKEN) {
		kspan_table_begin(t, m, copy->json, "# kspan arenas v2: node start order pages used_pages holes free_runs largest_run\n");
		return 0;
	}
	if (v == END_TOKEN) {
		kspan_table_end(t);
		return 0;
	}
	begin_row(copy, true);
	kspan_table_number(t, 0, copy->nid);
	kspan_table_hex(t, copy->page);
	kspan_table_number(t, 0, copy->order);
	kspan_table_number(t, 0, copy->npages);
	kspan_table_number(t, 0, copy->used);
	kspan_table_number(t, 0, copy->holes);
	kspan_table_number(t, 0, copy->free_runs);
	kspan_table_number(t, 0, copy->largest_run);
	kspan_table_end_row(t);
	return 0;
}

/* Some pages of an arena. In the text, the first line has said what the cells are. */
static void show_pages(struct arena_copy *copy, unsigned int first)
{
	int n = min_t(unsigned int, MAP_COLUMNS, copy->npages - first);
	struct kspan_table *t = &copy->table;
	char pages[MAP_COLUMNS + 1];

	snprintf(pages, sizeof(pages), "%.*s", n, copy->map + first);
	if (!copy->json) {
		seq_printf(t->m, "%d %#lx %s\n", copy->nid, copy->page + first, pages);
		return;
	}
	begin_row(copy, !first);
	kspan_table_key(t, "node");
	kspan_table_number(t, 0, copy->nid);
	kspan_table_key(t, "start");
	kspan_table_number(t, 0, copy->page + first);
	kspan_table_key(t, "page_bytes");
	kspan_table_number(t, 0, KSPAN_PAGE_SIZE);
	kspan_table_key(t, "pages");
	kspan_table_word(t, 0, pages);
	kspan_table_end_row(t);
}

static int map_show(struct seq_file *m, void *v)
{
	struct arena_copy *copy = m->private;
	unsigned int first;

	if (v == SEQ_START_TOKEN) {
		kspan_table_begin_fields(&copy->table, m, copy->json, "map", 3);
		if (!copy->json)
			seq_printf(m, "# kspan map v3: page_size %lu . free, k kept, _ given back, # full span, digits 1-9 tenths of a partly used span, L large, l large continued\n",
				   KSPAN_PAGE_SIZE);
		return 0;
	}
	if (v == END_TOKEN) {
		kspan_table_end(&copy->table);
		return 0;
	}
	for (first = 0; first < copy->npages; first += MAP_COLUMNS)
		show_pages(copy, first);
	return 0;
}

/* A line per arena. */
static const struct seq_operations arenas_sops = {
	.start = arena_start,
	.next = arena_next,
	.stop = arena_stop,
	.show = arenas_show,
};

/* A character per page of all arenas. */
static const struct seq_operations map_sops = {
	.start = arena_start,
	.next = arena_next,
	.stop = arena_stop,
	.show = map_show,
};

/* Each open file has a struct arena_copy. The inode's private data tell whether it is JSON. */
static int open_with(struct file *file, const struct seq_operations *sops)
{
	struct arena_copy *copy = __seq_open_private(file, sops, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	copy->json = file_inode(file)->i_private;
	return 0;
}

static int arenas_open(struct inode *inode, struct file *file)
{
	return open_with(file, &arenas_sops);
}

static int map_open(struct inode *inode, struct file *file)
{
	return open_with(file, &map_sops);
}

const struct file_operations kspan_arenas_fops = {
	.owner = THIS_MODULE,
	.open = arenas_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

const struct file_operations kspan_map_fops = {
	.owner = THIS_MODULE,
	.open = map_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};
