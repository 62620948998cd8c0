import hashlib
import io
import json
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Security
from issuer.reconciliation.states import BreakCode
from issuer.transparency.views import CONTENT_SECURITY_POLICY
from tests.make import attestation as make_attestation
from tests.make import chain, gate, instruments, reconciliation, reserves

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_clock")]


def text_of(client: Client) -> str:
    """Return the page as it is sent, with its white space evened out."""
    return " ".join(client.get("/").content.decode().split())


class TestReserves:
    def test_says_in_words_what_backs_each_token(self, client: Client, at: datetime) -> None:
        security = Security.objects.create(
            isin="US0378331005", ticker="AAPL", mic="XNAS", name="Apple Inc."
        )
        token = instruments.token(symbol="AAPLx", security_=security)
        _, deployment, account = reserves.backed_token(Decimal(602), at=at, token_=token)
        reserves.supply(deployment, Decimal(600), at=at)
        reconciliation.run(token.program, at=at)

        page = text_of(client)

        name = account.custodian.entity.name
        assert f"backed by <strong>1.0033</strong> shares of Apple Inc. held at {name}." in page
        assert '<data class="figure" value="602" title="602">602</data>' in page
        assert '<data class="figure" value="10033">100.33 %</data>' in page
        assert deployment.address in page
        assert account.reference not in page  # the number of an account is nobody's business

    def test_says_nothing_first_while_all_is_well(self, client: Client, at: datetime) -> None:
        world = make_attestation.world(at=at)
        reconciliation.run(world.program, at=at)

        assert 'role="alert"' not in text_of(client)

    def test_says_what_happened_and_that_it_is_stated(self, client: Client, at: datetime) -> None:
        world = make_attestation.world(at=at - timedelta(minutes=2))
        make_attestation.published(world, at=at - timedelta(minutes=2))
        taken_at = at - timedelta(minutes=1)
        thief = chain.event(world.deployment, base_units=5 * 10**18, seen_at=taken_at)
        chain.snapshot(
            world.deployment,
            total_supply_base_units=605 * 10**18,
            block_number=thief.block_number + 1,
            taken_at=taken_at,
        )
        event = make_attestation.event(world, at=at)
        make_attestation.signed_and_published(event, at=at)

        page = text_of(client)

        assert "Fewer shares are held than are owed" in page
        assert "A mint that nobody approved" in page
        assert f"/attestations/{world.program.code}/2/" in page

    def test_is_empty_in_words_before_there_is_a_token(self, client: Client) -> None:
        page = text_of(client)

        assert "No token has been registered yet." in page
        assert "No statement has been published yet." in page

    def test_says_first_what_is_short(self, client: Client, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(10), at=at)
        reserves.supply(deployment, Decimal(20), at=at)
        reconciliation.run(token.program, at=at)

        page = text_of(client)

        assert 'role="alert"' in page
        assert (
            f"<strong>{token.symbol} is short</strong> since "
            '<time datetime="2026-11-20T15:00:00Z"' in page
        )
        assert "which is <strong>less than it stands for</strong>." in page
        assert BreakCode.BAK_SHORT.value in page

    def test_says_why_it_is_not_known_and_gives_no_figure(
        self, client: Client, at: datetime
    ) -> None:
        token, deployment, _ = reserves.backed_token(at=at)
        chain.trouble(deployment.network, reason="It said: no such key s3cret.", since=at)

        page = text_of(client)

        assert f"<strong>It is not known whether {token.symbol} is covered</strong>" in page
        since = "2026-11-20 15:00:00Z"
        assert f"{deployment.network.name} has not been read with confidence since {since}." in page
        assert "s3cret" not in page
        assert 'data-label="Shares held"' not in page

    @pytest.mark.parametrize(
        ("effect", "words"),
        [
            (GateState.HALTED, "issuance and redemption are halted"),
            (GateState.REDEEM_ONLY, "no tokens are issued, only redeemed"),
        ],
    )
    def test_says_since_when_and_why_a_gate_is_shut(
        self, client: Client, at: datetime, effect: GateState, words: str
    ) -> None:
        token, _, _ = reserves.backed_token(at=at)
        gate.hold(ScopeKind.TOKEN, token.pk, effect=effect)

        page = text_of(client)

        assert f"<strong>{token.symbol}: {words}</strong> since <time" in page
        assert "The books and the chain differ." in page

    def test_says_once_what_shuts_several_tokens(self, client: Client, at: datetime) -> None:
        first, _, _ = reserves.backed_token(at=at)
        second, _, _ = reserves.backed_token(at=at, token_=instruments.token(program=first.program))
        gate.hold(ScopeKind.PROGRAM, first.program_id)

        page = text_of(client)

        both = ", ".join(sorted([first.symbol, second.symbol]))
        assert page.count("issuance and redemption are halted</strong>") == 1
        assert f"<strong>{both}: issuance and redemption are halted</strong>" in page

    def test_says_that_nobody_has_reconciled(self, client: Client, at: datetime) -> None:
        reserves.backed_token(at=at)

        assert "have not been reconciled</strong> with one another yet." in text_of(client)

    def test_runs_no_script_and_calls_nobody(self, client: Client, at: datetime) -> None:
        reserves.backed_token(at=at)

        response = client.get("/")

        assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert b"<script" not in response.content
        assert b"style=" not in response.content
        assert not response.cookies

    def test_is_sent_once_while_nothing_changes(self, client: Client, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reconciliation.run(token.program, at=at)
        first = client.get("/")

        again = client.get("/", headers={"If-None-Match": first["ETag"]})
        gate.hold(ScopeKind.TOKEN, token.pk)
        changed = client.get("/", headers={"If-None-Match": first["ETag"]})

        assert (again.status_code, again.content) == (304, b"")
        assert changed.status_code == 200
        assert changed["ETag"] != first["ETag"]

    def test_is_small(self, client: Client, at: datetime, settings: Settings) -> None:
        for _ in range(12):
            token, _, _ = reserves.backed_token(at=at)
            reconciliation.run(token.program, at=at)
        static = Path(settings.BASE_DIR) / "issuer"
        styles = [
            static / "foundation/static/foundation/screens.css",
            static / "transparency/static/transparency/public.css",
        ]

        size = len(client.get("/").content) + sum(path.stat().st_size for path in styles)

        assert size < 100_000

    def test_refuses_to_be_written_to(self, client: Client) -> None:
        assert client.post("/").status_code == 405


class TestFiles:
    def test_serves_each_file_of_a_package_byte_for_byte(
        self, client: Client, at: datetime
    ) -> None:
        attestation = make_attestation.published(make_attestation.world(at=at), at=at)
        folder = f"/attestations/{attestation.program.code}-1"

        for exhibit in attestation.exhibits.all():
            response = client.get(f"{folder}/{exhibit.name}")

            assert response.content == bytes(exhibit.content)
            assert response["ETag"] == f'"{exhibit.sha256}"'
            assert response["Content-Type"] == exhibit.media_type
            assert response["Cache-Control"] == "public, max-age=31536000"

    def test_serves_a_package_that_passes_the_checker_it_brings(
        self, client: Client, at: datetime, tmp_path: Path
    ) -> None:
        attestation = make_attestation.published(make_attestation.world(at=at), at=at)
        code = attestation.program.code
        keys = tmp_path / "keys.json"
        keys.write_bytes(client.get("/keys.json").content)

        response = client.get(f"/attestations/{code}-1.zip")

        archive = zipfile.ZipFile(io.BytesIO(response.content))
        files = {Path(name).name: archive.read(name) for name in archive.namelist()}
        report, _ = verify_offline.verify(files, keys=verify_offline.read_keys(keys), previous=None)
        assert not report.failed
        assert response["Content-Disposition"] == f'attachment; filename="{code.upper()}-1.zip"'

    def test_lists_the_statement_with_its_files(self, client: Client, at: datetime) -> None:
        attestation = make_attestation.published(make_attestation.world(at=at), at=at)

        page = text_of(client)

        folder = f"/attestations/{attestation.program.code}-1"
        for address in (f"{folder}/statement.pdf", f"{folder}/attestation.json", f"{folder}.zip"):
            assert f'href="{address}"' in page
        assert attestation.sha256 in page

    def test_has_nothing_of_a_statement_before_it_is_published(
        self, client: Client, at: datetime
    ) -> None:
        attestation = make_attestation.reviewed(make_attestation.world(at=at), at=at)
        folder = f"/attestations/{attestation.program.code}-1"

        assert client.get(f"{folder}.zip").status_code == 404
        assert client.get(f"{folder}/attestation.json").status_code == 404

    def test_has_nothing_of_another_name(self, client: Client, at: datetime) -> None:
        attestation = make_attestation.published(make_attestation.world(at=at), at=at)
        folder = f"/attestations/{attestation.program.code}-1"

        assert client.get(f"{folder}/other.json").status_code == 404


class TestAttestation:
    def address(self, attestation: Attestation) -> str:
        return f"/attestations/{attestation.program.code}/{attestation.sequence}/"

    def page(self, client: Client, attestation: Attestation) -> str:
        response = client.get(self.address(attestation))
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    def test_says_what_it_says(self, client: Client, at: datetime) -> None:
        attestation = make_attestation.published(make_attestation.world(at=at), at=at)

        page = self.page(client, attestation)

        name = f"{attestation.program.code}-1".upper()
        assert f"<h1>Attestation {name}</h1>" in page
        assert "Scheduled. Two persons approved it." in page
        assert attestation.sha256 in page
        assert f"/attestations/{attestation.program.code}-1/statement.pdf" in page
        assert f"/attestations/{attestation.program.code}-1.zip" in page
        assert "verify_offline.py DIR --keys keys.json" in page
        assert 'class="alarm"' not in page
        assert len(page.encode()) < 100_000

    def test_says_that_nobody_approved_an_event(self, client: Client, at: datetime) -> None:
        world = make_attestation.world(at=at)
        first = make_attestation.published(world, at=at)
        later = at + timedelta(minutes=1)
        chain.snapshot(world.deployment, total_supply_base_units=605 * 10**18, taken_at=at)
        event = make_attestation.event(world, at=later)
        make_attestation.signed_and_published(event, at=later)

        assert "Nobody approved it" in self.page(client, event)
        followed = self.page(client, first)
        assert "This is not the present" in followed
        assert self.address(event) in followed

    def test_a_corrected_one_stays_and_says_so(self, client: Client, at: datetime) -> None:
        world = make_attestation.world(at=at)
        wrong = make_attestation.published(world, at=at)
        correction = make_attestation.corrected(wrong, world, at=at + timedelta(minutes=1))

        page = self.page(client, wrong)

        assert "This statement is corrected" in page
        assert "corrects it: The custodian restated its position." in page
        assert "It corrects" in self.page(client, correction)
        listed = text_of(client)
        name = wrong.program.code.upper()
        assert f'corrected by <a href="{self.address(correction)}">{name}-2</a>' in listed
        assert f'corrects <a href="{self.address(wrong)}">{name}-1</a>' in listed

    def test_is_there_once_it_is_published(self, client: Client, at: datetime) -> None:
        attestation = make_attestation.frozen(make_attestation.world(at=at), at=at)

        assert client.get(self.address(attestation)).status_code == 404


class TestKeys:
    def test_are_those_that_statements_were_signed_with(self, client: Client, at: datetime) -> None:
        make_attestation.register_key(at=at)

        (key,) = json.loads(client.get("/keys.json").content)["keys"]

        assert key["publicKey"] == make_attestation.SIGNER.public_key.hex()


class TestEnclosed:
    def test_are_the_same_as_in_every_package(self, client: Client, at: datetime) -> None:
        attestation = make_attestation.published(make_attestation.world(at=at), at=at)

        for address, name in (
            ("/attestation.schema.json", verify_offline.SCHEMA),
            ("/verify_offline.py", "verify_offline.py"),
        ):
            served = hashlib.sha256(client.get(address).content).hexdigest()
            assert served == attestation.exhibits.get(name=name).sha256


class TestErrors:
    def test_are_pages_in_words(self, client: Client) -> None:
        page = client.get("/nowhere/")

        assert page.status_code == 404
        assert b"<h1>Nothing is here</h1>" in page.content
