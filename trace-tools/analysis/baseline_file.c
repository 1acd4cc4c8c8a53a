/* SPDX-License-Identifier: MIT */
/* baseline_file: a baseline as a file, and what a run's workload was. See baseline.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json_read.h"
#include "base/util.h"
#include "baseline.h"

/* Longer files are not read. */
#define FILE_MAX (64ULL << 20)
#define MAGIC "pagetrail-baseline 4"
/* In the file, for pages of watched kernels, which have no kind of reference. */
#define NO_KIND "page"
/* The last line, with the number of all others: a file that is cut would be evidence of what never came. */
#define END "end "

char *baseline_workload(const struct run *run)
{
	char *path = run->folder ? xasprintf("%s/run.json", run->folder) : NULL, *text = NULL;
	const char *fault;
	size_t bytes;
	char *json = path ? file_read_regular(path, FILE_MAX, &bytes, &fault) : NULL;
	struct json_value *value = json ? json_parse(json) : NULL;
	const struct json_value *words = json_get(value, "guest_command");

	for (const struct json_value *word = words ? words->first : NULL; word; word = word->next) {
		char *longer =
		    xasprintf("%s%s%s", text ? text : "", text ? " " : "", word->text ? word->text : "");
		free(text);
		text = longer;
	}
	json_value_free(value);
	free(json);
	free(path);
	for (char *c = text; c && *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	return text ? text : xstrdup("");
}

/* ---- where it is kept ---- */

/* "usertests-write-read-0123abcd-": what the names of one workload's baselines begin with. */
static char *stem_of(const char *workload)
{
	char words[33];
	uint64_t hash = 0;
	size_t nr = 0;

	for (const char *c = workload; *c; c++) {
		hash = hash_mix(hash ^ (uint8_t)*c);
		bool plain = isalnum((unsigned char)*c);
		if (nr < sizeof(words) - 1 && (plain || (nr && words[nr - 1] != '-')))
			words[nr++] = plain ? *c : '-';
	}
	words[nr] = 0;
	return xasprintf("%s-%08x-", words, (uint32_t)hash);
}

char *baseline_path(const char *folder, const char *workload, const char *build)
{
	char *stem = stem_of(workload);
	char *path = xasprintf("%s/%s%.12s.baseline", folder, stem, build[0] ? build : "unknown");

	free(stem);
	return path;
}

char *baseline_seek(const char *folder, const char *workload, const char *build)
{
	char *best = baseline_path(folder, workload, build), *stem = stem_of(workload);
	DIR *list = file_is_regular(best) ? NULL : opendir(folder);
	time_t newest = 0;

	if (file_is_regular(best)) {
		free(stem);
		return best;
	}
	free(best);
	best = NULL;
	for (struct dirent *entry; list && (entry = readdir(list));) {
		struct stat about;
		if (strncmp(entry->d_name, stem, strlen(stem)))
			continue;
		char *path = xasprintf("%s/%s", folder, entry->d_name);
		if (!stat(path, &about) && S_ISREG(about.st_mode) && (!best || about.st_mtime > newest)) {
			free(best);
			best = xstrdup(path);
			newest = about.st_mtime;
		}
		free(path);
	}
	if (list)
		closedir(list);
	free(stem);
	return best;
}

static size_t nr_items(const struct baseline *baseline)
{
	return baseline->tree->nr_nodes + baseline->nr_lives + baseline->nr_edges + baseline->nr_shapes;
}

void baseline_write(const struct baseline *baseline, FILE *out)
{
	const struct call_tree *tree = baseline->tree;

	fprintf(out, MAGIC "\nbuild %s\nworkload %s\n", baseline->build, baseline->workload);
	for (size_t i = 1; i < tree->nr_nodes; i++)
		fprintf(out, "n %u %" PRIu64 " %s\n", tree->nodes[i].parent, tree->nodes[i].events,
			tree->names[tree->nodes[i].name]);
	for (size_t i = 0; i < baseline->nr_lives; i++) {
		const struct life_path *life = &baseline->lives[i];
		const char *kind = tree->names[life->kind];
		fprintf(out, "l %s %u %u %u %" PRIu64 "\n", *kind ? kind : NO_KIND, life->alloc, life->get,
			life->put, life->count);
	}
	for (size_t i = 0; i < baseline->nr_edges; i++) {
		const struct code_edge *edge = &baseline->edges[i];
		fprintf(out, "c %s %s %u\n", tree->names[edge->caller], tree->names[edge->callee], edge->nr);
	}
	for (size_t i = 0; i < baseline->nr_shapes; i++) {
		const struct shape_line *shape = &baseline->shapes[i];
		fprintf(out, "s %s %u %u %" PRIu64 " %u %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			tree->names[shape->function], shape->copies, shape->branches, shape->sum,
			shape->lines, shape->sequence, shape->body, shape->order);
	}
	fprintf(out, END "%zu\n", nr_items(baseline));
}

/* ---- reading ---- */

/* The next number of the line, in [0, below); *good is cleared where there is none. */
static uint64_t take_number(char **line, uint64_t below, bool *good)
{
	char *end;

	errno = 0;
	uint64_t number = strtoull(*line, &end, 10);
	if (end == *line || errno || **line == '-' || number >= below || (*end && *end != ' '))
		*good = false;
	*line = *end ? end + 1 : end;
	return *good ? number : 0;
}

/* The next word, ended with a 0. */
static char *take_word(char **line, bool *good)
{
	char *word = *line;
	size_t length = strcspn(word, " ");

	if (!length)
		*good = false;
	*line = word[length] ? word + length + 1 : word + length;
	word[length] = 0;
	return word;
}

static bool read_node(struct baseline *out, char *line)
{
	struct call_tree *tree = out->tree;
	bool good = true;
	uint32_t parent = (uint32_t)take_number(&line, tree->nr_nodes, &good);
	uint64_t events = take_number(&line, UINT64_MAX, &good);
	size_t nr = tree->nr_nodes;

	if (!good || !*line)
		return false;
	uint32_t at = call_tree_make(tree, parent, call_tree_name(tree, line));
	tree->nodes[at].events = events;
	return at == nr; /* else it is told twice, and the numbers of the next are others */
}

static bool read_life(struct baseline *out, char *line)
{
	size_t nr = out->tree->nr_nodes;
	bool good = true;
	const char *kind = take_word(&line, &good);
	struct life_path life = {.kind = call_tree_name(out->tree, strcmp(kind, NO_KIND) ? kind : "")};

	life.alloc = (uint32_t)take_number(&line, nr, &good);
	life.get = (uint32_t)take_number(&line, nr, &good);
	life.put = (uint32_t)take_number(&line, nr, &good);
	life.count = take_number(&line, UINT64_MAX, &good);
	if (good)
		ARRAY_PUSH(out->lives, out->nr_lives, out->lives_capacity) = life;
	return good;
}

static bool read_edge(struct baseline *out, char *line)
{
	bool good = true;
	struct code_edge edge = {.caller = call_tree_name(out->tree, take_word(&line, &good))};

	edge.callee = call_tree_name(out->tree, take_word(&line, &good));
	edge.nr = (uint32_t)take_number(&line, UINT32_MAX, &good);
	if (good)
		ARRAY_PUSH(out->edges, out->nr_edges, out->edges_capacity) = edge;
	return good;
}

static bool read_shape(struct baseline *out, char *line)
{
	bool good = true;
	struct shape_line shape = {.function = call_tree_name(out->tree, take_word(&line, &good))};

	shape.copies = (uint32_t)take_number(&line, UINT32_MAX, &good);
	shape.branches = (uint32_t)take_number(&line, UINT32_MAX, &good);
	shape.sum = take_number(&line, UINT64_MAX, &good);
	/* Older files end here, or behind the next number. */
	shape.lines = *line ? (uint32_t)take_number(&line, UINT32_MAX, &good) : LINES_UNKNOWN;
	shape.sequence = *line ? take_number(&line, UINT64_MAX, &good) : 0;
	shape.body = *line ? take_number(&line, UINT64_MAX, &good) : 0;
	shape.order = *line ? take_number(&line, UINT64_MAX, &good) : 0;
	if (good)
		ARRAY_PUSH(out->shapes, out->nr_shapes, out->shapes_capacity) = shape;
	return good;
}

static bool read_line(struct baseline *out, char *line)
{
	static const struct {
		const char *begin;
		bool (*read)(struct baseline *out, char *line);
	} kinds[] = {{"n ", read_node}, {"l ", read_life}, {"c ", read_edge}, {"s ", read_shape}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strncmp(line, kinds[i].begin, 2))
			return kinds[i].read(out, line + 2);
	}
	char **text = !strncmp(line, "build ", 6)      ? &out->build
		      : !strncmp(line, "workload ", 9) ? &out->workload
						       : NULL;
	if (!text)
		return false;
	free(*text);
	*text = xstrdup(strchr(line, ' ') + 1);
	return true;
}

