/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocation by type, as kmalloc_obj() and its kin of Linux 7.0 have it
 *
 * The result is a pointer to what was named, so that another type is the compiler's to
 * refuse. Of a size that is a constant the compiler finds the class. gfp flags may be left
 * out: they are GFP_KERNEL then.
 *
 * kspan_malloc_obj() and kspan_zalloc_obj() are what kmalloc_obj() and kzalloc_obj()
 * become where only names are changed.
 */
#ifndef _LINUX_KSPAN_OBJ_H
#define _LINUX_KSPAN_OBJ_H

#include <linux/gfp.h>
#include <linux/overflow.h>

/* The flags that were given, or GFP_KERNEL. */
#define __kspan_second(a, b, ...)	b
#define __kspan_gfp(...)		__kspan_second(, ##__VA_ARGS__, GFP_KERNEL)

/* Sets the member that counts a flexible array, where compiler and kernel know which it is. */
#ifdef __set_flex_counter
#define __kspan_set_flex_counter(fam, count)	__set_flex_counter(fam, count)
#else
#define __kspan_set_flex_counter(fam, count)	do { } while (0)
#endif

/* @alloc is called with the bytes and then @gfp, after what it has in parentheses. */
#define __kspan_objs(alloc, type, count, gfp)					\
({										\
	const size_t __kspan_bytes = size_mul(sizeof(type), count);		\
										\
	(type *)alloc(__kspan_bytes, gfp);					\
})

#define __kspan_flex(alloc, type, fam, count, gfp)				\
({										\
	const size_t __kspan_count = (count);					\
	const size_t __kspan_bytes = struct_size_t(type, fam, __kspan_count);	\
	type *__kspan_object = alloc(__kspan_bytes, gfp);			\
										\
	if (__kspan_object)							\
		__kspan_set_flex_counter(__kspan_object->fam, __kspan_count);	\
	__kspan_object;								\
})

/**
 * kspan_obj() - allocate an object of a type
 * @var_or_type: the type, or a variable of it, which is not evaluated
 * @...:	gfp flags as for kspan_malloc(); GFP_KERNEL if they are left out
 *
 * Context: as kspan_malloc().
 * Return: pointer to the type, or NULL.
 */
#define kspan_obj(var_or_type, ...)						\
	__kspan_objs(kspan_malloc, typeof(var_or_type), 1, __kspan_gfp(__VA_ARGS__))

/**
 * kspan_objs() - allocate an array of objects of a type
 * @var_or_type: as for kspan_obj()
 * @count:	elements
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: pointer to the first; NULL also when the bytes do not fit a size_t.
 */
#define kspan_objs(var_or_type, count, ...)					\
	__kspan_objs(kspan_malloc, typeof(var_or_type), count, __kspan_gfp(__VA_ARGS__))

/**
 * kspan_flex() - allocate a structure with a flexible array at its end
 * @var_or_type: as for kspan_obj()
 * @fam:	name of the array
 * @count:	its elements
 * @...:	as for kspan_obj()
 *
 * The member that counts the array, if it is marked by __counted_by(), is set to @count,
 * where kernel and compiler can do that: Linux 7.0 with gcc 15 or clang 19. It does no harm
 * to set it again.
 *
 * Context: as kspan_malloc().
 * Return: pointer to the type; NULL also when the bytes do not fit a size_t.
 */
#define kspan_flex(var_or_type, fam, count, ...)				\
	__kspan_flex(kspan_malloc, typeof(var_or_type), fam, count, __kspan_gfp(__VA_ARGS__))

/* The same, zeroed. */
#define kspan_zobj(var_or_type, ...)						\
	__kspan_objs(kspan_zalloc, typeof(var_or_type), 1, __kspan_gfp(__VA_ARGS__))
#define kspan_zobjs(var_or_type, count, ...)					\
	__kspan_objs(kspan_zalloc, typeof(var_or_type), count, __kspan_gfp(__VA_ARGS__))
#define kspan_zflex(var_or_type, fam, count, ...)				\
	__kspan_flex(kspan_zalloc, typeof(var_or_type), fam, count, __kspan_gfp(__VA_ARGS__))

/* The names that a port finds by itself. */
#define kspan_malloc_obj	kspan_obj
#define kspan_malloc_objs	kspan_objs
#define kspan_malloc_flex	kspan_flex
#define kspan_zalloc_obj	kspan_zobj
#define kspan_zalloc_objs	kspan_zobjs
#define kspan_zalloc_flex	kspan_zflex

/* From a heap; NULL is the default heap. */
#define __kspan_heap_objs(alloc, heap, type, count, gfp)			\
({										\
	const size_t __kspan_bytes = size_mul(sizeof(type), count);		\
										\
	(type *)alloc(heap, __kspan_bytes, gfp);				\
})

#define __kspan_heap_flex(alloc, heap, type, fam, count, gfp)			\
({										\
	const size_t __kspan_count = (count);					\
	const size_t __kspan_bytes = struct_size_t(type, fam, __kspan_count);	\
	type *__kspan_object = alloc(heap, __kspan_bytes, gfp);			\
										\
	if (__kspan_object)							\
		__kspan_set_flex_counter(__kspan_object->fam, __kspan_count);	\
	__kspan_object;								\
})

#define kspan_heap_obj(heap, var_or_type, ...)					\
	__kspan_heap_objs(kspan_heap_malloc, heap, typeof(var_or_type), 1,	\
			  __kspan_gfp(__VA_ARGS__))
#define kspan_heap_objs(heap, var_or_type, count, ...)				\
	__kspan_heap_objs(kspan_heap_malloc, heap, typeof(var_or_type), count,	\
			  __kspan_gfp(__VA_ARGS__))
#define kspan_heap_flex(heap, var_or_type, fam, count, ...)			\
	__kspan_heap_flex(kspan_heap_malloc, heap, typeof(var_or_type), fam, count, \
			  __kspan_gfp(__VA_ARGS__))
#define kspan_heap_zobj(heap, var_or_type, ...)					\
	__kspan_heap_objs(kspan_heap_zalloc, heap, typeof(var_or_type), 1,	\
			  __kspan_gfp(__VA_ARGS__))
#define kspan_heap_zobjs(heap, var_or_type, count, ...)				\
	__kspan_heap_objs(kspan_heap_zalloc, heap, typeof(var_or_type), count,	\
			  __kspan_gfp(__VA_ARGS__))
#define kspan_heap_zflex(heap, var_or_type, fam, count, ...)			\
	__kspan_heap_flex(kspan_heap_zalloc, heap, typeof(var_or_type), fam, count, \
			  __kspan_gfp(__VA_ARGS__))

#endif /* _LINUX_KSPAN_OBJ_H */
