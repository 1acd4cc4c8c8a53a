/* SPDX-License-Identifier: MIT */
/* detect: the order of the steps, what they share, and the machine: RAM, code, stacks, console; see detect.h. */
#include "detect.h"

#include <stdlib.h>
#include <string.h>

#include "detect_priv.h"

/* Bytes from RAM_BASE on that no kernel of this family uses for virtual addresses other than RAM's own. */
#define RAM_MOST (1ULL << 36)

/* ---- shared by the steps ---- */

bool is_named(const struct function *function, const char *name)
{
	return !strcmp(function->name, name);
}

bool is_pointer_sized(const struct type *type)
{
	enum type_kind kind = type_kind(type);

	return kind == TYPE_POINTER || (kind == TYPE_INTEGER && type_size(type) == 8);
}

/* ---- the machine ---- */

static void detect_text(struct detection *detection)
{
	const struct symbol *from = types_symbol(detection->types, "_entry"),
			    *to = types_symbol(detection->types, "etext");

	if (from && to && to->address > from->address) {
		struct kd_item *item = kd_add(detection->kd, KD_TEXT, NULL, "symbols of the linker script");
		kd_set(item, "from", "_entry");
		kd_set(item, "to", "etext");
		return;
	}
	for (size_t i = 0; i < types_nr_segments(detection->types); i++) {
		const struct segment *segment = types_segment(detection->types, i);
		if (!segment->executable || segment->file_bytes == 0)
			continue;
		struct kd_item *item =
		    kd_add(detection->kd, KD_TEXT, NULL, "executable segment %zu of the file", i);
		kd_set(item, "from", "%#llx", (unsigned long long)segment->va);
		kd_set(item, "to", "%#llx", (unsigned long long)(segment->va + segment->file_bytes));
	}
}

static bool is_constant(const struct value *value, uint64_t c)
{
	return value->base == VALUE_CONST && (uint64_t)value->c == c;
}

/*
 * Where a call says that RAM ends: freerange(end, PHYSTOP) gives RAM to the free list, and kvmmap(…, etext, etext,
 * PHYSTOP - etext, …) maps it. 0: it is another call.
 */
static uint64_t ram_end_of(const struct call *call, const struct symbol *end, const struct symbol *etext)
{
	const struct value *a = call->arguments;
	uint64_t found = 0;

	if (end && is_constant(&a[0], end->address) && a[1].base == VALUE_CONST)
		found = (uint64_t)a[1].c;
	for (int i = 0; i < 2 && etext; i++) {
		if (is_constant(&a[i], etext->address) && is_constant(&a[i + 1], etext->address) &&
		    a[i + 2].base == VALUE_CONST)
			found = etext->address + (uint64_t)a[i + 2].c;
	}
	return found % PAGE_BYTES == 0 && found > RAM_BASE && found - RAM_BASE <= RAM_MOST ? found : 0;
}

static uint64_t find_ram_end(struct detection *detection)
{
	const struct symbol *end = types_symbol(detection->types, "end"),
			    *etext = types_symbol(detection->types, "etext");
	uint64_t ram_end = 0;

	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct code_function *read =
		    code_of(detection->code, types_function_by_number(detection->types, i));
		for (size_t k = 0; k < read->nr_calls; k++) {
			uint64_t found = ram_end_of(&read->calls[k], end, etext);
			ram_end = found > ram_end ? found : ram_end;
		}
	}
	return ram_end;
}

/* Where no call shows up to where the kernel maps RAM, it is taken to map all that a machine may have. */
static void add_identity_map(struct detection *detection)
{
	uint64_t ram_end = detection->ram_end ? detection->ram_end : RAM_BASE + RAM_MOST;
	struct kd_item *item = detection->ram_end
				   ? kd_add(detection->kd, KD_MAP, NULL,
					    "linked where it is loaded; the kernel maps RAM up to %#llx",
					    (unsigned long long)ram_end)
				   : kd_add(detection->kd, KD_MAP, NULL,
					    "linked where it is loaded; how much of RAM it maps is not seen");

	item->maybe = !detection->ram_end;
	kd_set(item, "va", "%#lx", RAM_BASE);
	kd_set(item, "pa", "%#lx", RAM_BASE);
	kd_set(item, "size", "%#llx", (unsigned long long)(ram_end - RAM_BASE));
}

static void detect_ram(struct detection *detection)
{
	bool identity = true;

	kd_set(kd_add(detection->kd, KD_RAM, NULL, "QEMU's virt machine"), "base", "%#lx", RAM_BASE);
	detection->ram_end = find_ram_end(detection);
	for (size_t i = 0; i < types_nr_segments(detection->types); i++) {
		const struct segment *segment = types_segment(detection->types, i);
		identity &= segment->bytes == 0 || segment->va == segment->pa;
	}
	if (identity)
		add_identity_map(detection);
}

