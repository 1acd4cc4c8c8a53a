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
#define CHANGED_FILE RUN_SOURCES "/.changed"

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

/* Is it a line of the run's .changed? */
static bool is_said_newer(const struct sources *sources, const char *path)
{
	size_t bytes = strlen(path);
	const char *at = sources->said_newer;

	while (at && (at = strstr(at, path))) {
		if ((at == sources->said_newer || at[-1] == '\n') && at[bytes] == '\n')
			return true;
		at += bytes;
	}
	return false;
}

void sources_open(struct sources *sources, const struct run *run, const char *folder)
{
	*sources = (struct sources){.folder = folder,
				    .run_folder = run->is_capture ? NULL : run->folder,
				    .compiled = kernel_time(run)};
	if (sources->run_folder) {
		char *path = xasprintf("%s/" CHANGED_FILE, run->folder);
		const char *fault;
		sources->said_newer = file_read_regular(path, FILE_BYTES_MAX, NULL, &fault);
		free(path);
	}
}

void sources_close(struct sources *sources)
{
	for (size_t i = 0; i < sources->nr; i++) {
		free(sources->all[i].path);
		free(sources->all[i].text);
	}
	free(sources->all);
	free(sources->said_newer);
}

/* False: there is no such file. */
static bool read_file(const char *path, const struct sources *sources, struct source_file *source)
{
	struct stat about;
	const char *fault;

	if (!path || stat(path, &about) || !S_ISREG(about.st_mode))
		return false;
	source->text = file_read_regular(path, FILE_BYTES_MAX, NULL, &fault);
	source->newer = (int64_t)about.st_mtime > sources->compiled;
	return source->text != NULL;
}

/* The path lies in this folder: what follows it there; NULL: it does not. */
static const char *path_below(const char *path, const char *folder)
{
	size_t bytes = strlen(folder);

	return !strncmp(path, folder, bytes) && path[bytes] == '/' ? path + bytes + 1 : NULL;
}

/*
 * The file of the kernel's tree: at the same place as it had below the folder of the compiler, or below one further out, where that one
 * was a folder of the tree. False: it is not there.
 */
static bool read_in_tree(const struct sources *sources, const struct symbol_frame *frame, const char *path,
			 struct source_file *source)
{
	const char *rest = frame->folder ? path_below(path, frame->folder) : NULL;
	bool found = false;

	if (!sources->tree || !rest || path_below(path, sources->tree))
		return false;
	while (!found && rest > path + 1) {
		char *there = xasprintf("%s/%s", sources->tree, rest);
		found = read_file(there, sources, source);
		free(there);
		for (rest--; rest > path && rest[-1] != '/';)
			rest--;
	}
	return found;
}

static void read_source(struct sources *sources, const struct symbol_frame *frame, struct source_file *source)
{
	char *kept = sources->run_folder ? real_kept_path(sources->run_folder, frame) : NULL;
	char *path = full_path(frame, sources->folder ? sources->folder : frame->folder);

	if (sources->folder && read_file(path, sources, source))
		source->newer = false; /* who names a folder knows */
	else if (read_file(kept, sources, source))
		source->newer = is_said_newer(sources, source->path);
	else if (!sources->folder && !read_in_tree(sources, frame, path, source) &&
		 read_file(path, sources, source) && source->newer && !sources->keeps) {
		free(source->text);
		source->text = NULL;
		sources->nr_newer++;
	}
	free(path);
	free(kept);
}

static const struct source_file *source_of(struct sources *sources, const struct symbol_frame *frame)
{
	if (!frame->file || !frame->line)
		return NULL;
	char *path = full_path(frame, frame->folder);
	for (size_t i = 0; i < sources->nr; i++) {
		if (!strcmp(sources->all[i].path, path)) {
			free(path);
			return &sources->all[i];
		}
	}
	struct source_file source = {.path = path};
	read_source(sources, frame, &source);
	sources->nr_shown += source.text != NULL;
	ARRAY_PUSH(sources->all, sources->nr, sources->capacity) = source;
	return &sources->all[sources->nr - 1];
}

const char *sources_text(struct sources *sources, const struct symbol_frame *frame)
{
	const struct source_file *source = source_of(sources, frame);

	return source ? source->text : NULL;
}

