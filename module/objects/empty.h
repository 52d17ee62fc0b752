/* SPDX-License-Identifier: GPL-2.0 */
/* Spans without an object that the classes of the default heap keep. */
#ifndef KSPAN_EMPTY_H
#define KSPAN_EMPTY_H

struct kspan_central;

void kspan_empty_init(void);
void kspan_empty_reap(struct kspan_central *central);
unsigned long kspan_empty_release(int nid, unsigned long want);
unsigned long kspan_empty_release_all(int nid, unsigned long want);

#endif /* KSPAN_EMPTY_H */
