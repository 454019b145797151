/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every check of the kernel's version. The rest of the module tests what is
 * named here.
 */
#ifndef SAFER_RING_COMPAT_H
#define SAFER_RING_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

#define SRING_KERNEL(a, b) (LINUX_VERSION_CODE >= KERNEL_VERSION(a, b, 0))

/*
 * Folios of our own can be a fixed buffer once io_uring leaves the choice of
 * mappings to GUP, and they can be revoked once anon inodes come one per file.
 * Before, only shmem is taken.
 */
#define SRING_HAVE_FOLIO_BACKEND SRING_KERNEL(6, 12)

/*
 * sring_vm_flags_mod - set, then clear, flags of a VMA that is being mapped
 *
 * vm_flags became const in 6.3, so that writers have to name themselves.
 */
static inline void sring_vm_flags_mod(struct vm_area_struct *vma,
				      unsigned long set, unsigned long clear)
{
#if SRING_KERNEL(6, 3)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#endif /* SAFER_RING_COMPAT_H */
