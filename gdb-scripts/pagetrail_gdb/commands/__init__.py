# SPDX-License-Identifier: MIT
"""The commands, one module per subject. COMMANDS is everything the user can type."""

from .. import printers, session
from .audit import AuditCommand, Freemem, Leaks
from .buddy import BuddyPrint
from .freelist import FreelistPrint
from .owner import PageOwner
from .overview import overview
from .pagecache import DirtyPrint, PagecachePrint
from .pagetables import PteWalk, VmPrint
from .panic import PanicCommand
from .pcp import PcpPrint
from .slab import SlabPrint
from .tasks import KstackPrint, Ps
from .trace import PageHistory, TraceDump
from .whatis import Whatis

COMMANDS = (VmPrint, PteWalk, BuddyPrint, FreelistPrint, PageOwner, PageHistory, TraceDump, Ps, KstackPrint, SlabPrint, PagecachePrint,
            DirtyPrint, PcpPrint, Freemem, AuditCommand, Leaks, Whatis,
            PanicCommand)


def register():
    session.register()
    printers.register()
    for command in COMMANDS:
        command()
    overview(COMMANDS)()
