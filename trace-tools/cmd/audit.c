/* SPDX-License-Identifier: MIT */
/* pagetrail audit: what each page of a stranger's kernel is, from the copy of its RAM. How: analysis/ram_audit.h. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/watched.h"
#include "command.h"
#include "report/audit_report.h"
#include "target/image.h"

/* RUN/NAME where that is there; else NULL. */
static char *in_folder(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);

	if (!access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

/* The kernel's ELF file: named, or the one in the folder. */
static char *find_kernel(const struct arguments *arguments, const char *folder)
{
	char *path = option(arguments, "kernel") ? xstrdup(option(arguments, "kernel"))
						 : in_folder(folder, "kernel/kernel.elf");

	if (!path && (path = in_folder(folder, "kernel/pagetrail.elf")))
		die("%s is a run of the Pagetrail kernel, which audits itself: see `pagetrail leaks` and "
		    "`pagetrail verify`",
		    folder);
	if (!path)
		die("%s has no kernel/kernel.elf: name the kernel with --kernel", folder);
	return path;
}

/* A folder with no trace in it is audited without one. */
static struct run *open_trace(const char *folder)
{
	char *trace = in_folder(folder, "trace"), *error = NULL;
	struct run *run = trace ? run_open(folder, &error) : NULL;

	if (trace && !run)
		die("%s", error);
	free(trace);
	return run;
}

static void refuse_folder_of_runs(const char *folder)
{
	char *trace = in_folder(folder, "trace"), *runs = trace ? NULL : run_list_beneath(folder);

	if (runs)
		die("%s: a folder of runs, not a run: name one of them, the last first:%s", folder, runs);
	free(trace);
}

static void doubt(struct ram_audit *audit, const char *why)
{
	if (!why)
		return;
	ram_audit_reason(audit, "%s", why);
	ram_audit_doubt(audit);
}

/* What the user named is the user's; what is in the folder must be what the machine left there. */
static void doubt_files(struct ram_audit *audit, const struct run *run, const struct arguments *arguments)
{
	bool named = option(arguments, "ram") != NULL;
	char *other = named ? NULL : manifest_end_fault(run);

	doubt(audit, other);
	if (!option(arguments, "kernel"))
		doubt(audit, run->kernel_fault);
	if (!named && run->is_other)
		doubt(audit, "the files are not those that were recorded");
	free(other);
}

static int audit_command(const struct arguments *arguments)
{
	const char *folder = arguments->operands[0], *named = option(arguments, "ram");

	refuse_folder_of_runs(folder);
	char *ram = named ? xstrdup(named) : in_folder(folder, "ram"),
	     *kernel = find_kernel(arguments, folder), *error;
	char *kd = option(arguments, "kernel-description") ? xstrdup(option(arguments, "kernel-description"))
							   : in_folder(folder, "kernel/kernel.kd");
	struct description description;
	struct guest guest;

	if (!ram)
		die("%s has no copy of RAM: name one with --ram", folder);
	if (!describe_kernel(&description, kernel, kd, NULL, &error) || !image_open(&guest, ram, &error))
		die("%s", error);
	struct run *run = open_trace(folder);
	char *plugin = run ? in_folder(folder, "plugin.json") : NULL;
	struct ram_audit *audit = ram_audit_make(&description, &guest, run);
	if (run)
		doubt_files(audit, run, arguments);
	/* A copy of RAM with a trace may come without it; a watched run's manifest says that it was there. */
	if (plugin && !named)
		watched_take_plugin(audit, run);
	free(plugin);
	struct stack_table *stacks = run ? stack_table_open(run) : NULL;
	if (option(arguments, "json"))
		audit_report_json(audit, stacks, stdout);
	else
		audit_report_print(audit, stacks, option(arguments, "all") != NULL, stdout);
	int status = audit->status;
	ram_audit_free(audit);
	if (run) {
		stack_table_close(stacks);
		run_close(run);
	}
	guest_close(&guest);
	description_close(&description);
	free(ram);
	free(kernel);
	free(kd);
	return status;
}

static const struct option_spec options[] = {
    {"ram", "RAMFILE", "the memory, a RAM file or an ELF core (RUN/ram)"},
    {"kernel", "ELF", "its kernel (RUN/kernel/kernel.elf)"},
    {"kernel-description", "FILE", "its description (RUN/kernel/kernel.kd; else found in the kernel)"},
    {"all", NULL, "each page of the allocator, with its holder"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_audit = {
    .name = "audit",
    .operands = "RUN",
    .summary = "look through a copy of a kernel's memory: which pages are free, held by what, or leaked",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = audit_command,
};
