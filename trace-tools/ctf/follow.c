/* SPDX-License-Identifier: MIT */
/* follow: see follow.h. */
#include "follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

/* ---- files ---- */

static void close_files(struct follow *follow)
{
	for (uint32_t i = 0; i < follow->nr_files; i++)
		if (follow->files[i].fd >= 0)
			close(follow->files[i].fd);
	if (follow->stacks_fd >= 0)
		close(follow->stacks_fd);
	follow->nr_files = 0;
	follow->stacks_fd = -1;
}

/* The open file is no longer the one of that name. */
static bool replaced(const struct follow *follow, int fd, const char *name)
{
	char *path = xasprintf("%s/%s", follow->trace_folder, name);
	struct stat ours, there;
	bool same = !fstat(fd, &ours) && !stat(path, &there) && ours.st_ino == there.st_ino;

	free(path);
	return !same;
}

static bool any_replaced(const struct follow *follow)
{
	char name[16];

	for (uint32_t i = 0; i < follow->nr_files; i++) {
		snprintf(name, sizeof(name), "hart%u", follow->files[i].hart);
		if (follow->files[i].fd >= 0 && replaced(follow, follow->files[i].fd, name))
			return true;
	}
	return follow->stacks_fd >= 0 && replaced(follow, follow->stacks_fd, "stacks");
}

/* -1, and why. */
static int open_file(const struct follow *follow, const char *name, const char **fault)
{
	char *path = xasprintf("%s/%s", follow->trace_folder, name);
	size_t bytes;
	int fd = file_open_regular(path, UINT64_MAX, &bytes, fault);

	free(path);
	return fd;
}

static bool is_open(const struct follow *follow, uint32_t hart)
{
	for (uint32_t i = 0; i < follow->nr_files; i++) {
		if (follow->files[i].hart == hart)
			return true;
	}
	return false;
}

/* Opens the files that have come into being. */
static void open_files(struct follow *follow)
{
	DIR *dir = opendir(follow->trace_folder);
	struct dirent *entry;
	const char *fault;

	if (follow->stacks_fd < 0)
		follow->stacks_fd = open_file(follow, "stacks", &fault);
	while (dir && (entry = readdir(dir)) && follow->nr_files < STREAMS_MAX) {
		uint32_t hart;
		char name[16];
		if (sscanf(entry->d_name, "hart%u", &hart) != 1 || is_open(follow, hart))
			continue;
		snprintf(name, sizeof(name), "hart%u", hart);
		if (strcmp(name, entry->d_name))
			continue;
		errno = 0;
		int fd = open_file(follow, name, &fault);
		if (fd >= 0 || errno != ENOENT)
			follow->files[follow->nr_files++] = (struct follow_file){
			    .hart = hart, .fd = fd, .fault = fd < 0 ? "cannot be opened" : NULL};
	}
	if (dir)
		closedir(dir);
}

bool follow_look(struct follow *follow)
{
	bool anew = any_replaced(follow);

	if (anew)
		close_files(follow);
	open_files(follow);
	return anew;
}

bool follow_open(struct follow *follow, const char *folder)
{
	struct stat st;

	if (stat(folder, &st))
		return false;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return false;
	}
	signal(SIGIO, SIG_IGN);
	*follow = (struct follow){
	    .folder = xstrdup(folder), .trace_folder = xasprintf("%s/trace", folder), .stacks_fd = -1};
	return !access(follow->trace_folder, R_OK | X_OK) || errno == ENOENT;
}

void follow_close(struct follow *follow)
{
	close_files(follow);
	free(follow->buffer);
	free(follow->folder);
	free(follow->trace_folder);
	*follow = (struct follow){.stacks_fd = -1};
}

void follow_rewind(struct follow *follow)
{
	for (uint32_t i = 0; i < follow->nr_files; i++) {
		struct follow_file *file = &follow->files[i];
		*file = (struct follow_file){
		    .hart = file->hart, .fd = file->fd, .fault = file->fd < 0 ? file->fault : NULL};
	}
}

/* ---- packets ---- */

/* Why the packet cannot come next in the file, or NULL. */
static const char *next_fault(struct follow *follow, struct follow_file *file,
			      const struct trace_packet_header *header)
{
	const char *fault = packet_fault(header, CLASS_EVENTS);

	if (fault)
		return fault;
	if (!follow->boot_known) {
		follow->boot_known = true;
		follow->boot_id = header->boot_id;
	}
	return packet_chain_fits(&file->chain, header, file->hart, follow->boot_id, file->what) ? NULL
												: file->what;
}

/* The records of the packet at file->offset into the buffer; how many, -1: it is not (wholly) there yet. */
static int64_t read_packet(struct follow *follow, struct follow_file *file, uint64_t file_bytes)
{
	struct trace_packet_header header;

	if (file->fault || file_bytes < file->offset || file_bytes - file->offset < HEADER_BYTES ||
	    pread(file->fd, &header, sizeof(header), (off_t)file->offset) != sizeof(header))
		return -1;
	file->fault = next_fault(follow, file, &header);
	uint64_t size = packet_bytes(&header), content = packet_content(&header) - HEADER_BYTES;
	if (file->fault || file_bytes - file->offset < size)
		return -1;
	if (follow->buffer_bytes < content)
		follow->buffer = xrealloc(follow->buffer, follow->buffer_bytes = content);
	if (pread(file->fd, follow->buffer, content, (off_t)(file->offset + HEADER_BYTES)) !=
	    (ssize_t)content)
		return -1;
	packet_chain_take(&file->chain, &header, packet_records(content + HEADER_BYTES));
	file->offset += size;
	return (int64_t)(content / sizeof(struct trace_record));
}

