/* SPDX-License-Identifier: MIT */
/* Between the files of boot. */
#ifndef BOOT_PRIV_H
#define BOOT_PRIV_H

#include <kernel/boot.h>
#include <kernel/page.h>

/*
 * bootmem.c: memory before there is an allocator. Pages are taken from the bottom of what the image and the
 * ramdisk leave, never given back, zeroed; each knows the kind it will have in the accounting.
 */
void bootmem_init(void);
void *bootmem_alloc(size_t size_bytes, enum page_kind kind); /* page aligned; panics when there is none */
/* Hands everything over: what was taken is claimed by kind, the rest is free. page_init came before. */
void bootmem_finish(void);

#endif
