/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libsaferring-user: I/O buffers that cannot be misused unnoticed.
 *
 *	device	where memory comes from: module, huge pages, plain pages
 *	region	memory on one NUMA node, fit for fixed buffers
 *	pool	regions cut into buffers
 *	buffer	one of them, known by a handle that goes stale
 *	ring	operations on buffers through io_uring
 *	many	operations of one kind, queued by one call
 *	control	cancelling, messages between rings, SQEs of one's own
 *	file	operations on files and names
 *	files	a ring's table of registered files
 *	socket	operations on sockets
 *	wait	readiness and timeouts
 *	group	buffers of which the kernel takes one when data comes
 *	command	what drivers define, such as NVMe commands
 *	batch	operations that wait for each other
 *	adopt	rings that the program set up, foreign event loops
 *	metric	what happened, and how long it took
 *
 * saferring(7) has an overview and a complete program.
 */
#ifndef SAFERRING_H
#define SAFERRING_H

#include <saferring/api.h>
#include <saferring/error.h>
#include <saferring/device.h>
#include <saferring/region.h>
#include <saferring/pool.h>
#include <saferring/buffer.h>
#include <saferring/set.h>
#include <saferring/handover.h>
#include <saferring/ring.h>
#include <saferring/many.h>
#include <saferring/control.h>
#include <saferring/file.h>
#include <saferring/files.h>
#include <saferring/socket.h>
#include <saferring/wait.h>
#include <saferring/group.h>
#include <saferring/command.h>
#include <saferring/adopt.h>
#include <saferring/batch.h>
#include <saferring/probe.h>
#include <saferring/numa.h>
#include <saferring/histogram.h>
#include <saferring/timer.h>
#include <saferring/metric.h>
#include <saferring/tracker.h>
#include <saferring/snapshot.h>
#include <saferring/segment.h>

#endif /* SAFERRING_H */
