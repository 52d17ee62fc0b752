// SPDX-License-Identifier: GPL-2.0
/*
 * Directories
 *
 *	entry[]		|u u u u|u u u u|u p u u|u u u u| ...	u: the usual pointer
 *	pages		  usual   usual   own     usual		p: another pointer
 *
 * A directory is an array of pointers, one for each sector of the map. Most of the
 * addresses that memory may have are a gap, so most of the pointers are the same: the
 * "usual" pointer. Pages of the array that hold only usual pointers are one page of
 * memory, which is mapped many times. A part of the array gets a page of its own when the
 * first other pointer is stored in it.
 *
 * To give a part a page of its own means to map the whole array anew, at another address.
 * CPUs may still read the old mapping, without a lock, so it stays until the map is freed.
 * An old mapping shows new pointers, too, except in parts that were divided after it was made.
 *
 * Locking: the caller serializes all changes. Readers take no lock.
 * Context: task; sleeps. Readers: any, NMI included.
 */
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "pages/directory.h"

/* Bytes that the map takes. */
atomic_long_t kspan_map_memory = ATOMIC_LONG_INIT(0);

/* An old mapping of an array that was mapped anew: CPUs may still read it. */
struct old_array {
	struct old_array *next;
	void **entry;
};

static struct old_array *old_arrays;

/* Zeroed memory for the map, counted; or NULL. To be freed by vfree(). */
void *kspan_map_alloc(size_t bytes)
{
	void *p = vzalloc(bytes);

	if (p)
		atomic_long_add(PAGE_ALIGN(bytes), &kspan_map_memory);
	return p;
}

/* A page that is full of the same pointer; or NULL. */
static struct page *page_of_pointers(const void *pointer)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long i;

	for (i = 0; page && i < KSPAN_DIRECTORY_PER_PAGE; i++)
		((const void **)page_address(page))[i] = pointer;
	if (!page)
		return NULL;
	/* kmemleak does not know pages, and would take what the page points to for leaked. */
	kmemleak_alloc(page_address(page), PAGE_SIZE, 0, GFP_KERNEL);
	atomic_long_add(PAGE_SIZE, &kspan_map_memory);
	return page;
}

static void free_page_of_pointers(struct page *page)
{
	if (!page)
		return;
	kmemleak_free(page_address(page));
	__free_page(page);
}

/**
 * kspan_directory_init() - make a directory of usual pointers
 * @dir:	directory, zeroed
 * @nr:		number of pointers
 * @usual:	the pointer
 * Return: 0, or -ENOMEM: then the caller calls kspan_directory_exit().
 */
int kspan_directory_init(struct kspan_directory *dir, unsigned long nr, const void *usual)
{
	unsigned long i;

	dir->nr_pages = DIV_ROUND_UP(nr, KSPAN_DIRECTORY_PER_PAGE);
	dir->usual = page_of_pointers(usual);
	dir->page = kspan_map_alloc(array_size(dir->nr_pages, sizeof(*dir->page)));
	if (!dir->usual || !dir->page)
		return -ENOMEM;
	for (i = 0; i < dir->nr_pages; i++)
		dir->page[i] = dir->usual;
	dir->entry = vmap(dir->page, dir->nr_pages, VM_MAP, PAGE_KERNEL);
	/* The page tables of the mapping take memory, too. */
	atomic_long_add(PAGE_ALIGN(dir->nr_pages * sizeof(pte_t)), &kspan_map_memory);
	return dir->entry ? 0 : -ENOMEM;
}

/* Give the part of the array that contains @index a page of its own. Returns 0 or -ENOMEM. */
static int directory_divide(struct kspan_directory *dir, unsigned long index)
{
	unsigned long n = index / KSPAN_DIRECTORY_PER_PAGE;
	struct old_array *old;
	struct page *page;
	void **entry;

	if (dir->page[n] != dir->usual)
		return 0;
	page = page_of_pointers(*(void **)page_address(dir->usual));
	old = kmalloc(sizeof(*old), GFP_KERNEL);
	if (!page || !old)
		goto failed;
	dir->page[n] = page;
	entry = vmap(dir->page, dir->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!entry) {
		dir->page[n] = dir->usual;
		goto failed;
	}
	old->entry = dir->entry;
	old->next = old_arrays;
	old_arrays = old;
	/*
	 * A CPU that reads the old mapping and one that reads the new mapping find the same
	 * pointers. Pairs with smp_load_acquire() in kspan_map_classes() of map.c.
	 */
	smp_store_release(&dir->entry, entry);
	return 0;
failed:
	kfree(old);
	free_page_of_pointers(page);
	return -ENOMEM;
}

/**
 * kspan_directory_set() - store a pointer
 * @dir:	directory; the caller serializes changes
 * @index:	place in the array
 * @pointer:	the pointer; what it points to is initialized
 * Return: 0 or -ENOMEM.
 */
int kspan_directory_set(struct kspan_directory *dir, unsigned long index, void *pointer)
{
	int err = directory_divide(dir, index);

	if (err)
		return err;
	/*
	 * A CPU that sees the sector must see its zeroes. Pairs with the address dependencies
	 * of kspan_map_leaf() and kspan_class_map_entry() in map.h.
	 */
	smp_store_release(&dir->entry[index], pointer);
	return 0;
}

/* Free a directory, which may be half-built, but not what the pointers point to. */
void kspan_directory_exit(struct kspan_directory *dir)
{
	unsigned long i;

	vunmap(dir->entry);
	for (i = 0; dir->page && i < dir->nr_pages; i++)
		if (dir->page[i] != dir->usual)
			free_page_of_pointers(dir->page[i]);
	vfree(dir->page);
	free_page_of_pointers(dir->usual);
	*dir = (struct kspan_directory) { };
}

/* At unload: unmap the old mappings of all directories, which no CPU reads any more. */
void kspan_directory_forget_old_arrays(void)
{
	while (old_arrays) {
		struct old_array *old = old_arrays;

		old_arrays = old->next;
		vunmap(old->entry);
		kfree(old);
	}
}
