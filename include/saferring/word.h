/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Word: a figure that one thread changes and any thread, or process, reads.
 *
 * The owner adds with plain instructions, without a lock prefix. An aligned
 * word is read whole or not at all, so a reader sees one of the values that
 * the word has had, and never a mixture of two.
 */
#ifndef SAFERRING_WORD_H
#define SAFERRING_WORD_H

#include <saferring/api.h>

SAFERRING_BEGIN_DECLS

/*
 * Add to a word of the calling thread. The empty asm has the compiler store
 * the sum at once, where it would otherwise keep it in a register for the
 * length of a loop; the thread sanitizer has to be told what is meant.
 */
static inline void saferring_word_add(uint64_t *word, uint64_t more)
{
#if defined(__SANITIZE_THREAD__)
	__atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + more,
			 __ATOMIC_RELAXED);
#else
	*word += more;
	__asm__("" : "+m"(*word));
#endif
}

/* Set a word of the calling thread. */
static inline void saferring_word_set(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Read a word of whatever thread. */
static inline uint64_t saferring_word_get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

SAFERRING_END_DECLS

#endif /* SAFERRING_WORD_H */
