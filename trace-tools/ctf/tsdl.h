/* tsdl: the CTF 1.8 metadata of our traces, written from the kernel's tables. */
#ifndef TOOLS_CTF_TSDL_H
#define TOOLS_CTF_TSDL_H

#include <stdint.h>
#include <stdio.h>

/* Writes the whole `metadata` file. boot_id (0: unknown) and build_id (hex, "": unknown) go into its env block. */
void tsdl_write(FILE *out, uint32_t boot_id, const char *build_id);

#endif
