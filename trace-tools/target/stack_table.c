/* SPDX-License-Identifier: MIT */
/* stack_table: see stack_table.h. */
#include "stack_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

/* Twelve addresses, a few inlined frames each. */
#define FRAMES_MAX 64

struct stack_table *stack_table_open(const struct run *run)
{
	struct stack_table *stacks = xcalloc(1, sizeof(*stacks));
	char *problem;

	stacks->run = run;
	stacks->symbols = symbols_open(run->kernel_path, &problem);
	if (run->watched)
		symbols_set_foreign(stacks->symbols, run->stack_base);
	if (run->kernel_fault) {
		free(problem);
		problem = xstrdup(run->kernel_fault);
	} else if (run->kernel_path && !run->kernel_proved) {
		warn("unknown kernel build: nothing says that %s is the kernel that ran; its names are used",
		     run->kernel_path);
	}
	stacks->views = xcalloc(run->nr_stacks + 1, sizeof(*stacks->views));
	if (problem)
		warn("%s", problem);
	free(problem);
	return stacks;
}

void stack_table_close(struct stack_table *stacks)
{
	for (uint32_t i = 0; i <= stacks->run->nr_stacks; i++)
		free(stacks->views[i].frames);
	symbols_close(stacks->symbols);
	free(stacks->views);
	free(stacks);
}

const struct stack_view *stack_table_get(struct stack_table *stacks, uint32_t id)
{
	struct symbol_frame frames[FRAMES_MAX];
	const uint32_t *addresses;
	struct stack_view *view = &stacks->views[id <= stacks->run->nr_stacks ? id : 0];

	if (view->known)
		return view;
	view->known = true;
	uint32_t nr = run_stack(stacks->run, id, &addresses);
	if (nr == 0)
		return view;
	view->nr = (uint32_t)symbols_expand(stacks->symbols, addresses, nr, frames, FRAMES_MAX);
	view->frames = xcalloc(view->nr, sizeof(*frames));
	memcpy(view->frames, frames, view->nr * sizeof(*frames));
	view->site = (uint32_t)symbols_site(stacks->symbols, frames, view->nr);
	return view;
}

const char *stack_table_function(struct stack_table *stacks, uint32_t id)
{
	const struct stack_view *view = stack_table_get(stacks, id);

	return view->nr == 0 ? "(no stack)" : view->frames[view->site < view->nr ? view->site : 0].function;
}

bool stack_views_alike(const struct stack_view *a, const struct stack_view *b)
{
	if (a->nr != b->nr)
		return false;
	for (uint32_t i = 0; i < a->nr; i++) {
		if (strcmp(a->frames[i].function, b->frames[i].function))
			return false;
	}
	return true;
}

/* How many addresses of the stack are the books' machinery alone. */
static uint32_t machinery_addresses(struct stack_table *stacks, const uint32_t *addresses, uint32_t nr)
{
	uint32_t i = 0;

	for (; i < nr; i++) {
		const struct symbol_frame *frames;
		size_t nr_frames = symbols_find(stacks->symbols, addresses[i], &frames);
		if (symbols_site(stacks->symbols, frames, nr_frames) < nr_frames)
			break;
	}
	return i < nr ? i : 0;
}

char *stack_table_key(struct stack_table *stacks, uint32_t id, bool offsets)
{
	const uint32_t *addresses;
	uint32_t nr = run_stack(stacks->run, id, &addresses);
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	for (uint32_t i = nr ? machinery_addresses(stacks, addresses, nr) : 0; i < nr; i++) {
		const char *name;
		uint64_t offset;
		if (!symbols_function(stacks->symbols, addresses[i], &name, &offset))
			fprintf(out, "0x%x\n", addresses[i]);
		else if (offsets)
			fprintf(out, "%.*s+0x%llx\n", (int)strcspn(name, "."), name,
				(unsigned long long)offset);
		else
			fprintf(out, "%.*s\n", (int)strcspn(name, "."), name);
	}
	return text_end(&buffer);
}

const char *frame_place(const struct symbol_frame *frame, char *buf, size_t bytes)
{
	buf[0] = 0;
	if (frame->file && frame->line)
		snprintf(buf, bytes, "%s:%u", frame->file, frame->line);
	else if (frame->file)
		snprintf(buf, bytes, "%s", frame->file);
	return buf;
}

void stack_table_print(struct stack_table *stacks, uint32_t id, const char *indent, FILE *out)
{
	const struct stack_view *view = stack_table_get(stacks, id);
	char place[256];

	if (view->nr == 0)
		fprintf(out, "%s(no stack)\n", indent);
	for (uint32_t i = view->site < view->nr ? view->site : 0; i < view->nr; i++) {
		const struct symbol_frame *frame = &view->frames[i];
		if (frame_place(frame, place, sizeof(place))[0])
			fprintf(out, "%s%-28s %s%s\n", indent, frame->function, place,
				frame->inlined ? " (inlined)" : "");
		else
			fprintf(out, "%s%s\n", indent, frame->function);
	}
}
