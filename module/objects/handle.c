// SPDX-License-Identifier: GPL-2.0
/*
 * Handles
 *
 *	table	[  ][  ][  ][  ] ...	1024 buckets, by the handle's address
 *	         |       |
 *	         heap    region - pool
 *
 * Every heap, typed cache, pool, fixed pool and region that a module has made is in the
 * table until it is destroyed. The table answers two questions:
 *
 *	Is there a heap (or cache, pool, region) at this address?
 *		This is asked before anything at the address is read. So if a module destroys
 *		one twice, that is reported and nothing else happens. If another one was made at
 *		the same address since, it can't be told from the first.
 *	Which module made it?
 *		When a module is unloaded, the heaps and so on that it did not destroy are
 *		reported. They stay as they are, since other modules may have objects of them.
 *		Only the functions of the module are not called any more; pool.c and private.c
 *		see to that.
 *
 * Context: any but NMI.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/string.h>

#include "objects/handle.h"
#include "base/kunit_export.h"
#include "objects/bad_free.h"

#define BUCKET_BITS	10

/* Most handles of an unloaded module that are reported one by one. */
#define LEFT_TOLD	10U

/* Bytes of a name in a report, with the zero at its end. */
#define NAME_TOLD	64

static struct hlist_bl_head buckets[1 << BUCKET_BITS];

static const char * const kind_names[KSPAN_NR_HANDLE_KINDS] = {
	[KSPAN_HANDLE_HEAP]	  = "heap",
	[KSPAN_HANDLE_CACHE]	  = "cache",
	[KSPAN_HANDLE_POOL]	  = "pool",
	[KSPAN_HANDLE_FIXED_POOL] = "fixed pool",
	[KSPAN_HANDLE_REGION]	  = "region",
	[KSPAN_HANDLE_CPU_REGION] = "region for each CPU",
};

static struct hlist_bl_head *bucket_of(const struct kspan_handle *handle)
{
	return &buckets[hash_ptr(handle, BUCKET_BITS)];
}

/**
 * kspan_handle_add() - add a heap, cache, pool or region to the table
 * @handle:	its handle; its fields need not be set
 * @kind:	what the module has made
 * @name:	its name, which must stay valid as long as the handle is in the table; or NULL
 * @module:	module that made it; NULL for none
 * @site:	return address of the call that made it
 */
void kspan_handle_add(struct kspan_handle *handle, enum kspan_handle_kind kind, const char *name,
		      const struct module *module, unsigned long site)
{
	struct hlist_bl_head *bucket = bucket_of(handle);
	unsigned long flags;

	handle->kind = kind;
	handle->name = name;
	handle->module = module;
	handle->site = site;
	handle->claimed = false;
	local_irq_save(flags);
	hlist_bl_lock(bucket);
	hlist_bl_add_head(&handle->node, bucket);
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
}

/* Whether the handle is in the bucket. It is read only if it is, for it may not exist. */
static bool handle_is_there(struct hlist_bl_head *bucket, const struct kspan_handle *handle,
			    enum kspan_handle_kind kind)
{
	struct hlist_bl_node *node;
	struct kspan_handle *other;

	lockdep_assert(hlist_bl_is_locked(bucket));
	hlist_bl_for_each_entry(other, node, bucket, node)
		if (other == handle)
			return other->kind == kind;
	return false;
}

/* Report a wrong destruction unless @there is set. Returns @there. */
static bool report_unless(bool there, const void *what)
{
	if (unlikely(!there))
		kspan_bad_free_report(KSPAN_BAD_FREE_HANDLE, (unsigned long)what);
	return there;
}

/**
 * kspan_handle_take() - remove a heap, cache, pool or region from the table, to destroy it
 * @handle:	address where its handle would be
 * @kind:	what it must be
 * @what:	address that the module passed, for the report
 *
 * Return: whether it was in the table; then it is the caller's alone. If not, this was reported,
 * and the caller must not touch anything at the address.
 */
bool kspan_handle_take(struct kspan_handle *handle, enum kspan_handle_kind kind, const void *what)
{
	struct hlist_bl_head *bucket = bucket_of(handle);
	unsigned long flags;
	bool there;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	there = handle_is_there(bucket, handle, kind);
	if (likely(there))
		hlist_bl_del(&handle->node);
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
	return report_unless(there, what);
}

/**
 * kspan_handle_claim() - kspan_handle_take() for a caller that may yet decide not to destroy it
 * @handle:	as for kspan_handle_take()
 * @kind:	as for kspan_handle_take()
 * @what:	as for kspan_handle_take()
 *
 * The handle stays in the table. The caller calls kspan_handle_unclaim() or kspan_handle_take()
 * next.
 *
 * Return: as kspan_handle_take(); also false, and reported, if another caller has claimed it.
 */
