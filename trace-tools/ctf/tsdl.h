/* SPDX-License-Identifier: MIT */
/* tsdl: the CTF 1.8 metadata of our traces, written from the kernel's tables. */
#ifndef TOOLS_CTF_TSDL_H
#define TOOLS_CTF_TSDL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "format.h"

#define BUILD_ID_TEXT (2 * TRACE_BUILD_ID_BYTES + 1)

/* What differs from trace to trace: the env block. */
struct trace_env {
	uint32_t boot_id;             /* 0: unknown */
	char build_id[BUILD_ID_TEXT]; /* of the kernel, hex; "": not known */
	bool watched;        /* recorded from outside (`pagetrail watch`): no kinds, no holders, no samples */
	uint64_t stack_base; /* frames of the stacks are return addresses minus this */
};

/* Writes the whole `metadata` file. */
void tsdl_write(FILE *out, const struct trace_env *env);
/* The env block of such a text; false when there is none that can be read. */
bool tsdl_read_env(const char *text, struct trace_env *env);

#endif
