/* SPDX-License-Identifier: GPL-2.0 */
/* The scavenger: what is idle goes back in the background. */
#ifndef KSPAN_SCAVENGER_H
#define KSPAN_SCAVENGER_H

#include <linux/types.h>

struct workqueue_struct;

/* The scavenger's share of a CPU: one in so many. */
#define KSPAN_SCAVENGE_SHARE	100
/* Where memory is short it waits a part of the time only, and takes as much more of a CPU. */
#define KSPAN_HURRY		20

/* Milliseconds between two looks of the scavenger, 0 for no scavenger; a parameter. */
extern unsigned int kspan_scavenge_ms;

extern struct workqueue_struct *kspan_scavenger_workqueue;

bool kspan_scavenge(u64 budget);
unsigned int kspan_scavenge_pause(unsigned int ms, u64 spent);

void kspan_scavenger_keep_all(bool all);
void kspan_scavenger_let_wake(void);
void kspan_scavenger_cancel(void);
int kspan_scavenger_init(void);
void kspan_scavenger_exit(void);

#endif /* KSPAN_SCAVENGER_H */
