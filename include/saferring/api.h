/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How the library's symbols are declared: linkage, visibility and the
 * attributes by which the compiler finds mistakes in the calling program.
 */
#ifndef SAFERRING_API_H
#define SAFERRING_API_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SAFERRING_BEGIN_DECLS extern "C" {
#define SAFERRING_END_DECLS   }
#else
#define SAFERRING_BEGIN_DECLS
#define SAFERRING_END_DECLS
#endif

#define SAFERRING_API __attribute__((visibility("default")))

/* The caller must look at the result: an error changes who owns what. */
#define SAFERRING_MUST_CHECK __attribute__((warn_unused_result))

/*
 * A promise of the caller's, which the compiler checks where it can. The
 * library itself is built without it, so that its own tests of a null pointer
 * stay and a null pointer that the compiler did not see gets -EINVAL.
 */
#ifdef SAFERRING_BUILD
#define SAFERRING_NONNULL(...)
#else
#define SAFERRING_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#endif

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 10
/* @count elements are written through argument @pointer. */
#define SAFERRING_WRITES(pointer, count)                                       \
	__attribute__((access(write_only, pointer, count)))
#else
#define SAFERRING_WRITES(pointer, count)
#endif

#define SAFERRING_COLD __attribute__((cold))

/*
 * Functions in headers are inline in programs; lib/ffi.c turns each of them
 * into an exported function of the same name, for languages other than C.
 */
#ifndef SAFERRING_INLINE
#define SAFERRING_INLINE static inline
#endif

#define SAFERRING_LIKELY(x)   __builtin_expect(!!(x), 1)
#define SAFERRING_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A time without end, for functions that wait. */
#define SAFERRING_FOREVER UINT64_MAX

/**
 * SAFERRING_OPTIONS_INIT() - prepare an options structure
 * @options: pointer to the structure
 *
 * Every options structure begins with its own size, so that a program built
 * against this header works with a later library whose structure is longer.
 * Zero in every other member stands for the default.
 */
#define SAFERRING_OPTIONS_INIT(options)                                        \
	do {                                                                   \
		__builtin_memset((options), 0, sizeof(*(options)));            \
		(options)->size = sizeof(*(options));                          \
	} while (0)

SAFERRING_BEGIN_DECLS

#define SAFERRING_VERSION_MAJOR 1
#define SAFERRING_VERSION_MINOR 0

/**
 * saferring_version() - the version of the library that is loaded
 *
 * Return: major << 16 | minor. Any thread may call it.
 */
SAFERRING_API unsigned int saferring_version(void);

SAFERRING_END_DECLS

#endif /* SAFERRING_API_H */
