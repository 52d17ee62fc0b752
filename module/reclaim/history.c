// SPDX-License-Identifier: GPL-2.0
/*
 * The last times that pages went back to the page allocator, for debugfs
 *
 * Context: any.
 */
#include <linux/ktime.h>
#include <linux/spinlock.h>

#include "base/context.h"
#include "base/kunit_export.h"
#include "reclaim/reclaim.h"

/* Protects the following; nothing else is locked within it. */
static DEFINE_RAW_SPINLOCK(notes_lock);
/* A ring: note number n is at n % KSPAN_RECLAIMS_NOTED. */
static struct kspan_reclaim_note notes[KSPAN_RECLAIMS_NOTED];
static u64 nr_notes;

static const char * const words[KSPAN_NR_RECLAIMERS] = {
	[KSPAN_BY_TRIM]	     = "trim",
	[KSPAN_BY_SHRINKER]  = "shrinker",
	[KSPAN_BY_SCAVENGER] = "scavenger",
	[KSPAN_BY_LIMIT]     = "limit",
};

/** kspan_reclaimer_word() - the word for a reason in debugfs */
const char *kspan_reclaimer_word(enum kspan_reclaimer by)
{
	return words[by];
}

/**
 * kspan_reclaim_note() - note that pages went back
 * @by:		for which reason
 * @nid:	node, or NUMA_NO_NODE for several
 * @bytes:	how much
 * @held:	bytes of all arenas afterwards
 *
 * An NMI that can't have the lock at once notes nothing.
 */
void kspan_reclaim_note(enum kspan_reclaimer by, int nid, u64 bytes, u64 held)
{
	unsigned long flags;

	if (!kspan_lock(&notes_lock, &flags, in_nmi() ? KSPAN_GFP_NOLOCK : 0))
		return;
	notes[nr_notes++ % KSPAN_RECLAIMS_NOTED] = (struct kspan_reclaim_note) {
		.ns = ktime_get_mono_fast_ns(), .by = by, .nid = nid, .bytes = bytes,
		.held = held,
	};
	raw_spin_unlock_irqrestore(&notes_lock, flags);
}

/**
 * kspan_reclaim_noted() - get one of the last notes
 * @n:		its age: 0 for the newest, below KSPAN_RECLAIMS_NOTED
 * @note:	set to a copy
 *
 * Return: false if there are no more than @n notes.
 */
bool kspan_reclaim_noted(unsigned int n, struct kspan_reclaim_note *note)
{
	unsigned long flags;
	bool there;

	raw_spin_lock_irqsave(&notes_lock, flags);
	there = n < min_t(u64, nr_notes, KSPAN_RECLAIMS_NOTED);
	if (there)
		*note = notes[(nr_notes - 1 - n) % KSPAN_RECLAIMS_NOTED];
	raw_spin_unlock_irqrestore(&notes_lock, flags);
	return there;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_reclaim_noted);
