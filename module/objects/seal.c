// SPDX-License-Identifier: GPL-2.0
/* Seals: see seal.h */
#include <linux/mm.h>
#include <linux/random.h>

#include "base/kunit_export.h"
#include "objects/seal.h"
#include "pages/span.h"

bool kspan_exact_frees = true;
KSPAN_EXPORT_FOR_KUNIT(kspan_exact_frees);
DEFINE_STATIC_KEY_TRUE(kspan_frees_exactly);
KSPAN_EXPORT_FOR_KUNIT(kspan_frees_exactly);
DEFINE_STATIC_KEY_FALSE(kspan_frees_otherwise);

unsigned long kspan_secret __ro_after_init;
KSPAN_EXPORT_FOR_KUNIT(kspan_secret);

/** kspan_seal_init() - choose the secret; to be called before there is any slot */
void __init kspan_seal_init(void)
{
	kspan_secret = get_random_long();
	if (!kspan_exact_frees)
		static_branch_disable(&kspan_frees_exactly);
	if (!kspan_exact_frees || want_init_on_free())
		static_branch_enable(&kspan_frees_otherwise);
}

/**
 * kspan_seal_span() - seal all slots of a span, and the rest behind the last one
 * @span:	a formatted span, which no other CPU uses yet
 * @at:		offset of the seal in a slot, in bytes
 */
void kspan_seal_span(const struct kspan_span *span, unsigned int at)
{
	unsigned long slot = span->start, end = slot + kspan_span_bytes(span);

	if (!static_branch_likely(&kspan_frees_exactly))
		return;
	for (; slot + at + sizeof(slot) <= end; slot += span->size)
		kspan_seal((void *)slot, at);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_seal_span);

/**
 * kspan_unseal_span() - zero the seals of a span, with init_on_free=1
 * @span:	a formatted span without an object, which is the caller's alone
 * @at:		offset of the seal in a slot, in bytes; a hollow span is wiped as a whole
 */
void kspan_unseal_span(const struct kspan_span *span, unsigned int at)
{
	unsigned long slot = span->start, end = slot + kspan_span_bytes(span);

	if (!want_init_on_free())
		return;
	if (span->gone_pages) {
		kspan_span_wipe(span);
		return;
	}
	for (; slot + at + sizeof(slot) <= end; slot += span->size)
		kspan_unseal((void *)slot, at);
}
