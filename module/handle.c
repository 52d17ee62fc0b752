// SPDX-License-Identifier: GPL-2.0
/*
 * Handles
 *
 *	table	[  ][  ][  ][  ] ...	1024 buckets, by the handle's address
 *	         |       |
 *	         heap    region - pool
 *
 * Every heap, typed cache, pool, fixed pool and region that a module has made is in the
 * table until it is destroyed. Two questions are answered by that:
 *
 *	Is this one?	Before anything of it is touched, so that one that is destroyed twice
 *			is reported, and nothing else. It can't be told from one that was
 *			made at the same address since.
 *	Whose is it?	When a module goes, what it leaves behind is reported. It stays as it
 *			is, since others may have objects of it; only that no function of the
 *			module is called any more, which pool.c and private.c see to.
 *
 * Context: any but NMI.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/string.h>

#include "bad_free.h"
#include "handle.h"
#include "kunit_export.h"

#define BUCKET_BITS	10

/* What a module left behind is told one by one so many times. */
#define LEFT_TOLD	10U

/* As much of a name as anybody reads. */
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
 * kspan_handle_add() - note what a module has made
 * @handle:	in it
 * @kind:	what it is
 * @name:	its name, which stays as long as it is noted; or NULL
 * @module:	that made it; NULL for none
 * @site:	where
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

/* Nothing is read of a handle that is not there. */
static bool is_there(struct hlist_bl_head *bucket, const struct kspan_handle *handle,
		     enum kspan_handle_kind kind)
{
	struct hlist_bl_node *node;
	struct kspan_handle *other;

	hlist_bl_for_each_entry(other, node, bucket, node)
		if (other == handle)
			return other->kind == kind;
	return false;
}

static bool report_unless(bool there, const void *what)
{
	if (unlikely(!there))
		kspan_bad_free_report(KSPAN_BAD_FREE_HANDLE, (unsigned long)what);
	return there;
}

/**
 * kspan_handle_take() - begin to destroy what a module has made
 * @handle:	in it, if it is there
 * @kind:	what it is to be
 * @what:	its address, as the module knows it
 *
 * Return: whether it is there, and the caller's from here on. If not, that was reported, and
 * there is nothing that may be touched.
 */
bool kspan_handle_take(struct kspan_handle *handle, enum kspan_handle_kind kind, const void *what)
{
	struct hlist_bl_head *bucket = bucket_of(handle);
	unsigned long flags;
	bool there;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	there = is_there(bucket, handle, kind);
	if (likely(there))
		hlist_bl_del(&handle->node);
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
	return report_unless(there, what);
}

/**
 * kspan_handle_claim() - kspan_handle_take() for who may not destroy it after all
 * @handle:	as there
 * @kind:	as there
 * @what:	as there
 *
 * Followed by kspan_handle_unclaim() or kspan_handle_take().
 *
 * Return: as there; false for the second of two who try it at once, too.
 */
bool kspan_handle_claim(struct kspan_handle *handle, enum kspan_handle_kind kind,
			const void *what)
{
	struct hlist_bl_head *bucket = bucket_of(handle);
	unsigned long flags;
	bool there;

	local_irq_save(flags);
	hlist_bl_lock(bucket);
	there = is_there(bucket, handle, kind) && !handle->claimed;
	if (there)
		handle->claimed = true;
	hlist_bl_unlock(bucket);
	local_irq_restore(flags);
	return report_unless(there, what);
}

/** kspan_handle_unclaim() - undo kspan_handle_claim() */
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

/* A copy of what a report says of a handle. */
struct left {
	enum kspan_handle_kind kind;
	unsigned long site;
	char name[NAME_TOLD];
};

/* Let a handle of the module be nobody's. Returns false when there is none in the bucket. */
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

/* Of a function of the module that was for its init alone there is nothing left to be told. */
static void tell(const struct left *left, const struct module *module)
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
 * kspan_handles_forget() - tell what a module leaves behind
 * @module: the module, which goes, and of which no function is called any more
 *
 * Context: task.
 * Return: how much that is.
 */
unsigned int kspan_handles_forget(const struct module *module)
{
	unsigned int i, nr = 0;
	struct left left;

	for (i = 0; i < ARRAY_SIZE(buckets); i++)
		while (forget_one(&buckets[i], module, &left))
			if (++nr <= LEFT_TOLD)
				tell(&left, module);
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
 * kspan_handle_take_any() - begin to end what nobody destroyed before kspan is unloaded
 * @kind: what it is to be
 *
 * Return: its handle, which is the caller's from here on; NULL when there is none left.
 */
struct kspan_handle *kspan_handle_take_any(enum kspan_handle_kind kind)
{
	struct kspan_handle *handle = NULL;
	unsigned int i;

	for (i = 0; !handle && i < ARRAY_SIZE(buckets); i++)
		handle = take_from_bucket(&buckets[i], kind);
	return handle;
}
