/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What gfp flags and the context allow
 *
 * Who comes from an NMI, or from kspan_malloc_nolock(), may have interrupted the
 * owner of any lock: he passes KSPAN_GFP_NOLOCK, tries each lock once, and calls
 * neither the page allocator nor SLUB. On PREEMPT_RT these two have sleeping
 * locks, so whoever can't be preempted keeps away from them in the same way.
 * Frees keep away from them wherever preemption is off, on all kernels: the
 * caller may hold a raw spinlock.
 *
 * Whoever may use the system's reserves of memory gets a block of his own from
 * them when all else has failed.
 */
#ifndef KSPAN_CONTEXT_H
#define KSPAN_CONTEXT_H

#include <linux/gfp.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

/* Flags that open the reserve for atomic allocations; one of its own up to 6.2. */
#ifdef __GFP_ATOMIC
#define KSPAN_GFP_RESERVE	(__GFP_HIGH | __GFP_ATOMIC)
#else
#define KSPAN_GFP_RESERVE	__GFP_HIGH
#endif

/* What of the caller's flags is passed on to the page allocator. */
#define KSPAN_GFP_PASSED	(__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_NOWARN | \
				 __GFP_RETRY_MAYFAIL | __GFP_NORETRY | __GFP_HARDWALL | \
				 __GFP_THISNODE | KSPAN_GFP_RESERVE)

/* Of our own, in place of flags that mean nothing for an object. */
#define KSPAN_GFP_NOLOCK	__GFP_COMP
/* The system's reserves may be used: the memory is for one object alone. */
#define KSPAN_GFP_EMERGENCY	__GFP_WRITE

/**
 * kspan_gfp_effortless() - flags for an attempt that costs nobody anything
 * @gfp: what the caller said
 *
 * It is silent, neither waits nor reclaims, may fail, also for the hard limit, and leaves the
 * reserve for atomic requests to those who have no other choice.
 *
 * Return: the flags.
 */
static inline gfp_t kspan_gfp_effortless(gfp_t gfp)
{
	return (gfp & ~(__GFP_RECLAIM | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | KSPAN_GFP_RESERVE)) |
	       __GFP_NOWARN | __GFP_NORETRY;
}

/**
 * kspan_gfp_metadata() - flags for kspan's own data
 * @gfp: what the caller of kspan_malloc() said of an object
 *
 * Neither zone, node, zeroing nor accounting of the object are those of the
 * data that describe it, and who must not fail tries again on the whole.
 *
 * Return: flags for SLUB.
 */
static inline gfp_t kspan_gfp_metadata(gfp_t gfp)
{
	return gfp & (KSPAN_GFP_PASSED | __GFP_MEMALLOC) & ~__GFP_THISNODE;
}

/**
 * kspan_may_use_reserves() - whether a request may use up the system's reserves
 * @gfp: what the caller said
 *
 * As the page allocator judges it. What the reserves give is for the caller
 * alone.
 *
 * Return: whether it may.
 */
static inline bool kspan_may_use_reserves(gfp_t gfp)
{
	if (gfp & (__GFP_NOMEMALLOC | KSPAN_GFP_NOLOCK))
		return false;
	return (gfp & __GFP_MEMALLOC) ||
	       ((!in_interrupt() || in_serving_softirq()) && (current->flags & PF_MEMALLOC));
}

/**
 * kspan_gfp_here() - flags for the slow paths of an allocation
 * @gfp: what the caller said
 * Return: the same, with KSPAN_GFP_NOLOCK exactly where the context asks for it, and
 * without KSPAN_GFP_EMERGENCY.
 */
static inline gfp_t kspan_gfp_here(gfp_t gfp)
{
	gfp &= ~(KSPAN_GFP_NOLOCK | KSPAN_GFP_EMERGENCY);
	if (in_nmi() || (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible()))
		gfp |= KSPAN_GFP_NOLOCK;
	return gfp;
}

/* Whether a free may call the page allocator and SLUB. */
static inline bool kspan_may_release(void)
{
	return preemptible();
}

/* Without SMP an attempt succeeds even if the interrupted code owns the lock. */
static inline bool __kspan_lock(raw_spinlock_t *lock, unsigned long *flags, gfp_t gfp)
{
	if (gfp & KSPAN_GFP_NOLOCK) {
		if ((!IS_ENABLED(CONFIG_SMP) && in_nmi()) ||
		    !raw_spin_trylock_irqsave(lock, *flags))
			return false;
	} else {
		raw_spin_lock_irqsave(lock, *flags);
	}
	/* Only for sparse, which counts the lock where kspan_lock() stands. */
	__release(lock);
	return true;
}

/* Newer kernels have no word for this to sparse. */
#ifndef __cond_lock
#define __cond_lock(lock, taken)	(taken)
#endif

/**
 * kspan_lock() - take a lock of kspan's, or try to
 * @lock:	the raw spinlock
 * @flags:	address of what receives the state of interrupts
 * @gfp:	with KSPAN_GFP_NOLOCK one attempt is made
 * Return: whether the lock was taken.
 */
#define kspan_lock(lock, flags, gfp)	__cond_lock(lock, __kspan_lock(lock, flags, gfp))

#endif /* KSPAN_CONTEXT_H */
