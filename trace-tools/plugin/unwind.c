/* SPDX-License-Identifier: MIT
 *
 * unwind: see unwind.h.
 */
#include "unwind.h"

#include <string.h>
#include <uapi/trace_format.h>

#include "depot.h"
#include "guest.h"
#include "hooks.h"
#include "qemu_api.h"

/* Frames further than this above the stack pointer are no frames of this stack. */
#define STACK_SPAN 65536

/* The ABI says 16; a kernel that keeps something of 8 bytes at a stack's top has frames at multiples of 8. */
#define FRAME_ALIGN 8

struct walk {
	unsigned hart;
	uint64_t sp, fp, ra; /* ra: where a leaf returns to; 0: unknown */
	uint32_t frames[TRACE_STACK_FRAMES];
	unsigned nr;
	uint64_t page; /* the stack's page that `host` is of; NONE: none */
	const uint8_t *host;
};

bool unwind_is_text(uint64_t address)
{
	return ranges_have(&hooks.text, address);
}

/* False: the stack ends here. */
static bool push(struct walk *walk, uint64_t address)
{
	uint64_t offset = address - hooks.stack_base;

	if (walk->nr >= hooks.stack_top || walk->nr >= TRACE_STACK_FRAMES || offset > UINT32_MAX)
		return false;
	walk->frames[walk->nr++] = (uint32_t)offset;
	return true;
}

/* The two words below a frame pointer. Stacks seldom leave a page, so the last page is kept. */
static bool read_frame(struct walk *walk, uint64_t *below, uint64_t *top)
{
	uint64_t at = walk->fp - 16, page = at & ~(PAGE_BYTES - 1);

	if (page != walk->page) {
		walk->host = guest_va(walk->hart, page, PAGE_BYTES);
		walk->page = page;
	}
	if (!walk->host)
		return false;
	memcpy(below, walk->host + (at - page), 8);
	memcpy(top, walk->host + (at - page) + 8, 8);
	return true;
}

/* The interrupted instruction and its frame, where the hooks file says how a trap saves them. */
static bool cross_trap(struct walk *walk, uint64_t ra, uint64_t *next_fp)
{
	struct expr_context context = {.hart = walk->hart, .frame = walk->fp};
	uint64_t pc;

	for (uint32_t i = 0; i < hooks.nr_traps; i++) {
		const struct trap_entry *trap = &hooks.traps[i];
		if (ra < trap->lo || ra >= trap->hi)
			continue;
		if (trap->pc.nr) {
			if (!expr_compute(&trap->pc, &context, &pc) || !unwind_is_text(pc) ||
			    !push(walk, pc + 2))
				return false;
		}
		return !trap->fp.nr || expr_compute(&trap->fp, &context, next_fp);
	}
	return true;
}

/* Can this be the frame pointer that a leaf saved? It is further up on the same stack; a stranger's address is not. */
static bool is_callers_frame(const struct walk *walk, uint64_t value)
{
	return !(value & (FRAME_ALIGN - 1)) && value > walk->fp && value - walk->sp <= hooks.stack_bytes;
}

static void follow(struct walk *walk)
{
	uint64_t last = walk->sp, below, top;

	while (!(walk->fp & (FRAME_ALIGN - 1)) && walk->fp > last && walk->fp - walk->sp <= STACK_SPAN &&
	       read_frame(walk, &below, &top)) {
		last = walk->fp;
		if (unwind_is_text(top)) {
			if (!push(walk, top) || !cross_trap(walk, top, &below))
				return;
			walk->fp = below;
			walk->ra = 0;
		} else if (is_callers_frame(walk, top)) {
			/* Without ra: a leaf that was interrupted. */
			if (walk->ra && (!unwind_is_text(walk->ra) || !push(walk, walk->ra)))
				return;
			walk->ra = 0;
			walk->fp = top;
		} else {
			return;
		}
	}
}

uint32_t unwind_entry(unsigned hart, uint64_t ra, uint64_t sp, uint64_t fp)
{
	struct walk walk = {.hart = hart, .sp = sp - 1, .fp = fp, .page = NONE};

	if (push(&walk, ra) && hooks.frame_pointers && unwind_is_text(ra))
		follow(&walk);
	return depot_put(walk.frames, walk.nr);
}

static void follow_store(struct walk *walk, bool frameless)
{
	walk->sp = qemu_register(walk->hart, REG_SP) - 1;
	walk->fp = qemu_register(walk->hart, REG_FP);
	walk->ra = qemu_register(walk->hart, REG_RA);
	if (frameless) {
		bool text = unwind_is_text(walk->ra) && push(walk, walk->ra);
		walk->ra = 0;
		if (!text)
			return;
	}
	follow(walk);
}

uint32_t unwind_store(unsigned hart, uint64_t after_pc, bool frameless)
{
	struct walk walk = {.hart = hart, .page = NONE};

	if (push(&walk, after_pc) && hooks.frame_pointers)
		follow_store(&walk, frameless);
	return depot_put(walk.frames, walk.nr);
}

uint32_t unwind_callers(unsigned hart, const struct ranges *code, bool frameless)
{
	struct walk walk = {.hart = hart, .page = NONE};
	unsigned within = 0;

	follow_store(&walk, frameless);
	while (within < walk.nr && ranges_have(code, hooks.stack_base + walk.frames[within]))
		within++;
	return depot_put(walk.frames + within, walk.nr - within);
}