uint64_t follow_step(struct follow *follow, follow_take *take, void *arg)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < follow->nr_files; i++) {
		struct stat st;
		int64_t nr;
		if (fstat(follow->files[i].fd, &st))
			continue;
		while ((nr = read_packet(follow, &follow->files[i], (uint64_t)st.st_size)) >= 0) {
			take(arg, follow->files[i].hart, (const struct trace_record *)follow->buffer,
			     (size_t)nr);
			sum += (uint64_t)nr;
		}
	}
	return sum;
}

/* ---- is it over? ---- */

/*
 * 1: somebody has the file open for writing, 0: nobody has, -1: it is not there, or the system does not tell. A read
 * lease is granted only where there is no writer.
 */
static int has_writer(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	size_t bytes;
	const char *fault;
	int fd = file_open_regular(path, UINT64_MAX, &bytes, &fault), answer = -1;

	free(path);
	if (fd < 0)
		return -1;
	if (!fcntl(fd, F_SETLEASE, F_RDLCK)) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		answer = 0;
	} else if (errno == EAGAIN) {
		answer = 1;
	}
	close(fd);
	return answer;
}

enum follow_state follow_state(const struct follow *follow)
{
	int trace = has_writer(follow->trace_folder, "stacks"),
	    log = has_writer(follow->folder, "logs/console.log");

	if (trace == 1 || log == 1)
		return FOLLOW_RUNNING;
	if (trace == 0 || log == 0)
		return FOLLOW_ENDED;
	/* Nobody tells: `pagetrail run` leaves this file at its end. Nothing comes to a folder that was removed. */
	char *path = xasprintf("%s/run.json", follow->folder);
	bool over = !access(path, F_OK) || access(follow->folder, F_OK);
	free(path);
	return over ? FOLLOW_ENDED : follow->nr_files ? FOLLOW_RUNNING : FOLLOW_WAITING;
}

static struct follow_file *file_of(struct follow *follow, uint32_t hart)
{
	for (uint32_t i = 0; i < follow->nr_files; i++) {
		if (follow->files[i].hart == hart)
			return &follow->files[i];
	}
	return NULL;
}

bool follow_compare(struct follow *follow)
{
	struct manifest manifest;

	manifest_read(&manifest, follow->folder);
	/* Who records writes run.json before it closes the trace. */
	follow->interrupted = manifest.state == MANIFEST_NONE && !access(follow->folder, F_OK);
	snprintf(follow->cut_short, sizeof(follow->cut_short), "%s",
		 manifest_cut_short(&manifest) ? manifest_cut_short(&manifest) : "");
	for (uint32_t i = 0; i < manifest.nr_harts; i++) {
		struct follow_file *file = file_of(follow, manifest.harts[i].hart);
		if (!file && manifest.harts[i].packets && follow->nr_files < STREAMS_MAX)
			follow->files[follow->nr_files++] = (struct follow_file){
			    .hart = manifest.harts[i].hart, .fd = -1, .fault = "the file is missing"};
		else if (file && !file->fault &&
			 !manifest_hart_fits(&manifest.harts[i], &file->chain, file->what))
			file->fault = file->what;
	}
	return manifest.state != MANIFEST_BAD;
}

/* ---- stacks and losses ---- */

uint32_t follow_nr_stacks(const struct follow *follow)
{
	struct stat st;

	if (follow->stacks_fd < 0 || fstat(follow->stacks_fd, &st) || (size_t)st.st_size < HEADER_BYTES)
		return 0;
	return (uint32_t)(((uint64_t)st.st_size - HEADER_BYTES) / sizeof(struct trace_stack));
}

bool follow_stack(const struct follow *follow, uint32_t id, struct trace_stack *stack)
{
	return id && follow->stacks_fd >= 0 &&
	       pread(follow->stacks_fd, stack, sizeof(*stack),
		     (off_t)(HEADER_BYTES + (id - 1) * sizeof(*stack))) == sizeof(*stack) &&
	       stack->stack == id && stack->nr_frames <= TRACE_STACK_FRAMES;
}

uint64_t follow_discarded(const struct follow *follow)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < follow->nr_files; i++)
		sum += follow->files[i].chain.discarded;
	return sum;
}

uint64_t follow_missing(const struct follow *follow)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < follow->nr_files; i++)
		sum += follow->files[i].chain.missing;
	return sum;
}

bool follow_damaged(const struct follow *follow)
{
	for (uint32_t i = 0; i < follow->nr_files; i++) {
		if (follow->files[i].chain.starts_late || follow->files[i].fault)
			return true;
	}
	return false;
}
