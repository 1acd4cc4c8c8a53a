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
			     &error))
		die("%s", error);
	if (option(arguments, "hooks"))
		fputs(description.hooks, stdout);
	else
		description_print(&description, stdout);
	int status = description.enough ? STATUS_NOTHING_LOST : STATUS_CANNOT_TELL;
	description_close(&description);
	return status;
}

static const struct option_spec options[] = {
    {"kernel-description", "FILE", "check this description against the kernel, instead of finding one"},
    {"hooks", NULL, "print what the QEMU plugin is given: the same with every name looked up"},
    {NULL, NULL, NULL},
};

const struct command command_describe = {
    .name = "describe",
    .operands = "ELF",
    .summary = "find out how a kernel that is not Pagetrail allocates and counts its pages",
    .description = "Reads the debug information and the code of a kernel of the xv6 family, of any year and "
		   "any lab, and prints a\n"
		   "description of it: which functions allocate and free pages, where the free lists and the "
		   "reference counts\n"
		   "are and which count belongs to which page, the table of processes and its page tables, "
		   "the console. Each\n"
		   "item says why. What was looked for and not found is said at the end; a guess begins with "
		   "`maybe`.\n\n"
		   "Another kernel needs a description that somebody writes: docs/KERNEL-DESCRIPTION.md.\n\n"
		   "The status is 0 when the kernel can be traced with it, 2 when not.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = describe_command,
};
