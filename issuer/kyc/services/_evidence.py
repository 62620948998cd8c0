"""The documents behind a KYC case: encrypted as they come in, and destroyed in the end."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.errors import Malformed
from issuer.foundation.identifiers import uuid7
from issuer.foundation.transactions import translating
from issuer.kyc import errors, vault
from issuer.kyc.models import Case, DataKey, EvidenceDocument, MediaType
from issuer.kyc.states import FINAL_STATES, CaseState

SIZE_MAX_BYTES: Final = 10 * 2**20
#: What a document of each form begins with; a name or a header proves nothing.
_FIRST_BYTES: Final[Mapping[MediaType, bytes]] = {
    MediaType.PDF: b"%PDF-",
    MediaType.PNG: b"\x89PNG\r\n\x1a\n",
    MediaType.JPEG: b"\xff\xd8\xff",
}
_AWAITING_EVIDENCE: Final = frozenset({CaseState.IN_PROGRESS, CaseState.RETRY})
#: Ten years from the end of the relationship: the longest of the laws that apply (Swiss CO 958f;
#: five years under the EU's and Jersey's rules against money laundering).
RETENTION: Final = timedelta(days=3653)


@transaction.atomic
def add_evidence(
    case_id: UUID, *, kind: str, media_type: str, content: bytes, actor: Actor, at: datetime
) -> EvidenceDocument:
    """Add a document to a case: its hash in the clear, its content under the entity's own key.

    `kind` says what it is, as certificate-of-incorporation.

    Raises:
        EvidenceNotAwaited: if the case is not being put together.
        EvidenceRefused: if the content is empty, too large, or not what `media_type` says.
        EvidenceRepeated: if the case holds the same content.
        Malformed: if `kind` is not of small letters, digits and hyphens.
    """
    case = Case.objects.select_for_update(of=("self",)).get(pk=case_id)
    if case.state not in _AWAITING_EVIDENCE:
        state = CaseState(case.state)
        detail = f"A case that is {state.label.lower()} takes no evidence."
        raise errors.EvidenceNotAwaited(detail, state=state.value)
    _check_content(media_type, content)

    document_id = uuid7()
    sha256 = hashlib.sha256(content).hexdigest()
    repeated = errors.EvidenceRepeated("The case holds this document.", sha256=sha256)
    malformed = Malformed(f"{kind[:64]!r} is not a kind of evidence.", field="kind")
    with translating(
        {
            "evidence_document_once_per_case": repeated,
            "evidence_document_kind_is_plain": malformed,
        }
    ):
        document = EvidenceDocument.objects.create(
            id=document_id,
            case=case,
            kind=kind,
            media_type=media_type,
            sha256=sha256,
            size_bytes=len(content),
            ciphertext=_cipher_of(case).encrypt(content, row=document_id),
            added_by=str(actor),
            added_at=at,
        )
    audit.record("kyc.add_evidence", subject=document, actor=actor, at=at, kind=kind, sha256=sha256)
    return document


@transaction.atomic
def read_evidence(document_id: UUID, *, actor: Actor, at: datetime) -> bytes:
    """Return the content of a document, and leave on record who has seen it.

    Raises:
        EvidenceShredded: if the personal data of the entity was destroyed.
        EvidenceUnreadable: if the content does not decrypt.
    """
    document = EvidenceDocument.objects.select_related("case").get(pk=document_id)
    cipher = _cipher_of(document.case)
    content = cipher.decrypt(bytes(document.ciphertext), row=document.pk)
    audit.record("kyc.read_evidence", subject=document, actor=actor, at=at)
    return content


@transaction.atomic
def shred_personal_data(case_id: UUID, *, actor: Actor, at: datetime) -> DataKey:
    """Destroy the key of a closed case: nothing encrypted under it can be read ever again.

    Raises:
        RetentionRuns: if the case is open, or was closed less than ten years ago.
        EvidenceShredded: if that was done before.
    """
    case = Case.objects.select_for_update(of=("self",)).get(pk=case_id)
    if case.state not in FINAL_STATES:
        raise errors.RetentionRuns("The case is open; retention begins when it is closed.")
    closed_at = case.transitions.latest("id").occurred_at
    if at < closed_at + RETENTION:
        until = canonical.timestamp(closed_at + RETENTION)
        raise errors.RetentionRuns(f"The records must be kept until {until}.", until=until)
    key = DataKey.objects.select_for_update(of=("self",)).get(entity=case.entity_id)
    if key.shredded_at is not None:
        raise errors.EvidenceShredded("The key was destroyed before.")
    key.wrapped_key, key.shredded_at = None, at
    key.save(update_fields=["wrapped_key", "shredded_at"])
    audit.record("kyc.shred_personal_data", subject=case, actor=actor, at=at)
    return key


def _check_content(media_type: str, content: bytes) -> None:
    if media_type not in MediaType.values:
        known = ", ".join(MediaType.labels)
        raise errors.EvidenceRefused(f"Evidence is one of {known}.", media_type=media_type[:64])
    if not content:
        raise errors.EvidenceRefused("The document is empty.")
    if len(content) > SIZE_MAX_BYTES:
        size, most = f"{len(content):,}", f"{SIZE_MAX_BYTES:,}"
        raise errors.EvidenceRefused(f"The document has {size} bytes; {most} are the most.")
    label = MediaType(media_type).label
    if not content.startswith(_FIRST_BYTES[MediaType(media_type)]):
        raise errors.EvidenceRefused(f"The document is not a {label}.", media_type=media_type)


def _cipher_of(case: Case) -> vault.DataCipher:
    key = DataKey.objects.get(entity=case.entity_id)
    if key.wrapped_key is None:
        raise errors.EvidenceShredded("The key that this was encrypted under is destroyed.")
    return vault.unwrapped(bytes(key.wrapped_key), entity=case.entity_id)
