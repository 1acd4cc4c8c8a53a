# SPDX-License-Identifier: MIT
"""A disk image that has the programs of tests/xv6, which are written for xv6, beside the usual ones."""
import shutil
from pathlib import Path

from . import paths

SOURCES = sorted((paths.ROOT / "tests/xv6").glob("*.c"))


def built(folder):
    """The image in `folder`: a copy, as tests build other disks where this one is made."""
    build = f"{paths.BUILD_NAME}/xv6-disk"
    paths.make(f"EXTRA_USER={' '.join(str(source.relative_to(paths.ROOT)) for source in SOURCES)}", "disk", build=build)
    return Path(shutil.copy(paths.ROOT / build / "disk.img", folder))
