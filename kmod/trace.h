/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: the life of a region.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM safer_ring

#if !defined(SAFER_RING_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SAFER_RING_TRACE_H

#include <linux/tracepoint.h>

#include "safer_ring.h"

DECLARE_EVENT_CLASS(safer_ring_region,
	TP_PROTO(const struct sring_region *region),
	TP_ARGS(region),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(u64, length)
		__field(u64, charged)
		__field(u32, slot)
		__field(u32, order)
		__field(int, node)
	),
	TP_fast_assign(
		__entry->generation = region->generation;
		__entry->length = region->length;
		__entry->charged = region->charged;
		__entry->slot = region->slot;
		__entry->order = region->order;
		__entry->node = region->node;
	),
	TP_printk("generation=%#llx slot=%u length=%llu node=%d order=%u held=%llu",
		  __entry->generation, __entry->slot, __entry->length,
		  __entry->node, __entry->order, __entry->charged)
);

DEFINE_EVENT(safer_ring_region, safer_ring_alloc,
	TP_PROTO(const struct sring_region *region),
	TP_ARGS(region)
);

DEFINE_EVENT(safer_ring_region, safer_ring_free,
	TP_PROTO(const struct sring_region *region),
	TP_ARGS(region)
);

DEFINE_EVENT(safer_ring_region, safer_ring_quarantine,
	TP_PROTO(const struct sring_region *region),
	TP_ARGS(region)
);

DEFINE_EVENT(safer_ring_region, safer_ring_reap,
	TP_PROTO(const struct sring_region *region),
	TP_ARGS(region)
);

#endif /* SAFER_RING_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
