/* pagetrail recover: a run folder from the memory of a dead machine, and what it died of. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/drain.h"
#include "../lib/image.h"
#include "../lib/json.h"
#include "command.h"

#define EVENTS_SHOWN 20
#define EVENTS_SHOWN_MAX 100000

/* ---- the panic ---- */

static void print_registers(const struct panic_hart *hart, FILE *out)
{
	static const char names[32][5] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
					  "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
					  "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
					  "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

	fprintf(out,
		"    pc %016" PRIx64 "  status %" PRIx64 "  cause %" PRIx64 "  address %" PRIx64
		"  satp %" PRIx64 "\n",
		hart->pc, hart->status, hart->cause, hart->address, hart->satp);
	for (int i = 1; i < 32; i++)
		fprintf(out, "%s%4s %016" PRIx64 "%s", i % 4 == 1 ? "    " : " ", names[i], hart->x[i],
			i % 4 == 0 || i == 31 ? "\n" : " ");
}

static void print_frames(const struct panic_hart *hart, FILE *out)
{
	char place[256];

	if (!hart->nr_frames)
		fprintf(out, "    (no kernel stack: it ran user code or the firmware's)\n");
	for (uint32_t i = 0; i < hart->nr_frames; i++) {
		const struct symbol_frame *frame = &hart->frames[i];
		if (frame_place(frame, place, sizeof(place))[0])
			fprintf(out, "    %-28s %s%s\n", frame->function, place,
				frame->inlined ? " (inlined)" : "");
		else
			fprintf(out, "    %s\n", frame->function);
	}
}

static void print_panic(const struct panic_state *panic, const struct model *model, FILE *out)
{
	fprintf(out, "PANIC on hart %u: %s\n", panic->hart, panic->message);
	for (uint32_t k = 0; k < panic->nr_harts; k++) {
		/* the hart that panicked first */
		uint32_t i = k == 0 ? panic->hart % panic->nr_harts : k <= panic->hart ? k - 1 : k;
		const struct panic_hart *hart = &panic->harts[i];
		const char *name = model->pids[(uint16_t)hart->pid].name;
		if (!hart->valid) {
			fprintf(out, "\nhart %u did not answer\n", i);
			continue;
		}
		fprintf(out, "\nhart %u, pid %" PRIu64 "%s%s%s\n", i, hart->pid, name[0] ? " (" : "", name,
			name[0] ? ")" : "");
		print_frames(hart, out);
		print_registers(hart, out);
	}
}

/* ---- the last events ---- */

struct last_events {
	struct {
		struct trace_record record;
		uint32_t hart;
	} * ring;
	uint64_t nr, size;
};

static void keep_event(void *arg, const struct model *model, const struct trace_record *record,
		       uint32_t stream)
{
	struct last_events *last = arg;

	if (!last->size)
		return;
	last->ring[last->nr % last->size].record = *record;
	last->ring[last->nr++ % last->size].hart = model->run->streams[stream].hart;
}

static void print_last(const struct last_events *last, struct stackbook *book, FILE *out)
{
	uint64_t nr = last->nr < last->size ? last->nr : last->size;
	char time[24];

	if (!nr)
		return;
	fprintf(out, "\nthe last %" PRIu64 " events\n", nr);
	for (uint64_t i = last->nr - nr; i < last->nr; i++) {
		const struct trace_record *record = &last->ring[i % last->size].record;
		fprintf(out, "%s hart%u %s", time_text(record->time, time), last->ring[i % last->size].hart,
			event_info(record->event)->name);
		print_record_fields(out, record);
		if (record->stack)
			fprintf(out, " in %s", stackbook_function(book, record->stack));
		fputc('\n', out);
	}
}

/* ---- the run folder ---- */

static void recover_trace(struct guest *guest, const char *folder, const char *kernel, struct drain *drain)
{
	char *trace = xasprintf("%s/trace", folder), *to = xasprintf("%s/kernel", folder),
	     *logs = xasprintf("%s/logs", folder), *copy = xasprintf("%s/pagetrail.elf", to);

	/* All that still stands in the rings is wanted, also what a consumer had taken: to the drain that is flight mode. */
	guest->desc->mode = TRACE_FLIGHT;
	if (!drain_open(drain, guest, trace))
		die("%s: %s", trace, strerror(errno));
	drain_finish(drain);
	if (drain->error)
		die("%s: %s", trace, strerror(drain->error));
	if (make_folders(logs))
		die("%s: %s", logs, strerror(errno));
	if (kernel && (make_folders(to) || file_copy(kernel, copy)))
		die("%s: %s", copy, strerror(errno));
	free(trace);
	free(to);
	free(logs);
	free(copy);
}

static void write_json(const char *folder, const struct guest *guest, const struct drain *drain,
		       const struct panic_state *panic)
{
	char *path = xasprintf("%s/run.json", folder);
	FILE *out = fopen(path, "w");
	struct json json;

	if (!out)
		die("%s: %s", path, strerror(errno));
	json_begin(&json, out);
	json_int(&json, "format", 1);
	json_string(&json, "recovered_from", guest->path);
	json_string(&json, "end", panic ? "panic" : guest->desc->exit_status ? "poweroff" : "died");
	json_string(&json, "panic", panic ? panic->message : NULL);
	json_int(&json, "harts", guest->desc->nr_rings);
	json_int(&json, "ram_bytes", (int64_t)guest->bytes);
	json_int(&json, "events", (int64_t)drain->nr_events);
	json_int(&json, "packets_missed", (int64_t)drain->missed_packets);
	json_string(&json, "ram_file", guest->path);
	json_end(&json);
	if (fclose(out))
		die("%s: %s", path, strerror(errno));
	free(path);
}

