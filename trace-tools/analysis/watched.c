/* SPDX-License-Identifier: MIT */
/* watched: see watched.h. */
#include "watched.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/util.h"
#include "target/image.h"

#define PLUGIN_JSON_MAX (4U << 20)

/* ---- what the plugin saw ---- */

static const struct {
	const char *name, *text;
	bool wrong_description; /* no kernel does this by mistake and still runs */
} anomalies[] = {
    {"handed_out_twice", "pages were handed out that were in use", false},
    {"freed_twice", "pages were freed that were free: a double free, or the description is wrong", false},
    {"get_or_put_of_free_page",
     "references to free pages were acquired or released: a release too many, or the description is wrong",
     false},
    {"unaligned", "addresses of pages are not at a page's beginning: the description is wrong", true},
    {"outside_ram", "addresses of pages are outside RAM: the description is wrong", true},
};

static void take_anomaly(struct ram_audit *audit, const struct json_value *all, size_t i)
{
	const struct json_value *one = json_get(all, anomalies[i].name),
				*examples = json_get(one, "examples");
	uint64_t count = json_get_number(one, "count", 0);

	if (count)
		ram_audit_reason(audit, "%" PRIu64 " time%s %s, first 0x%" PRIx64, count, plural_s(count),
				 anomalies[i].text,
				 json_get_number(examples ? examples->first : NULL, "pa", 0));
	if (count && anomalies[i].wrong_description)
		ram_audit_doubt(audit);
}

/*
 * A kernel's mistake is rare among its calls. Where one page in CONTRADICTED_PART that came or went did so against the rules, the
 * description is wrong, and nothing that follows from it is said. So it is where a page is handed out again that was never
 * freed, nor any page freed twice, and the free lists are not what was traced: some way to free is not described.
 */
#define CONTRADICTED_PART 8

static uint64_t anomaly_count(const struct json_value *plugin, const char *name)
{
	return json_get_number(json_get(json_get(plugin, "anomalies"), name), "count", 0);
}

static bool is_contradicted(const struct ram_audit *audit, const struct json_value *plugin)
{
	const struct json_value *calls = json_get(plugin, "calls");
	uint64_t pages = 0, odd = 0;

	if (anomaly_count(plugin, "handed_out_twice") && !anomaly_count(plugin, "freed_twice") &&
	    (audit->nr_only_listed || audit->nr_only_trace))
		return true;

	for (const struct json_value *call = calls ? calls->first : NULL; call; call = call->next)
		pages += json_get_number(call, "events", 0);
	for (size_t i = 0; i < sizeof(anomalies) / sizeof(anomalies[0]); i++)
		odd += anomaly_count(plugin, anomalies[i].name);
	return odd > pages / CONTRADICTED_PART;
}

/* NULL, or why it is not what the plugin of this run's machine wrote at its end. */
static const char *plugin_fault(const struct json_value *plugin, const struct run *run)
{
	const struct json_value *ended = json_get(plugin, "ended"), *whole = json_get(plugin, "end");

	if (!plugin)
		return "it is no JSON";
	if (!whole || !json_get(plugin, "anomalies") || !json_get(plugin, "boot_id"))
		return "it is not whole";
	if (run->boot_known && json_get_number(plugin, "boot_id", 0) != run->boot_id)
		return "it belongs to another machine";
	return ended && ended->number ? NULL : "the machine had not ended when it was written";
}

/* NULL where it cannot be read; a reason in the audit where it is not this run's. */
static struct json_value *read_plugin(struct ram_audit *audit, const struct run *run)
{
	char *path = xasprintf("%s/plugin.json", run->folder);
	const char *fault;
	char *text = file_read_regular(path, PLUGIN_JSON_MAX, NULL, &fault);
	struct json_value *plugin = text ? json_parse(text) : NULL;

	fault = text ? plugin_fault(plugin, run) : fault;
	if (fault)
		ram_audit_reason(audit, "%s: %s", path, fault);
	free(text);
	free(path);
	return plugin;
}

/* False: what the plugin saw contradicts the description. */
static bool take_plugin(struct ram_audit *audit, const struct json_value *plugin)
{
	for (size_t i = 0; i < sizeof(anomalies) / sizeof(anomalies[0]); i++)
		take_anomaly(audit, json_get(plugin, "anomalies"), i);
	const struct json_value *writes = json_get(plugin, "check_writes");
	if (writes && writes->number && !kd_item(audit->kernel->kd, KD_MAP, 0))
		ram_audit_reason(
		    audit, "stores into free pages were not watched: the description has no `map`, which "
			   "says where the kernel sees RAM");
	bool contradicted = plugin && is_contradicted(audit, plugin);
	if (contradicted)
		ram_audit_reason(audit, "what the kernel did contradicts its description (kernel/kernel.kd)");
	return !contradicted;
}

