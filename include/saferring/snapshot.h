/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Snapshot: all metrics at one moment, the library's and the program's own.
 *
 * It is a copy that no longer changes. A program takes two and asks for the
 * difference, or has them written as JSON or as OpenMetrics text.
 */
#ifndef SAFERRING_SNAPSHOT_H
#define SAFERRING_SNAPSHOT_H

#include <saferring/api.h>
#include <saferring/histogram.h>
#include <saferring/metric.h>

SAFERRING_BEGIN_DECLS

struct saferring_snapshot;

/**
 * saferring_snapshot_take() - all metrics of this process
 * @snapshot: out: to be freed by saferring_snapshot_free()
 *
 * Every figure is whole, none is lost and none counted twice, whatever other
 * threads do meanwhile: count, end, begin, create and destroy rings. What they
 * count during the call may be in it or not.
 *
 * Any thread may call it. It allocates memory and takes a lock.
 *
 * Return: 0, or -ENOMEM.
 */
SAFERRING_API int saferring_snapshot_take(struct saferring_snapshot **snapshot)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_snapshot_reset() - all metrics of this process, to start from zero
 * @snapshot: out: what there was since the last reset; or NULL
 *
 * Counters and distributions of later snapshots begin where this one ends, so
 * that every event is in exactly one of them. Gauges go on. Nothing that threads
 * count in is touched, and other processes see no reset.
 *
 * Return: 0, or -ENOMEM, and then nothing was reset.
 */
SAFERRING_API int saferring_snapshot_reset(struct saferring_snapshot **snapshot)
	SAFERRING_MUST_CHECK;

/**
 * saferring_snapshot_delta() - what happened between two snapshots
 * @later: the later one
 * @earlier: the earlier one, of the same process
 * @delta: out: to be freed by saferring_snapshot_free()
 *
 * Counters and distributions are differences, gauges those of @later. A figure
 * that has become smaller began anew meanwhile, and is that of @later.
 *
 * Return: 0, or -ENOMEM.
 */
SAFERRING_API int
saferring_snapshot_delta(const struct saferring_snapshot *later,
			 const struct saferring_snapshot *earlier,
			 struct saferring_snapshot **delta)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_snapshot_merge() - the sum of two snapshots
 * @one: a snapshot
 * @other: one of another process, or of another time
 * @sum: out: to be freed by saferring_snapshot_free()
 *
 * Return: 0, -ENOMEM, or -EEXIST: a name stands for metrics of different type
 * or unit in the two.
 */
SAFERRING_API int
saferring_snapshot_merge(const struct saferring_snapshot *one,
			 const struct saferring_snapshot *other,
			 struct saferring_snapshot **sum)
	SAFERRING_NONNULL(1, 2, 3) SAFERRING_MUST_CHECK;

/**
 * saferring_snapshot_free() - free a snapshot
 * @snapshot: the snapshot, or NULL
 */
SAFERRING_API void saferring_snapshot_free(struct saferring_snapshot *snapshot);

/**
 * struct saferring_sample - one figure of a snapshot
 * @name: name of the metric
 * @help: one line for people, or ""
 * @unit: unit, or ""
 * @labels: such as ring="main",operation="read", or ""
 * @type: enum saferring_metric_type
 * @exponent: @value and those in @histogram count the unit times 10 to this
 *	power
 * @value: the value; of a gauge as int64_t; of a histogram the number of values
 * @histogram: the values of a histogram, or NULL
 *
 * All text is valid as long as the snapshot.
 */
struct saferring_sample {
	const char *name;
	const char *help;
	const char *unit;
	const char *labels;
	int type;
	int exponent;
	uint64_t value;
	const struct saferring_histogram *histogram;
};

/**
 * saferring_snapshot_count() - how many figures there are
 * @snapshot: the snapshot
 *
 * Return: their number.
 */
SAFERRING_API size_t
saferring_snapshot_count(const struct saferring_snapshot *snapshot)
	SAFERRING_NONNULL(1);

