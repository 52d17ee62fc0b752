/* SPDX-License-Identifier: GPL-2.0 */
/* Handles: what modules make and destroy, of all kinds, and whose it is. */
#ifndef KSPAN_HANDLE_H
#define KSPAN_HANDLE_H

#include <linux/list_bl.h>
#include <linux/types.h>

struct module;

enum kspan_handle_kind {
	KSPAN_HANDLE_HEAP,
	KSPAN_HANDLE_CACHE,
	KSPAN_HANDLE_POOL,
	KSPAN_HANDLE_FIXED_POOL,
	KSPAN_HANDLE_REGION,
	KSPAN_HANDLE_CPU_REGION,
	KSPAN_NR_HANDLE_KINDS,
};

/**
 * struct kspan_handle - something that a module made
 * @node:	in a bucket of the table
 * @module:	that made it, NULL when it is gone, and where there was none
 * @site:	return address of the call that made it
 * @name:	as it is kept; NULL for none
 * @kind:	what it is
 * @claimed:	somebody is about to destroy it
 *
 * All fields are protected by the lock of the bucket.
 */
struct kspan_handle {
	struct hlist_bl_node node;
	const struct module *module;
	unsigned long site;
	const char *name;
	u8 kind;
	bool claimed;
};

void kspan_handle_add(struct kspan_handle *handle, enum kspan_handle_kind kind, const char *name,
		      const struct module *module, unsigned long site);
bool kspan_handle_take(struct kspan_handle *handle, enum kspan_handle_kind kind, const void *what);
bool kspan_handle_claim(struct kspan_handle *handle, enum kspan_handle_kind kind,
			const void *what);
void kspan_handle_unclaim(struct kspan_handle *handle);
unsigned int kspan_handles_forget(const struct module *module);
struct kspan_handle *kspan_handle_take_any(enum kspan_handle_kind kind);

#endif /* KSPAN_HANDLE_H */
