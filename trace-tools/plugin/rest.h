/* SPDX-License-Identifier: MIT
 *
 * rest: a machine that is told to end (SIGTERM) first comes to rest.
 *
 * A course's grade script ends QEMU as soon as it has read what it waits for: the prompt, say. The shell still runs then,
 * between its last byte and its read(), and of a process that runs nobody knows what its registers hold: the audit could
 * not tell. So the signal is passed on a moment later: when QEMU computes nothing any more, or has computed for a fifth of
 * a second (kernels that never wait for an interrupt), or two seconds have passed. A second signal is passed on at once.
 */
#ifndef PLUGIN_REST_H
#define PLUGIN_REST_H

/* Once, when QEMU has set up its signals, that is when the guest runs. */
void rest_init(void);

#endif