/* What the last line counts is there, and nothing follows it. */
static bool is_end(const struct baseline *out, char *line, const char *rest)
{
	bool good = true;

	return take_number(&line, UINT64_MAX, &good) == nr_items(out) && good && rest && !*rest;
}

static bool is_magic(const char *line)
{
	/* Without the order of what functions do and call; without the lines that branch; without what the code is like. */
	static const char *const known[] = {MAGIC, "pagetrail-baseline 3", "pagetrail-baseline 2",
					    "pagetrail-baseline 1"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(line, known[i]))
			return true;
	}
	return false;
}

struct baseline *baseline_read(const char *path, char **error)
{
	const char *fault = NULL;
	size_t bytes, number = 1;
	char *text = file_read_regular(path, FILE_MAX, &bytes, &fault), *rest = text;

	*error = NULL;
	if (!text) {
		*error = xasprintf("%s: %s", path, fault);
		return NULL;
	}
	struct baseline *out = xcalloc(1, sizeof(*out));
	out->tree = call_tree_new();
	out->build = xstrdup("");
	out->workload = xstrdup("");
	char *line = strsep(&rest, "\n");
	bool good = is_magic(line), whole = false;
	while (good && !whole && (line = strsep(&rest, "\n"))) {
		number++;
		whole = !strncmp(line, END, strlen(END));
		good = whole   ? is_end(out, line + strlen(END), rest)
		       : *line ? read_line(out, line)
			       : rest == NULL;
	}
	free(text);
	if (!good || !whole) {
		*error = number == 1 ? xasprintf("%s: not a baseline", path)
			 : good      ? xasprintf("%s: it is cut: its last line is missing", path)
				     : xasprintf("%s: line %zu is not one of a baseline", path, number);
		baseline_free(out);
		return NULL;
	}
	baseline_sort(out);
	call_tree_sum(out->tree);
	return out;
}
