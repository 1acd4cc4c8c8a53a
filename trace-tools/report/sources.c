/* SPDX-License-Identifier: MIT */
/* sources: see sources.h. */
#include "sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

/* More is no source that a person reads. */
#define FILE_BYTES_MAX (4U << 20)

/* "/a/b.c" or "b.c" of the folder "/a" */
static char *full_path(const struct symbol_frame *frame, const char *folder)
{
	if (frame->file[0] == '/' || !folder)
		return xstrdup(frame->file);
	return xasprintf("%s/%s", folder, frame->file);
}

/* Where a run keeps it; NULL: nowhere, for its path leads out of any folder. Caller frees. */
static char *kept_path(const char *run_folder, const struct symbol_frame *frame)
{
	const char *name = frame->file + strspn(frame->file, "/");

	for (const char *part = name; *part;) {
		size_t bytes = strcspn(part, "/");
		if (bytes == 2 && !strncmp(part, "..", 2))
			return NULL;
		part += bytes + strspn(part + bytes, "/");
	}
	return *name ? xasprintf("%s/" RUN_SOURCES "/%s", run_folder, name) : NULL;
}

/* What is kept in the run; NULL: it is not, or its links lead out of there, to what is no part of the run. Caller frees. */
static char *real_kept_path(const char *run_folder, const struct symbol_frame *frame)
{
	char *path = kept_path(run_folder, frame), *real = path ? realpath(path, NULL) : NULL;
	char *run = real ? realpath(run_folder, NULL) : NULL;
	char *sources = run ? xasprintf("%s/" RUN_SOURCES "/", run) : NULL;

	if (real && (!sources || strncmp(real, sources, strlen(sources)) != 0)) {
		free(real);
		real = NULL;
	}
	free(sources);
	free(run);
	free(path);
	return real;
}

/* When the kernel of a run was there; INT64_MAX: nobody knows, so each file may be older. */
static int64_t kernel_time(const struct run *run)
{
	struct stat about;

	return run->kernel_path && !stat(run->kernel_path, &about) ? about.st_mtime : INT64_MAX;
}

void sources_open(struct sources *sources, const struct run *run, const char *folder)
{
	*sources = (struct sources){.folder = folder,
				    .run_folder = run->is_capture ? NULL : run->folder,
				    .compiled = kernel_time(run)};
}

void sources_close(struct sources *sources)
{
	for (size_t i = 0; i < sources->nr; i++) {
		free(sources->all[i].path);
		free(sources->all[i].text);
	}
	free(sources->all);
}

/* NULL: it is not there, or newer than `compiled`; then *newer is counted. */
static char *read_file(const char *path, int64_t compiled, uint64_t *newer)
{
	struct stat about;
	const char *fault;

	if (!path || stat(path, &about) || !S_ISREG(about.st_mode))
		return NULL;
	if ((int64_t)about.st_mtime > compiled) {
		(*newer)++;
		return NULL;
	}
	return file_read_regular(path, FILE_BYTES_MAX, NULL, &fault);
}

static char *read_source(struct sources *sources, const struct symbol_frame *frame)
{
	char *kept = sources->run_folder ? real_kept_path(sources->run_folder, frame) : NULL;
	char *path = full_path(frame, sources->folder ? sources->folder : frame->folder), *text = NULL;
	uint64_t nr_ignored = 0;

	if (sources->folder)
		text = read_file(path, INT64_MAX, &nr_ignored);
	if (!text)
		text = read_file(kept, INT64_MAX, &nr_ignored);
	if (!text && !sources->folder)
		text = read_file(path, sources->compiled, &sources->nr_newer);
	free(path);
	free(kept);
	return text;
}

const char *sources_text(struct sources *sources, const struct symbol_frame *frame)
{
	if (!frame->file || !frame->line)
		return NULL;
	char *path = full_path(frame, frame->folder);
	for (size_t i = 0; i < sources->nr; i++) {
		if (!strcmp(sources->all[i].path, path)) {
			free(path);
			return sources->all[i].text;
		}
	}
	char *text = read_source(sources, frame);
	sources->nr_shown += text != NULL;
	ARRAY_PUSH(sources->all, sources->nr, sources->capacity) = (struct source_file){path, text};
	return text;
}

/* ---- keeping them ---- */

static bool write_file(const char *path, const char *text)
{
	char *folder = xasprintf("%.*s", (int)(strrchr(path, '/') - path), path);
	FILE *out = make_folders(folder) ? NULL : fopen(path, "wb");
	bool good = out && fwrite(text, 1, strlen(text), out) == strlen(text);

	good = out && !fclose(out) && good;
	free(folder);
	return good;
}

/* False when the folder cannot be written: then no other file can be, either. */
static bool keep_frame(struct sources *sources, const struct symbol_frame *frame)
{
	size_t nr_before = sources->nr;
	const char *text = sources_text(sources, frame);

	if (!text || sources->nr == nr_before)
		return true;
	char *path = kept_path(sources->run_folder, frame);
	bool good = !path || write_file(path, text);
	if (!good)
		warn("%s: %s: the report will not show the source", path, strerror(errno));
	free(path);
	return good;
}

void sources_keep(const char *run_folder)
{
	char *error = NULL, *problem;
	struct run *run = run_open(run_folder, &error);
	struct sources sources;
	bool good = true;

	free(error);
	if (!run)
		return; /* whoever made it has said why */
	struct symbols *symbols = symbols_open(run->kernel_path, &problem);
	free(problem);
	if (run->watched)
		symbols_set_foreign(symbols, run->stack_base);
	sources_open(&sources, run, NULL);
	for (uint32_t id = 1; id <= run->nr_stacks && good; id++) {
		const uint32_t *addresses;
		const struct symbol_frame *frames;
		uint32_t nr = run_stack(run, id, &addresses);
		for (uint32_t i = 0; i < nr && good; i++) {
			size_t nr_frames = symbols_find(symbols, addresses[i], &frames);
			for (size_t k = 0; k < nr_frames && good; k++)
				good = keep_frame(&sources, &frames[k]);
		}
	}
	sources_close(&sources);
	symbols_close(symbols);
	run_close(run);
}
