/* SPDX-License-Identifier: MIT */
/* pagetrail verify: the trace against the memory that the machine left. What is compared: lib/verify.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/verify.h"
#include "base/json.h"
#include "command.h"
#include "target/image.h"

/* Of each part; the others are counted. */
#define SHOWN_MAX 40

static const char *const looked_at[VERIFY_NR] = {"events", "pages", "free blocks", "parked pages",
						 "live objects"};

static void print_differences(const struct verify *verify)
{
	for (enum verify_part part = 0; part < VERIFY_NR; part++) {
		size_t shown = 0;
		printf("%-7s %9" PRIu64 " %-13s ", verify_part_text(part), verify->looked[part],
		       looked_at[part]);
		if (!verify->nr_by_part[part])
			printf("OK\n");
		else
			printf("%zu DIFFERENCE%s\n", verify->nr_by_part[part],
			       verify->nr_by_part[part] == 1 ? "" : "S");
		for (size_t i = 0; i < verify->nr_kept && shown < SHOWN_MAX; i++) {
			if (verify->differences[i].part == part) {
				printf("  %s\n", verify->differences[i].text);
				shown++;
			}
		}
		if (shown < verify->nr_by_part[part])
			printf("  and %zu more\n", verify->nr_by_part[part] - shown);
	}
}

static void print_json(const struct verify *verify, const struct run *run, bool complete)
{
	struct json json;

	json_begin_command(&json, stdout, "verify",
			   verify->nr_differences ? "different"
			   : complete             ? "OK"
						  : "cannot tell");
	json_bool(&json, "complete", run_complete(run));
	json_bool(&json, "ended", verify->guest->desc && guest_exit_status(verify->guest) >= 0);
	json_int(&json, "differences", (int64_t)verify->nr_differences);
	json_open(&json, "parts", '[');
	for (enum verify_part part = 0; part < VERIFY_NR; part++) {
		json_open(&json, NULL, '{');
		json_string(&json, "part", verify_part_text(part));
		json_int(&json, "looked_at", (int64_t)verify->looked[part]);
		json_int(&json, "differences", (int64_t)verify->nr_by_part[part]);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "list", '[');
	for (size_t i = 0; i < verify->nr_kept; i++) {
		json_open(&json, NULL, '{');
		json_string(&json, "part", verify_part_text(verify->differences[i].part));
		json_int(&json, "pa", (int64_t)verify->differences[i].pa);
		json_string(&json, "text", verify->differences[i].text);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
}

/* What the kernel recorded: a masked category leaves holes in the books that are no losses. */
static bool everything_recorded(const struct verify *verify)
{
	uint64_t bytes, pa = layout_variable(verify->layout, "trace_mask", &bytes);
	uint32_t wanted = 1U << TRACE_CATEGORY_PAGE | 1U << TRACE_CATEGORY_REF | 1U << TRACE_CATEGORY_OBJECT;

	return (verify_read(verify, pa, (struct member){0, (uint32_t)bytes}) & wanted) == wanted;
}

static int verify_command(const struct arguments *arguments)
{
	const char *folder = arguments->operands[0], *ram = option(arguments, "ram"), *fault,
		   *kernel = option(arguments, "kernel");
	char *path = ram ? xstrdup(ram) : xasprintf("%s/ram", folder), *error;
	struct run *run = open_run(folder);
	struct guest guest;

	if (run->watched)
		die("%s: verify needs a Pagetrail kernel, and this one was watched from outside. "
		    "`pagetrail audit` compares its free lists with the trace",
		    folder);
	kernel = kernel ? kernel : run->kernel_path;
	if (!kernel)
		die("%s has no kernel in it: name it with --kernel", folder);
	if (!ram && access(path, R_OK))
		die("%s: no RAM to compare with: `run --keep-ram` leaves it there, or name it with --ram",
		    path);
	struct layout *layout = layout_open(kernel, &error);
	if (!layout || !image_open(&guest, path, &error))
		die("%s", error);
	if (!guest_find_desc(&guest, desc_address(kernel), &fault))
		die("%s: %s", path, fault ? fault : "not the memory of this kernel");
	if (!option(arguments, "force-symbols") && !kernel_of_guest(kernel, &guest))
		die("%s: the debug information does not say where this kernel has its pages", path);
	const struct trace_packet_header *depot =
	    guest_memory(&guest, guest.desc->depot_pa, sizeof(struct trace_packet_header));
	if (depot->boot_id != run->boot_id)
		die("%s: the memory of another boot than the trace's", path);

	struct model *model = model_replay(run, NULL);
	struct verify *verify = verify_run(&guest, model, layout);
	bool recorded = everything_recorded(verify), complete = run_complete(run) && recorded;
	int status = !complete ? STATUS_CANNOT_TELL : verify->nr_differences ? STATUS_LEAKED : STATUS_OK;
	if (option(arguments, "json")) {
		print_json(verify, run, complete);
	} else {
		run_print_losses(run, stdout);
		if (!recorded)
			printf("events of some categories were not recorded (the mask)\n");
		if (guest_exit_status(&guest) < 0)
			printf(
			    "the machine did not power off: what each hart was doing just then may differ\n");
		print_differences(verify);
		if (complete)
			printf("%s\n", verify->nr_differences ? "DIFFERENT" : "OK: trace and memory agree");
		else
			printf("cannot tell: the trace is incomplete, so it may differ from memory for that "
			       "reason\n");
	}
	verify_free(verify);
	model_free(model);
	layout_close(layout);
	guest_close(&guest);
	run_close(run);
	free(path);
	return status;
}

static const struct option_spec options[] = {
    {"ram", "RAMFILE", "the memory, a RAM file or an ELF core (RUN/ram)"},
    {"kernel", "ELF", "its kernel (the one in RUN)"},
    {"json", NULL, "as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_verify = {
    .name = "verify",
    .operands = "RUN",
    .summary = "replay the trace and compare it with the memory of the stopped machine",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = verify_command,
};
