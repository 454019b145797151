/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: the life of a region, and of the slots that hold it.
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
		__field(u64, id)
		__field(u64, length)
		__field(u64, charged)
		__field(u32, order)
		__field(int, node)
	),
	TP_fast_assign(
		__entry->id = region->id;
		__entry->length = region->length;
		__entry->charged = region->charged;
		__entry->order = region->order;
		__entry->node = region->node;
	),
	TP_printk("region=%llu length=%llu node=%d order=%u held=%llu",
		  __entry->id, __entry->length, __entry->node, __entry->order,
		  __entry->charged)
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

DECLARE_EVENT_CLASS(safer_ring_slot,
	TP_PROTO(const struct sring_region *region, u32 slot, u64 generation),
	TP_ARGS(region, slot, generation),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, length)
		__field(u64, generation)
		__field(u32, slot)
		__field(u32, order)
		__field(int, node)
	),
	TP_fast_assign(
		__entry->id = region->id;
		__entry->length = region->length;
		__entry->generation = generation;
		__entry->slot = slot;
		__entry->order = region->order;
		__entry->node = region->node;
	),
	TP_printk("region=%llu slot=%u generation=%#llx length=%llu node=%d order=%u",
		  __entry->id, __entry->slot, __entry->generation,
		  __entry->length, __entry->node, __entry->order)
);

DEFINE_EVENT(safer_ring_slot, safer_ring_alloc,
	TP_PROTO(const struct sring_region *region, u32 slot, u64 generation),
	TP_ARGS(region, slot, generation)
);

DEFINE_EVENT(safer_ring_slot, safer_ring_renew,
	TP_PROTO(const struct sring_region *region, u32 slot, u64 generation),
	TP_ARGS(region, slot, generation)
);

DEFINE_EVENT(safer_ring_slot, safer_ring_share,
	TP_PROTO(const struct sring_region *region, u32 slot, u64 generation),
	TP_ARGS(region, slot, generation)
);

#endif /* SAFER_RING_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
