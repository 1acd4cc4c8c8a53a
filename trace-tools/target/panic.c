/* SPDX-License-Identifier: MIT */
/* panic: what the kernel kept of its harts when it panicked. See image.h; the layout is kernel/boot.h's. */
#include <kernel/boot.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "image.h"

#define REG_RETURN 1
#define FRAMES_MAX 64

#define KEPT_FRAMES ARRAY_SIZE(((struct panic_info *)0)->harts[0].frames)
_Static_assert(ARRAY_SIZE(((struct panic_info *)0)->harts) == PANIC_HARTS, "the harts of a panic");

_Static_assert(ARRAY_SIZE(((struct panic_hart *)0)->raw) == KEPT_FRAMES, "the frames of a panic");

const char register_names[32][5] = {"zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
				    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
				    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

/* Frames behind the first are return addresses. The first is the place itself, but for a call of panic(). */
static void expand(struct panic_hart *hart, struct symbols *symbols, const uint32_t *frames, uint32_t nr)
{
	struct symbol_frame found[FRAMES_MAX];

	memcpy(hart->raw, frames, nr * sizeof(frames[0]));
	hart->nr_raw = nr;
	if (nr && hart->pc != hart->x[REG_RETURN])
		hart->raw[0]++;
	hart->nr_frames = (uint32_t)symbols_expand(symbols, hart->raw, nr, found, FRAMES_MAX);
	hart->frames = xcalloc(hart->nr_frames, sizeof(found[0]));
	memcpy(hart->frames, found, hart->nr_frames * sizeof(found[0]));
}

bool panic_read(const struct guest *guest, struct symbols *symbols, struct panic_state *state,
		const char **fault)
{
	struct panic_info info;
	uint64_t panic_pa = guest_panic_pa(guest);
	const void *where = guest_memory(guest, panic_pa, sizeof(info));

	*fault = NULL;
	if (!panic_pa)
		return false;
	if (!where) {
		*fault = "trace_desc says that there was a panic, but points outside RAM";
		return false;
	}
	memcpy(&info, where, sizeof(info));
	if (info.magic != PANIC_MAGIC) {
		*fault = "trace_desc says that there was a panic, but what it left is not of this version";
		return false;
	}
	*state = (struct panic_state){.hart = info.hart, .nr_harts = info.nr_harts, .subject = info.subject};
	if (state->nr_harts > PANIC_HARTS)
		state->nr_harts = PANIC_HARTS;
	for (size_t i = 0; i < sizeof(info.message) && info.message[i]; i++)
		state->message[i] = info.message[i] >= 32 && info.message[i] < 127 ? info.message[i] : '?';
	for (uint32_t i = 0; i < state->nr_harts; i++) {
		struct panic_hart *hart = &state->harts[i];
		uint32_t nr =
		    info.harts[i].nr_frames < KEPT_FRAMES ? info.harts[i].nr_frames : (uint32_t)KEPT_FRAMES;
		if (!info.harts[i].valid)
			continue;
		hart->valid = true;
		memcpy(hart->x, info.harts[i].x, sizeof(hart->x));
		hart->pc = info.harts[i].pc;
		hart->status = info.harts[i].sstatus;
		hart->cause = info.harts[i].scause;
		hart->address = info.harts[i].stval;
		hart->satp = info.harts[i].satp;
		hart->pid = info.harts[i].pid;
		expand(hart, symbols, info.harts[i].frames, nr);
	}
	return true;
}

void panic_free(struct panic_state *state)
{
	for (uint32_t i = 0; i < PANIC_HARTS; i++)
		free(state->harts[i].frames);
	*state = (struct panic_state){0};
}
