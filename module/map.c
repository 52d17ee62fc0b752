// SPDX-License-Identifier: GPL-2.0
/*
 * The map
 *
 *	sectors		|  512 MiB  |     -     |     -     |  512 MiB  | ...
 *	leaf		   | 4 MiB |			   | 4 MiB |
 *	entry		     8 KiB -> span
 *
 * Tells what any address is, in a bounded number of loads and without touching struct
 * page: the span, by a table of three levels, and of small spans the class, by two bytes per
 * page in a table of two. A node has a table of classes of its own, in which the pages of
 * other nodes have none. So one look tells a CPU that an address is an object of its node.
 *
 * The first level covers all addresses that memory may ever have. It is a directory:
 * an array of pointers, most of which are the same, since most of the addresses are a gap.
 * The pages of the array that hold nothing else are one page, mapped many times. A sector is
 * added for memory that is there at load, and before more comes online. It has 128 KiB of
 * classes and 2 KiB of pointers to leaves; a leaf comes with the first span of its window,
 * and stays until unload.
 *
 * Costs: 0.025 % of the memory that is present, in whole sectors, for each directory a page
 * per 256 GiB of it, and 2 KiB of page tables per TiB of addresses. A leaf is 0.1 % of its window.
 *
 * Context: lookups any, NMI included; kspan_map_prepare() as its gfp flags say; all else
 * tasks that may sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kmemleak.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>

#include "context.h"
#include "kunit_export.h"
#include "map.h"
#include "span.h"

/* kspan_class_map_get() takes the low 16 bits of a page's number. */
static_assert(KSPAN_SECTOR_SHIFT == 16);

struct kspan_map kspan_map __read_mostly;
KSPAN_EXPORT_FOR_KUNIT(kspan_map);

#define PER_PAGE	(PAGE_SIZE / sizeof(void *))

/**
 * struct directory - an array of pointers, most of which are the same
 * @entry:	the array
 * @page:	its pages; those without another pointer are @usual
 * @nr_pages:	length of @page
 * @usual:	a page of the usual pointer
 */
struct directory {
	void **entry;
	struct page **page;
	unsigned long nr_pages;
	struct page *usual;
};

/* An array that was mapped anew: others may still read it. */
struct old_array {
	struct old_array *next;
	void **entry;
};

/* Protects what follows; readers of directories take no lock. */
static DEFINE_MUTEX(map_mutex);
static struct directory sectors;
static struct directory *classes[MAX_NUMNODES];
static struct old_array *old_arrays;
/* Of sectors without memory. */
static struct kspan_map_sector no_sector;
static u16 *no_classes;
/* Memory that the map takes. */
static atomic_long_t map_bytes = ATOMIC_LONG_INIT(0);

static void *map_alloc(size_t bytes)
{
	void *p = vzalloc(bytes);

	if (p)
		atomic_long_add(PAGE_ALIGN(bytes), &map_bytes);
	return p;
}

static struct page *page_of_pointers(const void *pointer)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long i;

	for (i = 0; page && i < PER_PAGE; i++)
		((const void **)page_address(page))[i] = pointer;
	if (!page)
		return NULL;
	/* What it points to is no leak. */
	kmemleak_alloc(page_address(page), PAGE_SIZE, 0, GFP_KERNEL);
	atomic_long_add(PAGE_SIZE, &map_bytes);
	return page;
}

static void free_page_of_pointers(struct page *page)
{
	if (!page)
		return;
	kmemleak_free(page_address(page));
	__free_page(page);
}

static int directory_init(struct directory *dir, unsigned long nr, const void *usual)
{
	unsigned long i;

	dir->nr_pages = DIV_ROUND_UP(nr, PER_PAGE);
	dir->usual = page_of_pointers(usual);
	dir->page = map_alloc(array_size(dir->nr_pages, sizeof(*dir->page)));
	if (!dir->usual || !dir->page)
		return -ENOMEM;
	for (i = 0; i < dir->nr_pages; i++)
		dir->page[i] = dir->usual;
	dir->entry = vmap(dir->page, dir->nr_pages, VM_MAP, PAGE_KERNEL);
	/* Its page tables. */
	atomic_long_add(PAGE_ALIGN(dir->nr_pages * sizeof(pte_t)), &map_bytes);
	return dir->entry ? 0 : -ENOMEM;
}

