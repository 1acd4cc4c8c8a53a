/* SPDX-License-Identifier: MIT */
/* gen: what is generated from the kernel's tables, one writer a form. The CTF metadata is written by ctf/tsdl.c. */
#ifndef TOOLS_GEN_GEN_H
#define TOOLS_GEN_GEN_H

#include <stdio.h>

/* The numbers of the trace as Python tables, for plots, GDB scripts and tests. */
void python_tables_write(FILE *out);
/* As tables of Markdown, for docs/TRACE-FORMAT.md. */
void markdown_tables_write(FILE *out);
/* As a man page, pagetrail-trace(5). */
void man5_write(FILE *out);

#endif
