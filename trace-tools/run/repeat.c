/* SPDX-License-Identifier: MIT */
/* repeat: see repeat.h. */
#include "repeat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uapi/layout.h>

#include "base/json_read.h"
#include "base/util.h"

#include "plugin.h"
#include "target/symbols.h"

#define FOLDER "icount"               /* of the plugin, in the run folder */
#define WAITS "record_in_next_packet" /* the function of the kernel that waits for us */
#define JSON_BYTES_MAX (1U << 20)

/* One line a ring: until it has a packet that may be reused, or nobody is waited for. */
static void write_hooks(FILE *out, uint64_t entry, uint64_t desc, uint64_t ram_bytes)
{
	const uint64_t rings = desc + offsetof(struct trace_desc, rings);

	fprintf(out, "ram base=%#" PRIx64 "\n", (uint64_t)RAM_BASE);
	fprintf(out, "text lo=%#" PRIx64 " hi=%#" PRIx64 "\n", entry, entry + 1);
	fprintf(out, "map va=%#" PRIx64 " pa=%#" PRIx64 " size=%#" PRIx64 "\n",
		(uint64_t)(PHYS_OFFSET + RAM_BASE), (uint64_t)RAM_BASE, ram_bytes);
	for (uint32_t i = 0; i < RINGS_MAX; i++) {
		uint64_t ring = rings + i * sizeof(struct trace_ring_desc);
		fprintf(out,
			"hold entry=%#" PRIx64 " until=(u32[%#" PRIx64 "]!=%d)|(u64[%#" PRIx64
			"]-u64[%#" PRIx64 "]<u32[%#" PRIx64 "])\n",
			entry, desc + offsetof(struct trace_desc, mode), TRACE_STREAM,
			ring + offsetof(struct trace_ring_desc, opened),
			ring + offsetof(struct trace_ring_desc, consumed),
			desc + offsetof(struct trace_desc, nr_packets));
	}
}

static char *write_files(const struct session *session, const char *folder, uint64_t entry)
{
	char *path = xasprintf("%s/hooks", folder);
	FILE *file = make_folders(folder) ? NULL : fopen(path, "w");

	if (file)
		write_hooks(file, entry, session->desc_pa + PHYS_OFFSET, session->config.ram_bytes);
	if (file && session->options->more_hooks)
		fputs(session->options->more_hooks, file);
	if (!file || fclose(file))
		die("%s: %s", path, strerror(errno));
	return path;
}

char *repeat_prepare(const struct session *session)
{
	char *plugin = plugin_find(), *problem, *word = NULL, *folder;
	struct symbols *symbols = symbols_open(session->config.kernel, &problem);
	uint64_t entry;

	folder = xasprintf("%s/" FOLDER, session->folder);
	if (!plugin) {
		warn(PLUGIN_FILE " is not beside this program: the run may differ from the next in when the "
				 "trace's rings were emptied");
	} else if (!symbols_value(symbols, WAITS, &entry) || strchr(folder, ',')) {
		warn("%s: the run may differ from the next in when the trace's rings were emptied",
		     strchr(folder, ',') ? folder : session->config.kernel);
	} else {
		char *hooks = write_files(session, folder, entry);
		word = xasprintf("%s,out=%s,hooks=%s,trace=off,ram=off", plugin, folder, hooks);
		free(hooks);
	}
	symbols_close(symbols);
	free(problem);
	free(plugin);
	free(folder);
	return word;
}

bool repeat_held(const struct session *session)
{
	char *path = xasprintf("%s/" FOLDER "/plugin.json", session->folder);
	const char *fault;
	char *text = session->config.plugin ? file_read_regular(path, JSON_BYTES_MAX, NULL, &fault) : NULL;
	struct json_value *said = text ? json_parse(text) : NULL;
	const struct json_value *ended = json_get(said, "ended");
	bool held = ended && ended->number && !json_get_number(said, "holds_given_up", 1);

	json_value_free(said);
	free(text);
	free(path);
	return held && session->end == END_POWEROFF && session->config.icount &&
	       !session->config.disk_virtio && !session->config.at_prompt;
}
