/* SPDX-License-Identifier: MIT
 *
 * bare_qemu PLUGIN TARGET: a program that loads the plugin as a QEMU would which exports nothing but the plugin interface
 * of API 1, without a way to read registers (lazily bound, never called). The plugin must refuse it in a sentence. Prints what install returned.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "../../trace-tools/plugin/qemu_api.h"

int main(int argc, char **argv)
{
	void *plugin = dlopen(argv[1], RTLD_LAZY);

	if (argc != 3 || !plugin) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	int (*install)(qemu_plugin_id_t, const qemu_info_t *, int, char **) =
	    dlsym(plugin, "qemu_plugin_install");
	const int *version = dlsym(plugin, "qemu_plugin_version");
	qemu_info_t info = {.target_name = argv[2], .system_emulation = true};
	info.version.cur = 1;
	info.system.smp_vcpus = info.system.max_vcpus = 1;
	printf("version %d, install %d\n", *version, install(1, &info, 0, NULL));
	return 0;
}
