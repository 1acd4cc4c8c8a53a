/* SPDX-License-Identifier: MIT */
/* pagetrail describe: what is found in a kernel that is not ours. What is looked for: describe/detect.h. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "describe/describe.h"

static int describe_command(const struct arguments *arguments)
{
	struct description description;
	char *error;

	if (!describe_kernel(&description, arguments->operands[0], option(arguments, "kernel-description"),
			     option(arguments, "symbols"), &error))
		die("%s", error);
	if (option(arguments, "hooks"))
		fputs(description.hooks, stdout);
	else
		description_print(&description, stdout);
	int status = description.enough ? STATUS_OK : STATUS_CANNOT_TELL;
	description_close(&description);
	return status;
}

static const struct option_spec options[] = {
    {"kernel-description", "FILE", "check this description against the kernel, instead of finding one"},
    {"symbols", "FILE", "the System.map of a raw image, instead of the one that the description names"},
    {"hooks", NULL, "print what the QEMU plugin is given: the same with every name looked up"},
    {NULL, NULL, NULL},
};

const struct command command_describe = {
    .name = "describe",
    .operands = "ELF",
    .summary = "find out how a kernel that is not Pagetrail allocates and counts its pages",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = describe_command,
};
