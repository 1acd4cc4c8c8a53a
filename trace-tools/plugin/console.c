/* SPDX-License-Identifier: MIT
 *
 * console: see console.h. SBI calls: RISC-V SBI specification, chapters 5.2 (legacy putchar) and 12 (DBCN).
 */
#include "console.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "guest.h"
#include "hooks.h"
#include "insn.h"
#include "qemu_api.h"
#include "record.h"
#include "spin.h"

#define LINE_MAX_BYTES 256 /* of a longer line only the beginning is matched */
#define SBI_PUTCHAR 1
#define SBI_DBCN 0x4442434E
#define DBCN_WRITE 0
#define DBCN_WRITE_BYTE 2

static int log_fd = -1;
static uint64_t nr_bytes;
static char line[LINE_MAX_BYTES + 1];
static uint32_t length;
static uint32_t fired; /* mask of patterns */
static char last_begin[sizeof(struct trace_payload_name) + 1];
static enum mark_what open_by = MARK_END; /* what began the test that is open; MARK_END: none is open */
static spin_t lock;
static bool ecall_made[HARTS_MAX]; /* each of its hart's thread alone */

void console_init(const char *path)
{
	log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
}

uint64_t console_bytes(void)
{
	return __atomic_load_n(&nr_bytes, __ATOMIC_RELAXED);
}

static void fire(unsigned hart, const struct mark_pattern *mark, const regmatch_t *groups)
{
	char name[sizeof(last_begin)];
	const regmatch_t *group = mark->regex.re_nsub > 0 && groups[1].rm_so >= 0 ? &groups[1] : &groups[0];

	if (mark->what == MARK_END && last_begin[0])
		memcpy(name, last_begin, sizeof(name));
	else
		snprintf(name, sizeof(name), "%.*s", (int)(group->rm_eo - group->rm_so), line + group->rm_so);
	if (mark->what == MARK_PANIC) {
		record_name(hart, EV_panic, 0, name);
		return;
	}
	if (mark->what == MARK_BEGIN && open_by == MARK_LINE && !strcmp(name, last_begin))
		return; /* `test mmap: OK` behind `test mmap` */
	if (mark->what == MARK_END && last_begin[0] && open_by == MARK_END)
		return; /* `ALL OK` behind the last test */
	if (mark->what != MARK_END)
		memcpy(last_begin, name, sizeof(last_begin));
	open_by = mark->what;
	record_name(hart, EV_mark, mark->what == MARK_END, name);
}

static bool wants_whole_line(enum mark_what what)
{
	return what == MARK_LINE || what == MARK_PANIC;
}

static void match(unsigned hart, bool line_ended)
{
	regmatch_t groups[2];

	for (uint32_t i = 0; i < hooks.nr_marks; i++) {
		if (fired >> i & 1 || wants_whole_line(hooks.marks[i].what) != line_ended ||
		    regexec(&hooks.marks[i].regex, line, 2, groups, 0))
			continue;
		fired |= 1U << i;
		fire(hart, &hooks.marks[i], groups);
	}
}

void console_byte(unsigned hart, uint8_t byte)
{
	spin_lock(&lock);
	nr_bytes++;
	if (log_fd >= 0 && write(log_fd, &byte, 1) != 1) {
		close(log_fd);
		log_fd = -1;
	}
	if (byte == '\n' || byte == '\r') {
		match(hart, true);
		length = 0;
		line[0] = 0;
		fired = 0;
	} else if (length < LINE_MAX_BYTES && byte) {
		line[length++] = (char)byte;
		line[length] = 0;
		match(hart, false);
	}
	spin_unlock(&lock);
}

/* a0, a1: length and physical address of the text. */
static void write_text(unsigned hart, uint64_t bytes, uint64_t pa)
{
	const uint8_t *text = guest_pa(pa, bytes);

	for (uint64_t i = 0; text && i < bytes; i++)
		console_byte(hart, text[i]);
}

static void sbi_call(unsigned hart)
{
	uint64_t extension = qemu_register(hart, REG_A7), a0 = qemu_register(hart, REG_A0);

	if (extension == SBI_PUTCHAR) {
		console_byte(hart, (uint8_t)a0);
	} else if (extension == SBI_DBCN) {
		uint64_t function = qemu_register(hart, REG_A6);
		if (function == DBCN_WRITE)
			write_text(hart, a0, qemu_register(hart, REG_A1));
		else if (function == DBCN_WRITE_BYTE)
			console_byte(hart, (uint8_t)a0);
	}
}

static void on_ecall(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	if (qemu_api_has_registers())
		sbi_call(hart);
	else
		ecall_made[hart] = true;
}

static void on_firmware(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	if (ecall_made[hart])
		sbi_call(hart);
	ecall_made[hart] = false;
}

void console_translate(struct qemu_plugin_insn *insn, uint32_t bits, bool is_text, bool first)
{
	if (!hooks.sbi)
		return;
	if (is_text && insn_is_ecall(bits))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_ecall, CALLBACK_READS_REGISTERS, NULL);
	else if (!is_text && first && insn_exchanges_mscratch(bits) && !qemu_api_has_registers())
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_firmware, CALLBACK_READS_REGISTERS, NULL);
}
