"""Everything that writes what custodians hold, said, and were told to do."""

from issuer.custody.services._accounts import open_custody_account
from issuer.custody.services._instructions import (
    apply_split,
    cancel_instruction,
    fail_instruction,
    fail_overdue,
    instruct_delivery,
    instruct_receipt,
    reinstruct,
)
from issuer.custody.services._preview import Preview, StatedLine, preview_statement
from issuer.custody.services._settlement import (
    settle_after_split,
    settle_from_statement,
    settle_instruction,
)
from issuer.custody.services._statements import load_statement, receive_statement

__all__ = [
    "Preview",
    "StatedLine",
    "apply_split",
    "cancel_instruction",
    "fail_instruction",
    "fail_overdue",
    "instruct_delivery",
    "instruct_receipt",
    "load_statement",
    "open_custody_account",
    "preview_statement",
    "receive_statement",
    "reinstruct",
    "settle_after_split",
    "settle_from_statement",
    "settle_instruction",
]
