/* SPDX-License-Identifier: MIT */
/*
 * watch_disks: what the disks of a watched machine held when it started, kept in RUN/disks, for a second run of it.
 *
 * Disks are found in the words of QEMU's call: `-drive …,file=FILE,…`. The n-th such word's file is RUN/disks/n, if it is a
 * regular file of at most WATCH_DISK_MAX bytes.
 */
#ifndef TOOLS_RUN_WATCH_DISKS_H
#define TOOLS_RUN_WATCH_DISKS_H

#define WATCH_DISK_MAX (256ULL << 20)

/* Copies them; dies when there is no room. */
void watch_keep_disks(const char *run, int argc, char **argv);
/* The word as it is for a second run: the n-th -drive with its file replaced by the copy, if there is one. Caller frees. */
char *watch_disk_word(const char *run, unsigned n, const char *word);

#endif
