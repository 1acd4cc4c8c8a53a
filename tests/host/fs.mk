# SPDX-License-Identifier: MIT
# Host tests of the radix tree and of fs: ext2 images are made by mke2fs and checked by e2fsck and debugfs.
HOST_FS := $(HOST_PAGES) fs/pagecache fs/mapping fs/reclaim fs/writeback fs/icache fs/mount fs/walk fs/path fs/file \
	fs/pipe fs/static_fs fs/cached_io fs/readahead fs/file_map fs/ext2_super fs/ext2_balloc fs/ext2_ialloc fs/ext2_inode fs/ext2_map \
	fs/ext2_file fs/ext2_dir fs/ext2_namei fs/ext2_symlink fs/symlink
HOST_radix := $(HOST_BASE) lib/radix
HOST_tree := $(HOST_BASE) lib/tree
HOST_pagecache := $(HOST_FS)
HOST_pipe := $(HOST_FS)
HOST_ext2 := $(HOST_FS)
HOST_ext2_random := $(HOST_FS)
HOST_ext2_damage := $(HOST_FS)
HOST_EXTRA_pagecache := sched_host host_fs
HOST_EXTRA_pipe := sched_host host_fs
HOST_EXTRA_ext2 := sched_host host_fs host_ext2_model
HOST_EXTRA_ext2_random := sched_host host_fs host_ext2_model
HOST_mapped := $(HOST_FS)
HOST_EXTRA_mapped := sched_host host_fs host_mm
HOST_readahead := $(HOST_FS)
HOST_EXTRA_readahead := sched_host host_fs
HOST_EXTRA_ext2_damage := sched_host host_fs
HOST_fs_threads := $(HOST_FS)
HOST_EXTRA_fs_threads := sched_threads host_fs
