/* SPDX-License-Identifier: MIT */
/*
 * A program to be started by tests: ends with a status that tells that its text, data and argument are right.
 */
#include "user.h"

static char data[3 * PGSIZE] = "hello"; /* its initial value makes the file long */
static int zero;

int main(const char *argument)
{
	return equal(data, "hello") && zero == 0 && equal(argument, "world") ? 42 : 1;
}
