/* SPDX-License-Identifier: MIT
 *
 * qemu_api: the few functions of QEMU that the plugin calls, declared by ourselves.
 *
 * Problem: Debian ships no header for QEMU's plugins, and the interface of QEMU 7.2 (API 1) cannot read a register. QEMU 10
 * (API 4) can. Idea: one shared object for both. What every plugin API has is declared here and bound by the dynamic
 * linker; the rest is looked up by name when the plugin is loaded. Where the official function is missing, QEMU's
 * internal one serves, which Debian's binaries export (they are linked so that modules can use them):
 *
 *	register	qemu_plugin_read_register	riscv_cpu_gdb_read_register(qemu_get_cpu(hart), …)
 *	translation	                       	cpu_get_phys_page_debug
 *	RAM		                       	qemu_ram_block_by_name, or cpu_physical_memory_map
 *	clock		                       	qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL)
 *
 * A QEMU without one of them is refused in a sentence that says what to install.
 *
 * When registers are right
 * QEMU-1  QEMU 7.2 keeps guest registers in host registers within a translation block. They are in memory at the start of a
 *         block and at every guest load or store. So callbacks that read registers sit on the first instruction of a
 *         block (the entry of a function, the instruction after a call) or on a store, nowhere else. Both QEMUs are
 *         used the same way, so that they give the same events.
 * QEMU-2  Under -icount the clock must not be read in the middle of a block ("Bad icount read" ends QEMU). Without a
 *         current CPU the clock gives the time at which this hart's turn began; qemu_now() asks in that way.
 *
 * Which hart a callback is about
 * QEMU-3  Where harts run in turns in one thread (-icount, thread=single), they share translated code, and QEMU 10 has put the
 *         number of the hart for which it was translated into it: callbacks are told that, whoever runs. So each callback asks
 *         qemu_hart() first, and goes by nothing else.
 */
#ifndef PLUGIN_QEMU_API_H
#define PLUGIN_QEMU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- as QEMU has them, in every API ---- */

typedef uint64_t qemu_plugin_id_t;
typedef struct {
	const char *target_name;
	struct {
		int min, cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus, max_vcpus;
	} system;
} qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
	uint8_t *data;
	unsigned len;
} GByteArray;

#define CALLBACK_NO_REGISTERS 0
#define CALLBACK_READS_REGISTERS 1
#define MEMORY_READ 1
#define MEMORY_WRITE 2

GByteArray *g_byte_array_new(void);
GByteArray *g_byte_array_set_size(GByteArray *array, unsigned length);
void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, unsigned));
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *),
					    int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned, uint32_t, uint64_t, void *), int flags, int rw,
				      void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);

/* ---- for both ---- */

enum { REG_RA = 1, REG_SP = 2, REG_FP = 8, REG_A0 = 10, REG_A1 = 11, REG_A6 = 16, REG_A7 = 17 };

/* NULL: all is there; else the sentence to refuse with. */
const char *qemu_api_bind(const qemu_info_t *info);
int qemu_api_version(void); /* 1, 4, … */
bool qemu_api_icount(void);
/* Registers may be read at any instruction (API 2 and later). */
bool qemu_api_has_registers(void);

/* Called by each hart's thread before its first instruction. */
void qemu_hart_init(unsigned hart);
/* Once the machine is built, before anything is translated. */
void qemu_harts_settle(void);
/* False: where harts run in turns, this QEMU does not tell which of them it is. */
bool qemu_tells_current_hart(void);
/* The hart that runs, or for which code is translated. */
unsigned qemu_current_hart(void);
extern bool qemu_harts_in_turns;
/* The hart that a callback is about; told: what QEMU says. */
static inline unsigned qemu_hart(unsigned told)
{
	return __builtin_expect(qemu_harts_in_turns, 0) ? qemu_current_hart() : told;
}
/* General register 0 to 31 of the hart whose thread calls. */
uint64_t qemu_register(unsigned hart, unsigned number);
/* All 32 at once, where QEMU has them in memory: right where qemu_register is. NULL: this QEMU keeps them otherwise. */
const uint64_t *qemu_registers_find(unsigned hart);
extern const uint64_t *qemu_registers_of[HARTS_MAX]; /* NULL: not looked for, or not found */
static inline const uint64_t *qemu_registers(unsigned hart)
{
	const uint64_t *registers = qemu_registers_of[hart];

	return __builtin_expect(registers != NULL, 1) ? registers : qemu_registers_find(hart);
}
uint32_t qemu_insn_bits(const struct qemu_plugin_insn *insn);
/* Physical address of the page of a virtual one, by the hart's present tables; UINT64_MAX: not mapped. */
uint64_t qemu_phys_page(unsigned hart, uint64_t page_va);
/* RAM that begins at physical address base: where the host has it, and how much; NULL: not yet, or not found. */
uint8_t *qemu_ram(uint64_t base, uint64_t *bytes);
/* The guest's virtual clock in nanoseconds. */
int64_t qemu_now(void);
/* Forgets all translated code, so that it is translated again with the hooks known by then. */
void qemu_flush(unsigned hart);

#endif
