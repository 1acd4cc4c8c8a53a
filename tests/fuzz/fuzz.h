/* SPDX-License-Identifier: MIT */
/*
 * fuzz: what the targets share. A target is LLVMFuzzerTestOneInput in a file of its own, linked with libFuzzer and with
 * what mutates its inputs, or with replay.c, which needs no clang. See tests/fuzz/README.md.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
/* libFuzzer's own mutations. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A file that holds these bytes, under a name that can be opened; the same file for each input. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* Where the tools print: nowhere. */
FILE *fuzz_out(void);

#endif
