/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contexts: what the gfp flags and the context of a caller allow
 *
 * An NMI, or a caller of kspan_malloc_nolock(), may have interrupted the owner of
 * any lock. So it passes KSPAN_GFP_NOLOCK, tries each lock once, and calls
 * neither the page allocator nor SLUB. On PREEMPT_RT these two have sleeping
 * locks, so an allocation in a context that can't be preempted does the same.
 * Frees do not call these two wherever preemption is off, on all kernels: the
 * caller may hold a raw spinlock.
 *
 * A caller that may use the system's reserves of memory gets a block for itself
 * from them, when everything else has failed.
 */
#ifndef KSPAN_CONTEXT_H
#define KSPAN_CONTEXT_H

#include <linux/gfp.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

/* Flags that open the reserve for atomic allocations. Up to 6.2 it has a flag of its own. */
#ifdef __GFP_ATOMIC
#define KSPAN_GFP_RESERVE	(__GFP_HIGH | __GFP_ATOMIC)
#else
#define KSPAN_GFP_RESERVE	__GFP_HIGH
#endif

/* The flags of the caller that are passed on to the page allocator. */
#define KSPAN_GFP_PASSED	(__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_NOWARN | \
				 __GFP_RETRY_MAYFAIL | __GFP_NORETRY | __GFP_HARDWALL | \
				 __GFP_THISNODE | KSPAN_GFP_RESERVE)

/* Flags of kspan's own, which have the values of flags that mean nothing for an object. */
#define KSPAN_GFP_NOLOCK	__GFP_COMP
/* The system's reserves may be used: the memory is for one object alone. */
#define KSPAN_GFP_EMERGENCY	__GFP_WRITE

/**
 * kspan_gfp_effortless() - flags for an attempt that takes memory only if there is plenty
 * @gfp: the caller's flags
 *
 * The attempt is silent, neither waits nor reclaims, may fail, at the hard limit, too, and
 * does not use the reserve for atomic requests: that is for callers without an alternative.
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
 * @gfp: flags of the caller of kspan_malloc(), for an object
 *
 * Zone, node, zeroing and accounting flags of the object do not apply to the data that
 * describe it. __GFP_NOFAIL does not, either: a caller that must not fail repeats the whole
 * allocation.
 *
 * Return: flags for SLUB.
 */
static inline gfp_t kspan_gfp_metadata(gfp_t gfp)
{
	return gfp & (KSPAN_GFP_PASSED | __GFP_MEMALLOC) & ~__GFP_THISNODE;
}

/**
 * kspan_may_use_reserves() - whether a request may use up the system's reserves
 * @gfp: the caller's flags
 *
 * The page allocator decides by the same rule. Memory from the reserves is for the caller
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
 * @gfp: the caller's flags
 * Return: the same flags, with KSPAN_GFP_NOLOCK exactly where the context asks for it, and
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

/*
 * Without SMP a trylock succeeds even if the code that the NMI or an oops interrupted owns the
 * lock, so there these never get a lock.
 */
static inline bool __kspan_lock(raw_spinlock_t *lock, unsigned long *flags, gfp_t gfp)
{
	if (gfp & KSPAN_GFP_NOLOCK) {
		if ((!IS_ENABLED(CONFIG_SMP) && (in_nmi() || oops_in_progress)) ||
		    !raw_spin_trylock_irqsave(lock, *flags))
			return false;
	} else {
		raw_spin_lock_irqsave(lock, *flags);
	}
	/* Only for sparse, which counts the lock in the macro kspan_lock(), not here. */
	__release(lock);
	return true;
}

/* Newer kernels have no such annotation for sparse any more. */
#ifndef __cond_lock
#define __cond_lock(lock, taken)	(taken)
#endif

/**
 * kspan_lock() - take a lock of kspan's, or try to
 * @lock:	a raw spinlock
 * @flags:	address of the variable that receives the state of interrupts
 * @gfp:	with KSPAN_GFP_NOLOCK one attempt is made, else the CPU waits
 * Return: whether the lock was taken.
 */
#define kspan_lock(lock, flags, gfp)	__cond_lock(lock, __kspan_lock(lock, flags, gfp))

#endif /* KSPAN_CONTEXT_H */