const char *sources_changed(const struct sources *sources, size_t *nr)
{
	const char *first = NULL;

	*nr = 0;
	for (size_t i = 0; i < sources->nr; i++) {
		const struct source_file *source = &sources->all[i];
		if (!source->text || !source->newer)
			continue;
		first = first ? first : source->path;
		(*nr)++;
	}
	return first;
}

/* ---- keeping them ---- */

static bool write_file(const char *path, const struct source_file *source)
{
	char *folder = xasprintf("%.*s", (int)(strrchr(path, '/') - path), path);
	FILE *out = make_folders(folder) ? NULL : fopen(path, "wb");
	bool good = out && fwrite(source->text, 1, strlen(source->text), out) == strlen(source->text);

	good = out && !fclose(out) && good;
	free(folder);
	return good;
}

/* False when the folder cannot be written: then no other file can be, either. */
static bool keep_frame(struct sources *sources, const struct symbol_frame *frame)
{
	size_t nr_before = sources->nr;
	const struct source_file *source = source_of(sources, frame);

	if (!source || !source->text || sources->nr == nr_before)
		return true;
	char *path = kept_path(sources->run_folder, frame);
	bool good = !path || write_file(path, source);
	if (!good)
		warn("%s: %s: the report will not show the source", path, strerror(errno));
	free(path);
	return good;
}

static void keep_all(struct sources *sources, const struct run *run, struct symbols *symbols)
{
	bool good = true;

	for (uint32_t id = 1; id <= run->nr_stacks && good; id++) {
		const uint32_t *addresses;
		const struct symbol_frame *frames;
		uint32_t nr = run_stack(run, id, &addresses);
		for (uint32_t i = 0; i < nr && good; i++) {
			size_t nr_frames = symbols_find(symbols, addresses[i], &frames);
			for (size_t k = 0; k < nr_frames && good; k++)
				good = keep_frame(sources, &frames[k]);
		}
	}
}

/* When the file was made of which the run has a copy; where it was made anew meanwhile, when it was copied. */
static int64_t original_time(const char *kernel, int64_t copied)
{
	struct stat about;

	return !stat(kernel, &about) && about.st_mtime < copied ? about.st_mtime : copied;
}

/* The folder where the command ran, if the kernel lies in it; NULL: nobody knows whose tree it is. Caller frees. */
static char *tree_of(const char *kernel, const char *folder)
{
	char *real = realpath(kernel, NULL), *tree = real ? realpath(folder ? folder : ".", NULL) : NULL;

	if (tree && !path_below(real, tree)) {
		free(tree);
		tree = NULL;
	}
	free(real);
	return tree;
}

/* On stderr, and in the run for those who read it later. */
static void say_changed(const struct sources *sources)
{
	size_t nr;
	const char *first = sources_changed(sources, &nr);
	char *path = xasprintf("%s/" CHANGED_FILE, sources->run_folder);

	if (nr == 1)
		warn("%s was " SOURCES_CHANGED, first);
	else if (nr)
		warn("%s and %zu more were " SOURCES_CHANGED, first, nr - 1);
	FILE *out = nr ? fopen(path, "w") : NULL;
	for (size_t i = 0; out && i < sources->nr; i++) {
		if (sources->all[i].newer)
			fprintf(out, "%s\n", sources->all[i].path);
	}
	if (nr && (!out || fclose(out)))
		warn("%s: %s", path, strerror(errno));
	free(path);
}

void sources_keep(const char *run_folder, const char *kernel, const char *folder)
{
	char *error = NULL, *problem, *tree = NULL,
	     *original = !kernel || kernel[0] == '/' || !folder ? kernel ? xstrdup(kernel) : NULL
								: xasprintf("%s/%s", folder, kernel);
	struct run *run = run_open(run_folder, &error);
	struct sources sources;

	free(error);
	if (!run) {
		free(original);
		return; /* whoever made it has said why */
	}
	struct symbols *symbols = symbols_open(run->kernel_path, &problem);
	free(problem);
	if (run->watched)
		symbols_set_foreign(symbols, run->stack_base);
	sources_open(&sources, run, NULL);
	if (original) {
		sources.compiled = original_time(original, sources.compiled);
		tree = tree_of(original, folder);
	}
	sources.tree = tree;
	sources.keeps = true;
	keep_all(&sources, run, symbols);
	say_changed(&sources);
	sources_close(&sources);
	symbols_close(symbols);
	run_close(run);
	free(original);
	free(tree);
}
