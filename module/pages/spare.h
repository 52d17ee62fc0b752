/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel has to spare on a node, and how much of that kspan may keep idle. */
#ifndef KSPAN_SPARE_H
#define KSPAN_SPARE_H

#include <linux/types.h>

/* Percent of what a node has to spare that may be idle, 100 for no bound; a parameter. */
extern unsigned int kspan_idle_percent;

extern unsigned long kspan_spare_most;

unsigned long kspan_spare_pages(int nid);
unsigned long kspan_idle_allowance(int nid);
bool kspan_is_short(int nid, unsigned long idle);

#endif /* KSPAN_SPARE_H */
