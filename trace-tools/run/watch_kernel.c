/* SPDX-License-Identifier: MIT */
/* watch_kernel: see watch_kernel.h. */
#include "watch_kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "ctf/tsdl.h"
#include "describe/describe.h"
#include "describe/follow.h"

/* NULL, or why it cannot be written. */
static char *write_text(const char *folder, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", folder, name), *error = NULL;
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		error = xasprintf("%s: %s", path, strerror(errno));
	free(path);
	return error;
}

static char *write_description(const char *folder, const struct description *description)
{
	char *path = xasprintf("%s/kernel.kd", folder), *error = NULL;
	FILE *file = fopen(path, "w");

	if (file)
		description_print(description, file);
	if (!file || fclose(file))
		error = xasprintf("%s: %s", path, strerror(errno));
	free(path);
	return error;
}

static char *write_hooks(const char *folder, const struct description *description, enum watch_follow follow)
{
	char *error;
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	fputs(description->hooks, out);
	if (follow)
		follow_all_pages(description, out);
	if (follow == WATCH_FOLLOW_LOST)
		fprintf(out, "follow lost=1\n");
	char *text = text_end(&buffer);
	error = write_text(folder, "hooks", text);
	free(text);
	return error;
}

/* The frames of the plugin's stacks are relative to what its hooks file says. */
static uint64_t stack_base(const char *hooks)
{
	const char *line = strstr(hooks, "\nstack "), *base = line ? strstr(line, "base=") : NULL;

	return base ? strtoull(base + strlen("base="), NULL, 0) : 0;
}

static char *write_metadata(const char *folder, const struct description *description, uint32_t boot_id)
{
	struct trace_env env = {
	    .boot_id = boot_id, .watched = true, .stack_base = stack_base(description->hooks)};
	const char *build_id = types_build_id(description->types);
	char *path = xasprintf("%s/trace/metadata", folder), *error = NULL;
	FILE *file = fopen(path, "w");

	if (build_id && strlen(build_id) == BUILD_ID_TEXT - 1)
		snprintf(env.build_id, sizeof(env.build_id), "%s", build_id);
	if (file)
		tsdl_write(file, &env);
	if (!file || fclose(file))
		error = xasprintf("%s: %s", path, strerror(errno));
	free(path);
	return error;
}

/* ---- --elf beside what QEMU boots ---- */

/* The address of a byte of code of `elf` that is not in the other; false: all are. */
static bool code_differs(const struct types *elf, const struct types *boots, uint64_t *address)
{
	for (size_t i = 0; i < types_nr_segments(elf); i++) {
		const struct segment *segment = types_segment(elf, i);
		const uint8_t *code = types_bytes(elf, segment->va, segment->file_bytes),
			      *there = types_bytes(boots, segment->va, segment->file_bytes);
		uint64_t at = 0;
		if (!segment->executable || !code || !segment->file_bytes)
			continue;
		while (there && at < segment->file_bytes && code[at] == there[at])
			at++;
		*address = segment->va + at;
		if (at < segment->file_bytes)
			return true;
	}
	return false;
}

enum same_code { CODE_SAME, CODE_OTHER, CODE_UNSEEN };

#define SAMPLES 256
#define SAMPLE_BYTES 16

/* In a raw image the code stands as in the ELF file, somewhere. Of another build some pieces do; of a packed one none. */
static enum same_code code_in_image(const uint8_t *code, uint64_t nr, const uint8_t *image, size_t bytes)
{
	unsigned found = 0;

	if (memmem(image, bytes, code, nr))
		return CODE_SAME;
	for (unsigned i = 0; i < SAMPLES && nr > SAMPLE_BYTES; i++)
		found += memmem(image, bytes, code + (nr - SAMPLE_BYTES) * i / SAMPLES, SAMPLE_BYTES) != NULL;
	return found > SAMPLES / 8 ? CODE_OTHER : CODE_UNSEEN;
}

static enum same_code compare_image(const struct types *elf, const char *path)
{
	size_t bytes = 0;
	uint8_t *image = (uint8_t *)file_read_all(path, &bytes);
	enum same_code same = CODE_SAME;

	for (size_t i = 0; image && i < types_nr_segments(elf) && same == CODE_SAME; i++) {
		const struct segment *segment = types_segment(elf, i);
		const void *code = types_bytes(elf, segment->va, segment->file_bytes);
		if (segment->executable && code && segment->file_bytes)
			same = code_in_image(code, segment->file_bytes, image, bytes);
	}
	free(image);
	return same;
}

char *watch_other_kernel(const char *elf, const char *boots)
{
	char *error = NULL, *not_elf = NULL;
	struct types *types = types_open(elf, &error), *booted = types ? types_open(boots, &not_elf) : NULL;
	enum same_code same = types && !booted ? compare_image(types, boots) : CODE_SAME;
	uint64_t address;

	if (booted && code_differs(types, booted, &address))
		error =
		    xasprintf("%s is not the kernel that QEMU boots: the code of %s differs at 0x%" PRIx64,
			      elf, boots, address);
	else if (same == CODE_OTHER)
		error = xasprintf("%s is not the kernel that QEMU boots: %s was made of another build", elf,
				  boots);
	else if (same == CODE_UNSEEN)
		warn("%s: the code of %s does not stand in it. If it is not that kernel, packed, all names "
		     "will be "
		     "wrong",
		     boots, elf);
	if (booted)
		types_close(booted);
	if (types)
		types_close(types);
	free(not_elf);
	return error;
}

/* ---- what the run folder gets ---- */

static char *not_enough(const char *elf, const struct description *description)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	fprintf(out,
		"%s: it was not found out how this kernel allocates its pages, so nothing can be traced. "
		"What was "
		"found:\n\n",
		elf);
	description_print(description, out);
	fputs("\nEdit this and pass it with --kernel-description FILE (docs/KERNEL-DESCRIPTION.md). Was the "
	      "kernel "
	      "built with -g?",
	      out);
	return text_end(&buffer);
}

char *watch_prepare_kernel(const char *folder, const char *elf, const char *description_path, const char *map,
			   enum watch_follow follow, uint32_t boot_id)
{
	static const char *const folders[] = {"kernel", "trace", "logs"};
	struct description description;
	char *error = NULL, *kernel = xasprintf("%s/kernel", folder),
	     *copy = xasprintf("%s/kernel.elf", kernel);

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !error; i++) {
		char *path = xasprintf("%s/%s", folder, folders[i]);
		if (make_folders(path))
			error = xasprintf("%s: %s", path, strerror(errno));
		free(path);
	}
	if (!error && !describe_kernel(&description, elf, description_path, map, &error)) {
		free(kernel);
		free(copy);
		return error;
	}
	if (!error && !description.enough)
		error = not_enough(elf, &description);
	if (!error)
		error = description_keep_elf(&description, elf, copy);
	if (!error)
		error = write_description(kernel, &description);
	if (!error)
		error = write_hooks(kernel, &description, follow);
	if (!error)
		error = write_metadata(folder, &description, boot_id);
	description_close(&description);
	free(kernel);
	free(copy);
	return error;
}
