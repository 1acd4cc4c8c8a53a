# SPDX-License-Identifier: MIT
# Host tests of the radix tree and of fs: ext2 images are made by mke2fs and checked by e2fsck and debugfs.
HOST_FS := $(HOST_PAGES) cache/pagecache cache/mapping cache/reclaim cache/writeback fs/icache fs/mount fs/walk fs/path fs/file \
	fs/pipe fs/static_fs fs/cached_io cache/readahead fs/file_map ext2/ext2_super ext2/ext2_balloc ext2/ext2_ialloc ext2/ext2_inode ext2/ext2_map \
	ext2/ext2_file ext2/ext2_dir ext2/ext2_namei ext2/ext2_symlink fs/symlink
HOST_radix := $(HOST_BASE) lib/radix
HOST_tree := $(HOST_BASE) lib/tree
HOST_pagecache := $(HOST_FS)
HOST_pipe := $(HOST_FS)
HOST_references := $(HOST_FS)
HOST_EXTRA_references := sched_host host_fs
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
