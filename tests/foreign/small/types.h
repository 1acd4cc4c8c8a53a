/* SPDX-License-Identifier: MIT */
/*
 * The integer types of kernel and user programs.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define NULL ((void *)0)
#define NELEM(array) (sizeof(array) / sizeof((array)[0]))
