/* SPDX-License-Identifier: MIT
 *
 * summary: see summary.h.
 */
#include "summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "calls.h"
#include "console.h"
#include "depot.h"
#include "guest.h"
#include "hold.h"
#include "hooks.h"
#include "pages.h"
#include "qemu_api.h"
#include "sites.h"
#include "stores.h"
#include "writer.h"

/* Names come from the hooks file: whatever is no plain character becomes a question mark. */
static void print_name(FILE *out, const char *name)
{
	putc('"', out);
	for (; *name; name++)
		putc(*name < ' ' || *name > '~' || *name == '"' || *name == '\\' ? '?' : *name, out);
	putc('"', out);
}

static void print_calls(FILE *out)
{
	static const char *const kinds[] = {"alloc", "free", "get", "put", "objalloc", "objfree"};

	fprintf(out, "  \"calls\": [");
	for (uint32_t i = 0; i < hooks.nr_calls; i++) {
		const struct hook *hook = &hooks.calls[i];
		struct call_counters sum = calls_counters(i);
		fprintf(out, "%s\n    {\"name\": ", i ? "," : "");
		print_name(out, hook->name);
		fprintf(out,
			", \"kind\": \"%s\", \"entry\": %" PRIu64 ", \"hits\": %" PRIu64
			", \"events\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"skipped\": %" PRIu64
			", \"misses\": %" PRIu64 ", \"unmatched\": %" PRIu64 "}",
			kinds[hook->kind], hook->entry, sum.hits, sum.pages, sum.failed, sum.skipped,
			sum.misses, sum.unmatched);
	}
	fprintf(out, "\n  ],\n");
}

static void print_arrays(FILE *out)
{
	fprintf(out, "  \"arrays\": [");
	for (uint32_t i = 0; i < hooks.nr_arrays; i++) {
		struct array_counters sum = stores_counters(i);
		fprintf(out, "%s\n    {\"name\": ", i ? "," : "");
		print_name(out, hooks.arrays[i].name);
		fprintf(out,
			", \"kind\": \"%s\", \"stores\": %" PRIu64 ", \"changes\": %" PRIu64
			", \"misses\": %" PRIu64 "}",
			hooks.arrays[i].is_state ? "state" : "count", sum.stores, sum.changes, sum.misses);
	}
	fprintf(out, "\n  ],\n");
}

static void print_no_hits(FILE *out)
{
	const char *separator = "";

	fprintf(out, "  \"without_hits\": [");
	for (uint32_t i = 0; i < hooks.nr_calls; i++) {
		if (calls_counters(i).hits)
			continue;
		fprintf(out, "%s", separator);
		print_name(out, hooks.calls[i].name);
		separator = ", ";
	}
	for (uint32_t i = 0; i < hooks.nr_arrays; i++) {
		if (stores_counters(i).stores)
			continue;
		fprintf(out, "%s", separator);
		print_name(out, hooks.arrays[i].name);
		separator = ", ";
	}
	fprintf(out, "],\n");
}

static void print_anomalies(FILE *out)
{
	const struct anomaly_list *list = pages_anomalies();

	fprintf(out, "  \"anomalies\": {");
	for (unsigned what = 0; what < ANOMALY_NR; what++, list++) {
		fprintf(out, "%s\n    \"%s\": {\"count\": %" PRIu64 ", \"examples\": [", what ? "," : "",
			list->name, list->nr);
		for (uint64_t i = 0; i < list->nr && i < SAMPLES_MAX; i++) {
			const struct anomaly_sample *sample = &list->samples[i];
			fprintf(out,
				"%s\n      {\"time\": %" PRIu64 ", \"pa\": %" PRIu64
				", \"stack\": %u, \"hook\": ",
				i ? "," : "", sample->time, sample->pa, sample->stack);
			print_name(out, sample->hook);
			fprintf(out, "}");
		}
		fprintf(out, "]}");
	}
	fprintf(out, "\n  },\n");
}

static void print_counters(FILE *out)
{
	fprintf(out,
		"  \"events\": %" PRIu64 ",\n  \"discarded\": %" PRIu64 ",\n  \"stacks\": %u,\n"
		"  \"console_bytes\": %" PRIu64 ",\n  \"calls_under_way\": %" PRIu64 ",\n"
		"  \"sites_learned\": %" PRIu64 ",\n  \"table_walks\": %" PRIu64 ",\n"
		"  \"holds\": %" PRIu64 ",\n  \"holds_given_up\": %" PRIu64 ",\n"
		"  \"unwatched_stores\": %" PRIu64 ",\n  \"writes_to_free_pages\": %" PRIu64 ",\n"
		"  \"pages\": {\"unseen\": %" PRIu64 ", \"free\": %" PRIu64 ", \"allocated\": %" PRIu64
		"},\n",
		writer_recorded(), writer_discarded(), depot_stacks(), console_bytes(), calls_under_way(),
		sites_learned(), guest_walks(), hold_waits(), hold_given_up(), stores_unwatched(),
		stores_checked(), pages_in_state(PAGE_UNSEEN), pages_in_state(PAGE_FREE),
		pages_in_state(PAGE_ALLOCATED));
}

static void print(FILE *out, const struct summary_options *options)
{
	fprintf(
	    out,
	    "{\n  \"plugin\": 1,\n  \"qemu_plugin_api\": %d,\n  \"registers\": \"%s\",\n  \"icount\": %s,\n"
	    "  \"ended\": %s,\n  \"check_writes\": %s,\n  \"ram_found\": %s,\n  \"ram_kept\": %s,\n"
	    "  \"ram_base\": %" PRIu64 ",\n  \"ram_bytes\": %" PRIu64 ",\n  \"stack_base\": %" PRIu64 ",\n"
	    "  \"boot_id\": %u,\n",
	    qemu_api_version(), qemu_api_has_registers() ? "plugin API" : "QEMU's own functions",
	    qemu_api_icount() ? "true" : "false", options->ended ? "true" : "false",
	    options->check_writes ? "true" : "false", options->ram_found ? "true" : "false",
	    options->ram_kept ? "true" : "false", hooks.ram_base, guest_ram_bytes(), hooks.stack_base,
	    writer_boot_id());
	print_counters(out);
	print_calls(out);
	print_arrays(out);
	print_no_hits(out);
	print_anomalies(out);
	fprintf(out, "  \"end\": true\n}\n");
}

void summary_write(const struct summary_options *options)
{
	char new_path[4200];

	snprintf(new_path, sizeof(new_path), "%s.new", options->path);
	FILE *out = fopen(new_path, "we");
	if (!out)
		return;
	print(out, options);
	if (fclose(out) || rename(new_path, options->path))
		unlink(new_path);
}
