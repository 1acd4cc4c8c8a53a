/* guest: the RAM of a machine as a shared file: found, mapped, and looked into by physical address. */
#ifndef TOOLS_TARGET_GUEST_H
#define TOOLS_TARGET_GUEST_H

#include <stdbool.h>

#include "ctf/format.h"

/* Offsets in RAM. */
struct guest_part {
	uint64_t at, bytes;
};

struct guest {
	char *path;
	int fd;
	uint8_t *ram; /* writable: the consumer's fields of trace_desc are ours */
	uint64_t bytes;
	struct guest_part *parts; /* what an ELF core has of RAM, ascending, apart; NULL: all of it */
	size_t nr_parts;
	struct trace_desc *desc; /* NULL until guest_find_desc */
};

/* Makes a new RAM file (removing an old one) of `bytes`, locked as long as we live; false with errno. */
bool guest_create(struct guest *guest, const char *path, uint64_t bytes);
/* Maps an existing one; false with errno. */
bool guest_attach(struct guest *guest, const char *path);
/* Removes RAM files in `folder` named prefix* that nobody has locked: of runs that were killed, a while ago. */
void guest_sweep(const char *folder, const char *prefix);
void guest_close(struct guest *guest);

/* Memory at a physical address, NULL unless all of it is RAM. */
void *guest_memory(const struct guest *guest, uint64_t pa, uint64_t bytes);

/*
 * Finds trace_desc: at desc_pa, or with 0 by its magic at a page boundary. False while it is not there. A guest that
 * says what cannot be (rings outside RAM) gives a message in *fault.
 */
bool guest_find_desc(struct guest *guest, uint64_t desc_pa, const char **fault);

#endif
