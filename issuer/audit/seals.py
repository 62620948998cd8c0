"""What a seal is a hash of.

SHA-256 over parts, each led by its length in eight bytes, so that no two different trails write
the same bytes: first what the seal says of itself, then every event in the order of its position.
Parts are canonical JSON of what stands in the table, not of what was passed to be stored.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from issuer.audit.models import AuditEvent, Seal
from issuer.foundation import canonical

#: What the first seal follows.
NO_SEAL: Final = "0" * 64
_LENGTH_BYTES: Final = 8


def hash_of(seal: Seal, events: Iterable[AuditEvent]) -> str:
    """Return the hash of `seal` over `events`, in hex; its own `hash` is no part of it."""
    digest = hashlib.sha256()
    for part in [_of_seal(seal), *map(_of_event, events)]:
        written = canonical.to_bytes(part)
        digest.update(len(written).to_bytes(_LENGTH_BYTES, "big"))
        digest.update(written)
    return digest.hexdigest()


def _of_seal(seal: Seal) -> dict[str, Any]:
    return {
        "number": seal.number,
        "first_position": seal.first_position,
        "last_position": seal.last_position,
        "previous_hash": seal.previous_hash,
        "sealed_at": seal.sealed_at,
        "sealed_by": seal.sealed_by,
    }


def _of_event(event: AuditEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "action": event.action,
        "subject_type": event.subject_type,
        "subject_id": event.subject_id,
        "actor": event.actor,
        "person_id": event.person_id,
        "facts": event.facts,
        "occurred_at": event.occurred_at,
    }
