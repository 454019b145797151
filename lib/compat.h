/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Constants that the headers of Debian 12 do not have, or that not every libc
 * has. Whether the running kernel knows them is found out at run time.
 */
#ifndef SAFERRING_COMPAT_H
#define SAFERRING_COMPAT_H

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

/* Of io_uring, by number: an enumerator cannot be asked for by #ifdef. */
#define SR_SETUP_SUBMIT_ALL   (1U << 7) /* Linux 5.18 */
#define SR_SETUP_COOP_TASKRUN (1U << 8) /* Linux 5.19 */
#define SR_SETUP_TASKRUN_FLAG (1U << 9) /* Linux 5.19 */
#define SR_SQ_TASKRUN	      (1U << 2) /* Linux 5.19 */
#define SR_CANCEL_ALL	      (1U << 0) /* Linux 5.19 */
#define SR_CANCEL_ANY	      (1U << 2) /* Linux 5.19 */

#endif /* SAFERRING_COMPAT_H */
