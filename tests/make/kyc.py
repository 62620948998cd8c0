"""KYC cases for tests: valid, saved rows in any state."""

import hashlib
import itertools
from datetime import UTC, date, datetime

from issuer.foundation.identifiers import uuid7
from issuer.kyc import vault
from issuer.kyc.models import Case, DataKey, EvidenceDocument, MediaType, RiskRating
from issuer.kyc.states import CLEARED_STATES, EXPLAINED_STATES, CaseState
from issuer.parties.models import LegalEntity
from tests.make import parties, people

_serial = itertools.count(1)
BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
#: The smallest thing that begins like a PDF.
PDF = b"%PDF-1.7\n%%EOF\n"


def case(
    entity: LegalEntity | None = None,
    *,
    state: CaseState = CaseState.NEW,
    valid_until: date = date(2027, 10, 31),
) -> Case:
    """Return a case in `state`, without the transitions that would have led there."""
    entity = entity or parties.legal_entity()
    reviewed = state in CLEARED_STATES | {CaseState.EXPIRED, CaseState.SUSPENDED}
    row = Case.objects.create(
        entity=entity,
        state=state,
        risk_rating=RiskRating.LOW if reviewed else "",
        valid_until=valid_until if reviewed else None,
        reviewer=people.person() if reviewed else None,
        reason="A document is missing." if state in EXPLAINED_STATES else "",
        opened_at=BEFORE,
    )
    DataKey.objects.create(
        entity=entity, wrapped_key=vault.new_wrapped_key(entity=entity.pk), created_at=BEFORE
    )
    return row


def cleared(entity: LegalEntity, *, valid_until: date = date(2027, 10, 31)) -> Case:
    """Return the approved case of `entity`, which is cleared through `valid_until`."""
    return case(entity, state=CaseState.APPROVED, valid_until=valid_until)


def evidence(case_: Case, *, content: bytes | None = None) -> EvidenceDocument:
    """Return a document in the case, whatever its state."""
    content = content or PDF + f"% {next(_serial)}".encode()
    document_id = uuid7()
    key = case_.entity.data_key
    assert key.wrapped_key is not None
    cipher = vault.unwrapped(bytes(key.wrapped_key), entity=case_.entity_id)
    return EvidenceDocument.objects.create(
        id=document_id,
        case=case_,
        kind="certificate-of-incorporation",
        media_type=MediaType.PDF,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        ciphertext=cipher.encrypt(content, row=document_id),
        added_by="SYSTEM:make",
        added_at=BEFORE,
    )
