/* SPDX-License-Identifier: MIT */
/*
 * A process in QEMU's place, for trace-tools/plugin/console.c: the bytes of standard input are what a guest gives to its console.
 *
 *	console KEY=REGEX ...	the patterns, as `mark KEY=REGEX` of a hooks file
 *
 * Says each mark with how many bytes had come: "5 begin fork".
 */
#include "plugin/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/bounds.h"
#include "plugin/guest.h"
#include "plugin/hooks.h"
#include "plugin/insn.h"
#include "plugin/qemu_api.h"
#include "plugin/record.h"

struct hooks hooks;

void record_name(unsigned hart, enum trace_event event, uint8_t kind, const char *text)
{
	printf("%llu %s %s\n", (unsigned long long)console_bytes(),
	       event == EV_panic ? "panic"
	       : kind            ? "end"
				 : "begin",
	       text);
}

/* Nothing here calls the firmware. */
uint8_t *guest_pa(uint64_t pa, uint64_t bytes)
{
	abort();
}

uint64_t qemu_register(unsigned hart, unsigned number)
{
	abort();
}

bool qemu_api_has_registers(void)
{
	abort();
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *),
					    int flags, void *data)
{
	abort();
}

int main(int argc, char **argv)
{
	static const char *const keys[] = {"begin", "end", "line", "panic"};
	int byte;

	for (int i = 1; i < argc; i++) {
		size_t length = strcspn(argv[i], "=");
		struct mark_pattern *mark = &hooks.marks[hooks.nr_marks++];
		while (strlen(keys[mark->what]) != length || strncmp(keys[mark->what], argv[i], length))
			mark->what++;
		if (regcomp(&mark->regex, argv[i] + length + 1, REG_EXTENDED))
			return 2;
	}
	while ((byte = getchar()) != EOF)
		console_byte(0, (uint8_t)byte);
	return 0;
}

/* ---- what QEMU would say: one hart ---- */

bool qemu_harts_in_turns;

unsigned qemu_current_hart(void)
{
	return 0;
}