void watched_take_plugin(struct ram_audit *audit, const struct run *run)
{
	struct json_value *plugin = read_plugin(audit, run);

	if (!take_plugin(audit, plugin))
		ram_audit_doubt(audit);
	json_value_free(plugin);
}

/* ---- findings ---- */

struct findings {
	struct trace_record *list;
	size_t nr, capacity;
};

/*
 * Who freed a page that was free. Said only where the free lists show what comes of it: else it may be the description that is
 * wrong.
 */
static void give_double_frees(const struct ram_audit *audit, const struct json_value *plugin,
			      struct findings *findings)
{
	const struct json_value *twice = json_get(json_get(plugin, "anomalies"), "freed_twice"),
				*examples = json_get(twice, "examples");

	if (!audit->nr_by_fault[FAULT_FREE_TWICE] && !audit->nr_by_fault[FAULT_LIST_BROKEN])
		return;
	for (const struct json_value *one = examples ? examples->first : NULL; one; one = one->next) {
		struct trace_record finding = {.event = EV_finding,
					       .kind = VERDICT_DBL,
					       .time = json_get_number(one, "time", 0),
					       .stack = (uint32_t)json_get_number(one, "stack", 0)};
		finding.payload.ev_payload_finding.where =
		    (uint32_t)(json_get_number(one, "pa", 0) >> PAGE_SHIFT);
		ARRAY_PUSH(findings->list, findings->nr, findings->capacity) = finding;
	}
}

static void give_findings(const struct ram_audit *audit, const struct json_value *plugin, struct model *model)
{
	struct findings findings = {0};

	give_double_frees(audit, plugin, &findings);
	for (uint32_t i = 0; i < audit->nr_pages; i++) {
		struct trace_record finding = {.event = EV_finding,
					       .kind = VERDICT_UNREACH,
					       .time = model_totals(model)->last_time,
					       .stack = ram_audit_stack(audit, i)};
		/* A block is one finding, at its first page. */
		if (audit->pages[i].verdict != PAGE_LEAKED || audit->pages[i].head != i)
			continue;
		finding.payload.ev_payload_finding.where = (uint32_t)(ram_audit_pa(audit, i) >> PAGE_SHIFT);
		ARRAY_PUSH(findings.list, findings.nr, findings.capacity) = finding;
	}
	model_take_audit(model, findings.list, findings.nr, (uint32_t)audit->nr_managed, audit->quiescent);
	free(findings.list);
}

struct watched *watched_audit(struct run *run, struct model *model, char **problem)
{
	char *ram = xasprintf("%s/ram", run->folder), *elf = xasprintf("%s/kernel/kernel.elf", run->folder),
	     *kd = xasprintf("%s/kernel/kernel.kd", run->folder);
	struct watched *watched = xcalloc(1, sizeof(*watched));
	bool good = false;

	/* Where things are in memory is known from the kernel that ran, and from no other. */
	*problem = run->kernel_fault ? xstrdup(run->kernel_fault) : manifest_end_fault(run);
	if (*problem)
		;
	else if (access(ram, F_OK))
		*problem =
		    xasprintf("%s: there is no copy of the machine's RAM, so there is no audit", run->folder);
	else if (describe_kernel(&watched->kernel, elf, kd, NULL, problem)) {
		good = image_open(&watched->ram, ram, problem);
		if (!good)
			description_close(&watched->kernel);
	}
	free(ram);
	free(elf);
	free(kd);
	if (!good) {
		free(watched);
		return NULL;
	}
	watched->audit = ram_audit_make(&watched->kernel, &watched->ram, run);
	struct json_value *plugin = read_plugin(watched->audit, run);
	bool sound = take_plugin(watched->audit, plugin);
	if (!sound)
		ram_audit_doubt(watched->audit);
	if (watched->audit->pages && sound)
		give_findings(watched->audit, plugin, model);
	json_value_free(plugin);
	return watched;
}

void watched_free(struct watched *watched)
{
	if (!watched)
		return;
	ram_audit_free(watched->audit);
	guest_close(&watched->ram);
	description_close(&watched->kernel);
	free(watched);
}
