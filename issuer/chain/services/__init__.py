"""Everything that writes what chains say, and what we say to them."""

from issuer.chain.services._acts import (
    ActGuard,
    complete_act,
    confirm_act,
    decline_act,
    fail_act,
    note_refusal,
    propose_act,
    sign_call,
    void_act,
)
from issuer.chain.services._intents import (
    Prepared,
    broadcast,
    bump_fees,
    cancel,
    prepare,
    record_booked,
    sign,
)
from issuer.chain.services._observing import note_missing_nonce, observe
from issuer.chain.services._scanning import note_trouble, scan_deployment
from issuer.chain.services._signers import appoint_signer, retire_signer
from issuer.chain.services._wanted import Guard, require_wanted

__all__ = [
    "ActGuard",
    "Guard",
    "Prepared",
    "appoint_signer",
    "broadcast",
    "bump_fees",
    "cancel",
    "complete_act",
    "confirm_act",
    "decline_act",
    "fail_act",
    "note_missing_nonce",
    "note_refusal",
    "note_trouble",
    "observe",
    "prepare",
    "propose_act",
    "record_booked",
    "require_wanted",
    "retire_signer",
    "scan_deployment",
    "sign",
    "sign_call",
    "void_act",
]
