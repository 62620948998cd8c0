"""Signed packages of the statements written by hand, and ways to spoil them."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuer.attestation import csvs, packaging
from issuer.attestation.package import verify_offline
from issuer.attestation.signers import LocalKeySigner
from issuer.foundation import canonical
from tests.attestation import documents

SIGNER = LocalKeySigner("11" * 32)
STRANGER = LocalKeySigner("22" * 32)
PDF = b"%PDF-1.7 stands for a statement\n%%EOF\n"


def key_entry(
    *, valid_from: str = "2026-01-01T00:00:00Z", valid_to: str | None = None
) -> dict[str, str | None]:
    return {
        "keyId": "issuer-2026",
        "role": "ISSUER",
        "publicKey": SIGNER.public_key.hex(),
        "validFrom": valid_from,
        "validTo": valid_to,
    }


def key(
    *, valid_from: str = "2026-01-01T00:00:00Z", valid_to: str | None = None
) -> verify_offline.Key:
    return verify_offline.Key("issuer-2026", SIGNER.public_key, valid_from, valid_to)


def signed(
    document: Mapping[str, Any] | bytes, *, signer: LocalKeySigner = SIGNER, pdf: bytes = PDF
) -> dict[str, bytes]:
    """Return the files of a package as the issuer makes it, but for a PDF that nobody drew."""
    content = document if isinstance(document, bytes) else canonical.to_bytes(document)
    files = {"attestation.json": content, "statement.pdf": pdf, **csvs.render(json.loads(content))}
    files |= {name: packaging.enclosed(name) for name in packaging.ENCLOSED}
    return resigned(files, signer=signer)


def resigned(files: Mapping[str, bytes], *, signer: LocalKeySigner = SIGNER) -> dict[str, bytes]:
    """Return `files` with sums and signatures made anew, as only the issuer could."""
    kept = {name: content for name, content in files.items() if not name.endswith(".ed25519")}
    kept.pop("SHA256SUMS", None)
    for name in ("attestation.json", "statement.pdf"):
        if name in kept:
            kept[f"{name}.ed25519"] = signer.sign(kept[name])
    kept["SHA256SUMS"] = packaging.sums(kept)
    kept["SHA256SUMS.ed25519"] = signer.sign(kept["SHA256SUMS"])
    return kept


@cache
def good() -> Mapping[str, bytes]:
    return signed(documents.covered())


def changed(change: Callable[[Any], object], make: Callable[[], Any] = documents.covered) -> Any:
    """Return a document after `change`, with its own approval hash made to fit again."""
    document = make()
    change(document)
    document["controls"]["contentSha256"] = verify_offline.content_sha256(document)
    return document


def failures(files: Mapping[str, bytes], **options: Any) -> list[str]:
    """Return what the checker says of a package, failures only."""
    report, _ = verify_offline.verify(files, keys=options.pop("keys", [key()]), **options)
    return [line.strip() for line in report.lines() if line.startswith("      ")]


def write(files: Mapping[str, bytes], directory: Path) -> Path:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


def pem() -> bytes:
    """Return the public key in the form that openssl reads."""
    key_ = Ed25519PublicKey.from_public_bytes(SIGNER.public_key)
    return key_.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