/* Most functions keep a frame pointer, or a stack cannot be walked. */
static void detect_unwinding(struct detection *detection)
{
	size_t with = 0, all = 0;

	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		if (!function->typed)
			continue;
		all++;
		with += code_of(detection->code, function)->frame_pointer;
	}
	bool fp = all && with * 10 >= all * 8;
	struct kd_item *item =
	    kd_add(detection->kd, KD_STACK, NULL, "%zu of %zu functions keep a frame pointer%s", with, all,
		   fp ? "" : ": compile with -fno-omit-frame-pointer to see callers");
	kd_set(item, "unwind", fp ? "fp" : "none");
}

/* ---- the console ---- */

#define UART_BASE 0x10000000ULL
#define UART_LINE_CONTROL 3

static bool stores_byte_to(struct detection *detection, const struct function *function, uint64_t address)
{
	const struct code_function *read = code_of(detection->code, function);

	for (size_t i = 0; i < read->nr_accesses; i++) {
		const struct access *access = &read->accesses[i];
		if (access->kind == ACCESS_STORE && access->bytes == 1 &&
		    access->address.base == VALUE_CONST && (uint64_t)access->address.c == address)
			return true;
	}
	return false;
}

/* How the test programs of the xv6 family say on the console that a test begins or ends. */
static void add_marks(struct kd *kd)
{
	static const struct {
		const char *key, *regex, *reason;
	} marks[] = {
	    {"begin", "^test ([^:]+):", "as usertests prints a test's name"},
	    {"end", "(OK|FAILED)$", "and how it ended"},
	    {"line", "^test ([^:]+)$", "as mmaptest does; later comes `test NAME: OK`"},
	    {"line", "^running test ([^:]+)$", "as lazytests does"},
	    {"line", "^start (test[0-9]+)$", "as kalloctest and bcachetest do"},
	    {"line",
	     "^(fork_test|(ugetpid|pgaccess|superpg)_test|superpg_(fork|free)|print_k?pgtbl) starting$",
	     "as mmaptest and pgtbltest do"},
	    {"begin", "^(simple|three|file|forkfork): ", "as cowtest does"},
	    {"end", "^(simple|three|file|forkfork): ok$", "and how it ended"},
	    {"panic", "^panic: (.*)", "panic()"}};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		kd_set(kd_add(kd, KD_MARK, NULL, "%s", marks[i].reason), marks[i].key, "%s", marks[i].regex);
}

void detect_console(struct detection *detection)
{
	struct functions uart = {0}, sbi = {0};

	for (size_t i = 0; i < types_nr_functions(detection->types); i++) {
		const struct function *function = types_function_by_number(detection->types, i);
		/* Who sets the line control register too, sets the speed through the transmit register. */
		if (stores_byte_to(detection, function, UART_BASE) &&
		    !stores_byte_to(detection, function, UART_BASE + UART_LINE_CONTROL))
			functions_add(&uart, function);
		if (code_of(detection->code, function)->ecall)
			functions_add(&sbi, function);
	}
	if (uart.nr) {
		char *names = functions_text(&uart);
		struct kd_item *item =
		    kd_add(detection->kd, KD_CONSOLE, NULL, "stores of bytes to QEMU's first UART");
		kd_set(item, "uart", "%#llx", UART_BASE);
		kd_set(item, "funcs", "%s", names);
		free(names);
	} else if (sbi.nr) {
		kd_add(detection->kd, KD_CONSOLE, NULL, "%s() calls the firmware", sbi.list[0]->name)->maybe =
		    true;
		kd_set(detection->kd->items[detection->kd->nr_items - 1], "sbi", "%s", "");
	} else {
		kd_note(detection->kd,
			"no console: nothing stores bytes to %#llx, and nothing calls the firmware",
			UART_BASE);
	}
	free(uart.list);
	free(sbi.list);
	add_marks(detection->kd);
}

/* ---- all ---- */

bool detect_is_enough(const struct kd *kd)
{
	return (kd_item(kd, KD_ALLOC, 0) && kd_item(kd, KD_FREE, 0)) || kd_item(kd, KD_STATE, 0);
}

struct kd *detect(const struct types *types, struct code *code)
{
	struct detection *detection = xcalloc(1, sizeof(*detection));
	struct kd *kd = kd_new();

	*detection = (struct detection){.types = types, .code = code, .kd = kd};
	if (types_problem(types))
		kd_note(kd, "%s", types_problem(types));
	if (!types_is_riscv64(types))
		kd_note(kd, "%s: not for RISC-V", types_path(types));
	if (types_is_riscv64(types) && types_has_dwarf(types)) {
		code_learn_variables(code);
		detect_text(detection);
		detect_ram(detection);
		detect_unwinding(detection);
		detect_allocator(detection);
		detect_counts(detection);
		detect_processes(detection);
		detect_tables(detection);
		detect_console(detection);
	}
	for (size_t i = 0; i < detection->nr_heads; i++)
		free(detection->heads[i].path);
	free(detection->allocs.list);
	free(detection->frees.list);
	free(detection->allocator.list);
	free(detection);
	return kd;
}
