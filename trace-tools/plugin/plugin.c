/* SPDX-License-Identifier: MIT
 *
 * pagetrail-plugin.so: traces the page allocator of a kernel that knows nothing of it, from within QEMU.
 *
 *	qemu-system-riscv64 … -plugin pagetrail-plugin.so,out=RUN,hooks=FILE[,check-writes=on][,ram=off][,trace=off][,boot=NUMBER]
 *
 * QEMU translates the guest's code block by block and asks the plugin each time; the plugin attaches callbacks to the few
 * instructions that the hooks file names (hooks.h). While the guest runs, those callbacks tell what happens to each page:
 *
 *	translation	plugin.c -> calls.c (entries, return sites), stores.c, console.c
 *	what it means	calls.c, stores.c, page_tables.c -> pages.c (state of each page) -> record.c
 *	who did it	unwind.c -> depot.c
 *	on disk		writer.c (RUN/trace/hartN), depot.c (RUN/trace/stacks), console.c (RUN/logs/console.log)
 *	at the end	rest.c (when), ram_copy.c (RUN/ram), summary.c (RUN/plugin.json)
 *
 * trace=off leaves no trace, no console and no copy of RAM: for what the plugin does to a machine beside watching it (hold.h).
 *
 * `pagetrail watch` makes the hooks file, starts QEMU so and writes what else belongs to a run (metadata, run.json). A QEMU
 * that lacks what is needed, or a hooks file that is not understood, is refused before the guest starts.
 *
 * PLUGIN-1  Nothing is printed while the guest runs: the console is the user's.
 * PLUGIN-2  Callbacks run in the threads of the harts, at once; what they share is said in each file's head.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "calls.h"
#include "console.h"
#include "depot.h"
#include "follow.h"
#include "guest.h"
#include "hold.h"
#include "hooks.h"
#include "insn.h"
#include "page_tables.h"
#include "pages.h"
#include "qemu_api.h"
#include "ram_copy.h"
#include "rest.h"
#include "stores.h"
#include "summary.h"
#include "unwind.h"
#include "writer.h"

static struct {
	const char *run, *hooks;
	bool check_writes, keep_ram, trace;
	uint32_t boot_id; /* 0: the writer chooses */
} options = {.keep_ram = true, .trace = true};
static bool ram_found;
static char summary_path[4096], ram_path[4096], leak_points_path[4096];

/* ---- translation ---- */

/* RAM exists only once the machine is built; the first block that is translated is proof of that. */
static void find_ram(void)
{
	qemu_harts_settle();
	ram_found = guest_find_ram(hooks.ram_base) && pages_init(hooks.ram_base, guest_ram_bytes()) &&
		    page_tables_init(guest_ram_bytes()) && stores_init(options.check_writes) &&
		    (!follow_wanted() || follow_init());
	if (!ram_found)
		fprintf(stderr,
			"pagetrail-plugin: no RAM at %#llx, or arrays too large: nothing is recorded\n",
			(unsigned long long)hooks.ram_base);
	summary_write(&(struct summary_options){
	    .path = summary_path, .check_writes = options.check_writes, .ram_found = ram_found});
	rest_init();
}

