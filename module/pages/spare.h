/* SPDX-License-Identifier: GPL-2.0 */
/* The memory that the kernel has to spare on a node, and how much of it kspan may keep idle. */
#ifndef KSPAN_SPARE_H
#define KSPAN_SPARE_H

#include <linux/types.h>

/*
 * Percent of the memory that a node has to spare that kspan may keep idle there, 100 for no
 * bound. A module parameter.
 */
extern unsigned int kspan_idle_percent;

extern unsigned long kspan_spare_most;

unsigned long kspan_spare_pages(int nid);
unsigned long kspan_idle_allowance(int nid);
bool kspan_is_short(int nid, unsigned long idle);

#endif /* KSPAN_SPARE_H */
