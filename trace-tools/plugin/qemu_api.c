/* SPDX-License-Identifier: MIT
 *
 * qemu_api: see qemu_api.h.
 */
#include "qemu_api.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define QEMU_CLOCK_VIRTUAL 1
#define CPU_BYTES 0x8000 /* of QEMU's structure of a CPU, in which its registers are sought */

/* QEMU reads this to decide whether it and the plugin fit; set before, by the constructor below. */
EXPORT int qemu_plugin_version = 2;

typedef struct {
	void *handle;
	const char *name, *feature;
} register_descriptor;
typedef struct {
	char *data;
	unsigned len;
} GArray;

/* Names as in QEMU; those of one API are NULL under the other. */
static struct {
	GArray *(*get_registers)(void);
	int (*read_register)(void *, GByteArray *);
	void *insn_data;
	void *(*get_cpu)(int);
	int (*gdb_read_register)(void *, GByteArray *, int);
	uint64_t (*phys_page)(void *, uint64_t);
	void *(*ram_block)(const char *);
	void *(*ram_host)(void *);
	uint64_t (*ram_length)(void *);
	void *(*map)(uint64_t, uint64_t *, bool);
	int64_t (*clock_ns)(int);
	void (*tb_flush)(void *);
	int *use_icount;
	bool *mttcg_enabled; /* a thread for each hart */
} q;

const uint64_t *qemu_registers_of[HARTS_MAX];
bool qemu_harts_in_turns;

static int api;
static unsigned nr_harts;
static struct {
	void *cpu;
	void *handles[32];
	GByteArray *bytes;
} harts[HARTS_MAX];

__attribute__((constructor)) static void choose_version(void)
{
	if (!dlsym(RTLD_DEFAULT, "qemu_plugin_read_register"))
		qemu_plugin_version = 1;
}

