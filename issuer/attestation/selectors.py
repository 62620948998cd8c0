"""Questions about statements; nothing here writes."""

import json
from datetime import datetime
from itertools import zip_longest
from typing import Any

from django.db.models import QuerySet

from issuer.attestation import packaging
from issuer.attestation.errors import AttestationNotPublished
from issuer.attestation.models import Attestation, StatementKey
from issuer.attestation.package import verify_offline
from issuer.attestation.states import UNDER_WAY, AttestationState
from issuer.attestation.token_part import second_of
from issuer.parties.models import Program

OUT = (AttestationState.PUBLISHED, AttestationState.SUPERSEDED)


def published(program: Program) -> QuerySet[Attestation]:
    """Return every statement of `program` that was published, the newest first, without bytes."""
    return (
        Attestation.objects.filter(program=program, state__in=OUT)
        .select_related("program")
        .defer("content", "document")
        .order_by("-sequence")
    )


def current(program: Program) -> Attestation | None:
    """Return the statement of `program` that no later one has superseded, if there is one."""
    return Attestation.objects.filter(program=program, state=AttestationState.PUBLISHED).first()


def may_follow(as_of: datetime, attestation: Attestation) -> bool:
    """Say whether a statement as of then may follow `attestation`: documents count in seconds."""
    return second_of(as_of) > second_of(attestation.as_of)


def under_way(program: Program) -> Attestation | None:
    """Return the statement of `program` that is not yet published, if there is one."""
    return Attestation.objects.filter(program=program, state__in=sorted(UNDER_WAY)).first()


def content_of(attestation: Attestation) -> dict[str, Any]:
    """Return the document of a statement, without an approval until there is one."""
    source = attestation.document or attestation.content
    document: dict[str, Any] = json.loads(bytes(source))
    return document


def folder_name(attestation: Attestation) -> str:
    """Return PROGRAM-SEQ, the name of a package."""
    return f"{attestation.program.code.upper()}-{attestation.sequence}"


def package_files(attestation: Attestation) -> dict[str, bytes]:
    """Return the files of a published package, by name.

    Raises:
        AttestationNotPublished: if the statement is not, or not yet, published.
    """
    if attestation.state not in OUT:
        raise AttestationNotPublished(f"{attestation} has not been published.")
    exhibits = attestation.exhibits.order_by("name").values_list("name", "content")
    return {name: bytes(content) for name, content in exhibits}


def package_zip(attestation: Attestation) -> bytes:
    """Return a published package as one ZIP file; the same bytes each time.

    Raises:
        AttestationNotPublished: as `package_files`.
    """
    return packaging.to_zip(folder_name(attestation), package_files(attestation))


def keys_file() -> bytes:
    """Return the public keys of the issuer's statements, in the form that the checker reads."""
    return packaging.keys_file(
        [
            {
                "keyId": key.key_id,
                "role": "ISSUER",
                "publicKey": key.public_key.hex(),
                "validFrom": key.valid_from,
                "validTo": key.valid_to,
            }
            for key in published_keys()
        ]
    )


def published_keys() -> list[verify_offline.Key]:
    """Return the keys that statements were ever signed with, each until the next one came."""
    keys = list(StatementKey.objects.order_by("valid_from"))
    return [
        verify_offline.Key(
            key.key_id,
            bytes.fromhex(key.public_key),
            second_of(key.valid_from),
            second_of(successor.valid_from) if successor else None,
        )
        for key, successor in zip_longest(keys, keys[1:])
    ]
