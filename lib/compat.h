/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Constants that the headers of Debian 12 do not have, or that not every libc
 * has. Whether the running kernel knows them is found out at run time.
 */
#ifndef SAFERRING_COMPAT_H
#define SAFERRING_COMPAT_H

#include <liburing.h>
#include <stdint.h>
#include <string.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

#ifndef CAP_IPC_LOCK
#define CAP_IPC_LOCK 14
#endif

/* There if the program is built with the address sanitizer. */
__attribute__((weak)) void __asan_poison_memory_region(const void *address,
						       size_t length);
__attribute__((weak)) void __asan_unpoison_memory_region(const void *address,
							 size_t length);
__attribute__((weak)) void
__asan_set_error_report_callback(void (*callback)(const char *text));
__attribute__((weak)) void *__asan_get_report_address(void);
__attribute__((weak)) int __asan_get_report_access_type(void);

#ifndef IORING_CQE_BUFFER_SHIFT
#define IORING_CQE_BUFFER_SHIFT 16
#endif

/* Under names of our own, because newer headers have them in enumerations. */
#define SR_CQE_F_BUF_MORE (1U << 4) /* Linux 6.12 */
#define SR_PBUF_RING_INC  2

#define SR_SETUP_NO_MMAP (1U << 14) /* Linux 6.5 */

/*
 * Where a ring's queues are to lie. Newer headers call the last member of each
 * user_addr, older ones resv2.
 */
static inline void sr_params_set_memory(struct io_uring_params *params,
					const void *sqes, const void *queues)
{
	const uint64_t sqes_at = (uintptr_t)sqes, queues_at = (uintptr_t)queues;

	memcpy((char *)&params->sq_off + sizeof(params->sq_off) -
		       sizeof(sqes_at),
	       &sqes_at, sizeof(sqes_at));
	memcpy((char *)&params->cq_off + sizeof(params->cq_off) -
		       sizeof(queues_at),
	       &queues_at, sizeof(queues_at));
}

/* Opcodes of io_uring, which are an enumeration and so cannot be asked for. */
#define SR_OP_LISTEN	   57 /* Linux 6.11 */
#define SR_OP_READV_FIXED  60 /* Linux 6.15 */
#define SR_OP_WRITEV_FIXED 61

#endif /* SAFERRING_COMPAT_H */
