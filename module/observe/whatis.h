/* SPDX-License-Identifier: GPL-2.0 */
/* What an address is; whatis.c has the rules. */
#ifndef KSPAN_WHATIS_H
#define KSPAN_WHATIS_H

#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/types.h>

/* Bytes of a name in an answer, with the zero at its end. */
#define KSPAN_WHAT_NAME	64

/* Bytes of an answer in one line. */
#define KSPAN_WHAT_LINE	320

enum kspan_what_kind {
	KSPAN_WHAT_NONE,	/* not kspan's */
	KSPAN_WHAT_SLOT,
	KSPAN_WHAT_TINY,	/* in a block of tiny objects */
	KSPAN_WHAT_LARGE,
	KSPAN_WHAT_CHUNK,	/* of a region */
	KSPAN_WHAT_VMALLOC,
	KSPAN_WHAT_PAGES,	/* of an arena, in no object */
	KSPAN_NR_WHATS,
};

enum kspan_what_state {
	KSPAN_STATE_NONE,
	KSPAN_STATE_LIVE,
	KSPAN_STATE_CACHED,	/* free, in a cache of a CPU */
	KSPAN_STATE_DEPOT,	/* free, in a depot */
	KSPAN_STATE_FREED,	/* free, and on its way to one of the others */
	KSPAN_STATE_FREE,	/* free in its span or arena */
	KSPAN_STATE_NEVER,	/* never handed out */
	KSPAN_STATE_TAIL,	/* behind the last slot of a span */
	KSPAN_STATE_KEPT,	/* large object that was freed, and whose pages a node keeps */
	KSPAN_STATE_MOVING,	/* pages on the way from or to a span */
	KSPAN_NR_STATES,
};

/**
 * struct kspan_what - what an address is, or was a moment ago
 * @addr:	the address
 * @kind:	enum kspan_what_kind
 * @state:	enum kspan_what_state
 * @start:	first byte of the object, slot or chunk; for pages, of the page
 * @bytes:	its length; for pages, of a page
 * @nid:	node; NUMA_NO_NODE where it is not known
 * @heap:	name of the heap, or empty
 * @module:	module that made the heap
 * @class:	size class of a slot, as the heap counts them; 0 for the others
 * @slot:	number of the slot
 * @nr_slots:	slots of the span when it was made
 * @span_start:	first byte of the span of a slot
 * @span_bytes:	its length
 * @cpu:	CPU that has the slot in a magazine; nr_cpu_ids where that is not known
 * @written:	the slot is free, but its seal was overwritten: somebody wrote to it after its free
 * @site:	return address of the call that allocated the object of the slot last; 0 where
 *		that is not known
 * @run:	for free pages, length of the run that they are part of, in bytes
 */
struct kspan_what {
	unsigned long addr;
	enum kspan_what_kind kind;
	enum kspan_what_state state;
	unsigned long start;
	unsigned long bytes;
	int nid;
	char heap[KSPAN_WHAT_NAME];
	char module[KSPAN_WHAT_NAME];
	unsigned int class;
	unsigned int slot;
	unsigned int nr_slots;
	unsigned long span_start;
	unsigned long span_bytes;
	unsigned int cpu;
	bool written;
	unsigned long site;
	unsigned long run;
};

void kspan_whatis(unsigned long addr, gfp_t gfp, struct kspan_what *what);
const char *kspan_what_line(const struct kspan_what *what, char *line, size_t size);

/* The file whatis. The private data of its inode tell whether it answers in JSON. */
extern const struct file_operations kspan_whatis_fops;

#endif /* KSPAN_WHATIS_H */
