/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_BASE_ATTRIBUTES_H
#define PG_BASE_ATTRIBUTES_H

/* The result must be looked at: an ignored failure is how a check disappears. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

/* CLEANUP(fn) calls fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* TAKE_PTR(p) hands p's value on and leaves NULL behind: the cleanup of p then frees nothing. */
#define TAKE_PTR(p) __extension__({ __typeof__(p) take_ptr_ = (p); (p) = NULL; take_ptr_; })

/* TAKE_FD(fd) likewise for a descriptor, leaving -1. */
#define TAKE_FD(fd) __extension__({ int take_fd_ = (fd); (fd) = -1; take_fd_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
