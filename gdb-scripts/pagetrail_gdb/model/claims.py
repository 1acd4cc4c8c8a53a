# SPDX-License-Identifier: MIT
"""All accounting together: every walker, run once per command."""

from .accounting import Accounting
from .claims_fs import claim_inodes, claim_pipes, claim_proc_files, claim_procs, claim_superblocks
from .claims_kernel import claim_boot, claim_disk
from .claims_mm import claim_kstacks, claim_mms, claim_shared
from .errors import Finding, ReadError
from .pagecache import claim_pagecache
from .slab import claim_slabs

WALKERS = (claim_boot, claim_disk, claim_kstacks, claim_mms, claim_shared, claim_slabs, claim_procs, claim_inodes,
           claim_pagecache, claim_superblocks, claim_pipes, claim_proc_files)


def accounting_of(kernel, findings):
    """The Accounting with everything that could be found. A walker stopped by wild memory leaves a finding."""
    def make():
        accounting = Accounting(kernel)
        for walker in WALKERS:
            try:
                walker(kernel, accounting, findings)
            except ReadError as error:
                findings.append(Finding(walker.__name__.replace("claim_", "holders in "), str(error)))
        return accounting
    return kernel.once("accounting", make)
