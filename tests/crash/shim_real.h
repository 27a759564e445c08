/* SPDX-License-Identifier: Apache-2.0 */
/* shim_real.h - for the files that stand in for libc's functions; include it first. */
#pragma once
/* With these the headers turn our definitions into other names. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <sys/types.h>

_Static_assert(sizeof(off_t) == 8, "open and open64 are the same function");

#define EXPORT __attribute__((visibility("default")))
/* The next definition of this symbol; its type is that of ours. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
/* The name that large-file callers use. */
#define SAME(name64, name) EXPORT extern __typeof__(name) name64 __attribute__((alias(#name)))
