"""Which reader a file of a custodian is for."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from issuer.custody.csv_statement import CsvStatementReader
from issuer.custody.errors import StatementFormatUnknown
from issuer.custody.readers import StatementReader

READERS: Final[Mapping[str, StatementReader]] = {".csv": CsvStatementReader()}


def reader_for(file_name: str) -> StatementReader:
    """Return the reader for a file, by the end of its name.

    Raises:
        StatementFormatUnknown: if there is none.
    """
    reader = READERS.get(PurePath(file_name).suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise StatementFormatUnknown(f"{file_name!r} is none of the formats read here: {known}.")
    return reader
