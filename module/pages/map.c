// SPDX-License-Identifier: GPL-2.0
/*
 * The map: which span an address lies in
 *
 *	sectors		|  512 MiB  |     -     |     -     |  512 MiB  | ...
 *	leaf		   | 4 MiB |			   | 4 MiB |
 *	entry		     8 KiB -> span
 *
 * The map tells what any address is, in a bounded number of loads and without touching
 * struct page. A table of three levels gives the span. A table of two levels gives the class
 * of a page of a small span, by two bytes per page. Each node has a table of classes of its
 * own, in which pages of other nodes have no class. So one look tells a CPU that an address
 * is an object of its node.
 *
 * The first level covers all addresses that memory may ever have. It is a directory, see
 * directory.c. A sector is added for memory that is online at load, and before more memory
 * comes online. It has 128 KiB of classes and 2 KiB of pointers to leaves. A leaf is allocated
 * with the first span of its window, and stays until unload.
 *
 * Costs: whole sectors are 0.025 % of the memory that is present. Each directory takes a page
 * for each 256 GiB of that memory, and 2 KiB of page tables for each TiB of addresses. A leaf
 * is 0.1 % of its window.
 *
 * Context: lookups may run in any context, NMI included; kspan_map_prepare() as its gfp flags
 * say; everything else in tasks that may sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>

#include "base/context.h"
#include "base/kunit_export.h"
#include "pages/directory.h"
#include "pages/map.h"
#include "pages/span.h"

/* kspan_class_map_entry() takes the low 16 bits of a page's number as its place in a sector. */
static_assert(KSPAN_SECTOR_SHIFT == 16);

struct kspan_map kspan_map __read_mostly;
KSPAN_EXPORT_FOR_KUNIT(kspan_map);

/* Protects the following directories against each other's changes; readers take no lock. */
static DEFINE_MUTEX(map_mutex);
static struct kspan_directory sectors;
static struct kspan_directory *classes[MAX_NUMNODES];
/* The sector, and the table of classes, of all addresses that have no memory. */
static struct kspan_map_sector no_sector;
static u16 *no_classes;

static unsigned long nr_sectors(void)
{
	return DIV_ROUND_UP(kspan_map.nr_pages, KSPAN_SECTOR_PAGES);
}

/* The classes of a node; they are made when the node gets its first memory. */
static struct kspan_directory *make_classes(int nid)
{
	struct kspan_directory *dir;

	if (classes[nid])
		return classes[nid];
	dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	if (dir && kspan_directory_init(dir, nr_sectors(), no_classes)) {
		kspan_directory_exit(dir);
		kfree(dir);
		dir = NULL;
	}
	classes[nid] = dir;
	return dir;
}

/* Make the sector, and the node's classes for it, if they are not there. */
static int add_sector(int nid, unsigned long index)
{
	struct kspan_directory *dir;
	void *memory;
	int err;

	lockdep_assert_held(&map_mutex);
	dir = make_classes(nid);
	if (!dir)
		return -ENOMEM;
	if (sectors.entry[index] == &no_sector) {
		memory = kspan_map_alloc(sizeof(struct kspan_map_sector));
		err = memory ? kspan_directory_set(&sectors, index, memory) : -ENOMEM;
		if (err) {
			vfree(memory);
			return err;
		}
		WRITE_ONCE(kspan_map.sector, (struct kspan_map_sector **)sectors.entry);
	}
	if (dir->entry[index] == no_classes) {
		memory = kspan_map_alloc(KSPAN_SECTOR_PAGES * sizeof(*no_classes));
		err = memory ? kspan_directory_set(dir, index, memory) : -ENOMEM;
		if (err) {
			vfree(memory);
			return err;
		}
	}
	return 0;
}

/**
 * kspan_map_add() - prepare the map for memory that comes online
 * @nid:	node of the memory
 * @start_pfn:	its first page frame
 * @end_pfn:	the page frame behind the last
 *
 * Sectors that are there already stay as they are. Memory outside of the map's range gets no
 * sector; kspan_map_prepare() refuses it.
 *
 * Context: task; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kspan_map_add(int nid, unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long page = kspan_map_page((unsigned long)__va(PFN_PHYS(start_pfn)));
	unsigned long last = kspan_map_page((unsigned long)__va(PFN_PHYS(end_pfn) - 1));
	int err = 0;

	if (page >= kspan_map.nr_pages || last >= kspan_map.nr_pages)
		return 0;
	mutex_lock(&map_mutex);
	for (page >>= KSPAN_SECTOR_SHIFT; !err && page <= last >> KSPAN_SECTOR_SHIFT; page++)
		err = add_sector(nid, page);
	mutex_unlock(&map_mutex);
	return err;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_add);

/**
 * kspan_map_classes() - the classes of a node's small spans
 * @nid: node
 * Return: a copy for kspan_class_map_get().
 */
