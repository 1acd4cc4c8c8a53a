/* SPDX-License-Identifier: MIT */
/* pagetrail baseline: keeps how a run without leaks released what it acquired. What that is: analysis/baseline.h. */
#include <stdlib.h>

#include "base/outfile.h"
#include "command.h"

static int baseline_command(const struct arguments *arguments)
{
	struct run *run = open_run(arguments->operands[0]);
	struct model *model = model_replay(run, NULL);
	struct outfile out;

	check_healthy(run, model);
	struct baseline *baseline = baseline_of(run, model);
	char *path = option(arguments, "out")
			 ? xstrdup(option(arguments, "out"))
			 : baseline_path(BASELINES_FOLDER, baseline->workload, baseline->build);
	if (!option(arguments, "out") && make_folders(BASELINES_FOLDER))
		die("%s: cannot make it", BASELINES_FOLDER);
	outfile_open(&out, path);
	baseline_write(baseline, out.file);
	outfile_close(&out);
	printf("baseline: %s: %zu kind%s of lives of workload %s\n", path, baseline->nr_lives,
	       plural_s(baseline->nr_lives), baseline->workload[0] ? baseline->workload : "(none)");
	free(path);
	baseline_free(baseline);
	model_free(model);
	run_close(run);
	return STATUS_OK;
}

static const struct option_spec options[] = {
    {"out", "FILE", "where to (" BASELINES_FOLDER "/, named after the workload and the kernel's build)"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_baseline = {
    .name = "baseline",
    .operands = "RUN",
    .summary = "keep how a run without leaks released what it acquired, for `leaks --baseline`",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = baseline_command,
};
