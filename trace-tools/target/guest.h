/* SPDX-License-Identifier: MIT */
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
	char *path; /* opens the same memory again, as long as we live */
	int fd;
	uint8_t *ram; /* writable: the consumer's fields of trace_desc are ours */
	uint64_t bytes;
	struct guest_part *parts; /* what an ELF core has of RAM, ascending, apart; NULL: all of it */
	size_t nr_parts;
	const struct trace_desc *desc; /* NULL until guest_find_desc; a copy, made and checked there */
	struct trace_desc copy;
	struct trace_desc *live; /* what the guest writes on; only the accessors below look at it */
};

/* Makes memory of `bytes` that is no file in any folder, so nothing of it stays when we are killed. False with errno. */
bool guest_create(struct guest *guest, uint64_t bytes);
/* Maps an existing one; false with errno. */
bool guest_attach(struct guest *guest, const char *path);
/* Writes it to a file that nobody else may read, zeros as holes. 0 or -1 with errno. */
int guest_save(const struct guest *guest, const char *path);
void guest_close(struct guest *guest);

/* Memory at a physical address, NULL unless all of it is RAM. */
void *guest_memory(const struct guest *guest, uint64_t pa, uint64_t bytes);

/*
 * Finds trace_desc: at desc_pa, or with 0 by its magic at a page boundary. False while it is not there. A guest that
 * says what cannot be (rings outside RAM) gives a message in *fault.
 */
bool guest_find_desc(struct guest *guest, uint64_t desc_pa, const char **fault);

/*
 * The members of trace_desc that change while the guest runs. Whoever can write on RAM can write anything here, so each is
 * only used within the bounds of the copy.
 */
uint32_t guest_mode(const struct guest *guest); /* the guest may change it */
uint64_t guest_opened(const struct guest *guest, uint32_t ring);
uint64_t guest_consumed(const struct guest *guest, uint32_t ring);
uint64_t guest_discarded(const struct guest *guest, uint32_t ring);
uint64_t guest_recorded(const struct guest *guest, uint32_t ring);
void guest_set_consumed(const struct guest *guest, uint32_t ring, uint64_t nr_packets);
void guest_set_consumer(const struct guest *guest, bool attached);
/* What the guest gave the finisher, -1: it did not come to that (or what stands there cannot be one). */
int guest_exit_status(const struct guest *guest);
/* Physical address of struct panic_info; 0: there was no panic. It may lie outside RAM. */
uint64_t guest_panic_pa(const struct guest *guest);
/* The member that may not change but did, since guest_find_desc; NULL: none. */
const char *guest_stray_write(const struct guest *guest);

#endif
