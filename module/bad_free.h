/* SPDX-License-Identifier: GPL-2.0 */
/* Wrong frees: what they are, how they are reported. */
#ifndef KSPAN_BAD_FREE_H
#define KSPAN_BAD_FREE_H

#include "context.h"
#include "types.h"

enum kspan_bad_free_kind {
	KSPAN_BAD_FREE_DOUBLE,
	KSPAN_BAD_FREE_INTERIOR,
	KSPAN_BAD_FREE_MISALIGNED,
	KSPAN_BAD_FREE_NEVER_ALLOCATED,
	KSPAN_BAD_FREE_FOREIGN,
	KSPAN_BAD_FREE_DESTROYED,
	KSPAN_BAD_FREE_OTHER_HEAP,
	KSPAN_BAD_FREE_REGION,
	KSPAN_BAD_FREE_SIZE,
	KSPAN_NR_BAD_FREE_KINDS,
};

/* Bytes of a heap's name that a report has. */
#define KSPAN_BAD_FREE_NAME	32

/**
 * struct kspan_bad_free - a report
 * @kind:	what was wrong
 * @addr:	the pointer that was to be freed
 * @class:	size class of the page it points to, 0 for none
 */
struct kspan_bad_free {
	enum kspan_bad_free_kind kind;
	unsigned long addr;
	unsigned int class;
};

void kspan_bad_free_report_late(enum kspan_bad_free_kind kind, unsigned long addr,
				unsigned int class, unsigned int size, const char *heap);
void kspan_bad_free_exit(void);
void kspan_bad_free_report_in(enum kspan_bad_free_kind kind, unsigned long addr,
			      unsigned int class, unsigned int size, const char *heap);
void kspan_bad_free_report(enum kspan_bad_free_kind kind, unsigned long addr);
u64 kspan_bad_free_count(enum kspan_bad_free_kind kind);

/* Of all kinds. */
static inline u64 kspan_bad_frees(void)
{
	unsigned int kind;
	u64 sum = 0;

	for (kind = 0; kind < KSPAN_NR_BAD_FREE_KINDS; kind++)
		sum += kspan_bad_free_count(kind);
	return sum;
}

struct kspan_bad_free kspan_bad_free_last(void);

#endif /* KSPAN_BAD_FREE_H */
