/* poweroff [STATUS]: ends the machine; its host sees the status, 0 to 127. */
#include "ulib.h"

int main(int argc, char **argv)
{
	poweroff(argc > 1 ? (int)parse_number(argv[1]) : 0);
}