/* Give the part of the array that has @index a page of its own. */
static int directory_divide(struct directory *dir, unsigned long index)
{
	unsigned long n = index / PER_PAGE;
	struct old_array *old;
	struct page *page;
	void **entry;

	if (dir->page[n] != dir->usual)
		return 0;
	page = page_of_pointers(*(void **)page_address(dir->usual));
	old = kmalloc(sizeof(*old), GFP_KERNEL);
	if (!page || !old)
		goto failed;
	dir->page[n] = page;
	entry = vmap(dir->page, dir->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!entry) {
		dir->page[n] = dir->usual;
		goto failed;
	}
	old->entry = dir->entry;
	old->next = old_arrays;
	old_arrays = old;
	/* Readers of either array find what was there before. */
	smp_store_release(&dir->entry, entry);
	return 0;
failed:
	kfree(old);
	free_page_of_pointers(page);
	return -ENOMEM;
}

static int directory_set(struct directory *dir, unsigned long index, void *pointer)
{
	int err = directory_divide(dir, index);

	if (err)
		return err;
	/* Release: whoever sees the sector sees its zeroes. */
	smp_store_release(&dir->entry[index], pointer);
	return 0;
}

static void directory_exit(struct directory *dir)
{
	unsigned long i;

	vunmap(dir->entry);
	for (i = 0; dir->page && i < dir->nr_pages; i++)
		if (dir->page[i] != dir->usual)
			free_page_of_pointers(dir->page[i]);
	vfree(dir->page);
	free_page_of_pointers(dir->usual);
	*dir = (struct directory) { };
}

static unsigned long nr_sectors(void)
{
	return DIV_ROUND_UP(kspan_map.nr_pages, KSPAN_SECTOR_PAGES);
}

/* The classes of a node that has memory now. */
static struct directory *make_classes(int nid)
{
	struct directory *dir;

	if (classes[nid])
		return classes[nid];
	dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	if (dir && directory_init(dir, nr_sectors(), no_classes)) {
		directory_exit(dir);
		kfree(dir);
		dir = NULL;
	}
	classes[nid] = dir;
	return dir;
}

static int add_sector(int nid, unsigned long index)
{
	struct directory *dir = make_classes(nid);
	void *memory;
	int err;

	if (!dir)
		return -ENOMEM;
	if (sectors.entry[index] == &no_sector) {
		memory = map_alloc(sizeof(struct kspan_map_sector));
		err = memory ? directory_set(&sectors, index, memory) : -ENOMEM;
		if (err) {
			vfree(memory);
			return err;
		}
		WRITE_ONCE(kspan_map.sector, (struct kspan_map_sector **)sectors.entry);
	}
	if (dir->entry[index] == no_classes) {
		memory = map_alloc(KSPAN_SECTOR_PAGES * sizeof(*no_classes));
		err = memory ? directory_set(dir, index, memory) : -ENOMEM;
		if (err) {
			vfree(memory);
			return err;
		}
	}
	return 0;
}

/**
 * kspan_map_add() - have a map of memory that comes online
 * @nid:	its node
 * @start_pfn:	its first page frame
 * @end_pfn:	the one behind the last
 *
 * What was added before is left alone. Memory outside of the map's range is none that
 * kspan_map_prepare() accepts.
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
 * Return: a copy that kspan_class_map_get() takes.
 */
struct kspan_class_map kspan_map_classes(int nid)
{
	struct directory *dir = classes[nid];

	if (!dir)
		return (struct kspan_class_map) { .base = kspan_map.base };
	return (struct kspan_class_map) {
		.base = kspan_map.base,
		.nr_pages = kspan_map.nr_pages,
		/* Pairs with the release in directory_divide(). */
		.sector = (u16 **)smp_load_acquire(&dir->entry),
	};
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_classes);

