/* SPDX-License-Identifier: MIT */
/* code_shape: see code_shape.h. */
#include "code_shape.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "insn.h"

#define DEPTH_MAX 32
/* More code than this is not looked at. */
#define CODE_MAX (64U << 20)
/* Instructions begin at even addresses. */
#define GRAIN 2

struct branch_line {
	const char *function;
	uint32_t line;
};

/*
 * To which function of the source each place of the code belongs, and to which of its lines: painted, what is inlined over what it is
 * inlined into.
 */
struct canvas {
	uint64_t low, high;
	const char **owners; /* by place / GRAIN; NULL: nobody's */
	uint32_t *lines;     /* likewise; 0: none */
	struct code_shapes *shapes;
	struct branch_line *branches;
	size_t nr_branches, capacity;
};

static struct code_shape *begin_shape(struct code_shapes *shapes, const char *function)
{
	struct code_shape *shape = &ARRAY_PUSH(shapes->all, shapes->nr, shapes->capacity);

	*shape = (struct code_shape){.function = function, .host = ""};
	return shape;
}

static struct code_shape *begin_run(struct code_shapes *shapes, const char *function, const char *host)
{
	struct code_shape *shape = begin_shape(shapes, function);

	shape->hosts = 1;
	shape->host = host;
	return shape;
}

static void paint(struct canvas *canvas, Dwarf_Die *die, const char *name)
{
	Dwarf_Addr base, from, to;
	ptrdiff_t offset = 0;
	bool counted = false;

	while ((offset = dwarf_ranges(die, offset, &base, &from, &to)) > 0) {
		if (from < canvas->low || to > canvas->high)
			continue;
		if (!counted)
			begin_shape(canvas->shapes, name)->copies = 1;
		counted = true;
		for (uint64_t at = from; at < to; at += GRAIN)
			canvas->owners[(at - canvas->low) / GRAIN] = name;
	}
}

static void paint_inside(struct canvas *canvas, Dwarf_Die *parent, int depth)
{
	Dwarf_Die child;

	if (depth == DEPTH_MAX || dwarf_child(parent, &child))
		return;
	do {
		int tag = dwarf_tag(&child);
		const char *name = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine
				       ? dwarf_diename(&child)
				       : NULL;
		if (name)
			paint(canvas, &child, name);
		if (name || tag == DW_TAG_lexical_block)
			paint_inside(canvas, &child, depth + 1);
	} while (!dwarf_siblingof(&child, &child));
}

static void paint_lines(struct canvas *canvas, Dwarf_Die *unit)
{
	Dwarf_Lines *table;
	size_t nr;
	Dwarf_Addr from, to;
	int line;
	bool ends;

	if (dwarf_getsrclines(unit, &table, &nr))
		return;
	for (size_t i = 0; i + 1 < nr; i++) {
		Dwarf_Line *row = dwarf_onesrcline(table, i);
		if (dwarf_lineendsequence(row, &ends) || ends || dwarf_lineno(row, &line) ||
		    dwarf_lineaddr(row, &from) || dwarf_lineaddr(dwarf_onesrcline(table, i + 1), &to) ||
		    from < canvas->low || to > canvas->high)
			continue;
		for (uint64_t at = from; at < to; at += GRAIN)
			canvas->lines[(at - canvas->low) / GRAIN] = (uint32_t)line;
	}
}

static void paint_all(struct canvas *canvas, Dwarf *dwarf)
{
	Dwarf_Off offset = 0, next;
	size_t header;

	while (!dwarf_nextcu(dwarf, offset, &next, &header, NULL, NULL, NULL)) {
		Dwarf_Die unit;
		if (next <= offset || !dwarf_offdie(dwarf, offset + header, &unit))
			break;
		paint_inside(canvas, &unit, 0);
		paint_lines(canvas, &unit);
		offset = next;
	}
}

static struct canvas canvas_of(const struct types *types, Dwarf *dwarf, struct code_shapes *shapes)
{
	struct canvas canvas = {.low = UINT64_MAX, .shapes = shapes};

	for (size_t i = 0; i < types_nr_functions(types); i++) {
		const struct function *function = types_function_by_number(types, i);
		canvas.low = function->low < canvas.low ? function->low : canvas.low;
		canvas.high = function->high > canvas.high ? function->high : canvas.high;
	}
	if (canvas.low >= canvas.high || canvas.high - canvas.low > CODE_MAX)
		return (struct canvas){0};
	size_t nr = (canvas.high - canvas.low) / GRAIN + 1;
	canvas.owners = xcalloc(nr, sizeof(*canvas.owners));
	canvas.lines = xcalloc(nr, sizeof(*canvas.lines));
	paint_all(&canvas, dwarf);
	return canvas;
}

/* ---- what an instruction is ---- */

/* Addresses are made of an upper part and a lower one, or from the global pointer: what is added to these is no part of the source. */
static bool is_address(const struct insn *insn, const bool upper[32])
{
	return insn->rs1 >= 0 && (upper[insn->rs1] || insn->rs1 == REG_GP || insn->rs1 == REG_SP);
}

static uint64_t meaning_of(const struct insn *insn, const bool upper[32])
{
	switch (insn->kind) {
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_ADDI:
		if (is_address(insn, upper) || insn->rd == REG_ZERO ||
		    (insn->kind == INSN_ADDI && !insn->imm))
			return 0;
		break;
	case INSN_ADD:
		if (insn->rs1 == REG_ZERO)
			return 0;
		break;
	case INSN_UNKNOWN:
	case INSN_LUI:
	case INSN_AUIPC:
	case INSN_JAL:
	case INSN_JALR:
	case INSN_BRANCH:
		return 0;
	default:
		break;
	}
	return hash_mix(((uint64_t)insn->kind << 40) ^ ((uint64_t)insn->bytes << 32) ^ (uint32_t)insn->imm ^
			(insn->rs1 == REG_ZERO ? 1ULL << 48 : 0));
}

