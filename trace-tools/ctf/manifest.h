/* SPDX-License-Identifier: MIT */
/*
 * manifest: what a run's files must hold, written into run.json when recording ends.
 *
 * A trace cannot say of itself that a file or its end is missing: what is not there leaves no mark. So whoever wrote the
 * files says at the end how many packets and events of each hart there are, the number of the last packet, and a checksum of
 * all packet headers; the same of the stacks and the metadata. A reader compares:
 *
 *   {"format": 2, "end": "poweroff", ...,
 *    "manifest": {
 *      "boot_id": 4660, "build_id": "4be1...", "kernel": true, "marks": 12, "missed": 0, "stray_write": null,
 *      "harts": [{"hart": 0, "packets": 3, "events": 5012, "last_sequence": 2, "discarded": 0, "headers_crc32": 2894711},
 *                {"hart": 1, "packets": 0, "events": 0, "last_sequence": null, "discarded": 0, "headers_crc32": 0}],
 *      "stacks": {"count": 812, "bytes": 52032, "crc32": 99128},
 *      "metadata": {"bytes": 9021, "crc32": 7611}}}
 *
 * A watched run (of a stranger's kernel, which often has no build id) also says which files of the kernel were in force:
 *
 *      "kernel_elf": {"bytes": 271824, "crc32": 5561}, "kernel_description": {"bytes": 1711, "crc32": 812}
 *
 * They stand in RUN/watch.json, too, from before the machine starts: a run that was interrupted has no run.json. What the
 * plugin left when the machine ended is what the audit believes, so it is said as well:
 *
 *      "ram": {"bytes": 134217728, "crc32": 1933}, "plugin": {"bytes": 1200, "crc32": 8120}
 *
 * The same of what --leak-points found, of any run that was recorded with it: "leak_points".
 *
 * A hart with no packet has no file. Without run.json the recording was interrupted (or still goes on). run.json of format 1
 * has no manifest, but the number of events, of harts and of discards; that much is compared.
 *
 * MANIFEST-1  what is written here was counted while the files were written, not read back from them.
 */
#ifndef TOOLS_CTF_MANIFEST_H
#define TOOLS_CTF_MANIFEST_H

#include "base/json.h"
#include "base/outfile.h"
#include "packet.h"
#include "tsdl.h"

#define STREAMS_MAX 64
#define RUN_FORMAT 2
/* The file of a watched run in which is said, before its machine starts, what was started. */
#define WATCH_START_FILE "watch.json"

enum manifest_state {
	MANIFEST_NONE,    /* there is no run.json */
	MANIFEST_BAD,     /* there is one, but it is none; see fault */
	MANIFEST_FORMAT1, /* of an older version: the totals only */
	MANIFEST_WHOLE,
};

struct manifest_hart {
	uint32_t hart;
	uint64_t packets, events;
	uint64_t last_sequence; /* if packets != 0 */
	uint64_t discarded;     /* in all; the packets know those before the last one was opened */
	uint32_t headers_crc;
};

struct manifest_file {
	uint64_t count, bytes;
	uint32_t crc;
};

struct manifest {
	enum manifest_state state;
	const char *fault;     /* MANIFEST_BAD */
	char end[24];          /* "poweroff", "panic", "killed", ...; "": not known */
	uint64_t guest_status; /* of the guest's command; 0: it did well, or nothing is known of it */
	char started[32];      /* "2026-01-31T12:00:00+0000", by the host's clock; "": not known */
	uint32_t boot_id;
	char build_id[BUILD_ID_TEXT]; /* hex; "": not known */
	bool has_kernel;              /* it was put into the folder */
	uint64_t ram_bytes;           /* of the machine; 0: not known */
	uint64_t marks;
	uint64_t missed;      /* packets that were overwritten or broken before they could be written */
	char stray_write[96]; /* what of trace_desc changed that may not; "": nothing */
	struct manifest_hart harts[STREAMS_MAX];
	uint32_t nr_harts;
	struct manifest_file stacks, metadata;
	struct manifest_file kernel_elf, kernel_description; /* bytes 0: not said */
	struct manifest_file ram, plugin;                    /* a watched run's end; bytes 0: not said */
	struct manifest_file leak_points;                    /* of --leak-points; bytes 0: not said */
	uint64_t events, discarded;                          /* MANIFEST_FORMAT1 */
};

struct run;
struct json_value;

/* RUN/run.json while it is written: what its writer alone knows goes into `json` between these two, which die on errors. */
struct run_json {
	char *path;
	struct outfile out;
	struct json json;
};

void run_json_begin(struct run_json *file, const char *folder);
/* With the manifest, the last member. */
void run_json_end(struct run_json *file, const struct manifest *manifest);

/* The members "kernel_elf" and "kernel_description" of an open object, where they are known. */
void manifest_write_kernel(const struct manifest *manifest, struct json *json);
void manifest_read_kernel(struct manifest *manifest, const struct json_value *from);
/* Bytes and checksum of a file; false, with errno, where it cannot be read. */
bool manifest_of_file(struct manifest_file *file, const char *path);
/* False, and why in `what`, if these packets are not those of the manifest. */
bool manifest_hart_fits(const struct manifest_hart *hart, const struct packet_chain *chain, char what[160]);
void manifest_of_chain(struct manifest_hart *hart, const struct packet_chain *chain);
/* Reads RUN/run.json. */
void manifest_read(struct manifest *manifest, const char *folder);
/* Notes as damage, by run_damage, where the files are not what the manifest says. */
void manifest_compare(struct run *run);
/* The same of what only a replay knows. */
void manifest_compare_marks(struct run *run, uint64_t marks);
/* Notes as damage where the description of a watched run's kernel is another than in force; where nobody said, it stands. */
void manifest_compare_description(struct run *run);
/* NULL: RUN/ram and RUN/plugin.json are those that the machine left, or nobody said so. Else what is wrong (caller frees). */
char *manifest_end_fault(const struct run *run);
/* NULL: this file is the kernel that ran, or nobody said so. Else what is wrong with it (caller frees). */
/* The same of what --leak-points found, in the file at path. */
char *manifest_leak_points_fault(const struct run *run, const char *path);
char *manifest_kernel_fault(const struct run *run, const char *path);
/*
 * What a trace's metadata says in its env: false when there is none that can be read. build_id "": not said. Of a run that goes
 * on, or was interrupted, nothing else says it.
 */
bool metadata_env(const char *path, struct trace_env *env);
/* NULL: the machine came to its own end. Else what ended it before: "killed". */
const char *manifest_cut_short(const struct manifest *manifest);

/* "" when all bytes are zero. */
void build_id_text(const uint8_t id[TRACE_BUILD_ID_BYTES], char text[BUILD_ID_TEXT]);

#endif
