"""Everything that writes KYC cases and their evidence."""

from issuer.kyc.services._cases import (
    approve,
    ask_for_more,
    expire_due,
    note_renewals_due,
    offboard,
    open_case,
    reject,
    renew,
    start,
    submit,
    suspend,
)
from issuer.kyc.services._evidence import add_evidence, read_evidence, shred_personal_data

__all__ = [
    "add_evidence",
    "approve",
    "ask_for_more",
    "expire_due",
    "note_renewals_due",
    "offboard",
    "open_case",
    "read_evidence",
    "reject",
    "renew",
    "shred_personal_data",
    "start",
    "submit",
    "suspend",
]
