/* SPDX-License-Identifier: MIT */
/*
 * Integer types and the address vocabulary of the whole kernel.
 *
 * Three kinds of address never mix and are never abbreviated to "addr":
 *   paddr_t  pa   a physical byte address
 *   pfn_t    pfn  pa >> PAGE_SHIFT
 *   uaddr_t  ua   a virtual byte address in the user's half
 * Kernel virtual addresses are C pointers.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uapi/layout.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#ifdef PAGETRAIL_HOST
#include <sys/types.h>
#else
typedef long ssize_t;
#endif

typedef u64 paddr_t;
typedef u32 pfn_t;
typedef u64 uaddr_t;

#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN_UP(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define PAGE_ALIGN_DOWN(x) ((x)&PAGE_MASK)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* A pointer that the compiler keeps, instead of working it out again at each use. */
#define KEEP(ptr) __asm__("" : "+r"(ptr))
#define STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)

#define NR_HARTS_MAX 8

#endif