struct kspan_class_map kspan_map_classes(int nid)
{
	struct kspan_directory *dir = classes[nid];

	if (!dir)
		return (struct kspan_class_map) { .base = kspan_map.base };
	return (struct kspan_class_map) {
		.base = kspan_map.base,
		.nr_pages = kspan_map.nr_pages,
		/* Pairs with the release in directory_divide() of directory.c. */
		.sector = (u16 **)smp_load_acquire(&dir->entry),
	};
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_classes);

/* The page frame behind all memory that may come online; @end if no memory can be added. */
static unsigned long end_of_addresses(unsigned long end)
{
#if defined(CONFIG_SPARSEMEM) && defined(MAX_PHYSMEM_BITS)
	return max(end, BIT(MAX_PHYSMEM_BITS - PAGE_SHIFT));
#else
	return end;
#endif
}

/* The first page frame from @pfn on that may be online. Gaps are long, so skip whole sections. */
static unsigned long skip_gap(unsigned long pfn, unsigned long end)
{
#ifdef CONFIG_SPARSEMEM
	while (pfn < end && !online_section_nr(pfn_to_section_nr(pfn)))
		pfn = SECTION_ALIGN_UP(pfn + 1);
#endif
	return pfn;
}

/* The node of the memory in a window, or NUMA_NO_NODE if none of it is online. */
static int node_of_window(unsigned long pfn, unsigned long last)
{
	struct page *page = pfn_to_online_page(pfn) ?: pfn_to_online_page(last);

	return page ? page_to_nid(page) : NUMA_NO_NODE;
}

/* Add all memory from @pfn to @end that is online. */
static int add_present(unsigned long pfn, unsigned long end)
{
	const unsigned long window = KSPAN_ARENA_SIZE >> PAGE_SHIFT;
	unsigned long next;
	int err = 0, nid;

	while (!err && (pfn = skip_gap(pfn, end)) < end) {
		next = min(ALIGN(pfn + 1, window), end);
		nid = node_of_window(pfn, next - 1);
		if (nid != NUMA_NO_NODE)
			err = kspan_map_add(nid, pfn, next);
		pfn = next;
		cond_resched();
	}
	return err;
}

static int init_tables(void)
{
	no_classes = kspan_map_alloc(KSPAN_SECTOR_PAGES * sizeof(*no_classes));
	if (!no_classes || kspan_directory_init(&sectors, nr_sectors(), &no_sector))
		return -ENOMEM;
	kspan_map.sector = (struct kspan_map_sector **)sectors.entry;
	return 0;
}

