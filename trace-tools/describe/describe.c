/* SPDX-License-Identifier: MIT */
/* describe: see describe.h. */
#include "describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "code.h"
#include "detect.h"
#include "hooks.h"

/* A raw image with the symbols that the description names. */
static struct types *open_image(const struct kd *kd, const char *image, const char *given, char **error)
{
	const struct kd_item *symbols = kd_item(kd, KD_SYMBOLS, 0);
	const char *map = given ? given : kd_get(symbols, "map"), *va = kd_get(symbols, "va"),
		   *slash = strrchr(kd->path, '/');
	char *end, *beside = !given && *map != '/' && slash
				 ? xasprintf("%.*s/%s", (int)(slash - kd->path), kd->path, map)
				 : xstrdup(map);
	uint64_t address = strtoull(va, &end, 0);
	struct types *types = NULL;

	if (*end)
		*error = xasprintf("%s:%zu: symbols: va=%s: expected a number", kd->path, symbols->line, va);
	else
		types = types_open_map(beside, image, address, error);
	free(beside);
	return types;
}

bool describe_kernel(struct description *description, const char *elf, const char *kd_path, const char *map,
		     char **error)
{
	*description = (struct description){.kd = kd_path ? kd_read(kd_path, error) : NULL};
	if (kd_path && !description->kd)
		return false;
	bool image = description->kd && kd_item(description->kd, KD_SYMBOLS, 0);
	if (map && !image)
		*error = xasprintf("%s: names come from a map only where a description says `symbols va=…`, "
				   "the address of the image's first byte",
				   map);
	else
		description->types =
		    image ? open_image(description->kd, elf, map, error) : types_open(elf, error);
	if (description->types) {
		description->code = code_open(description->types);
		if (!description->kd)
			description->kd = detect(description->types, description->code);
		description->hooks =
		    hooks_compile(description->kd, description->types, description->code, error);
	}
	if (!description->hooks) {
		description_close(description);
		return false;
	}
	description->enough = detect_is_enough(description->kd);
	return true;
}

char *description_keep_elf(struct description *description, const char *elf, const char *path)
{
	if (kd_item(description->kd, KD_SYMBOLS, 0)) {
		kd_drop(description->kd, KD_SYMBOLS);
		return types_write_elf(description->types, path);
	}
	return file_copy(elf, path) ? xasprintf("%s: %s", path, strerror(errno)) : NULL;
}

const struct type *describe_frame_type(const struct kd *kd, const struct types *types)
{
	const struct kd_item *pages = kd_item(kd, KD_PAGES, 0);
	const char *named = pages ? kd_get(pages, "struct") : NULL, *name = named ? named : "page";
	const struct type *type = types_struct(types, name);

	return type ? type : types_typedef(types, name);
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
