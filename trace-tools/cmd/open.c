/* SPDX-License-Identifier: MIT */
/* open: what several commands begin with: a run, an instant of it, the descriptor of a kernel. */
#include <stdlib.h>
#include <string.h>

#include "base/elf_file.h"
#include "command.h"
#include "target/symbols.h"

struct run *open_run(const char *folder)
{
	char *error;
	struct run *run = run_open(folder, &error);

	if (!run)
		die("%s", error);
	return run;
}

struct baseline *baseline_of(struct run *run, struct model *model)
{
	struct stack_table *stacks = stack_table_open(run);
	struct baseline *baseline = baseline_of_run(model, stacks);
	char *error = NULL;
	struct types *types = run->kernel_path ? types_open(run->kernel_path, &error) : NULL;

	if (types) {
		struct call_sites *code =
		    call_sites_open(types, stacks->symbols, run->watched ? run->stack_base : PHYS_OFFSET);
		struct code_shapes *shapes = code_shapes_open(types, stacks->symbols);
		baseline_take_code(baseline, code, shapes);
		code_shapes_close(shapes);
		call_sites_close(code);
		types_close(types);
	}
	free(error);
	stack_table_close(stacks);
	return baseline;
}

void check_healthy(struct run *run, struct model *model)
{
	struct stack_table *stacks = stack_table_open(run);
	struct leaks *leaks = leaks_find(model, stacks, NULL);
	int status = leaks->status;
	const char *uncertain = leaks_uncertain(leaks);

	if (status == STATUS_LEAKED)
		die("%s has leaks: it is no baseline", run->folder);
	if (status != STATUS_OK)
		die("%s is no baseline: it is not certain that it has no leaks: %s", run->folder, uncertain);
	leaks_free(leaks);
	stack_table_close(stacks);
}

struct baseline *open_baseline(const char *path)
{
	char *error;

	if (file_is_regular(path)) {
		struct baseline *read = baseline_read(path, &error);
		if (!read)
			die("%s", error);
		return read;
	}
	struct run *run = open_run(path);
	struct model *model = model_replay(run, NULL);
	check_healthy(run, model);
	struct baseline *baseline = baseline_of(run, model);
	model_free(model);
	run_close(run);
	return baseline;
}

struct baseline *kept_baseline(const struct run *run)
{
	char *workload = baseline_workload(run);
	char *path = workload[0] ? baseline_seek(BASELINES_FOLDER, workload, run->build_id) : NULL;
	struct baseline *baseline = path ? open_baseline(path) : NULL;

	free(path);
	free(workload);
	return baseline;
}

uint64_t instant_or_die(const struct timeline *timeline, const char *option, const char *text,
			enum instant_edge edge)
{
	uint64_t time;
	char *error;

	if (!instant_find(timeline, text, edge, &time, &error))
		die("%s: %s", option, error);
	return time;
}

struct model *replay_at(struct run *run, const char *instant, uint64_t *time)
{
	struct timeline timeline;

	if (!instant) {
		struct model *model = model_replay(run, NULL);
		*time = model_totals(model)->last_time;
		return model;
	}
	timeline_read(&timeline, run);
	*time = instant_or_die(&timeline, "--at", instant, EDGE_BEGIN);
	timeline_free(&timeline);
	return model_replay_to(run, NULL, *time);
}

const char *kernel_of_guest(const char *kernel, const struct guest *guest)
{
	char running[BUILD_ID_TEXT], id[BUILD_ID_TEXT];

	build_id_text(guest->desc->build_id, running);
	const char *fault = kernel ? elf_file_build_id(kernel, id, sizeof(id)) : NULL;
	if (!kernel || (!fault && (!running[0] || !strcmp(running, id))))
		return kernel;
	if (fault)
		warn("%s: %s", kernel, fault);
	else
		warn("%s: it is of build %s, the kernel in memory of %s: its names are not used "
		     "(--force-symbols "
		     "takes them)",
		     kernel, id[0] ? id : "(none)", running);
	return NULL;
}

uint64_t desc_address(const char *kernel)
{
	char *problem;
	uint64_t va = 0;

	if (!kernel)
		return 0;
	struct symbols *symbols = symbols_open(kernel, &problem);
	if (!symbols_value(symbols, "trace_desc", &va))
		die("%s: no symbol trace_desc: is this a Pagetrail kernel?", kernel);
	symbols_close(symbols);
	free(problem);
	return va >= PHYS_OFFSET ? va - PHYS_OFFSET : va;
}
