/* SPDX-License-Identifier: MIT */
/*
 * signals: taken from a descriptor, where the program waits for other things anyway, instead of in a handler.
 *
 *     sigset_t mask;
 *     int fd = signals_catch(&mask, (int[]){SIGINT, SIGTERM, 0});
 *     ... poll fd, read struct signalfd_siginfo ...
 *     signals_release(fd, &mask);
 */
#ifndef TOOLS_BASE_SIGNALS_H
#define TOOLS_BASE_SIGNALS_H

#include <signal.h>

/* Blocks the signals (a list that ends with 0) and gives a non-blocking descriptor of them; -1 with errno. */
int signals_catch(sigset_t *mask, const int *signals);
void signals_release(int fd, const sigset_t *mask);

#endif
