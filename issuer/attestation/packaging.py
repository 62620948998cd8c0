"""Everything that goes into a package, and the package as one file. Same document, same bytes."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

from issuer.attestation import csvs, rendering
from issuer.attestation.package import verify_offline
from issuer.attestation.signers import StatementSigner

#: What every package brings along unchanged.
ENCLOSED: Final = ("VERIFY.md", verify_offline.SCHEMA, "verify_offline.py")
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "ed25519": "application/octet-stream",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "py": "text/x-python",
}
#: The earliest time that a ZIP file can carry; a real one would make the bytes differ.
ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def assemble(content: bytes, *, signer: StatementSigner) -> dict[str, bytes]:
    """Return the files of a package, by name; `content` are the canonical bytes of a document.

    Raises:
        SigningKeyUnusable: as the signer.
    """
    document: Mapping[str, Any] = json.loads(content)
    files = {verify_offline.DOCUMENT: content, **csvs.render(document)}
    files[verify_offline.STATEMENT] = rendering.to_pdf(document, files=files)
    files |= {name: enclosed(name) for name in ENCLOSED}
    for name in (verify_offline.DOCUMENT, verify_offline.STATEMENT):
        files[f"{name}.ed25519"] = signer.sign(files[name])
    files[verify_offline.SUMS] = sums(files)
    files[f"{verify_offline.SUMS}.ed25519"] = signer.sign(files[verify_offline.SUMS])
    return files


def enclosed(name: str) -> bytes:
    """Return one of the files that every package brings along unchanged."""
    return (resources.files("issuer.attestation.package") / name).read_bytes()


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return the list of hashes, as sha256sum writes and reads it."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def media_type(name: str) -> str:
    """Return the media type of a file of a package."""
    return MEDIA_TYPES.get(name.rpartition(".")[2], "text/plain")


def to_zip(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return the files as one ZIP file with `folder` in it; same files, same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return target.getvalue()


def keys_file(keys: Sequence[Mapping[str, str | None]]) -> bytes:
    """Return public keys in the form that the checker reads."""
    return (json.dumps({"keys": list(keys)}, indent=2) + "\n").encode()
