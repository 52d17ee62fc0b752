/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocation by type, as kmalloc_obj() and its kin of Linux 7.0
 *
 * The result has the type that was named, so the compiler refuses a pointer to another type,
 * and the size can't be wrong. The compiler finds the size class. gfp flags may be left out;
 * they are GFP_KERNEL then.
 *
 * kspan_malloc_obj() and kspan_zalloc_obj() are other names of kspan_obj() and kspan_zobj().
 * They are what kmalloc_obj() and kzalloc_obj() become in a driver in which only names are
 * replaced.
 */
#ifndef _LINUX_KSPAN_OBJ_H
#define _LINUX_KSPAN_OBJ_H

#include <linux/gfp.h>
#include <linux/overflow.h>

/* The gfp flags that were given, or GFP_KERNEL if none were. */
#define __kspan_second(a, b, ...)	b
#define __kspan_gfp(...)		__kspan_second(, ##__VA_ARGS__, GFP_KERNEL)

/* Set the member that counts a flexible array, if compiler and kernel know which it is. */
#ifdef __set_flex_counter
#define __kspan_set_flex_counter(fam, count)	__set_flex_counter(fam, count)
#else
#define __kspan_set_flex_counter(fam, count)	do { } while (0)
#endif

/* Call @alloc with the number of bytes and @gfp. */
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
 * @var_or_type: a type, or a variable of the type, which is not evaluated
 * @...:	gfp flags as for kspan_malloc(); GFP_KERNEL if left out
 *
 * Like kmalloc_obj(): ``kspan_obj(struct foo)`` or ``kspan_obj(*foo, GFP_ATOMIC)``.
 *
 * Context: as kspan_malloc().
 * Return: a pointer to the type, to be freed by kspan_free(); NULL if there is no memory.
 */
#define kspan_obj(var_or_type, ...)						\
	__kspan_objs(kspan_malloc, typeof(var_or_type), 1, __kspan_gfp(__VA_ARGS__))

/**
 * kspan_objs() - allocate an array of objects of a type
 * @var_or_type: as for kspan_obj()
 * @count:	number of elements
 * @...:	as for kspan_obj()
 *
 * Like kmalloc_objs().
 *
 * Context: as kspan_malloc().
 * Return: a pointer to the first element, to be freed by kspan_free(); NULL if there is no
 * memory or the number of bytes overflows a size_t.
 */
#define kspan_objs(var_or_type, count, ...)					\
	__kspan_objs(kspan_malloc, typeof(var_or_type), count, __kspan_gfp(__VA_ARGS__))

/**
 * kspan_flex() - allocate a structure with a flexible array at its end
 * @var_or_type: as for kspan_obj()
 * @fam:	name of the flexible array member
 * @count:	number of elements of the array; evaluated once
 * @...:	as for kspan_obj()
 *
 * Like kmalloc_flex(). If the array is marked by __counted_by(), the member that counts it is
 * set to @count where kernel and compiler are able to: Linux 7.0 with gcc 15 or clang 19. The
 * caller may set it again.
 *
 * Context: as kspan_malloc().
 * Return: a pointer to the type, to be freed by kspan_free(); NULL if there is no memory or the
 * number of bytes overflows a size_t.
 */
#define kspan_flex(var_or_type, fam, count, ...)				\
	__kspan_flex(kspan_malloc, typeof(var_or_type), fam, count, __kspan_gfp(__VA_ARGS__))

/**
 * kspan_zobj() - allocate a zeroed object of a type
 * @var_or_type: as for kspan_obj()
 * @...:	as for kspan_obj()
 *
 * Like kzalloc_obj().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_obj().
 */
#define kspan_zobj(var_or_type, ...)						\
	__kspan_objs(kspan_zalloc, typeof(var_or_type), 1, __kspan_gfp(__VA_ARGS__))
/**
 * kspan_zobjs() - allocate a zeroed array of objects of a type
 * @var_or_type: as for kspan_obj()
 * @count:	number of elements
 * @...:	as for kspan_obj()
 *
 * Like kzalloc_objs().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_objs().
 */
#define kspan_zobjs(var_or_type, count, ...)					\
	__kspan_objs(kspan_zalloc, typeof(var_or_type), count, __kspan_gfp(__VA_ARGS__))
