/* SPDX-License-Identifier: GPL-2.0 */
/* The depot: magazines that a size class of a heap keeps on a node. */
#ifndef KSPAN_DEPOT_H
#define KSPAN_DEPOT_H

#include "objects/central.h"

/* Most full magazines of a depot. */
#define KSPAN_DEPOT_MAX		128U

/* Most bytes of objects in a magazine, and in a depot; module parameters. */
extern unsigned int kspan_magazine_bytes;
extern unsigned int kspan_depot_bytes;

unsigned int kspan_magazine_cap(const struct kspan_size_class *sc);
size_t kspan_magazine_sizeof(const struct kspan_size_class *sc);

void kspan_depot_provision(struct kspan_central *central, gfp_t gfp);
void *kspan_depot_pop_locked(struct kspan_central *central);
struct kspan_magazine *kspan_depot_take_full(struct kspan_central *central,
					     struct kspan_magazine *empty, gfp_t gfp);
struct kspan_magazine *kspan_depot_put_full(struct kspan_central *central,
					    struct kspan_magazine *full, gfp_t gfp);

void kspan_central_stock(struct kspan_central *central, struct kspan_magazine *mag,
			 unsigned int n, struct list_head *spans);
struct kspan_magazine *kspan_central_load(struct kspan_central *central,
					  struct kspan_magazine *empty, unsigned int n,
					  unsigned int *steps, gfp_t gfp);
struct kspan_magazine *kspan_depot_spill(struct kspan_central *central,
					 struct kspan_magazine *full, unsigned int *steps,
					 struct list_head *retired);

bool kspan_depot_holds(struct kspan_central *central, const void *object, gfp_t gfp);
void kspan_depot_return_magazine(struct kspan_central *central, struct kspan_magazine *mag);
void kspan_depot_return(struct kspan_central *central, unsigned int n);
void kspan_depot_drain(struct kspan_central *central);
void kspan_depot_reap(struct kspan_central *central);
void kspan_depot_exit(struct kspan_central *central);

#endif /* KSPAN_DEPOT_H */