/**
 * kspan_map_init() - set up the map without any memory in it
 *
 * The map's range starts at the lowest memory of the machine. The caller registers for memory
 * hotplug next, which calls kspan_map_add(), and calls kspan_map_add_present() after that: so
 * no memory is left out.
 *
 * Context: task; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kspan_map_init(void)
{
	unsigned long first = ULONG_MAX, end = 0;
	int nid, err;

	for_each_online_node(nid) {
		pg_data_t *pgdat = NODE_DATA(nid);

		if (!pgdat->node_spanned_pages)
			continue;
		first = min(first, pgdat->node_start_pfn);
		end = max(end, pgdat_end_pfn(pgdat));
	}
	kspan_map.base = ALIGN_DOWN((unsigned long)__va(PFN_PHYS(first)), KSPAN_ARENA_SIZE);
	kspan_map.nr_pages = ((unsigned long)__va(PFN_PHYS(end_of_addresses(end))) -
			      kspan_map.base) >> KSPAN_PAGE_SHIFT;
	err = init_tables();
	if (err)
		kspan_map_exit();
	return err;
}

/**
 * kspan_map_add_present() - prepare the map for all memory that is online
 *
 * Context: task; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kspan_map_add_present(void)
{
	int nid, err = 0;

	for_each_online_node(nid)
		if (!err && NODE_DATA(nid)->node_spanned_pages)
			err = add_present(NODE_DATA(nid)->node_start_pfn,
					  pgdat_end_pfn(NODE_DATA(nid)));
	return err;
}

static void free_classes(struct kspan_directory *dir)
{
	unsigned long i;

	for (i = 0; dir->entry && i < nr_sectors(); i++)
		if (dir->entry[i] != no_classes)
			vfree(dir->entry[i]);
	kspan_directory_exit(dir);
	kfree(dir);
}

static void free_leaves(struct kspan_map_sector *sector)
{
	unsigned int i;

	for (i = 0; i < KSPAN_SECTOR_LEAVES; i++) {
		kfree(sector->leaf[i]);
		kfree(sector->odd[i]);
	}
}

/* The first sector with memory from @i on; nr_sectors() or more if there is none. */
static unsigned long next_sector(unsigned long i)
{
	while (i < nr_sectors()) {
		if (sectors.page[i / KSPAN_DIRECTORY_PER_PAGE] == sectors.usual)
			i = round_down(i, KSPAN_DIRECTORY_PER_PAGE) + KSPAN_DIRECTORY_PER_PAGE;
		else if (sectors.entry[i] == &no_sector)
			i++;
		else
			break;
	}
	return i;
}

static void free_sectors(void)
{
	unsigned long i = 0;

	while (sectors.entry && (i = next_sector(i)) < nr_sectors()) {
		free_leaves(sectors.entry[i]);
		vfree(sectors.entry[i++]);
	}
	kspan_directory_exit(&sectors);
}

/**
 * kspan_map_exit() - free the map
 *
 * The caller has freed all arenas. The map may be half-built, after a failure.
 */
void kspan_map_exit(void)
{
	int nid;

	for_each_node(nid)
		if (classes[nid])
			free_classes(classes[nid]);
	memset(classes, 0, sizeof(classes));
	free_sectors();
	kspan_directory_forget_old_arrays();
	vfree(no_classes);
	no_classes = NULL;
	atomic_long_set(&kspan_map_memory, 0);
	kspan_map = (struct kspan_map) { };
}

/**
 * kspan_map_bytes() - memory that the map takes
 * Return: bytes.
 */
size_t kspan_map_bytes(void)
{
	return atomic_long_read(&kspan_map_memory);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_bytes);

/* Make a leaf, if it is not there; false without memory. Tasks may race for the same leaf. */
static bool make_leaf(struct kspan_map_leaf **slot, gfp_t gfp)
{
	struct kspan_map_leaf *leaf;

	if (READ_ONCE(*slot))
		return true;
	leaf = kzalloc(sizeof(*leaf), gfp);
	if (!leaf)
		return false;
	/*
	 * A CPU that sees the leaf must see its zeroes. Pairs with smp_load_acquire() in
	 * kspan_map_leaf() of map.h and in odd_entry().
	 */
	if (cmpxchg_release(slot, NULL, leaf))
		kfree(leaf);
	else
		atomic_long_add(sizeof(*leaf), &kspan_map_memory);
	return true;
}

/**
 * kspan_map_prepare() - make sure that spans of a block can be entered into the map
 * @nid:	node of the block
 * @start:	address of the block, aligned to its length
 * @bytes:	length, at most KSPAN_ARENA_SIZE
 * @gfp:	flags for SLUB
 *
 * Context: as @gfp says.
 * Return: whether they can. False without memory for a leaf, and where the map has no sector.
 */
bool kspan_map_prepare(int nid, unsigned long start, unsigned long bytes, gfp_t gfp)
{
	unsigned long page = kspan_map_page(start), index = page >> KSPAN_SECTOR_SHIFT;
	unsigned int leaf = page % KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES;
	struct kspan_map_sector *sector;

	if (page >= kspan_map.nr_pages || !classes[nid] ||
	    READ_ONCE(kspan_map.sector)[index] == &no_sector ||
	    READ_ONCE(classes[nid]->entry)[index] == no_classes) {
		pr_warn_once("a block at %p, of memory that is not in the map, is not used\n",
			     (void *)start);
		return false;
	}
	sector = READ_ONCE(kspan_map.sector)[index];
	if (!make_leaf(&sector->leaf[leaf], gfp))
		return false;
	return bytes >= KSPAN_PAGE_SIZE || !(start & PAGE_SIZE) ||
	       make_leaf(&sector->odd[leaf], gfp);
}