static void print_state(const struct guest *guest, const struct drain *drain, const char *folder, FILE *out)
{
	static const char *const modes[] = {"off", "stream", "flight"};
	const struct trace_desc *desc = guest->desc;
	char bytes[24];
	uint32_t mode = guest->desc->mode;

	fprintf(out, "%s: %s of RAM, %u harts, trace %s\n", guest->path, bytes_text(guest->bytes, bytes),
		desc->nr_rings, mode < 3 ? modes[mode] : "?");
	fprintf(out, "recovered %" PRIu64 " events in %" PRIu64 " packets to %s", drain->nr_events,
		drain->nr_packets, folder);
	if (drain->missed_packets)
		fprintf(out, "; %" PRIu64 " older packets were overwritten", drain->missed_packets);
	fputc('\n', out);
}

int death_report(const struct guest *guest, struct run *run, const struct panic_state *panic,
		 uint64_t nr_events, FILE *out)
{
	struct last_events last = {.ring = xcalloc(nr_events, sizeof(*last.ring)), .size = nr_events};
	struct model_watch watch = {keep_event, &last};
	struct model *model = model_replay(run, &watch);
	struct stackbook *book = stackbook_open(run);
	const struct trace_desc *desc = guest->desc;

	run_print_losses(run, out);
	fputc('\n', out);
	if (panic)
		print_panic(panic, model, out);
	else if (desc->exit_status)
		fprintf(out, "no panic: it powered off with status %" PRIu64 "\n", desc->exit_status - 1);
	else
		fprintf(out, "no panic: it ran until it was stopped from outside\n");
	print_last(&last, book, out);
	free(last.ring);
	stackbook_close(book);
	model_free(model);
	return panic ? STATUS_LOST : STATUS_NOTHING_LOST;
}

/* What was said goes to the terminal and into the run folder. */
static int report(const struct guest *guest, const struct drain *drain, const char *folder,
		  struct panic_state *panic, uint64_t nr_events)
{
	char *text, *path = xasprintf("%s/logs/recover.log", folder);
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct run *run = drain->nr_events ? open_run(folder) : NULL;

	print_state(guest, drain, folder, out);
	int status = run ? death_report(guest, run, panic, nr_events, out) : STATUS_CANNOT_TELL;
	if (!run)
		fprintf(out, "there is no event in its rings\n");
	fclose(out);
	fwrite(text, 1, bytes, stdout);
	FILE *log = fopen(path, "w");
	if (!log || fwrite(text, 1, bytes, log) != bytes || fclose(log))
		die("%s: %s", path, strerror(errno));
	if (run)
		run_close(run);
	free(text);
	free(path);
	return status;
}

static int recover_run(const struct arguments *arguments)
{
	const char *kernel = option(arguments, "kernel"), *fault, *to = option(arguments, "out");
	uint64_t nr_events = option_number(arguments, "events", EVENTS_SHOWN, 0, EVENTS_SHOWN_MAX);
	char *error, *folder = to ? xstrdup(to) : xasprintf("%s.run", arguments->operands[0]);
	struct panic_state panic;
	struct guest guest;
	struct drain drain;

	if (!image_open(&guest, arguments->operands[0], &error))
		die("%s", error);
	if (!guest_find_desc(&guest, desc_address(kernel), &fault))
		die("%s: %s", guest.path,
		    fault    ? fault
		    : kernel ? "no trace where this kernel has it: another kernel, or it never came so far"
			     : "no trace in this memory: the kernel never came so far, or it is another's");
	uint32_t mode = guest.desc->mode;
	struct symbols *symbols = symbols_open(kernel, &error);
	bool panicked = panic_read(&guest, symbols, &panic, &fault);
	if (fault)
		warn("%s: %s", guest.path, fault);
	recover_trace(&guest, folder, kernel, &drain);
	guest.desc->mode = mode;
	write_json(folder, &guest, &drain, panicked ? &panic : NULL);
	int status = report(&guest, &drain, folder, panicked ? &panic : NULL, nr_events);
	if (panicked)
		panic_free(&panic);
	symbols_close(symbols);
	free(error);
	drain_close(&drain);
	guest_close(&guest);
	free(folder);
	return status;
}

static const struct option_spec options[] = {
    {"kernel", "ELF", "its kernel: finds the trace at once, and gives names to addresses"},
    {"out", "RUN", "the run folder; -o RUN for short (RAMFILE.run)"},
    {"events", "N", "show the last N events (20)"},
    {NULL, NULL, NULL},
};

const struct command command_recover = {
    .name = "recover",
    .operands = "RAMFILE",
    .summary = "make a run folder from the memory of a dead machine, and say what it died of",
    .description =
	"RAMFILE is the mem-path of QEMU's memory-backend-file, `run --keep-ram`'s RUN/ram, or an ELF core "
	"whose loads are\n"
	"physical memory. It is only read. Takes every packet that still stands in the rings, the half-full "
	"ones too, and\n"
	"the stacks; says why the kernel panicked, where each hart was, and what happened last. The same "
	"goes to\n"
	"RUN/logs/recover.log. Without --kernel the trace is found by its magic number, and addresses stay "
	"numbers.\n\n"
	"The status is 1 for a panic, 0 without one, 2 when nothing could be recovered.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = recover_run,
};
