/* SPDX-License-Identifier: MIT */
/*
 * fuzz_canary: a target that must fail: it cannot bear a trace of three harts without damage, and no seed is one. What
 * finds it comes past the packet headers and notices what is new.
 */
#include <stdlib.h>

#include "ctf/run.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	struct run *run = run_open(fuzz_file(data, size), &error);

	if (run && run->nr_streams >= 3 && !run->nr_damages)
		abort();
	if (run)
		run_close(run);
	free(error);
	return 0;
}
