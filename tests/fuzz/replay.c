/* SPDX-License-Identifier: MIT */
/* replay: gives files to a target, one after another, without libFuzzer: what once was found stays mended. */
#include <stdlib.h>

#include "fuzz.h"

int main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		size_t size = file ? fread(data, 1, sizeof(data), file) : 0;
		if (!file || ferror(file) || fclose(file)) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		printf("%s\n", argv[i]);
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
