"""Questions about statements."""

import json
from datetime import datetime
from io import BytesIO
from zipfile import ZipFile

import pytest

from issuer.attestation import selectors
from issuer.attestation.errors import AttestationNotPublished
from tests.make import attestation as make

pytestmark = pytest.mark.django_db


class TestPackageFiles:
    def test_are_those_of_published_statements_only(self, at: datetime) -> None:
        world = make.world(at=at)

        with pytest.raises(AttestationNotPublished):
            selectors.package_files(make.reviewed(world, at=at))


class TestPackageZip:
    def test_is_named_for_program_and_number(self, at: datetime) -> None:
        attestation = make.published(make.world(at=at), at=at)
        folder = f"{attestation.program.code.upper()}-1"

        with ZipFile(BytesIO(selectors.package_zip(attestation))) as archive:
            assert f"{folder}/attestation.json" in archive.namelist()


class TestCurrent:
    def test_is_none_before_the_first(self, at: datetime) -> None:
        world = make.world(at=at)
        attestation = make.reviewed(world, at=at)

        assert selectors.current(world.program) is None
        assert selectors.under_way(world.program) == attestation
        assert list(selectors.published(world.program)) == []


class TestKeysFile:
    def test_is_what_the_checker_reads(self, at: datetime) -> None:
        make.register_key(at=at)

        assert json.loads(selectors.keys_file()) == {
            "keys": [
                {
                    "keyId": "10ba682c8ad13513",
                    "role": "ISSUER",
                    "publicKey": make.SIGNER.public_key.hex(),
                    "validFrom": "2026-11-19T15:00:00Z",
                    "validTo": None,
                }
            ]
        }