/* Where memory may come online, or where it ends if it can't. */
static unsigned long end_of_addresses(unsigned long end)
{
#if defined(CONFIG_SPARSEMEM) && defined(MAX_PHYSMEM_BITS)
	return max(end, BIT(MAX_PHYSMEM_BITS - PAGE_SHIFT));
#else
	return end;
#endif
}

/* The next page frame from @pfn on that may be online: gaps are long. */
static unsigned long skip_gap(unsigned long pfn, unsigned long end)
{
#ifdef CONFIG_SPARSEMEM
	while (pfn < end && !online_section_nr(pfn_to_section_nr(pfn)))
		pfn = SECTION_ALIGN_UP(pfn + 1);
#endif
	return pfn;
}

/* The node of the memory in a window, or NUMA_NO_NODE without any. */
static int node_of_window(unsigned long pfn, unsigned long last)
{
	struct page *page = pfn_to_online_page(pfn) ?: pfn_to_online_page(last);

	return page ? page_to_nid(page) : NUMA_NO_NODE;
}

/* What is online from @pfn to @end. */
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
	no_classes = map_alloc(KSPAN_SECTOR_PAGES * sizeof(*no_classes));
	if (!no_classes || directory_init(&sectors, nr_sectors(), &no_sector))
		return -ENOMEM;
	kspan_map.sector = (struct kspan_map_sector **)sectors.entry;
	return 0;
}

/**
 * kspan_map_init() - prepare for a map of the machine's memory
 *
 * The map's range starts at the lowest memory there is. Nothing is in it yet:
 * kspan_map_add_present() is called when kspan_map_add() is told of what comes, so that no
 * memory is left out.
 *
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
 * kspan_map_add_present() - have a map of all memory that is online
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

static void free_classes(struct directory *dir)
{
	unsigned long i;

	for (i = 0; dir->entry && i < nr_sectors(); i++)
		if (dir->entry[i] != no_classes)
			vfree(dir->entry[i]);
	directory_exit(dir);
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

/* The first sector with memory from @i on; nr_sectors() or more behind the last. */
static unsigned long next_sector(unsigned long i)
{
	while (i < nr_sectors()) {
		if (sectors.page[i / PER_PAGE] == sectors.usual)
			i = round_down(i, PER_PAGE) + PER_PAGE;
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
	directory_exit(&sectors);
}

/**
 * kspan_map_exit() - free the map
 *
 * The caller has freed all arenas. Accepts a half-built map.
 */
void kspan_map_exit(void)
{
	int nid;

	for_each_node(nid)
		if (classes[nid])
			free_classes(classes[nid]);
	memset(classes, 0, sizeof(classes));
	free_sectors();
	while (old_arrays) {
		struct old_array *old = old_arrays;

		old_arrays = old->next;
		vunmap(old->entry);
		kfree(old);
	}
	vfree(no_classes);
	no_classes = NULL;
	atomic_long_set(&map_bytes, 0);
	kspan_map = (struct kspan_map) { };
}

/**
 * kspan_map_bytes() - memory that the map takes
 * Return: bytes.
 */
size_t kspan_map_bytes(void)
{
	return atomic_long_read(&map_bytes);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_bytes);

static bool make_leaf(struct kspan_map_leaf **slot, gfp_t gfp)
{
	struct kspan_map_leaf *leaf;

	if (READ_ONCE(*slot))
		return true;
	leaf = kzalloc(sizeof(*leaf), gfp);
	if (!leaf)
		return false;
	/* Release: whoever sees the leaf sees its zeroes. */
	if (cmpxchg_release(slot, NULL, leaf))
		kfree(leaf);
	else
		atomic_long_add(sizeof(*leaf), &map_bytes);
	return true;
}

/**
 * kspan_map_prepare() - make sure that spans of a block can be entered
 * @nid:	node of the block
 * @start:	its address, aligned to its length
 * @bytes:	its length, at most KSPAN_ARENA_SIZE
 * @gfp:	flags for SLUB
 *
 * Return: whether they can; not without memory, nor where the map does not reach.
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

/* The entry of the second half of a divided page; NULL where no such half ever was ours. */
static struct kspan_span **odd_entry(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);
	struct kspan_map_sector *sector = READ_ONCE(kspan_map.sector)[page >> KSPAN_SECTOR_SHIFT];
	struct kspan_map_leaf *leaf;

	/* Pairs with the release in make_leaf(). */
	leaf = smp_load_acquire(&sector->odd[page % KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES]);
	return leaf ? &leaf->span[page % KSPAN_ARENA_PAGES] : NULL;
}

