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