static bool is_call(const struct insn *insn)
{
	return (insn->kind == INSN_JAL || insn->kind == INSN_JALR) && insn->rd == REG_RA;
}

static void take(struct code_shape *shape, const struct insn *insn, const bool upper[32], uint64_t *body)
{
	bool branch = insn->kind == INSN_BRANCH;
	uint64_t meaning = branch          ? INSN_BRANCH
			   : is_call(insn) ? hash_mix(INSN_JAL)
					   : meaning_of(insn, upper);

	shape->branches += branch;
	shape->sum += branch ? 0 : meaning;
	if (meaning) {
		shape->sequence = hash_mix(shape->sequence ^ meaning);
		*body = hash_mix(*body ^ meaning);
	}
}

/* Adds a shape for each run of instructions of one owner, and one for the whole body; compact() adds up those of one name. */
static void read_function(struct canvas *canvas, const struct types *types, const struct function *function)
{
	struct code_shapes *shapes = canvas->shapes;
	uint64_t bytes = function->high - function->low;
	const uint8_t *code = bytes < CODE_MAX ? types_bytes(types, function->low, bytes) : NULL;
	struct code_shape *shape = NULL;
	bool upper[32] = {false};
	uint64_t body = 0;

	for (uint64_t at = 0; code && at < bytes;) {
		struct insn insn = insn_decode(code + at, bytes - at);
		size_t place = (function->low + at - canvas->low) / GRAIN;
		const char *owner = canvas->owners[place];
		if (!insn.size)
			break;
		if (owner && (!shape || shape->function != owner))
			shape = begin_run(shapes, owner, function->name);
		if (owner)
			take(shape, &insn, upper, &body);
		if (owner && insn.kind == INSN_BRANCH)
			ARRAY_PUSH(canvas->branches, canvas->nr_branches, canvas->capacity) =
			    (struct branch_line){owner, canvas->lines[place]};
		if (insn.rd >= 0)
			upper[insn.rd] = insn.kind == INSN_AUIPC || insn.kind == INSN_LUI;
		at += insn.size;
	}
	if (body)
		begin_shape(shapes, function->name)->body = body;
}

static int compare_names(const void *a, const void *b)
{
	const struct code_shape *left = a, *right = b;
	int order = strcmp(left->function, right->function);

	return order ? order : strcmp(left->host, right->host);
}

/* Of one name: what is in one more host is. */
static void add_shape(struct code_shape *sum, const struct code_shape *one)
{
	sum->hosts += one->hosts && (!sum->hosts || strcmp(sum->host, one->host));
	sum->host = one->hosts ? one->host : sum->host;
	sum->branches += one->branches;
	sum->copies += one->copies;
	sum->sum += one->sum;
	sum->sequence += one->sequence;
	sum->body += one->body;
}

static void compact(struct code_shapes *shapes)
{
	size_t nr = 0;

	if (shapes->nr)
		qsort(shapes->all, shapes->nr, sizeof(*shapes->all), compare_names);
	for (size_t i = 0; i < shapes->nr; i++) {
		const struct code_shape *one = &shapes->all[i];
		if (!nr || strcmp(shapes->all[nr - 1].function, one->function)) {
			shapes->all[nr++] = *one;
			continue;
		}
		add_shape(&shapes->all[nr - 1], one);
	}
	shapes->nr = nr;
}

static struct code_shape *find_shape(const struct code_shapes *shapes, const char *function)
{
	size_t low = 0, high = shapes->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(shapes->all[middle].function, function);
		if (!order)
			return &shapes->all[middle];
		low = order < 0 ? middle + 1 : low;
		high = order < 0 ? high : middle;
	}
	return NULL;
}

static int compare_branches(const void *a, const void *b)
{
	const struct branch_line *left = a, *right = b;
	int order = strcmp(left->function, right->function);

	return order ? order : (left->line > right->line) - (left->line < right->line);
}

/* After compact(). */
static void count_lines(struct canvas *canvas)
{
	struct branch_line *branches = canvas->branches;

	if (canvas->nr_branches)
		qsort(branches, canvas->nr_branches, sizeof(*branches), compare_branches);
	for (size_t i = 0; i < canvas->nr_branches; i++) {
		if (i == 0 || compare_branches(&branches[i - 1], &branches[i]))
			find_shape(canvas->shapes, branches[i].function)->lines++;
	}
}

struct code_shapes *code_shapes_open(const struct types *types, struct symbols *symbols)
{
	struct code_shapes *shapes = xcalloc(1, sizeof(*shapes));
	Dwarf *dwarf = symbols_dwarf(symbols);
	struct canvas canvas = dwarf ? canvas_of(types, dwarf, shapes) : (struct canvas){0};

	for (size_t i = 0; canvas.owners && i < types_nr_functions(types); i++)
		read_function(&canvas, types, types_function_by_number(types, i));
	compact(shapes);
	count_lines(&canvas);
	free(canvas.owners);
	free(canvas.lines);
	free(canvas.branches);
	return shapes;
}

void code_shapes_close(struct code_shapes *shapes)
{
	free(shapes->all);
	free(shapes);
}

const struct code_shape *code_shapes_find(const struct code_shapes *shapes, const char *function)
{
	return find_shape(shapes, function);
}
