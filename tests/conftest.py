"""Shared by every pytest folder below tests/: the harness package, and nothing else."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
