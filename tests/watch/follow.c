/* SPDX-License-Identifier: MIT
 *
 * follow: the part of the plugin that follows pointers (trace-tools/plugin/follow.h), without QEMU and without a guest.
 *
 * Reads a hooks file, then what the guest does from standard input, one thing a line, numbers as strtoull reads them; at the end
 * the lives are written to standard output, as follow_write does.
 *
 *	reg N V			register xN is V from now on
 *	page PA N / free PA N	N pages are allocated, freed; the caller is x1, the frame x8
 *	object VA BYTES / objfree VA
 *	get PA REF HOLDER / put PA REF HOLDER
 *	objget VA REF HOLDER AT / objput VA REF HOLDER
 *	putting PA		a put is entered that may free it; putdone PA REF HOLDER: it returns
 *	store PC VALUE VA	`sd a5, 0(...)` at PC
 *	enter PC		the function at PC is entered, with the registers as they are
 *	return PC		it has returned to PC
 *	within KIND		what is stored from here on is, within a call of this kind (enum hook_kind); 99: within none
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/bounds.h"
#include "plugin/calls.h"
#include "plugin/follow.h"
#include "plugin/guest.h"
#include "plugin/hooks.h"
#include "plugin/qemu_api.h"
#include "plugin/stores.h"

#define BASE 0x80000000ULL
#define PAGES 64
#define STORE_A5 0x00f53023U /* sd a5, 0(a0) */
#define CALL 0x000000efU     /* jal ra, 0 */
#define REG_A5 15

static uint8_t ram[PAGES * PAGE_BYTES];
static uint64_t x[32];
const uint64_t *qemu_registers_of[HARTS_MAX] = {x};
bool qemu_harts_in_turns; /* one hart */

/* ---- what QEMU would do ---- */

static void (*on_memory)(unsigned, uint32_t, uint64_t, void *);
static void (*on_execution)(unsigned, void *);
static void *data;

void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned, uint32_t, uint64_t, void *), int flags, int rw,
				      void *with)
{
	on_memory = cb;
	data = with;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *),
					    int flags, void *with)
{
	on_execution = cb;
	data = with;
}

const uint64_t *qemu_registers_find(unsigned hart)
{
	return x;
}

uint64_t qemu_register(unsigned hart, unsigned number)
{
	return x[number];
}

uint64_t qemu_phys_page(unsigned hart, uint64_t page_va)
{
	return NONE;
}

uint8_t *qemu_ram(uint64_t base, uint64_t *bytes)
{
	*bytes = sizeof(ram);
	return ram;
}

unsigned qemu_current_hart(void)
{
	return 0;
}

void qemu_flush(unsigned hart) {}

bool unwind_is_text(uint64_t va)
{
	return ranges_have(&hooks.text, va);
}

/* ---- the other parts of the plugin ---- */

static uint64_t within = 99;

bool calls_inside(uint64_t sp, uint64_t mask)
{
	return within < HOOK_KINDS && mask >> within & 1;
}

uint64_t calls_of_kind(enum hook_kind kind)
{
	return 1ULL << kind;
}

void stores_free_page_written(unsigned hart, uint64_t after_pc, uint64_t pa, uint64_t va, unsigned bytes) {}

/* ---- the guest ---- */

static void put_word(uint64_t va, uint64_t value, size_t bytes)
{
	uint8_t *host = guest_va(0, va, bytes);

	if (!host)
		exit(3);
	memcpy(host, &value, bytes);
}

static void store(uint64_t pc, uint64_t value, uint64_t va)
{
	x[REG_A5] = value;
	put_word(va, value, 8);
	follow_translate(NULL, pc, STORE_A5, 4, false);
	on_memory(0, 0, va, data);
}

static void execute(uint64_t pc)
{
	on_execution = NULL;
	follow_translate(NULL, pc, 0x13, 4, true);
	if (!on_execution)
		exit(4);
	on_execution(0, data);
}

static void act(const char *what, const uint64_t *n)
{
	if (!strcmp(what, "reg")) {
		x[n[0] & 31] = n[1];
	} else if (!strcmp(what, "page")) {
		follow_page_begin(0, n[0], n[1]);
	} else if (!strcmp(what, "free")) {
		follow_page_end(0, n[0], n[1]);
	} else if (!strcmp(what, "object")) {
		follow_object_begin(0, n[0], n[1]);
	} else if (!strcmp(what, "objfree")) {
		follow_object_end(0, n[0]);
	} else if (!strcmp(what, "get")) {
		follow_reference_begin(0, n[0], n[1], n[2]);
	} else if (!strcmp(what, "put")) {
		follow_put_begins(0, n[0], false);
		follow_reference_end(0, n[0], n[1], n[2]);
	} else if (!strcmp(what, "putdone")) {
		follow_reference_end(0, n[0], n[1], n[2]);
	} else if (!strcmp(what, "objget")) {
		follow_object_reference_begin(0, n[0], n[1], n[2], n[3]);
	} else if (!strcmp(what, "objput")) {
		follow_object_reference_end(0, n[0], n[1], n[2]);
	} else if (!strcmp(what, "putting")) {
		follow_put_begins(0, n[0], true);
	} else if (!strcmp(what, "store")) {
		store(n[0], n[1], n[2]);
	} else if (!strcmp(what, "enter")) {
		execute(n[0]);
	} else if (!strcmp(what, "return")) {
		put_word(n[0] - 4, CALL, 4);
		execute(n[0]);
	} else if (!strcmp(what, "within")) {
		within = n[0];
	} else {
		exit(5);
	}
}

int main(int argc, char **argv)
{
	char line[256], what[32], *error;

	if (argc != 2 || !hooks_read(argv[1], &error) || !guest_find_ram(BASE) || !follow_init()) {
		fprintf(stderr, "%s\n", argc == 2 && error ? error : "follow HOOKS");
		return 2;
	}
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t n[4] = {0};
		char *rest = line + strcspn(line, " \n");
		snprintf(what, sizeof(what), "%.*s", (int)(rest - line), line);
		for (unsigned i = 0; i < 4; i++)
			n[i] = strtoull(rest, &rest, 0);
		if (*what)
			act(what, n);
	}
	return !follow_write("/dev/stdout");
}
