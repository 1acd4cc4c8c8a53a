# SPDX-License-Identifier: MIT
"""What boot took for good, and pages that one kernel object owns."""

from .pages import pages_of


def claim_boot(kernel, accounting, findings):
    """Image, metadata, trace, ramdisk, firmware: their state bit is their claim."""
    pages = pages_of(kernel)
    boot = kernel.layout.enum_value("page_state", "PAGE_BOOT")
    for pfn, row in enumerate(pages.rows, pages.first):
        if row[2] == boot:
            accounting.claim_page(pfn, "BOOT", 0, 0, pages.kind_label(row[0]))


def claim_disk(kernel, accounting, findings):
    """The virtqueue's page, where there is a virtio disk."""
    disk = kernel.read_symbol("virtio_blk.c:disk")
    if disk["page"]:
        accounting.claim_page_va(disk["page"], "OWNER", 0, 0, "virtqueue of the disk", findings)