/**
 * saferring_snapshot_sample() - one of the figures
 * @snapshot: the snapshot
 * @index: 0 to saferring_snapshot_count() less one; they are sorted by name and
 *	labels
 *
 * Return: the figure, valid as long as the snapshot, or NULL.
 */
SAFERRING_API const struct saferring_sample *
saferring_snapshot_sample(const struct saferring_snapshot *snapshot,
			  size_t index) SAFERRING_NONNULL(1);

/**
 * saferring_snapshot_find() - a figure by its name
 * @snapshot: the snapshot
 * @name: name of the metric
 * @labels: its labels as saferring_sample.labels has them, or NULL for the first
 *	of that name
 *
 * Return: the figure, valid as long as the snapshot, or NULL.
 */
SAFERRING_API const struct saferring_sample *
saferring_snapshot_find(const struct saferring_snapshot *snapshot,
			const char *name, const char *labels)
	SAFERRING_NONNULL(1, 2);

/**
 * saferring_snapshot_sum() - a figure over all labels
 * @snapshot: the snapshot
 * @name: name of the metric
 * @label: only where this is among the labels, such as operation="read"; or
 *	NULL
 *
 * Return: the sum of the values, 0 if there is none.
 */
SAFERRING_API uint64_t
saferring_snapshot_sum(const struct saferring_snapshot *snapshot,
		       const char *name, const char *label)
	SAFERRING_NONNULL(1, 2);

/**
 * struct saferring_snapshot_info - whose snapshot it is
 * @size: in: sizeof(struct saferring_snapshot_info)
 * @pid: number of the process, 0 for a sum of several
 * @incomplete: 1 if the process died while figures moved, so that some may be
 *	missing or counted twice
 * @taken_ns: CLOCK_REALTIME of the moment, in nanoseconds
 * @since_ns: CLOCK_REALTIME of the moment from which figures count
 * @program: name of the process, valid as long as the snapshot
 */
struct saferring_snapshot_info {
	size_t size;
	int pid;
	int incomplete;
	uint64_t taken_ns;
	uint64_t since_ns;
	const char *program;
};

/**
 * saferring_snapshot_info() - whose snapshot it is
 * @snapshot: the snapshot
 * @info: in: its size member; out: the rest
 *
 * Return: 0, or -EINVAL for an unknown size.
 */
SAFERRING_API int
saferring_snapshot_info(const struct saferring_snapshot *snapshot,
			struct saferring_snapshot_info *info)
	SAFERRING_NONNULL(1, 2) SAFERRING_MUST_CHECK;

/**
 * saferring_snapshot_json() - a snapshot as JSON
 * @snapshot: the snapshot
 * @text: where the text goes, always terminated
 * @length: bytes at @text
 *
 * An object with "program", "pid", "taken_ns", "since_ns", "incomplete" and
 * "metrics": an array of objects with "name", "type", "unit", "exponent",
 * "help", "labels" and "value"; a histogram has "count", "sum", "min", "max",
 * "mean", "p50", "p90", "p99", "p999" and "buckets", an array of [low, high,
 * count] of those that are not empty. Values count the unit times 10 to the
 * power of the exponent.
 *
 * Return: bytes that the whole text takes without its end mark, as snprintf().
 */
SAFERRING_API size_t
saferring_snapshot_json(const struct saferring_snapshot *snapshot, char *text,
			size_t length) SAFERRING_NONNULL(1);

/**
 * saferring_snapshot_openmetrics() - a snapshot as OpenMetrics text
 * @snapshot: the snapshot
 * @text: where the text goes, always terminated
 * @length: bytes at @text
 *
 * Version 1.0.0, in units without prefix, with a bucket of histograms for each
 * power of two up to the largest value.
 *
 * Return: bytes that the whole text takes without its end mark, as snprintf().
 */
SAFERRING_API size_t
saferring_snapshot_openmetrics(const struct saferring_snapshot *snapshot,
			       char *text, size_t length) SAFERRING_NONNULL(1);

SAFERRING_END_DECLS

#endif /* SAFERRING_SNAPSHOT_H */
