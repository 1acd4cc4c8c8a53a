/* tsdl: the CTF 1.8 metadata of our traces, written from the kernel's tables. */
#ifndef GEN_TSDL_H
#define GEN_TSDL_H

#include <stdint.h>
#include <stdio.h>

/* Writes the whole `metadata` file. boot_id goes into its env block (0: unknown). */
void tsdl_write(FILE *out, uint32_t boot_id);
/* The same numbers as Python tables, for plots and tests. */
void python_tables_write(FILE *out);
/* And as tables of Markdown, for docs/TRACE-FORMAT.md. */
void man5_write(FILE *out);
void markdown_tables_write(FILE *out);

#endif
