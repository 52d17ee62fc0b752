/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: /sys/kernel/tracing/events/kspan/ */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kspan

#if !defined(KSPAN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KSPAN_TRACE_H

#include <linux/tracepoint.h>

#include "reclaim/reclaim.h"
#include "reclaim/relief.h"

#define KSPAN_SHOW_LIMIT(limit)		\
	__print_symbolic(limit, { KSPAN_SOFT_LIMIT, "soft" }, { KSPAN_HARD_LIMIT, "hard" })

#define KSPAN_SHOW_RECLAIMER(by)	\
	__print_symbolic(by, { KSPAN_BY_TRIM, "trim" }, { KSPAN_BY_SHRINKER, "shrinker" },	\
			     { KSPAN_BY_SCAVENGER, "scavenger" }, { KSPAN_BY_LIMIT, "limit" })

/* A request needs a new arena, and the arenas would have more bytes than a limit with it. */
TRACE_EVENT(kspan_limit,
	TP_PROTO(int limit, unsigned long bytes, unsigned long held, unsigned long wanted),
	TP_ARGS(limit, bytes, held, wanted),
	TP_STRUCT__entry(
		__field(int, limit)
		__field(unsigned long, bytes)
		__field(unsigned long, held)
		__field(unsigned long, wanted)
	),
	TP_fast_assign(
		__entry->limit = limit;
		__entry->bytes = bytes;
		__entry->held = held;
		__entry->wanted = wanted;
	),
	TP_printk("limit=%s bytes=%lu held=%lu wanted=%lu", KSPAN_SHOW_LIMIT(__entry->limit),
		  __entry->bytes, __entry->held, __entry->wanted)
);

/* Pages of a node went back to the page allocator. */
TRACE_EVENT(kspan_reclaim,
	TP_PROTO(int by, int nid, unsigned long bytes, unsigned long held),
	TP_ARGS(by, nid, bytes, held),
	TP_STRUCT__entry(
		__field(int, by)
		__field(int, nid)
		__field(unsigned long, bytes)
		__field(unsigned long, held)
	),
	TP_fast_assign(
		__entry->by = by;
		__entry->nid = nid;
		__entry->bytes = bytes;
		__entry->held = held;
	),
	TP_printk("by=%s node=%d bytes=%lu held=%lu", KSPAN_SHOW_RECLAIMER(__entry->by),
		  __entry->nid, __entry->bytes, __entry->held)
);

#endif /* KSPAN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH reclaim
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
