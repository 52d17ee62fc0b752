/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the slow paths: /sys/kernel/tracing/events/kspan/
 *
 * Those of limits and reclaim are in reclaim/trace.h. None is on the path of an object that a
 * magazine serves or takes. None tells an address: @start is the number of a page in kspan's map,
 * as in debugfs/kspan/arenas.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kspan

#if !defined(KSPAN_BASE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KSPAN_BASE_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

/* Bytes of a name in an event, with the zero at its end. */
#define KSPAN_TRACE_NAME	32

/* Objects moved between a CPU's magazines and the central, by one visit. */
DECLARE_EVENT_CLASS(kspan_magazine,
	TP_PROTO(const char *heap, unsigned int size, int nid, unsigned int objects),
	TP_ARGS(heap, size, nid, objects),
	TP_STRUCT__entry(
		__array(char, heap, KSPAN_TRACE_NAME)
		__field(unsigned int, size)
		__field(int, nid)
		__field(unsigned int, objects)
	),
	TP_fast_assign(
		strscpy(__entry->heap, heap, KSPAN_TRACE_NAME);
		__entry->size = size;
		__entry->nid = nid;
		__entry->objects = objects;
	),
	TP_printk("heap=%s size=%u node=%d objects=%u", __entry->heap, __entry->size,
		  __entry->nid, __entry->objects)
);

/* A CPU has got a magazine with so many objects. */
DEFINE_EVENT(kspan_magazine, kspan_refill,
	TP_PROTO(const char *heap, unsigned int size, int nid, unsigned int objects),
	TP_ARGS(heap, size, nid, objects));

/* A CPU is about to pass on a magazine with so many objects. */
DEFINE_EVENT(kspan_magazine, kspan_spill,
	TP_PROTO(const char *heap, unsigned int size, int nid, unsigned int objects),
	TP_ARGS(heap, size, nid, objects));

/* Pages of a span. @class is that of the map: 0 for a large span, the highest for private heaps. */
DECLARE_EVENT_CLASS(kspan_run,
	TP_PROTO(int nid, unsigned long start, unsigned long bytes, unsigned int class),
	TP_ARGS(nid, start, bytes, class),
	TP_STRUCT__entry(
		__field(int, nid)
		__field(unsigned long, start)
		__field(unsigned long, bytes)
		__field(unsigned int, class)
	),
	TP_fast_assign(
		__entry->nid = nid;
		__entry->start = start;
		__entry->bytes = bytes;
		__entry->class = class;
	),
	TP_printk("node=%d start=%#lx bytes=%lu class=%u", __entry->nid, __entry->start,
		  __entry->bytes, __entry->class)
);

/* Free pages became a span. */
DEFINE_EVENT(kspan_run, kspan_span_new,
	TP_PROTO(int nid, unsigned long start, unsigned long bytes, unsigned int class),
	TP_ARGS(nid, start, bytes, class));

/* A span became free pages, or went back to the page allocator. */
DEFINE_EVENT(kspan_run, kspan_span_free,
	TP_PROTO(int nid, unsigned long start, unsigned long bytes, unsigned int class),
	TP_ARGS(nid, start, bytes, class));

/* A block of the page allocator, and the bytes of it that are there. */
DECLARE_EVENT_CLASS(kspan_block,
	TP_PROTO(int nid, unsigned long start, unsigned int order, unsigned long bytes),
	TP_ARGS(nid, start, order, bytes),
	TP_STRUCT__entry(
		__field(int, nid)
		__field(unsigned long, start)
		__field(unsigned int, order)
		__field(unsigned long, bytes)
	),
	TP_fast_assign(
		__entry->nid = nid;
		__entry->start = start;
		__entry->order = order;
		__entry->bytes = bytes;
	),
	TP_printk("node=%d start=%#lx order=%u bytes=%lu", __entry->nid, __entry->start,
		  __entry->order, __entry->bytes)
);

/* A node has got an arena. */
DEFINE_EVENT(kspan_block, kspan_arena_new,
	TP_PROTO(int nid, unsigned long start, unsigned int order, unsigned long bytes),
	TP_ARGS(nid, start, order, bytes));

/* A node gives back an arena. Holes went before. */
DEFINE_EVENT(kspan_block, kspan_arena_free,
	TP_PROTO(int nid, unsigned long start, unsigned int order, unsigned long bytes),
	TP_ARGS(nid, start, order, bytes));

/* A wrong free was found; each is traced, whether the log has it or not. */
TRACE_EVENT(kspan_bad_free,
	TP_PROTO(const char *kind, const void *object, unsigned int size, const char *heap,
		 bool late),
	TP_ARGS(kind, object, size, heap, late),
	TP_STRUCT__entry(
		__array(char, kind, KSPAN_TRACE_NAME)
		__field(const void *, object)
		__field(unsigned int, size)
		__array(char, heap, KSPAN_TRACE_NAME)
		__field(bool, late)
	),
	TP_fast_assign(
		strscpy(__entry->kind, kind, KSPAN_TRACE_NAME);
		__entry->object = object;
		__entry->size = size;
		strscpy(__entry->heap, heap, KSPAN_TRACE_NAME);
		__entry->late = late;
	),
	TP_printk("kind=%s address=%p size=%u heap=%s late=%d", __entry->kind, __entry->object,
		  __entry->size, __entry->heap, __entry->late)
);

#endif /* KSPAN_BASE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH base
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
