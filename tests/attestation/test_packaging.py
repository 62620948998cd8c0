"""Packages: complete, the same each time, and checked with other people's tools."""

import csv
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from issuer.attestation import csvs, packaging
from issuer.attestation.errors import SigningKeyUnusable
from issuer.attestation.package import verify_offline
from issuer.attestation.signers import LocalKeySigner, key_id
from issuer.foundation import canonical
from tests.attestation import documents, packages


@pytest.fixture(scope="module")
def package() -> dict[str, bytes]:
    content = canonical.to_bytes(documents.covered())
    return packaging.assemble(content, signer=packages.SIGNER)


class TestAssemble:
    def test_makes_what_the_checker_accepts(self, package: dict[str, bytes]) -> None:
        assert packages.failures(package) == []
        assert set(package) == verify_offline.FILES

    @pytest.mark.parametrize("name", verify_offline.SIGNED)
    def test_is_signed_as_openssl_understands(
        self, name: str, package: dict[str, bytes], tmp_path: Path
    ) -> None:
        folder = packages.write(package, tmp_path / "package")
        pem = tmp_path / "issuer.pem"
        pem.write_bytes(packages.pem())
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(pem), "-rawin"]
        command += ["-in", name, "-sigfile", f"{name}.ed25519"]

        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

        assert (done.returncode, done.stdout) == (0, "Signature Verified Successfully\n")

    def test_is_summed_as_sha256sum_understands(
        self, package: dict[str, bytes], tmp_path: Path
    ) -> None:
        folder = packages.write(package, tmp_path / "package")

        subprocess.run(
            ["sha256sum", "--strict", "-c", "SHA256SUMS"],
            cwd=folder,
            check=True,
            capture_output=True,
        )

    def test_tells_how_to_check_it(self, package: dict[str, bytes]) -> None:
        text = package["VERIFY.md"].decode()

        for command in ("verify_offline.py", "openssl pkeyutl", "sha256sum -c", "pdfdetach"):
            assert command in text


class TestToZip:
    def test_gives_the_same_bytes_in_one_folder(self, package: dict[str, bytes]) -> None:
        zipped = packaging.to_zip("HARBOR-1", package)

        assert zipped == packaging.to_zip("HARBOR-1", dict(reversed(package.items())))
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == {
                f"HARBOR-1/{name}": content for name, content in package.items()
            }


class TestRender:
    def test_writes_tables_as_rfc_4180_says(self) -> None:
        document = documents.covered()
        document["breaks"][0]["explanation"] = 'He said "late",\nand it was'

        tables = csvs.render(document)

        rows = list(csv.reader(io.StringIO(tables["breaks.csv"].decode(), newline="")))
        assert rows[1][-1] == 'He said "late",\nand it was'
        assert tables["reconciliation.csv"].endswith(b"\r\n")
        assert (
            b"TSLAx,A1,Total supply at final blocks,tokens,250.123456789012345678,false"
            in (tables["reconciliation.csv"])
        )


class TestMediaType:
    @pytest.mark.parametrize(
        ("name", "media_type"),
        [("statement.pdf", "application/pdf"), ("SHA256SUMS", "text/plain")],
    )
    def test_follows_the_name(self, name: str, media_type: str) -> None:
        assert packaging.media_type(name) == media_type


class TestLocalKeySigner:
    @pytest.mark.parametrize("secret", ["", "zz", "11" * 31])
    def test_refuses_what_is_no_key_and_does_not_repeat_it(self, secret: str) -> None:
        with pytest.raises(SigningKeyUnusable) as refusal:
            LocalKeySigner(secret)

        assert str(refusal.value) == "ATTESTATION_KEY must be 32 bytes in hex."

    def test_has_a_name_that_follows_from_the_key(self) -> None:
        assert key_id(packages.SIGNER.public_key) == "10ba682c8ad13513"
