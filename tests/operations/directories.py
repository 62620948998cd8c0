"""Directories that the database's account may enter, unlike pytest's own, which are closed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_to_others() -> Iterator[Path]:
    """Make a directory that everybody may enter, and remove it."""
    directory = Path(tempfile.mkdtemp(prefix="issuer-open-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
