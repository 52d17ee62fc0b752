/* SPDX-License-Identifier: GPL-2.0 */
/* Directories: arrays of pointers, most of which are the same; see directory.c. */
#ifndef KSPAN_DIRECTORY_H
#define KSPAN_DIRECTORY_H

#include <linux/atomic.h>
#include <linux/mm_types.h>
#include <linux/types.h>

#define KSPAN_DIRECTORY_PER_PAGE	(PAGE_SIZE / sizeof(void *))

/**
 * struct kspan_directory - an array of pointers, most of which are the same
 * @entry:	the array, as it is mapped now
 * @page:	the pages that it consists of; a part with usual pointers only has @usual here
 * @nr_pages:	length of @page
 * @usual:	a page full of the usual pointer
 */
struct kspan_directory {
	void **entry;
	struct page **page;
	unsigned long nr_pages;
	struct page *usual;
};

/* Bytes that the map takes. */
extern atomic_long_t kspan_map_memory;

void *kspan_map_alloc(size_t bytes);

int kspan_directory_init(struct kspan_directory *dir, unsigned long nr, const void *usual);
int kspan_directory_set(struct kspan_directory *dir, unsigned long index, void *pointer);
void kspan_directory_exit(struct kspan_directory *dir);
void kspan_directory_forget_old_arrays(void);

#endif /* KSPAN_DIRECTORY_H */
