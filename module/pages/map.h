/* SPDX-License-Identifier: GPL-2.0 */
/* The map: it tells of any address whether it is kspan's, its size class, and its span. */
#ifndef KSPAN_MAP_H
#define KSPAN_MAP_H

#include "base/size_class.h"

/* Pages of a sector: 512 MiB of addresses. */
#define KSPAN_SECTOR_SHIFT	16
#define KSPAN_SECTOR_PAGES	BIT(KSPAN_SECTOR_SHIFT)
#define KSPAN_SECTOR_LEAVES	(KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES)

/* The spans of the pages of one window: KSPAN_ARENA_SIZE of addresses, naturally aligned. */
struct kspan_map_leaf {
	struct kspan_span *span[KSPAN_ARENA_PAGES];
};

/**
 * struct kspan_map_sector - the leaves of a sector
 * @leaf:	a leaf for each window, or NULL
 * @odd:	the spans of the second halves of pages that are divided, see KSPAN_MAP_DIVIDED; a
 *		leaf for each window, or NULL
 */
struct kspan_map_sector {
	struct kspan_map_leaf *leaf[KSPAN_SECTOR_LEAVES];
	struct kspan_map_leaf *odd[KSPAN_SECTOR_LEAVES];
};

/**
 * struct kspan_map - the spans of all memory
 * @base:	address of page 0, aligned to KSPAN_ARENA_SIZE; fixed
 * @nr_pages:	pages of 8 KiB from @base to the highest address that memory may ever have; fixed
 * @sector:	a sector for each KSPAN_SECTOR_PAGES; where there is no memory, a sector that has
 *		no leaves
 *
 * In a leaf all pages of a small span point to the span, but only the first page of a large
 * span does. Other entries are NULL. Entries are written under the page heap lock of their
 * node.
 *
 * Any address outside of the direct map gives a page number of at least @nr_pages, or a
 * sector without leaves.
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
 * @sector:	for each sector an array with an entry for each page, see KSPAN_ENTRY(). The
 *		entry is 0 for a page that has no class, and for a page of another node.
 *
 * A copy of this struct can be used until kspan_map_exit(). Memory that was added after the
 * copy was made may seem to have no class.
 */
struct kspan_class_map {
	unsigned long base;
	unsigned long nr_pages;
	u16 **sector;
};

/*
 * An entry of a table of classes. The high bits have the class of the page. The low bits have
 * the number of the span's first page modulo 32, negated. A free adds the address to it, and
 * gets the offset in the span: so it knows without a look at the span whether the address is
 * the start of a slot.
 */
#define KSPAN_ENTRY_SHIFT	5
#define KSPAN_ENTRY_PAGES	BIT(KSPAN_ENTRY_SHIFT)
#define KSPAN_ENTRY(class, start_page)						\
	((class) << KSPAN_ENTRY_SHIFT | (-(start_page) & (KSPAN_ENTRY_PAGES - 1)))

static_assert(KSPAN_ENTRY(KSPAN_CLASS_PRIVATE, 1UL) <= U16_MAX);

/*
 * Bit of an entry of a leaf: the page of 8 KiB is divided into two pages of the kernel. Each
 * half is a span by itself, or is not kspan's. The entry has the span of the first half, or
 * NULL; the sector's odd leaf has the span of the second half.
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

	/* Before the load: else the compiler copies the page number first. */
	OPTIMIZER_HIDE_VAR(in_sector);
	/*
	 * The entry is written when a span is made or freed, by one store. No such store runs
	 * while the caller owns an object of the span.
	 */
	entry = data_race(map->sector[page >> KSPAN_SECTOR_SHIFT][in_sector]);
	/* Make the compiler load it once, by one instruction; READ_ONCE() of a u16 takes two. */
	OPTIMIZER_HIDE_VAR(entry);
	return entry;
}

static __always_inline unsigned int kspan_entry_class(u32 entry)
{
	return entry >> KSPAN_ENTRY_SHIFT;
}

/* Bytes from the start of the span to an address; @addr is the address less the map's base. */
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

/* Leaf of a page below kspan_map.nr_pages, or NULL. */
static __always_inline struct kspan_map_leaf *kspan_map_leaf(unsigned long page)
{
	struct kspan_map_sector *sector = READ_ONCE(kspan_map.sector)[page >> KSPAN_SECTOR_SHIFT];

	/* Pairs with cmpxchg_release() in make_leaf() of map.c. */
	return smp_load_acquire(&sector->leaf[page % KSPAN_SECTOR_PAGES / KSPAN_ARENA_PAGES]);
}

/* Entry of the page of an address that kspan_map_prepare() was called for. */
static inline struct kspan_span **kspan_map_entry(unsigned long addr)
{
	unsigned long page = kspan_map_page(addr);

	return &kspan_map_leaf(page)->span[page % KSPAN_ARENA_PAGES];
}

struct kspan_span *kspan_map_half(unsigned long addr, unsigned long entry);

/* The span of an address, by the entry of its page; or NULL. */
static __always_inline struct kspan_span *
kspan_entry_span(struct kspan_span *const *entry, unsigned long addr)
{
	struct kspan_span *span = READ_ONCE(*entry);

	if (KSPAN_PAGE_ORDER && unlikely((unsigned long)span & KSPAN_MAP_DIVIDED))
		return kspan_map_half(addr, (unsigned long)span);
	return span;
}

/* The same of an address in a page that was kspan's at some time, which may be over. */
static inline struct kspan_span *kspan_map_entry_span(unsigned long addr)
{
	return kspan_entry_span(kspan_map_entry(addr), addr);
}

/*
 * The small span that contains the page of an address, or the large span that starts there; or
 * NULL. The address may be any.
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
