/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * NUMA: which nodes there are, and which one something is on. On a kernel
 * without NUMA everything is on node 0.
 */
#ifndef SAFERRING_NUMA_H
#define SAFERRING_NUMA_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

/**
 * saferring_node_count() - number of NUMA nodes with memory
 *
 * Return: 1 or more. Any thread may call it.
 */
SAFERRING_API int saferring_node_count(void);

/**
 * saferring_node_max() - the largest number of a NUMA node with memory
 *
 * Return: 0 or more. Any thread may call it.
 */
SAFERRING_API int saferring_node_max(void);

/**
 * saferring_node_usable() - whether a node has memory that may be asked for
 * @node: number of a node
 *
 * Return: 1, or 0. Any thread may call it.
 */
SAFERRING_API int saferring_node_usable(int node);

/**
 * saferring_node_current() - the node where the calling thread runs
 *
 * Return: a node; already history when the scheduler moves the thread.
 */
SAFERRING_API int saferring_node_current(void);

/**
 * saferring_node_of_file() - the node of the device that a file lies on
 * @fd: an open file on a block device, or a block or character device itself
 *
 * Follows sysfs from the device to the first parent that knows its node. A
 * stacked device (dm, md) has none of its own.
 *
 * Return: a node, or
 * -ENODEV: no device is behind the file (tmpfs, pipe, network file system);
 * -ENODATA: the device has no node, as on machines with one only;
 * -EBADF: @fd is no open file.
 */
SAFERRING_API int saferring_node_of_file(int fd) SAFERRING_MUST_CHECK;

/**
 * saferring_node_of_netdev() - the node of a network interface's device
 * @name: its name, such as "eth0"
 *
 * Return: a node, or
 * -ENODEV: there is no such interface, or no device behind it, as with lo;
 * -ENODATA: the device has no node, as on machines with one only;
 * -EINVAL: @name is no name of an interface.
 */
SAFERRING_API int saferring_node_of_netdev(const char *name)
	SAFERRING_NONNULL(1) SAFERRING_MUST_CHECK;

/**
 * saferring_node_of_address() - the node of the page at an address
 * @address: an address in the calling process
 *
 * Return: a node, or
 * -ENOENT: no page is there now;
 * -EFAULT: nothing is mapped there;
 * -EOPNOTSUPP: the kernel does not tell.
 */
SAFERRING_API int saferring_node_of_address(const void *address)
	SAFERRING_MUST_CHECK;

SAFERRING_END_DECLS

#endif /* SAFERRING_NUMA_H */
