/* SPDX-License-Identifier: MIT */
/*
 * tsdl: describes the bytes of uapi/trace_format.h in the Trace Stream Description Language.
 *
 * What readers of such files are particular about, each learned by trying with babeltrace2:
 *   - every integer says align = 8 (bits), or a reader pads by natural alignment and slips;
 *   - only time and id are in the event header; kind, flags and stack lead the fields of each event, since what
 *     they mean depends on the event;
 *   - a field must not bear the name of a type;
 *   - the two halves of `flags` in page events are 4-bit integers with align = 1, low half first.
 */
#include "tsdl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void enums_write(FILE *out)
{
	fprintf(out, "typealias enum : integer { size = 4; align = 1; signed = false; } {\n");
#define KIND(ev_kind, ev_value, ev_text) fprintf(out, "\t\"" ev_text "\" = %d,\n", ev_value);
#include <kernel/page_kinds.def>
	fprintf(
	    out,
	    "} := page_kind4_t;\n\ntypealias enum : integer { size = 8; align = 8; signed = false; } {\n");
#include <kernel/page_kinds.def>
#undef KIND
	fprintf(out,
		"} := page_kind_t;\n\ntypealias enum : integer { size = 8; align = 8; signed = false; } {\n");
#define REF(ev_ref, ev_value, ev_text, ev_id, ev_index, ev_many)                                             \
	fprintf(out, "\t\"" ev_text "\" = %d,\n", ev_value);
#include <kernel/ref_kinds.def>
#undef REF
	fprintf(out,
		"} := ref_kind_t;\n\ntypealias enum : integer { size = 8; align = 8; signed = false; } {\n");
#define VERDICT(ev_verdict, ev_value, ev_leak, ev_text)                                                      \
	fprintf(out, "\t\"" #ev_verdict "\" = %d,\n", ev_value);
#include <kernel/verdicts.def>
#undef VERDICT
	fprintf(out, "} := verdict_t;\n\n");
	fprintf(out, "typealias enum : integer { size = 8; align = 8; signed = false; } {\n"
		     "\t\"begin\" = 0,\n\t\"end\" = 1,\n} := edge_t;\n\n");
	fprintf(out, "typealias enum : integer { size = 8; align = 8; signed = false; } {\n"
		     "\t\"page\" = 0,\n\t\"object\" = 1,\n} := subject_t;\n\n");
}

static void event_write(FILE *out, uint32_t id, const struct event_info *event)
{
	static const char *const kinds[] = {[KIND_NOTHING] = "u8",        [KIND_IS_PAGE_KIND] = "page_kind_t",
					    [KIND_IS_REF] = "ref_kind_t", [KIND_IS_VERDICT] = "verdict_t",
					    [KIND_IS_EDGE] = "edge_t",    [KIND_IS_PART] = "u8"};

	fprintf(out,
		"/* %s */\nevent {\n\tname = \"%s\";\n\tid = %u;\n\tstream_id = %d;\n\tfields := struct {\n",
		event->help, event->name, id, TRACE_STREAM_EVENTS);
	if (event->flags == FLAGS_PAGE)
		fprintf(out, "\t\tu4 order;\n\t\tpage_kind4_t page_kind;\n");
	else
		fprintf(out, "\t\t%s flags;\n", event->flags == FLAGS_SUBJECT ? "subject_t" : "u8");
	fprintf(out, "\t\t%s %s;\n\t\tu32 stack;\n", kinds[event->kind],
		event->kind == KIND_IS_REF       ? "ref"
		: event->kind == KIND_IS_VERDICT ? "verdict"
						 : "kind");
	for (uint32_t i = 0; i < event->nr_fields; i++) {
		const struct field_info *field = &event->fields[i];
		if (field->text)
			fprintf(out, "\t\tutf8 %s[%u];\n", field->name, field->bytes);
		else
			fprintf(out, "\t\tu%u %s;\n", field->bytes * 8U, field->name);
	}
	fprintf(out, "\t};\n};\n\n");
}

static void stream_write(FILE *out, int stream)
{
	fprintf(out,
		"stream {\n\tid = %d;\n"
		"\tpacket.context := struct {\n"
		"\t\tu64 packet_size;\n\t\tu64 content_size;\n"
		"\t\ttime64 timestamp_begin;\n\t\ttime64 timestamp_end;\n"
		"\t\tu64 packet_seq_num;\n\t\tu64 events_discarded;\n"
		"\t\tu32 cpu_id;\n\t\tx32 boot_id;\n\t};\n"
		"\tevent.header := struct {\n\t\ttime64 timestamp;\n\t\tu16 id;\n\t};\n};\n\n",
		stream);
}

void tsdl_write(FILE *out, const struct trace_env *env)
{
	fprintf(out, "/* CTF 1.8 */\n\n");
	for (int bits = 8; bits <= 64; bits *= 2)
		fprintf(out, "typealias integer { size = %d; align = 8; signed = false; } := u%d;\n", bits,
			bits);
	fprintf(out,
		"typealias integer { size = 4; align = 1; signed = false; } := u4;\n"
		"typealias integer { size = 32; align = 8; signed = false; base = 16; } := x32;\n"
		"typealias integer { size = 8; align = 8; signed = false; encoding = UTF8; } := utf8;\n\n");
	fprintf(out,
		"trace {\n\tmajor = 1;\n\tminor = 8;\n\tbyte_order = le;\n"
		"\tpacket.header := struct {\n\t\tu32 magic;\n\t\tu16 stream_id;\n\t\tu16 "
		"stream_instance_id;\n\t};\n};\n\n"
		"env {\n\ttracer_name = \"pagetrail\";\n\ttracer_major = 1;\n\tdomain = \"kernel\";\n"
		"\tsource = \"%s\";\n\tboot_id = 0x%08x;\n\tbuild_id = \"%s\";\n\tstack_base = 0x%" PRIx64
		";\n};\n\n",
		env->watched ? "watch" : "rings", env->boot_id, env->build_id, env->stack_base);
	fprintf(out, "clock {\n\tname = \"monotonic\";\n\tdescription = \"the time CSR since power-on\";\n"
		     "\tfreq = 10000000;\n\toffset = 0;\n};\n\n"
		     "typealias integer {\n\tsize = 64; align = 8; signed = false;\n"
		     "\tmap = clock.monotonic.value;\n} := time64;\n\n");
	enums_write(out);
	stream_write(out, TRACE_STREAM_EVENTS);
	stream_write(out, TRACE_STREAM_STACKS);
	fprintf(out,
		"/* a call stack, defined once; return addresses minus stack_base, innermost first */\n"
		"event {\n\tname = \"stack\";\n\tid = %d;\n\tstream_id = %d;\n\tfields := struct {\n"
		"\t\tu8 nr_frames;\n\t\tu8 zero;\n\t\tu32 stack;\n\t\tx32 frames[%d];\n\t};\n};\n\n",
		TRACE_STACK_EVENT, TRACE_STREAM_STACKS, TRACE_STACK_FRAMES);
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		if (event_info(id))
			event_write(out, id, event_info(id));
	}
}

static const char *behind(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? found + strlen(key) : NULL;
}

bool tsdl_read_env(const char *text, struct trace_env *env)
{
	const char *boot = behind(text, "boot_id = 0x"), *build = behind(text, "build_id = \"");
	const char *base = behind(text, "stack_base = 0x");

	*env = (struct trace_env){.stack_base = PHYS_OFFSET, .watched = strstr(text, "source = \"watch\"")};
	if (build && strspn(build, "0123456789abcdef") == BUILD_ID_TEXT - 1)
		snprintf(env->build_id, BUILD_ID_TEXT, "%s", build);
	if (boot)
		env->boot_id = (uint32_t)strtoul(boot, NULL, 16);
	if (base)
		env->stack_base = strtoull(base, NULL, 16);
	return boot != NULL;
}
