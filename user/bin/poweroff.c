/* SPDX-License-Identifier: MIT */
/*
 * poweroff [STATUS]: ends the machine; its host sees the status, 0 to 127. Only on a machine booted with debug=on; elsewhere
 * the machine ends with what init runs, the shell at the prompt or the command of run=.
 */
#include "ulib.h"

int main(int argc, char **argv)
{
	int err = poweroff(argc > 1 ? (int)parse_number(argv[1]) : 0);

	die("poweroff: %s: boot with debug=on, or leave the shell with exit", error_text(err));
}
