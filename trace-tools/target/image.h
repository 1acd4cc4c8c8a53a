/* SPDX-License-Identifier: MIT */
/*
 * image: the memory of a dead machine: a RAM file, or an ELF core whose PT_LOADs hold physical memory.
 *
 * The file is never written: what the tools change in it (the consumer's marks) stays in a private copy. A core's
 * loads are placed by their physical address, or by the kernel's linear map where that is 0; what no load covers is no
 * memory.
 */
#ifndef TOOLS_TARGET_IMAGE_H
#define TOOLS_TARGET_IMAGE_H

#include "guest.h"
#include "symbols.h"

/* False and a message in *error (caller frees). guest_close ends it either way. */
bool image_open(struct guest *guest, const char *path, char **error);

/* ---- what a panic leaves ---- */

struct panic_hart {
	bool valid;
	uint64_t x[32];
	uint64_t pc, status, cause, address, satp, pid;
	uint32_t nr_raw, raw[12]; /* return addresses - PHYS_OFFSET, innermost first */
	uint32_t nr_frames;
	struct symbol_frame *frames; /* innermost first, inlined ones too */
};

#define PANIC_HARTS 8
extern const char register_names[32][5];

struct panic_state {
	uint32_t hart, nr_harts;
	uint64_t subject; /* kernel address of what it is about, or 0 */
	char message[113];
	struct panic_hart harts[PANIC_HARTS];
};

/* False when the machine did not panic; *fault then says why what is there cannot be one, or is NULL. */
bool panic_read(const struct guest *guest, struct symbols *symbols, struct panic_state *state,
		const char **fault);
void panic_free(struct panic_state *state);

#endif
