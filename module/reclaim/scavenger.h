/* SPDX-License-Identifier: GPL-2.0 */
/* The scavenger gives idle memory back in the background; see scavenger.c. */
#ifndef KSPAN_SCAVENGER_H
#define KSPAN_SCAVENGER_H

#include <linux/types.h>

struct workqueue_struct;

/* The scavenger takes at most one part in so many of the time of one CPU. */
#define KSPAN_SCAVENGE_SHARE	100
/*
 * Where memory is short, the scavenger's pauses are shorter by this factor. It may take that much
 * more of a CPU then.
 */
#define KSPAN_HURRY		20

/* Milliseconds between two looks of the scavenger, 0 for no scavenger; a module parameter. */
extern unsigned int kspan_scavenge_ms;

/* Runs the scavenger and balance.c; NULL before kspan_scavenger_init(). */
extern struct workqueue_struct *kspan_scavenger_workqueue;

bool kspan_scavenge(u64 budget);
unsigned int kspan_scavenge_pause(unsigned int ms, u64 spent);

void kspan_scavenger_keep_all(bool all);
void kspan_scavenger_let_wake(void);
void kspan_scavenger_cancel(void);
int kspan_scavenger_init(void);
void kspan_scavenger_exit(void);

#endif /* KSPAN_SCAVENGER_H */