/**
 * kspan_map_half() - the span of an address in a divided page
 * @addr:	the address
 * @entry:	its page's entry
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

static u16 *entries_of(const struct kspan_span *span)
{
	unsigned long page = kspan_map_page(span->start);
	u16 **sector = (u16 **)READ_ONCE(classes[span->nid]->entry);

	return sector[page >> KSPAN_SECTOR_SHIFT] + page % KSPAN_SECTOR_PAGES;
}

/* The class of a divided page sends frees to where the halves are told apart. */
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
 * Small spans are found from all of their pages, large ones from the first.
 * Pages of tiny objects have no class: such an object is no slot.
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

/** kspan_map_set() - have a span found from its pages; its page heap is locked */
void kspan_map_set(struct kspan_span *span)
{
	set_span(span, span);
}

/**
 * kspan_map_set_class() - have the class of a small span's pages be told
 * @span: the span, which is found from its pages, and is the caller's
 *
 * From here on what its pages have may be freed: so not before all slots are sealed.
 */
void kspan_map_set_class(const struct kspan_span *span)
{
	unsigned int n = kspan_span_npages(span), i;
	u16 *entries = entries_of(span);

	/* Half a page says that the span is to be asked, since it is there. */
	if (span->class == KSPAN_CLASS_TINY || kspan_span_is_half(span))
		return;
	/* Pairs with the address dependency of who looks at a slot of the class. */
	smp_wmb();
	for (i = 0; i < n; i++)
		WRITE_ONCE(entries[i], KSPAN_ENTRY(span->class, kspan_map_page(span->start)));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_map_set_class);

/** kspan_map_clear() - have a span found no longer; its page heap is locked */
void kspan_map_clear(struct kspan_span *span)
{
	set_span(span, NULL);
}

/**
 * kspan_map_clear_pages() - have a small span found no longer from some of its pages
 * @span:	the span, which is not half a page; its page heap is locked
 * @pages:	a bit for each
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

/* The nearest entry below; NULL also when that is of a span whose page this was once. */
static struct kspan_span *span_below(struct kspan_map_leaf *leaf, unsigned long addr)
{
	long i = kspan_map_page(addr) % KSPAN_ARENA_PAGES - 1;
	struct kspan_span *span = NULL;
	unsigned long page;

	for (; i >= 0 && !span; i--)
		span = READ_ONCE(leaf->span[i]);
	/* A divided page is in no span that reaches further. */
	if (!span || (unsigned long)span & KSPAN_MAP_DIVIDED)
		return NULL;
	page = (addr - READ_ONCE(span->start)) >> KSPAN_PAGE_SHIFT;
	return page < KSPAN_HOLLOW_PAGES && READ_ONCE(span->gone_pages) & BIT(page) ? NULL : span;
}

/**
 * kspan_map_span() - the run of pages that an address lies in
 * @addr: any address at all
 *
 * Pages of a large span but the first have no entry of their own; for them the
 * nearest entry below is looked up and its length compared; pages that a hollow
 * span has no longer are in none. The answer is
 * a hint unless the caller owns an object of the span: verify it under the
 * lock that protects the span. Call it with preemption or interrupts off, or
 * in an RCU read-side critical section; rcu_read_lock_sched() is the cheapest.
 *
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
 * kspan_map_visit_spans() - call a function for all spans, which may free their descriptors
 * @fn: the function. For a hollow span it is called several times, for others once.
 *
 * Nobody uses kspan any more.
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