static void *find(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

const char *qemu_api_bind(const qemu_info_t *info)
{
	api = info->version.cur;
	nr_harts = (unsigned)info->system.max_vcpus;
	q.get_registers = find("qemu_plugin_get_registers");
	q.read_register = find("qemu_plugin_read_register");
	q.insn_data = find("qemu_plugin_insn_data");
	q.get_cpu = find("qemu_get_cpu");
	q.gdb_read_register = find("riscv_cpu_gdb_read_register");
	q.phys_page = find("cpu_get_phys_page_debug");
	q.ram_block = find("qemu_ram_block_by_name");
	q.ram_host = find("qemu_ram_get_host_addr");
	q.ram_length = find("qemu_ram_get_used_length");
	q.map = find("cpu_physical_memory_map");
	q.clock_ns = find("qemu_clock_get_ns");
	q.tb_flush = find("tb_flush");
	q.use_icount = find("use_icount");
	q.mttcg_enabled = find("mttcg_enabled");
	if (!info->system_emulation || strcmp(info->target_name, "riscv64"))
		return "this plugin watches kernels under qemu-system-riscv64, and this is another QEMU";
	if (info->system.max_vcpus > HARTS_MAX)
		return "more harts than the plugin can watch";
	bool registers = q.read_register ? q.get_registers != NULL : q.gdb_read_register != NULL;
	bool ram = (q.ram_block && q.ram_host && q.ram_length) || q.map;
	if (registers && ram && q.insn_data && q.get_cpu && q.phys_page && q.clock_ns)
		return NULL;
	return "this QEMU does not export the functions needed to read registers, RAM and the clock; "
	       "install Debian's own qemu-system-misc (7.2 of Debian 12, or 10.0 of Debian 13 or of "
	       "bookworm-backports), or build QEMU with --enable-plugins --enable-modules";
}

int qemu_api_version(void)
{
	return api;
}

bool qemu_api_has_registers(void)
{
	return q.read_register != NULL;
}

bool qemu_api_icount(void)
{
	return q.use_icount && *q.use_icount;
}

void qemu_hart_init(unsigned hart)
{
	static const char *const names[32] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
					      "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
					      "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
					      "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

	harts[hart].bytes = g_byte_array_set_size(g_byte_array_new(), 64);
	if (!q.read_register)
		return;
	GArray *all = q.get_registers();
	const register_descriptor *registers = (const void *)all->data;
	for (unsigned i = 0; i < all->len; i++) {
		const char *name = strcmp(registers[i].name, "fp") ? registers[i].name : "s0";
		for (unsigned number = 0; number < 32; number++) {
			if (!strcmp(name, names[number]))
				harts[hart].handles[number] = registers[i].handle;
		}
	}
}

/* Not in qemu_hart_init: the machine lists its CPUs only after that. */
static void *cpu_of(unsigned hart)
{
	if (!harts[hart].cpu)
		harts[hart].cpu = q.get_cpu((int)hart);
	return harts[hart].cpu;
}

uint64_t qemu_register(unsigned hart, unsigned number)
{
	GByteArray *bytes = g_byte_array_set_size(harts[hart].bytes, 0);
	uint64_t value = 0;

	if (number == 0)
		return 0;
	if (q.read_register)
		q.read_register(harts[hart].handles[number], bytes);
	else
		q.gdb_read_register(cpu_of(hart), bytes, (int)number);
	memcpy(&value, bytes->data, sizeof(value));
	return value;
}

/*
 * The registers lie somewhere in QEMU's structure of the CPU, side by side, x0 first. Where, nobody says; but their values are
 * known, and 31 of them in a row are not there twice. All harts have them at the same place, so one that has run for a while
 * shows it for those that just begin, whose registers are still 0.
 */
static const uint64_t *find_registers(unsigned hart)
{
	static size_t place = SIZE_MAX;
	uint64_t values[32] = {0};

	for (unsigned i = 1; i < 32; i++)
		values[i] = qemu_register(hart, i);
	const uint64_t *at = cpu_of(hart);
	if (place != SIZE_MAX)
		return memcmp(at + place, values, sizeof(values)) ? NULL : at + place;
	for (size_t i = 0; i < CPU_BYTES / sizeof(*at) && values[REG_SP] && values[REG_RA]; i++) {
		if (memcmp(at + i, values, sizeof(values)))
			continue;
		place = i;
		return at + i;
	}
	return NULL;
}

const uint64_t *qemu_registers_find(unsigned hart)
{
	qemu_registers_of[hart] = find_registers(hart);
	return qemu_registers_of[hart];
}

uint32_t qemu_insn_bits(const struct qemu_plugin_insn *insn)
{
	size_t size = qemu_plugin_insn_size(insn);
	uint32_t bits = 0;

	if (api >= 3) {
		size_t (*copy)(const struct qemu_plugin_insn *, void *, size_t) = q.insn_data;
		copy(insn, &bits, size < sizeof(bits) ? size : sizeof(bits));
	} else {
		const void *(*data)(const struct qemu_plugin_insn *) = q.insn_data;
		memcpy(&bits, data(insn), size < sizeof(bits) ? size : sizeof(bits));
	}
	return bits;
}

uint64_t qemu_phys_page(unsigned hart, uint64_t page_va)
{
	return q.phys_page(cpu_of(hart), page_va);
}

uint8_t *qemu_ram(uint64_t base, uint64_t *bytes)
{
	void *block = q.ram_block && q.ram_host && q.ram_length ? q.ram_block("riscv_virt_board.ram") : NULL;

	if (block) {
		*bytes = q.ram_length(block);
		return q.ram_host(block);
	}
	/* Another machine, or RAM from a -object of the user's: as much as lies together from the base on. */
	*bytes = 1ULL << 40;
	return q.map ? q.map(base, bytes, false) : NULL;
}

/* QEMU's variable of this thread; NULL: this QEMU does not export it. */
static void **current_cpu_variable(void)
{
	static __thread void **variable;
	static __thread bool looked;

	if (!looked)
		variable = find("current_cpu");
	looked = true;
	return variable;
}

unsigned qemu_current_hart(void)
{
	static __thread unsigned last;
	void **current_cpu = current_cpu_variable();

	if (current_cpu && cpu_of(last) == *current_cpu)
		return last;
	for (unsigned hart = 0; current_cpu && hart < nr_harts; hart++) {
		if (cpu_of(hart) == *current_cpu)
			return last = hart;
	}
	return 0;
}

bool qemu_tells_current_hart(void)
{
	return current_cpu_variable() != NULL;
}

void qemu_harts_settle(void)
{
	bool threads = q.mttcg_enabled && *q.mttcg_enabled;

	qemu_harts_in_turns = nr_harts > 1 && !threads && qemu_tells_current_hart();
}

int64_t qemu_now(void)
{
	if (!qemu_api_icount())
		return q.clock_ns(QEMU_CLOCK_VIRTUAL);
	void **current_cpu = current_cpu_variable();
	if (!current_cpu)
		return 0; /* order alone: the writer counts up by itself */
	void *cpu = *current_cpu;
	*current_cpu = NULL;
	int64_t now = q.clock_ns(QEMU_CLOCK_VIRTUAL);
	*current_cpu = cpu;
	return now;
}

void qemu_flush(unsigned hart)
{
	if (q.tb_flush)
		q.tb_flush(cpu_of(hart));
}
