/* SPDX-License-Identifier: MIT */
/* describe: see describe.h. */
#include "describe.h"

#include <stdlib.h>

#include "base/util.h"
#include "code.h"
#include "detect.h"
#include "hooks.h"

bool describe_kernel(struct description *description, const char *elf, const char *kd_path, char **error)
{
	*description = (struct description){.types = types_open(elf, error)};
	if (!description->types)
		return false;
	description->code = code_open(description->types);
	description->kd = kd_path ? kd_read(kd_path, error) : detect(description->types, description->code);
	if (description->kd)
		description->hooks =
		    hooks_compile(description->kd, description->types, description->code, error);
	if (!description->hooks) {
		description_close(description);
		return false;
	}
	description->enough = detect_is_enough(description->kd);
	return true;
}

void description_close(struct description *description)
{
	kd_free(description->kd);
	if (description->code)
		code_close(description->code);
	types_close(description->types);
	free(description->hooks);
	*description = (struct description){0};
}

void description_print(const struct description *description, FILE *out)
{
	if (!description->kd->path)
		fprintf(out,
			"# Description of the kernel %s, as found in it. To change it, save it, edit it and "
			"pass it with\n"
			"# --kernel-description FILE. Each item says why; `maybe` marks what is a guess.\n",
			types_path(description->types));
	kd_print(description->kd, out);
	if (!description->enough)
		fprintf(out, "# This is not enough to trace: pages come from `alloc` and go by `free`, or by "
			     "`state`.\n");
}