bool kspan_handle_claim(struct kspan_handle *handle, enum kspan_handle_kind kind,
			const void *what)
{
	struct hlist_bl_head *bucket = bucket_of(handle);
	unsigned long flags;
	bool there;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	there = handle_is_there(bucket, handle, kind) && !handle->claimed;
	if (there)
		handle->claimed = true;
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
	return report_unless(there, what);
}

/**
 * kspan_handle_unclaim() - undo kspan_handle_claim()
 * @handle: claimed by the caller
 */
void kspan_handle_unclaim(struct kspan_handle *handle)
{
	struct hlist_bl_head *bucket = bucket_of(handle);
	unsigned long flags;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	handle->claimed = false;
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
}

/**
 * kspan_handle_find() - look for a handle in the table
 * @kind:	of these
 * @fn:		called for each handle until it returns true; what the handle belongs to is not
 *		destroyed meanwhile. The lock of the table's bucket is held.
 * @data:	argument for @fn
 *
 * Context: any but NMI.
 * Return: the handle for which @fn returned true, only to be compared; or NULL.
 */
const struct kspan_handle *kspan_handle_find(enum kspan_handle_kind kind,
					     bool (*fn)(const struct kspan_handle *handle,
							void *data), void *data)
{
	const struct kspan_handle *handle, *found = NULL;
	struct hlist_bl_node *node;
	unsigned long flags;
	unsigned int i;

	for (i = 0; !found && i < ARRAY_SIZE(buckets); i++) {
		local_irq_save(flags);
		hlist_bl_lock(&buckets[i]);
		hlist_bl_for_each_entry(handle, node, &buckets[i], node)
			if (!found && handle->kind == kind && fn(handle, data))
				found = handle;
		hlist_bl_unlock(&buckets[i]);
		local_irq_restore(flags);
	}
	return found;
}

/* Copy of the fields of a handle that a report prints. */
struct left {
	enum kspan_handle_kind kind;
	unsigned long site;
	char name[NAME_TOLD];
};

/*
 * Take a handle in the bucket from the module, and copy it to @left. Returns false if the bucket
 * has no handle of the module.
 */
static bool forget_one(struct hlist_bl_head *bucket, const struct module *module,
		       struct left *left)
{
	struct hlist_bl_node *node;
	struct kspan_handle *handle;
	unsigned long flags;
	bool any = false;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	hlist_bl_for_each_entry(handle, node, bucket, node) {
		if (handle->module != module)
			continue;
		handle->module = NULL;
		left->kind = handle->kind;
		left->site = handle->site;
		strscpy(left->name, handle->name ?: "", sizeof(left->name));
		any = true;
		break;
	}
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
	return any;
}

/*
 * Report a handle. A call site in the module's init section has no name any more, because that
 * section was freed after the module was loaded.
 */
static void handle_tell(const struct left *left, const struct module *module)
{
	const char *blank = *left->name ? " " : "";

	if (within_module(left->site, module))
		pr_warn("module %s goes and leaves behind: %s%s%s, made by %pS\n", module->name,
			kind_names[left->kind], blank, left->name, (void *)left->site);
	else
		pr_warn("module %s goes and leaves behind: %s%s%s, made when it was loaded\n",
			module->name, kind_names[left->kind], blank, left->name);
}

/**
 * kspan_handles_forget() - report the handles that a module did not destroy
 * @module: module that is being unloaded; no function of it is called any more
 *
 * Context: task.
 * Return: how many handles there were.
 */
unsigned int kspan_handles_forget(const struct module *module)
{
	unsigned int i, nr = 0;
	struct left left;

	for (i = 0; i < ARRAY_SIZE(buckets); i++)
		while (forget_one(&buckets[i], module, &left))
			if (++nr <= LEFT_TOLD)
				handle_tell(&left, module);
	if (nr > LEFT_TOLD)
		pr_warn("module %s goes and leaves behind: %u more\n", module->name,
			nr - LEFT_TOLD);
	return nr;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_handles_forget);

static struct kspan_handle *take_from_bucket(struct hlist_bl_head *bucket,
					     enum kspan_handle_kind kind)
{
	struct kspan_handle *handle, *found = NULL;
	struct hlist_bl_node *node;
	unsigned long flags;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	hlist_bl_for_each_entry(handle, node, bucket, node)
		if (handle->kind == kind)
			found = handle;
	if (found)
		hlist_bl_del(&found->node);
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
	return found;
}

/**
 * kspan_handle_take_any() - take one of a kind out of the table, when kspan is unloaded
 * @kind: of the ones that nobody has destroyed
 *
 * Return: its handle, which belongs to the caller from here on; NULL when there is none left.
 */
struct kspan_handle *kspan_handle_take_any(enum kspan_handle_kind kind)
{
	struct kspan_handle *handle = NULL;
	unsigned int i;

	for (i = 0; !handle && i < ARRAY_SIZE(buckets); i++)
		handle = take_from_bucket(&buckets[i], kind);
	return handle;
}