/* The entry of the second half of a divided page; NULL where no such half was ever kspan's. */
static struct kspan_span **odd_entry(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);
	struct kspan_map_sector *sector = READ_ONCE(kspan_map.sector)[page >> KSPAN_SECTOR_SHIFT];
	struct kspan_map_leaf *leaf;

	/* Pairs with cmpxchg_release() in make_leaf(). */
	leaf = smp_load_acquire(&sector->odd[page % KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES]);
	return leaf ? &leaf->span[page % KSPAN_ARENA_PAGES] : NULL;
}

/**
 * kspan_map_half() - the span of an address in a divided page
 * @addr:	the address
 * @entry:	entry of its page in the leaf, with KSPAN_MAP_DIVIDED set
 *
 * Context: any, NMI included.
 * Return: the span or NULL.
 */
struct kspan_span *kspan_map_half(unsigned long addr, unsigned long entry)
{
	struct kspan_span **odd;

	if (!(addr & PAGE_SIZE))
		return (struct kspan_span *)(entry & ~KSPAN_MAP_DIVIDED);
	odd = odd_entry(addr);
	return odd ? READ_ONCE(*odd) : NULL;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_half);

/* The entries of a span's pages in the table of classes. */
static u16 *entries_of(const struct kspan_span *span)
{
	unsigned long page = kspan_map_page(span->start);
	u16 **sector = (u16 **)READ_ONCE(classes[span->nid]->entry);

	return sector[page >> KSPAN_SECTOR_SHIFT] + page % KSPAN_SECTOR_PAGES;
}

/*
 * Enter @to, or NULL, for a span that is half a page. The class of a divided page is that of
 * private heaps: it sends frees to a path that tells the halves apart.
 */
static void set_half(struct kspan_span *span, struct kspan_span *to)
{
	struct kspan_span **entry = kspan_map_entry(span->start), **odd = odd_entry(span->start);
	unsigned long even = (unsigned long)*entry & ~KSPAN_MAP_DIVIDED;

	if (span->start & PAGE_SIZE)
		WRITE_ONCE(*odd, to);
	else
		even = (unsigned long)to;
	if (even || (odd && *odd)) {
		WRITE_ONCE(*entry, (struct kspan_span *)(even | KSPAN_MAP_DIVIDED));
		WRITE_ONCE(*entries_of(span), KSPAN_ENTRY(KSPAN_CLASS_PRIVATE, 0UL));
	} else {
		WRITE_ONCE(*entry, NULL);
		WRITE_ONCE(*entries_of(span), 0);
	}
}

/*
 * Enter @to, or NULL, for the pages of a span: for all of a small one, for the first of a large
 * one. Their class is 0 until kspan_map_set_class().
 */
static void set_span(struct kspan_span *span, struct kspan_span *to)
{
	unsigned int n = span->class ? kspan_span_npages(span) : 0, i;
	struct kspan_span **entry;
	u16 *entries;

	if (unlikely(kspan_span_is_half(span))) {
		set_half(span, to);
		return;
	}
	entry = kspan_map_entry(span->start);
	entries = entries_of(span);
	WRITE_ONCE(entry[0], to);
	for (i = 0; i < n; i++) {
		WRITE_ONCE(entry[i], to);
		WRITE_ONCE(entries[i], 0);
	}
}

/** kspan_map_set() - enter a span, so that lookups find it; its page heap is locked */
void kspan_map_set(struct kspan_span *span)
{
	set_span(span, span);
}

/**
 * kspan_map_set_class() - enter the class of a small span's pages
 * @span: a span that the map has, and that belongs to the caller
 *
 * From here on every address in its pages may be freed as an object of that class. So the caller
 * has sealed all slots before. Pages of tiny objects get no class: such an object is no slot.
 */
void kspan_map_set_class(const struct kspan_span *span)
{
	unsigned int n = kspan_span_npages(span), i;
	u16 *entries = entries_of(span);

	/* The entry of half a page was written by set_half(), and stays. */
	if (span->class == KSPAN_CLASS_TINY || kspan_span_is_half(span))
		return;
	/*
	 * A CPU that sees the class must see the sealed slots. Pairs with the dependency from
	 * kspan_class_map_entry() in map.h to the CPU's look at the slot.
	 */
	smp_wmb();
	for (i = 0; i < n; i++)
		WRITE_ONCE(entries[i], KSPAN_ENTRY(span->class, kspan_map_page(span->start)));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_set_class);

