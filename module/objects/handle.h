/* SPDX-License-Identifier: GPL-2.0 */
/* Handles: the heaps, caches, pools and regions that modules have made, and their makers. */
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
 * struct kspan_handle - part of a heap, cache, pool or region that a module has made
 * @node:	in a bucket of the table
 * @module:	module that made it; NULL if there was none, or if it was unloaded since
 * @site:	return address of the call that made it
 * @name:	its name, or NULL; must stay valid as long as the handle is in the table
 * @kind:	enum kspan_handle_kind
 * @claimed:	a caller has claimed it in order to destroy it
 *
 * The lock of the bucket protects all fields.
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
const struct kspan_handle *kspan_handle_find(enum kspan_handle_kind kind,
					     bool (*fn)(const struct kspan_handle *handle,
							void *data), void *data);
unsigned int kspan_handles_forget(const struct module *module);
struct kspan_handle *kspan_handle_take_any(enum kspan_handle_kind kind);

#endif /* KSPAN_HANDLE_H */
