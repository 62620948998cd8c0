"""The tables of a package for a spreadsheet: the numbers of the document, and no others."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from issuer.attestation.package import verify_offline


def render(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the CSV files (RFC 4180, UTF-8) of a statement, by name.

    Their rows are those that the checker expects, so there is one definition of them.
    """
    files = {}
    for name, rows in verify_offline.tables(document).items():
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        files[name] = text.getvalue().encode()
    return files