static void on_tables_change(unsigned told, void *data)
{
	unsigned hart = qemu_hart(told);
	guest_forget(hart);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool is_text = unwind_is_text(qemu_plugin_tb_vaddr(tb));
	size_t nr = qemu_plugin_tb_n_insns(tb);

	pthread_once(&once, find_ram);
	for (size_t i = 0; i < nr && ram_found; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t va = qemu_plugin_insn_vaddr(insn);
		unsigned size = (unsigned)qemu_plugin_insn_size(insn);
		uint32_t bits = qemu_insn_bits(insn);
		if (insn_changes_tables(bits, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_tables_change, CALLBACK_NO_REGISTERS,
							       NULL);
		console_translate(insn, bits, is_text, i == 0);
		if (!is_text)
			continue;
		hold_translate(insn, va);
		if (follow_wanted())
			follow_translate(insn, va, bits, size, i == 0);
		calls_translate(insn, va, i == 0);
		stores_translate(insn, va, bits, size);
	}
}

static void on_hart(qemu_plugin_id_t id, unsigned hart)
{
	qemu_hart_init(hart);
}

/* ---- begin and end ---- */

static void on_end(qemu_plugin_id_t id, void *data)
{
	if (follow_wanted() && ram_found)
		follow_write(leak_points_path);
	if (options.trace) {
		writer_close();
		depot_close();
	}
	bool kept = options.keep_ram && ram_copy_write(ram_path);
	summary_write(&(struct summary_options){.path = summary_path,
						.check_writes = options.check_writes,
						.ended = true,
						.ram_found = ram_found,
						.ram_kept = kept});
}

static bool refuse(const char *why, const char *what)
{
	fprintf(stderr, "pagetrail-plugin: %s%s%s\n", why, *what ? ": " : "", what);
	return false;
}

static bool is_on(const char *value)
{
	return !strcmp(value, "on") || !strcmp(value, "true") || !strcmp(value, "1");
}

static bool read_options(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		size_t length = value ? (size_t)(value - argv[i]) : 0;
		if (length == 3 && !strncmp(argv[i], "out", length))
			options.run = value + 1;
		else if (length == 5 && !strncmp(argv[i], "hooks", length))
			options.hooks = value + 1;
		else if (length == 12 && !strncmp(argv[i], "check-writes", length))
			options.check_writes = is_on(value + 1);
		else if (length == 3 && !strncmp(argv[i], "ram", length))
			options.keep_ram = is_on(value + 1);
		else if (length == 5 && !strncmp(argv[i], "trace", length))
			options.trace = is_on(value + 1);
		else if (length == 4 && !strncmp(argv[i], "boot", length))
			options.boot_id = (uint32_t)strtoul(value + 1, NULL, 0);
		else
			return refuse("unknown option", argv[i]);
	}
	if (!options.run || !options.hooks)
		return refuse("out=RUN and hooks=FILE are needed", "");
	return true;
}

static bool make_folder(const char *name, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s%s%s", options.run, *name ? "/" : "", name);
	return !mkdir(path, 0755) || errno == EEXIST || refuse(path, strerror(errno));
}

static bool open_run(void)
{
	char folder[4000], log[4096];

	if (!make_folder("", folder, sizeof(folder)))
		return false;
	snprintf(summary_path, sizeof(summary_path), "%s/plugin.json", options.run);
	snprintf(ram_path, sizeof(ram_path), "%s/ram", options.run);
	snprintf(leak_points_path, sizeof(leak_points_path), "%s/leak-points", options.run);
	if (!options.trace)
		return true;
	if (!make_folder("logs", folder, sizeof(folder)))
		return false;
	snprintf(log, sizeof(log), "%s/console.log", folder);
	if (!make_folder("trace", folder, sizeof(folder)))
		return false;
	writer_open(folder, options.boot_id);
	if (!depot_open(folder))
		return refuse(folder, strerror(errno));
	console_init(log);
	return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	const char *missing = qemu_api_bind(info);
	char *error;

	if (missing) {
		refuse(missing, "");
		return 1;
	}
	if (!read_options(argc, argv))
		return 1;
	if (!hooks_read(options.hooks, &error)) {
		refuse(error ? error : "out of memory", "");
		free(error);
		return 1;
	}
	if (hooks.follow_lost && info->system.smp_vcpus > 1 && !qemu_tells_current_hart()) {
		refuse(
		    "with several harts this QEMU does not tell which of them runs: --leak-points takes one",
		    "");
		return 1;
	}
	calls_init(options.check_writes);
	if (!open_run())
		return 1;
	qemu_plugin_register_vcpu_init_cb(id, on_hart);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_end, NULL);
	return 0;
}
