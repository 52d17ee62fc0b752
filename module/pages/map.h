/* SPDX-License-Identifier: GPL-2.0 */
/* What any address means to kspan: its class, and its span. */
#ifndef KSPAN_MAP_H
#define KSPAN_MAP_H

#include "base/size_class.h"

/* Pages of a sector: 512 MiB of addresses. */
#define KSPAN_SECTOR_SHIFT	16
#define KSPAN_SECTOR_PAGES	BIT(KSPAN_SECTOR_SHIFT)
#define KSPAN_SECTOR_LEAVES	(KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES)

/* Spans of the pages of one naturally aligned window of KSPAN_ARENA_SIZE. */
struct kspan_map_leaf {
	struct kspan_span *span[KSPAN_ARENA_PAGES];
};

/**
 * struct kspan_map_sector - the leaves of a sector
 * @leaf:	a leaf per window, or NULL
 * @odd:	of windows with divided pages, see KSPAN_MAP_DIVIDED
 */
struct kspan_map_sector {
	struct kspan_map_leaf *leaf[KSPAN_SECTOR_LEAVES];
	struct kspan_map_leaf *odd[KSPAN_SECTOR_LEAVES];
};

/**
 * struct kspan_map - the spans of all memory
 * @base:	address of page 0, aligned to KSPAN_ARENA_SIZE; fixed
 * @nr_pages:	kspan pages from @base to the end of what memory may be added; fixed
 * @sector:	a sector for each KSPAN_SECTOR_PAGES; without memory, one without leaves
 *
 * In a leaf all pages of a small span, but only the first of a large one, point to the
 * span; others are NULL. Entries are written under the page heap lock of their node.
 *
 * An address outside of the direct map, whatever it is, gives a page number of at least
 * @nr_pages, or a sector without leaves.
 */
struct kspan_map {
	unsigned long base;
	unsigned long nr_pages;
	struct kspan_map_sector **sector;
};

extern struct kspan_map kspan_map;

/**
 * struct kspan_class_map - the classes of the small spans of a node
 * @base:	kspan_map.base
 * @nr_pages:	kspan_map.nr_pages; 0 for a node without memory
 * @sector:	for each sector an entry per page, see KSPAN_ENTRY(): 0 for a page that has no
 *		class, belongs to another node, or to none.
 *
 * A copy is good until the map is gone; only memory that was added after it was made
 * seems to have no class.
 */
struct kspan_class_map {
	unsigned long base;
	unsigned long nr_pages;
	u16 **sector;
};

/*
 * What a table of classes says of a page: its class; and how many pages it is from the start of
 * its span, so that an address is known to be a slot's start without a look at the span. The
 * place is that of the start among 32 pages, negated: to add an address gives the offset.
 */
#define KSPAN_ENTRY_SHIFT	5
#define KSPAN_ENTRY_PAGES	BIT(KSPAN_ENTRY_SHIFT)
#define KSPAN_ENTRY(class, start_page)						\
	((class) << KSPAN_ENTRY_SHIFT | (-(start_page) & (KSPAN_ENTRY_PAGES - 1)))

static_assert(KSPAN_ENTRY(KSPAN_CLASS_PRIVATE, 1UL) <= U16_MAX);

/*
 * Set in an entry of a leaf: the page is divided into two of the kernel's pages, which are
 * spans by themselves or not kspan's. The entry has the span of the first one, or NULL; that
 * of the second one is in the sector's odd leaf.
 */
#define KSPAN_MAP_DIVIDED	1UL

int kspan_map_init(void);
int kspan_map_add_present(void);
void kspan_map_exit(void);
int kspan_map_add(int nid, unsigned long start_pfn, unsigned long end_pfn);
size_t kspan_map_bytes(void);
struct kspan_class_map kspan_map_classes(int nid);

bool kspan_map_prepare(int nid, unsigned long start, unsigned long bytes, gfp_t gfp);

/**
 * kspan_map_page() - page number of an address
 * @addr: any address
 *
 * Return: below kspan_map.nr_pages if the address is in the direct map.
 */
static __always_inline unsigned long kspan_map_page(unsigned long addr)
{
	return (addr - kspan_map.base) >> KSPAN_PAGE_SHIFT;
}

