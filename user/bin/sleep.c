/* SPDX-License-Identifier: MIT */
/* sleep SECONDS[.TENTHS] */
#include "ulib.h"

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: sleep SECONDS[.TENTHS]");
	char *point = strchr(argv[1], '.');
	long tenths = 0;
	if (point) {
		*point = 0;
		tenths = parse_number((char[2]){point[1], 0});
	}
	return sleep_ms(parse_number(argv[1]) * 1000 + tenths * 100) < 0;
}