/** kspan_map_clear() - remove a span, so that lookups don't find it; its page heap is locked */
void kspan_map_clear(struct kspan_span *span)
{
	set_span(span, NULL);
}

/**
 * kspan_map_clear_pages() - remove some pages of a small span from the map
 * @span:	the span, which is not half a page; its page heap is locked
 * @pages:	a bit for each page
 */
void kspan_map_clear_pages(struct kspan_span *span, unsigned long pages)
{
	struct kspan_span **entry = kspan_map_entry(span->start);
	u16 *entries = entries_of(span);
	unsigned int i;

	for_each_set_bit(i, &pages, kspan_span_npages(span)) {
		WRITE_ONCE(entry[i], NULL);
		WRITE_ONCE(entries[i], 0);
	}
}

/*
 * The span of the nearest entry below the page of @addr; or NULL. NULL also if that is the span
 * that the page belonged to before the span became hollow.
 */
static struct kspan_span *span_below(struct kspan_map_leaf *leaf, unsigned long addr)
{
	long i = kspan_map_page(addr) % KSPAN_ARENA_PAGES - 1;
	struct kspan_span *span = NULL;
	unsigned long page;

	for (; i >= 0 && !span; i--)
		span = READ_ONCE(leaf->span[i]);
	/* The spans of a divided page do not reach beyond it. */
	if (!span || (unsigned long)span & KSPAN_MAP_DIVIDED)
		return NULL;
	page = (addr - READ_ONCE(span->start)) >> KSPAN_PAGE_SHIFT;
	return page < KSPAN_HOLLOW_PAGES && READ_ONCE(span->gone_pages) & BIT(page) ? NULL : span;
}

/**
 * kspan_map_span() - the run of pages that an address lies in
 * @addr: any address at all
 *
 * Only the first page of a large span has an entry. For other pages without an entry, the
 * nearest entry below is looked up and the length of its span is compared. Pages that a hollow
 * span has no longer are in no span.
 *
 * The answer is a hint unless the caller owns an object of the span: verify it under the
 * lock that protects the span. Call it with preemption or interrupts off, or
 * in an RCU read-side critical section; rcu_read_lock_sched() is the cheapest.
 *
 * Context: any, NMI included.
 * Return: the span, or NULL when the address is in none.
 */
struct kspan_span *kspan_map_span(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);
	struct kspan_span **entry, *span;
	struct kspan_map_leaf *leaf;

	if (page >= kspan_map.nr_pages)
		return NULL;
	leaf = kspan_map_leaf(page);
	if (!leaf)
		return NULL;
	entry = &leaf->span[page % KSPAN_ARENA_PAGES];
	span = kspan_entry_span(entry, addr);
	if (!span && !READ_ONCE(*entry))
		span = span_below(leaf, addr);
	if (!span || addr - READ_ONCE(span->start) >=
		     (unsigned long)READ_ONCE(span->base_pages) << PAGE_SHIFT)
		return NULL;
	return span;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_span);

static void visit_leaf(struct kspan_map_leaf *leaf, kspan_map_fn fn)
{
	struct kspan_span *before = NULL, *span;
	unsigned int i;

	for (i = 0; leaf && i < KSPAN_ARENA_PAGES; i++) {
		span = (struct kspan_span *)((unsigned long)leaf->span[i] & ~KSPAN_MAP_DIVIDED);
		if (span && span != before)
			fn(span);
		before = span;
	}
}

/**
 * kspan_map_visit_spans() - call a function for all spans
 * @fn: the function. It may free the span's descriptor, unless the span is hollow: for such a
 *	span it may be called several times, for others once.
 *
 * The caller makes sure that nothing uses kspan any more.
 */
void kspan_map_visit_spans(kspan_map_fn fn)
{
	struct kspan_map_sector *sector;
	unsigned long i = 0;
	unsigned int n;

	while ((i = next_sector(i)) < nr_sectors()) {
		sector = sectors.entry[i++];
		for (n = 0; n < KSPAN_SECTOR_LEAVES; n++) {
			visit_leaf(sector->leaf[n], fn);
			visit_leaf(sector->odd[n], fn);
		}
	}
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_visit_spans);
