// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_stray - kfree() and put_page() of kspan's objects.
 *
 * Loading the module allocates objects, and misuses some of them: by kfree(), by put_page(), and
 * by get_page() with put_page(). These objects have 8 KiB, at the first page of an arena and in
 * the middle of one, or are small, or large. Then the module takes pages from the page allocator
 * and writes all of them. No object may have changed in the end, and kspan must be able to free
 * each. The log has lines "name=value":
 *
 *	strays		references that were taken from pages of kspan
 *	sendable	pages of objects that sendpage_ok() would let pass
 *	broken		objects that have changed
 *	refused		objects that kspan_owns() does not know any more
 *	left		bytes of arenas when all objects are freed
 *
 * kspan must be loaded with arena_growth=0: an arena has 4 MiB then.
 */
#define pr_fmt(fmt) "kspan-stray: " fmt

#include <linux/kspan.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

/* MiB that the module takes from the page allocator. */
#define TAKEN		64UL

/**
 * struct kind - objects of one size
 * @name:	for the log
 * @size:	bytes of an object
 * @count:	objects of about three arenas
 * @objects:	the objects
 */
struct kind {
	const char *name;
	size_t size;
	unsigned int count;
	void **objects;
};

static struct kind kinds[] = {
	{ "page", SZ_8K, 1536 },
	{ "small", 64, 8192 },
	{ "large", SZ_256K, 16 },
};

static LIST_HEAD(taken);

static u8 pattern(unsigned int i)
{
	return i * 37 + 11;
}

static void free_kind(struct kind *kind)
{
	unsigned int i;

	for (i = 0; kind->objects && i < kind->count; i++)
		kspan_free(kind->objects[i]);
	vfree(kind->objects);
	kind->objects = NULL;
}

static int fill_kind(struct kind *kind)
{
	unsigned int i;

	kind->objects = vcalloc(kind->count, sizeof(*kind->objects));
	if (!kind->objects)
		return -ENOMEM;
	for (i = 0; i < kind->count; i++) {
		kind->objects[i] = kspan_malloc(kind->size, GFP_KERNEL);
		if (!kind->objects[i])
			return -ENOMEM;
		memset(kind->objects[i], pattern(i), kind->size);
		cond_resched();
	}
	return 0;
}

static unsigned int count_sendable(const struct kind *kind)
{
	unsigned int i, sendable = 0;
	size_t at;

	for (i = 0; i < kind->count; i++)
		for (at = 0; at < kind->size; at += PAGE_SIZE)
			sendable += sendpage_ok(virt_to_page(kind->objects[i] + at));
	return sendable;
}

static unsigned int count_broken(const struct kind *kind)
{
	unsigned int i, broken = 0;

	for (i = 0; i < kind->count; i++)
		broken += !!memchr_inv(kind->objects[i], pattern(i), kind->size);
	return broken;
}

static unsigned int count_refused(const struct kind *kind)
{
	unsigned int i, refused = 0;

	for (i = 0; i < kind->count; i++)
		refused += !kspan_owns(kind->objects[i]);
	return refused;
}

/* Find an object that is the first of its arena, which has 4 MiB, or one that is not. */
static void *find_object(const struct kind *kind, bool first)
{
	unsigned int i;

	for (i = 0; i < kind->count; i++)
		if (IS_ALIGNED((unsigned long)kind->objects[i], SZ_4M) == first)
			return kind->objects[i];
	return NULL;
}

/* kfree() may take a reference of the page, or warn and leave it. This depends on the kernel. */
static unsigned int misuse(const char *where, void *p)
{
	struct page *page = virt_to_page(p);
	int before = page_ref_count(page), after;

	kfree(p);
	put_page(page);
	get_page(page);
	put_page(page);
	after = page_ref_count(page);
	pr_info("%s: references before %d, after %d\n", where, before, after);
	return before - after;
}

static int misuse_all(unsigned int *strays)
{
	void *first = find_object(&kinds[0], true), *middle = find_object(&kinds[0], false);

	if (!first || !middle) {
		pr_err("no object is at the start of an arena; was kspan loaded with arena_growth=0?\n");
		return -EINVAL;
	}
	*strays = misuse("first page of an arena", first);
	*strays += misuse("a page in the middle", middle);
	*strays += misuse("a small object", kinds[1].objects[kinds[1].count / 2]);
	*strays += misuse("a large object", kinds[2].objects[kinds[2].count / 2]);
	return 0;
}

static void take_pages(void)
{
	unsigned long i;
	struct page *page;

	for (i = 0; i < TAKEN << (20 - PAGE_SHIFT); i++) {
		page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!page)
			break;
		memset(page_address(page), 0xee, PAGE_SIZE);
		list_add(&page->lru, &taken);
		cond_resched();
	}
}

static void give_pages(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &taken, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

static int run(void)
{
	unsigned int i, strays = 0, sendable = 0, broken = 0, refused = 0;
	int err;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		sendable += count_sendable(&kinds[i]);
	err = misuse_all(&strays);
	if (err)
		return err;
	take_pages();
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		broken += count_broken(&kinds[i]);
		refused += count_refused(&kinds[i]);
		sendable += count_sendable(&kinds[i]);
	}
	pr_info("strays=%u sendable=%u broken=%u refused=%u\n", strays, sendable, broken, refused);
	return 0;
}

static int __init stray_init(void)
{
	struct kspan_memory memory;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(kinds); i++)
		err = fill_kind(&kinds[i]);
	if (!err)
		err = run();
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		free_kind(&kinds[i]);
	kspan_trim();
	kspan_memory_read(&memory);
	pr_info("left=%llu\n", memory.arenas);
	give_pages();
	return err;
}
module_init(stray_init);

static void __exit stray_exit(void)
{
}
module_exit(stray_exit);

MODULE_DESCRIPTION("kfree() and put_page() of what is kspan's");
MODULE_LICENSE("GPL");
