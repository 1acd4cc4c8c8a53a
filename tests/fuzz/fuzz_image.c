/* SPDX-License-Identifier: MIT */
/*
 * fuzz_image: the memory of a dead machine, a RAM file or an ELF core, through what `recover` does with it: the file's
 * own headers, trace_desc, the panic's remains, the rings and the depot, which are drained into files.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "run/drain.h"
#include "target/image.h"

/* Where drained files go; removed at the end of the process. */
static char folder[] = "/dev/shm/pagetrail-fuzz-XXXXXX";

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
}

static void recover(struct guest *guest)
{
	struct symbols *symbols;
	struct panic_state panic;
	struct drain drain;
	const char *fault;
	char *problem;

	symbols = symbols_open(NULL, &problem);
	if (panic_read(guest, symbols, &panic, &fault))
		panic_free(&panic);
	symbols_close(symbols);
	free(problem);
	if (!drain_open(&drain, guest, folder, DRAIN_ALL))
		abort();
	drain_finish(&drain);
	if (drain.error)
		abort();
	drain_close(&drain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	struct guest guest;
	const char *fault;
	char *error;

	if (!made) {
		if (!mkdtemp(folder))
			abort();
		atexit(remove_folder);
		made = true;
	}
	if (image_open(&guest, fuzz_file(data, size), &error) && guest_find_desc(&guest, 0, &fault))
		recover(&guest);
	free(error);
	guest_close(&guest);
	return 0;
}
