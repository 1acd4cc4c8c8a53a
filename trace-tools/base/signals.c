/* SPDX-License-Identifier: MIT */
/* signals: see signals.h. */
#include "signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

int signals_catch(sigset_t *mask, const int *signals)
{
	sigemptyset(mask);
	for (; *signals; signals++)
		sigaddset(mask, *signals);
	sigprocmask(SIG_BLOCK, mask, NULL);
	return signalfd(-1, mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

void signals_release(int fd, const sigset_t *mask)
{
	close(fd);
	sigprocmask(SIG_UNBLOCK, mask, NULL);
}
