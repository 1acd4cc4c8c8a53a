/* SPDX-License-Identifier: MIT */
/*
 * found_sarif: findings as SARIF 2.1.0 (OASIS standard, "Static Analysis Results Interchange Format"), which code-scanning views read.
 *
 * An entry is a result: its place the location, where it was acquired a related location, its call stack a stack. The rule
 * is "leaked", or the auditor's verdict. Files that the compiler named by a relative path are relative to SRCROOT, the folder in which
 * the kernel was built. Why a verdict is not certain is a notification of the tool.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/util.h"
#include "found.h"
#include "leaks_text.h"

#define SARIF_SCHEMA                                                                                         \
	"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

static void sarif_text(struct json *json, const char *key, const char *text)
{
	json_open(json, key, '{');
	json_string(json, "text", text);
	json_close(json, '}');
}

static void sarif_physical(struct json *json, const char *file, uint32_t line)
{
	char *uri = uri_text(file);

	json_open(json, "physicalLocation", '{');
	json_open(json, "artifactLocation", '{');
	json_string(json, "uri", uri);
	if (file[0] != '/')
		json_string(json, "uriBaseId", "SRCROOT");
	json_close(json, '}');
	if (line) {
		json_open(json, "region", '{');
		json_int(json, "startLine", line);
		json_close(json, '}');
	}
	json_close(json, '}');
	free(uri);
}

/* An array of one location, or nothing where none is known. */
static void sarif_locations(struct json *json, const char *key, const struct found_place *place,
			    const char *message)
{
	if (!place->file)
		return;
	json_open(json, key, '[');
	json_open(json, NULL, '{');
	sarif_physical(json, place->file, place->line);
	if (message)
		sarif_text(json, "message", message);
	json_close(json, '}');
	json_close(json, ']');
}

static void sarif_frame(struct json *json, const struct symbol_frame *frame)
{
	json_open(json, NULL, '{');
	json_open(json, "location", '{');
	if (frame->file)
		sarif_physical(json, frame->file, frame->line);
	json_open(json, "logicalLocations", '[');
	json_open(json, NULL, '{');
	json_string(json, "name", frame->function);
	json_string(json, "kind", "function");
	json_close(json, '}');
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, '}');
}

static void sarif_stack(struct json *json, const struct leaks *leaks, const struct found *found)
{
	const struct stack_view *view = stack_table_get(leaks->stacks, found->stack);

	if (!view->nr)
		return;
	json_open(json, "stacks", '[');
	json_open(json, NULL, '{');
	sarif_text(json, "message", found->nr_groups ? "acquired here" : "found here");
	json_open(json, "frames", '[');
	for (uint32_t i = view->site < view->nr ? view->site : 0; i < view->nr; i++)
		sarif_frame(json, &view->frames[i]);
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, ']');
}

/* What is the same for the same mistake in another run: the rule, and the function that the place is in. */
static void sarif_fingerprint(struct json *json, const struct leaks *leaks, const struct found *found)
{
	const char *function = found->has_suspect ? leaks->groups[found->group].missing.suspect
						  : stack_table_function(leaks->stacks, found->stack);
	char *text = xasprintf("%s:%s", found->rule, function);

	json_open(json, "partialFingerprints", '{');
	json_string(json, "ruleAndFunction/v1", text);
	json_close(json, '}');
	free(text);
}

static void sarif_result(struct json *json, const struct leaks *leaks, const struct found *found)
{
	char *message = found->evidence ? xasprintf("%s. Evidence: %s.", found->sentence, found->evidence)
					: xasprintf("%s.", found->sentence);

	json_open(json, NULL, '{');
	json_string(json, "ruleId", found->rule);
	json_string(json, "level", found->error ? "error" : "warning");
	sarif_text(json, "message", message);
	sarif_locations(json, "locations", &found->place, NULL);
	sarif_locations(json, "relatedLocations", &found->acquired, "acquired here");
	sarif_stack(json, leaks, found);
	sarif_fingerprint(json, leaks, found);
	json_open(json, "properties", '{');
	json_int(json, "pages", (int64_t)found->nr_pages);
	json_int(json, "objects", (int64_t)found->nr_objects);
	json_int(json, "ways", (int64_t)found->nr_groups);
	json_close(json, '}');
	json_close(json, '}');
	free(message);
}

static void sarif_rule(struct json *json, const char *id, const char *text)
{
	json_open(json, NULL, '{');
	json_string(json, "id", id);
	sarif_text(json, "shortDescription", text);
	json_close(json, '}');
}

static void sarif_tool(struct json *json)
{
	json_open(json, "tool", '{');
	json_open(json, "driver", '{');
	json_string(json, "name", "pagetrail");
	json_string(json, "version", PAGETRAIL_VERSION);
	json_open(json, "rules", '[');
	sarif_rule(json, "leaked", "memory that was acquired and never released");
	sarif_rule(json, "possibly-leaked", "memory that seems lost; the evidence is not complete");
	sarif_rule(json, "panic", "the kernel panicked");
	sarif_rule(json, "no-end", "the machine did not end by itself");
	sarif_rule(json, "guest-failed", "the guest's command failed, and no leak was found");
	sarif_rule(json, "broken", "the accounting is broken");
	for (uint32_t verdict = 1; verdict < VERDICT_NR; verdict++)
		sarif_rule(json, verdict_text(verdict), verdict_help(verdict));
	for (int fault = 0; fault < AUDIT_FAULTS; fault++)
		sarif_rule(json, audit_fault_id((enum audit_fault)fault),
			   audit_fault_text((enum audit_fault)fault));
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, '}');
}

static void sarif_notification(struct json *json, const char *level, const char *text)
{
	json_open(json, NULL, '{');
	json_string(json, "level", level);
	sarif_text(json, "message", text);
	json_close(json, '}');
}

static void sarif_invocation(struct json *json, const struct leaks *leaks)
{
	json_open(json, "invocations", '[');
	json_open(json, NULL, '{');
	json_bool(json, "executionSuccessful", leaks->status != STATUS_CANNOT_TELL);
	json_int(json, "exitCode", leaks->status);
	char *left_out = leaks_left_out_text(leaks), *rest = left_out, *line;
	if (leaks->status == STATUS_CANNOT_TELL || *left_out) {
		json_open(json, "toolExecutionNotifications", '[');
		if (leaks->status == STATUS_CANNOT_TELL)
			sarif_notification(json, "warning", leaks_uncertain(leaks));
		while ((line = strsep(&rest, "\n"))) {
			if (*line)
				sarif_notification(json, "note", line);
		}
		json_close(json, ']');
	}
	free(left_out);
	json_close(json, '}');
	json_close(json, ']');
}

void found_print_sarif(const struct leaks *leaks, FILE *out)
{
	struct found_list list = found_list_make(leaks);
	struct json json;

	json_begin(&json, out);
	json_string(&json, "$schema", SARIF_SCHEMA);
	json_string(&json, "version", "2.1.0");
	json_open(&json, "runs", '[');
	json_open(&json, NULL, '{');
	sarif_tool(&json);
	sarif_invocation(&json, leaks);
	json_open(&json, "results", '[');
	for (size_t i = 0; i < list.nr; i++)
		sarif_result(&json, leaks, &list.all[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	json_close(&json, ']');
	json_end(&json);
	found_list_free(&list);
}