/**
 * kspan_zflex() - allocate a zeroed structure with a flexible array at its end
 * @var_or_type: as for kspan_obj()
 * @fam:	as for kspan_flex()
 * @count:	as for kspan_flex()
 * @...:	as for kspan_obj()
 *
 * Like kzalloc_flex().
 *
 * Context: as kspan_malloc().
 * Return: as kspan_flex().
 */
#define kspan_zflex(var_or_type, fam, count, ...)				\
	__kspan_flex(kspan_zalloc, typeof(var_or_type), fam, count, __kspan_gfp(__VA_ARGS__))

/*
 * The names that a driver has after its kmalloc and kzalloc became kspan_malloc and
 * kspan_zalloc.
 */
#define kspan_malloc_obj	kspan_obj
#define kspan_malloc_objs	kspan_objs
#define kspan_malloc_flex	kspan_flex
#define kspan_zalloc_obj	kspan_zobj
#define kspan_zalloc_objs	kspan_zobjs
#define kspan_zalloc_flex	kspan_zflex

/* The same from a heap. */
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

/**
 * kspan_heap_obj() - allocate an object of a type from a heap
 * @heap:	where the object comes from; NULL for the default heap
 * @var_or_type: as for kspan_obj()
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_obj().
 */
#define kspan_heap_obj(heap, var_or_type, ...)					\
	__kspan_heap_objs(kspan_heap_malloc, heap, typeof(var_or_type), 1,	\
			  __kspan_gfp(__VA_ARGS__))
/**
 * kspan_heap_objs() - allocate an array of objects of a type from a heap
 * @heap:	where the array comes from; NULL for the default heap
 * @var_or_type: as for kspan_obj()
 * @count:	number of elements
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_objs().
 */
#define kspan_heap_objs(heap, var_or_type, count, ...)				\
	__kspan_heap_objs(kspan_heap_malloc, heap, typeof(var_or_type), count,	\
			  __kspan_gfp(__VA_ARGS__))
/**
 * kspan_heap_flex() - allocate a structure with a flexible array from a heap
 * @heap:	where the structure comes from; NULL for the default heap
 * @var_or_type: as for kspan_obj()
 * @fam:	as for kspan_flex()
 * @count:	as for kspan_flex()
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_flex().
 */
#define kspan_heap_flex(heap, var_or_type, fam, count, ...)			\
	__kspan_heap_flex(kspan_heap_malloc, heap, typeof(var_or_type), fam, count, \
			  __kspan_gfp(__VA_ARGS__))
/**
 * kspan_heap_zobj() - allocate a zeroed object of a type from a heap
 * @heap:	where the object comes from; NULL for the default heap
 * @var_or_type: as for kspan_obj()
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_obj().
 */
#define kspan_heap_zobj(heap, var_or_type, ...)					\
	__kspan_heap_objs(kspan_heap_zalloc, heap, typeof(var_or_type), 1,	\
			  __kspan_gfp(__VA_ARGS__))
/**
 * kspan_heap_zobjs() - allocate a zeroed array of objects of a type from a heap
 * @heap:	where the array comes from; NULL for the default heap
 * @var_or_type: as for kspan_obj()
 * @count:	number of elements
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_objs().
 */
#define kspan_heap_zobjs(heap, var_or_type, count, ...)				\
	__kspan_heap_objs(kspan_heap_zalloc, heap, typeof(var_or_type), count,	\
			  __kspan_gfp(__VA_ARGS__))
/**
 * kspan_heap_zflex() - allocate a zeroed structure with a flexible array from a heap
 * @heap:	where the structure comes from; NULL for the default heap
 * @var_or_type: as for kspan_obj()
 * @fam:	as for kspan_flex()
 * @count:	as for kspan_flex()
 * @...:	as for kspan_obj()
 *
 * Context: as kspan_malloc().
 * Return: as kspan_flex().
 */
#define kspan_heap_zflex(heap, var_or_type, fam, count, ...)			\
	__kspan_heap_flex(kspan_heap_zalloc, heap, typeof(var_or_type), fam, count, \
			  __kspan_gfp(__VA_ARGS__))

#endif /* _LINUX_KSPAN_OBJ_H */