/* Entry of a page below map->nr_pages. */
static __always_inline u32 kspan_class_map_entry(const struct kspan_class_map *map,
						 unsigned long page)
{
	unsigned long in_sector = (u16)page;
	u32 entry;

	/* First, or the page is copied for it. */
	OPTIMIZER_HIDE_VAR(in_sector);
	/* Who maps and unmaps spans writes it, whole; whoever frees an object of one does not. */
	entry = data_race(map->sector[page >> KSPAN_SECTOR_SHIFT][in_sector]);
	/* Read once, and by one instruction, which READ_ONCE() of an u16 does not get. */
	OPTIMIZER_HIDE_VAR(entry);
	return entry;
}

static __always_inline unsigned int kspan_entry_class(u32 entry)
{
	return entry >> KSPAN_ENTRY_SHIFT;
}

/* Bytes from the start of the span; @addr is one of the page, less the map's base. */
static __always_inline u32 kspan_entry_offset(u32 entry, unsigned long addr)
{
	return ((u32)addr + (entry << KSPAN_PAGE_SHIFT)) &
	       ((KSPAN_ENTRY_PAGES << KSPAN_PAGE_SHIFT) - 1);
}

/**
 * kspan_class_map_get() - class of the page of an address
 * @map:	classes of a node
 * @addr:	any address
 * Return: the class; 0 for none, and for pages of other nodes.
 */
static __always_inline unsigned int kspan_class_map_get(const struct kspan_class_map *map,
							unsigned long addr)
{
	unsigned long page = (addr - map->base) >> KSPAN_PAGE_SHIFT;

	if (unlikely(page >= map->nr_pages))
		return 0;
	return kspan_entry_class(kspan_class_map_entry(map, page));
}

/* Leaf of an address in the map's range, or NULL. */
static __always_inline struct kspan_map_leaf *kspan_map_leaf(unsigned long page)
{
	struct kspan_map_sector *sector = READ_ONCE(kspan_map.sector)[page >> KSPAN_SECTOR_SHIFT];

	/* Pairs with the release in make_leaf(). */
	return smp_load_acquire(&sector->leaf[page % KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES]);
}

/* Entry of a page of kspan's. */
static inline struct kspan_span **kspan_map_entry(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);

	return &kspan_map_leaf(page)->span[page % KSPAN_ARENA_PAGES];
}

struct kspan_span *kspan_map_half(unsigned long addr, unsigned long entry);

/* What an entry says of an address in its page. */
static __always_inline struct kspan_span *
kspan_entry_span(struct kspan_span *const *entry, unsigned long addr)
{
	struct kspan_span *span = READ_ONCE(*entry);

	if (KSPAN_PAGE_ORDER && unlikely((unsigned long)span & KSPAN_MAP_DIVIDED))
		return kspan_map_half(addr, (unsigned long)span);
	return span;
}

/* The span of an address that was in a page of kspan's once, if it is in one now. */
static inline struct kspan_span *kspan_map_entry_span(unsigned long addr)
{
	return kspan_entry_span(kspan_map_entry(addr), addr);
}

/*
 * What the entry of an address's own page says, of any address: the small span that the page
 * is in, or the large one that starts there; or NULL.
 */
static __always_inline struct kspan_span *kspan_map_page_span(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);
	struct kspan_map_leaf *leaf;

	if (unlikely(page >= kspan_map.nr_pages))
		return NULL;
	leaf = kspan_map_leaf(page);
	if (unlikely(!leaf))
		return NULL;
	return kspan_entry_span(&leaf->span[page % KSPAN_ARENA_PAGES], addr);
}

void kspan_map_set(struct kspan_span *span);
void kspan_map_set_class(const struct kspan_span *span);
void kspan_map_clear(struct kspan_span *span);
void kspan_map_clear_pages(struct kspan_span *span, unsigned long pages);

struct kspan_span *kspan_map_span(unsigned long addr);

typedef void (*kspan_map_fn)(struct kspan_span *span);
void kspan_map_visit_spans(kspan_map_fn fn);

#endif /* KSPAN_MAP_H */
