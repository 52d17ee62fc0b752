/* SPDX-License-Identifier: GPL-2.0 */
/* Random sizes and patterns for comparisons with a model. */
#ifndef KSPAN_KUNIT_MODEL_H
#define KSPAN_KUNIT_MODEL_H

#include "kspan_kunit.h"

size_t model_size(struct rnd_state *rnd, unsigned int max_shift);
void model_stamp(u8 *p, size_t size, u32 tag);
bool model_stamped(const u8 *p, size_t size, u32 tag);

#endif /* KSPAN_KUNIT_MODEL_H */
