"""The main job, told step by step: from a partner's request to an attestation.

Everybody comes in by their own door: the partner by the API, staff by the pages, the custodian by
a file, the chain by its node. What the house does by itself is only waited for.
"""

import io
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connections
from eth_account import Account
from eth_account.messages import encode_defunct

from issuer.approvals.errors import SamePerson
from issuer.approvals.models import Proposal
from issuer.attestation.models import Attestation
from issuer.attestation.states import AttestationState
from issuer.chain.models import SupplySnapshot
from issuer.custody.models import Statement
from issuer.foundation import calendars, clock, quantities
from issuer.instruments.models import Deployment
from issuer.parties.models import Program
from issuer.reconciliation.models import Run
from issuer.reserves.cover import CoverStatus
from issuer.sandbox import cast, market_clock
from issuer.sandbox.chains import CHAINS, FIRST
from issuer.sandbox.custodian import DemoCustodian
from issuer.sandbox.doors import PartnerDoor, StaffDoor

QUANTITY: Final = "600"
_PATIENCE_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.2

T = TypeVar("T")
Document = dict[str, Any]


class StoryStuck(Exception):
    """The story did not go on as it should."""


class Story:
    """Tells the story against a running house, once for each demo world."""

    def __init__(self, base_url: str, *, say: Callable[[str], None]) -> None:
        self.base_url = base_url
        self.package = settings.DATA_DIR / "package"
        self.keys = settings.DATA_DIR / "keys.json"
        self._say = say
        self._step = 0
        self._told = settings.DATA_DIR / "sandbox" / "story-told"
        self._stopping = threading.Event()
        self._custodian = DemoCustodian.of_settings()
        self._chains = [chain.anvil() for chain in CHAINS]

    def tell(self, stopping: threading.Event) -> None:
        """Tell the story, unless this world has heard it.

        Raises:
            StoryStuck: if something does not happen in time, or happens otherwise.
            DoorStuck: if a door does not behave as expected.
        """
        self._stopping = stopping
        if self._told.exists():
            self._say("This demo world has had its story; --fresh tells it again in a new one.")
            return
        began = time.monotonic()
        try:
            with (
                PartnerDoor(self.base_url, cast.partner_key()) as partner,
                self._login(cast.OFFICER) as officer,
                self._login(cast.APPROVER) as approver,
            ):
                self._introduce()
                issuance = self._request(partner)
                self._fund(partner, officer, issuance)
                self._approve(partner, officer, approver, issuance)
                self._mint(partner, issuance)
                self._reconcile()
                self._attest(officer, approver)
        finally:
            connections.close_all()
        self._told.touch()
        self._say(f"\nThe story took {time.monotonic() - began:.0f} s.")

    def show_around(self) -> None:
        """Say where everything is, and who may log in."""
        self._say("")
        self._say(f"  public page    {self.base_url}/")
        self._say(f"  back office    {self.base_url}/admin/")
        self._say(f"  partner API    {self.base_url}/api/v1/  (documentation: /api/v1/docs/)")
        for member in cast.STAFF:
            self._say(f"  {member.title:<32} {member.username:<6} {member.password}")
        self._say(f"  {'Partner key':<32} {cast.partner_key()}")

    # --- The steps

    def _introduce(self) -> None:
        with PartnerDoor(self.base_url, "") as anybody:
            tokens = anybody.get("tokens")["results"]
        symbols = ", ".join(token["symbol"] for token in tokens)
        self._begin(f"The world: {cast.SPV.name} issues {symbols}; it owns 2 free AAPL shares")

    def _request(self, partner: PartnerDoor) -> Document:
        self._begin(f"{cast.PARTNER.name} binds its wallet and asks for {QUANTITY} AAPLx")
        account = Account.from_key(cast.wallet_key(cast.PARTNER_CODE))
        body = {
            "token": "AAPLx",
            "network": FIRST.caip2,
            "wallet": account.address,
            "quantity": QUANTITY,
            "client_reference": "desk-1042",
        }
        self._refused(partner, body, key="k-0", code="wallet-not-bound")
        challenge = partner.created(
            "wallets/challenges",
            {"namespace": "eip155", "address": account.address},
            key="challenge-1",
        )
        signature = account.sign_message(encode_defunct(text=challenge["message"])).signature.hex()
        wallet = partner.created(
            "wallets",
            {"challenge": challenge["id"], "signature": f"0x{signature}"},
            key="wallet-1",
        )
        self._say(f"    wallet {wallet['address']} is bound by a signed challenge")

        self._refused(partner, body, key=None, code="idempotency-key-missing")
        self._refused(partner, body | {"token": "MSFTx"}, key="k-1", code="token-unknown")
        lapsed_wallet = Account.from_key(cast.wallet_key(cast.LAPSED_CODE)).address
        with PartnerDoor(self.base_url, cast.partner_key(cast.LAPSED_CODE)) as lapsed:
            self._refused(lapsed, body | {"wallet": lapsed_wallet}, key="1", code="kyc-not-cleared")
        too_fine = f"{QUANTITY}.{'1' * 19}"
        self._refused(partner, body | {"quantity": too_fine}, key="k-2", code="quantity-too-fine")
        self._refused(partner, body | {"quantity": 600}, key="k-3", code="invalid-request")
        issuance = partner.created("issuances", body, key="desk-1042")
        self._refused(
            partner, body | {"quantity": "601"}, key="desk-1042", code="idempotency-key-reused"
        )
        again = partner.created("issuances", body, key="desk-1042")
        if again["id"] != issuance["id"]:
            raise StoryStuck(f"The same request made {issuance['id']} and then {again['id']}.")
        self._say(f"    asked twice under one key, there is one request: {issuance['id']}")
        return issuance

    def _fund(self, partner: PartnerDoor, officer: StaffDoor, issuance: Document) -> None:
        product = cast.PRODUCTS[0]
        today = clock.now().date()
        settles = calendars.settlement_date(today)
        self._begin(f"Custody: 600 shares are to settle on {settles:%A %Y-%m-%d} (T+1)")
        page = _page(issuance)
        said = officer.send(
            f"{page}change/",
            f"{page}accept/",
            trade_date=today.isoformat(),
            delivering_party=cast.PARTNER.name,
        )
        self._say(f"    {cast.OFFICER.name}: {said}")
        self._custodian.expect(
            account=product.account,
            quantity=Decimal(QUANTITY),
            trade_date=today,
            settlement_date=settles,
        )
        self._send_bad_files(today)
        self._move_clock(today)
        self._await_state(partner, issuance, "custody", "pending")
        reserves = self._await(
            "the statement with 600 pending",
            lambda: self._known_reserves(partner, pending=QUANTITY),
        )
        self._say(
            f"    statement of {today}: 600 pending, {reserves['held']} settled; "
            f"capacity {reserves['headroom']} AAPLx, so nothing of it may be minted"
        )
        self._move_clock(settles)
        self._await_state(partner, issuance, "state", "FUNDED")
        self._say(f"    statement of {settles}: 600 settled; the request is funded")

    def _approve(
        self, partner: PartnerDoor, officer: StaffDoor, approver: StaffDoor, issuance: Document
    ) -> None:
        self._begin("Two officers: one proposes, another confirms")
        page = _page(issuance)
        said = officer.send(f"{page}change/", f"{page}propose/")
        self._say(f"    {cast.OFFICER.name}: {said}")
        proposal = Proposal.objects.get(subject_id=issuance["id"])
        said = officer.send_even_so(
            f"{page}change/", f"{page}confirm/", payload_hash=proposal.payload_hash
        )
        self._say(f"    {cast.OFFICER.name} tries to confirm too: {said}")
        if SamePerson.code not in said:
            raise StoryStuck("One person alone was not refused.")
        self._expect_state(partner, issuance, "FUNDED")
        self._say(f"    signed over: sha256 {proposal.payload_hash}")
        said = approver.send(f"{page}change/", f"{page}confirm/")
        self._say(f"    {cast.APPROVER.name}: {said}")

    def _mint(self, partner: PartnerDoor, issuance: Document) -> None:
        self._begin("The mint: signed and committed, then sent, final, and only then booked")
        done = self._await_state(partner, issuance, "state", "COMPLETED")
        mint = done["mint"]
        self._say(f"    transaction {mint['transaction_hash']}")
        self._say(f"    final in block {mint['block_number']}; {QUANTITY} AAPLx are in the books")

    def _reconcile(self) -> None:
        self._begin("Reconciliation, by the beat: three legs for each token")
        after = clock.now()
        run = self._await("a run of its own accord", lambda: self._run_after(after))
        for result in run.results.select_related("token").prefetch_related("lines"):
            lines = {line.code: line.quantity for line in result.lines.all()}
            shown = "  ".join(
                f"{code} {label} {_shown(lines[code])}"
                for code, label in (
                    ("A10", "tokens unexplained"),
                    ("B11", "shares unexplained"),
                    ("C8", "surplus"),
                )
            )
            self._say(f"    {result.token.symbol:<6} {result.status:<8} {shown}")
            if result.status != CoverStatus.COVERED or lines["A10"] or lines["B11"]:
                raise StoryStuck(f"{result.token.symbol} is not explained: {result.reasons}")

    def _attest(self, officer: StaffDoor, approver: StaffDoor) -> None:
        self._begin("The attestation: proposed and confirmed by two officers, signed, published")
        page = "/admin/attestation/attestation"
        program = Program.objects.get(code=cast.PROGRAM_CODE)
        said = officer.send(f"{page}/add/", program=str(program.pk))
        self._say(f"    {cast.OFFICER.name}: {said}")
        with PartnerDoor(self.base_url, "") as anybody:
            frozen = Attestation.objects.get(state=AttestationState.FROZEN)
            said = approver.send(f"{page}/{frozen.pk}/acts/confirm/")
            self._say(f"    {cast.APPROVER.name}: {said}")
            statement = self._await(
                "the attestation on the public API",
                lambda: next(iter(anybody.get("attestations")["results"]), None),
            )
            self._fetch(anybody, statement)
        self._check()

    def _fetch(self, anybody: PartnerDoor, statement: Document) -> None:
        """Download the package as anybody would, and the keys, which come from elsewhere."""
        with zipfile.ZipFile(io.BytesIO(anybody.download(statement["package"]))) as packed:
            folder = settings.DATA_DIR / "package"
            packed.extractall(folder)
            self.package = folder / packed.namelist()[0].partition("/")[0]
        self.keys.write_bytes(anybody.download(f"{self.base_url}/keys.json"))
        self._say(f"    statement {statement['sequence']}: {statement['status']}")

    def _check(self) -> None:
        """Check the package with its own verifier, as a stranger would."""
        verifier = self.package / "verify_offline.py"
        checked = subprocess.run(
            [sys.executable, "-I", str(verifier), str(self.package), "--keys", str(self.keys)],
            capture_output=True,
            text=True,
            check=False,
        )
        for line in checked.stdout.splitlines():
            self._say(f"    {line}")
        if checked.returncode != 0:
            raise StoryStuck(f"The package does not check: {checked.stdout}{checked.stderr}")

    # --- What the steps are made of

    def _send_bad_files(self, today: date) -> None:
        """Send an empty file, the last statement again, and a cut one; none may change anything."""
        before = calendars.last_session(today - timedelta(days=1))
        _, whole = self._custodian.statement(today)
        for file_name, content in (
            ("empty.csv", b""),
            ("yesterday-again.csv", self._custodian.statement(before)[1]),
            ("truncated.csv", whole[: len(whole) * 2 // 3]),
        ):
            path = self._custodian.send(file_name, content)
            reason = path.parent / "refused" / f"{file_name}.reason.txt"
            self._await(f"the refusal of {file_name}", reason.exists)
            [_, said] = reason.read_text(encoding="utf-8").splitlines()
            self._say(f"    refused {file_name}: {said}")
        if Statement.objects.filter(as_of_date__gte=today).exists():
            raise StoryStuck("A bad file was taken for a statement.")

    def _move_clock(self, day: date) -> None:
        """Move to the evening of `day`, the chains before the house.

        The other way round the house would rightly find that a chain stands still.
        """
        moment = datetime.combine(day, market_clock.STATEMENTS_SENT_AT)
        for chain in self._chains:
            chain.follow(moment)
            chain.finalize()
        read = SupplySnapshot.objects.filter(block_mined_at__gte=moment)
        deployments = Deployment.objects.count()
        self._await(
            "the chains of that evening to be read",
            lambda: read.values("deployment").distinct().count() == deployments,
        )
        market_clock.advance_to(moment)
        self._say(f"    the chains and the clock move to {moment:%A %Y-%m-%d %H:%M}Z")

    def _known_reserves(self, partner: PartnerDoor, *, pending: str) -> Document | None:
        reserves = partner.get("reserves/AAPLx")
        shown = sum(Decimal(account["pending_receipt"] or 0) for account in reserves["custody"])
        return reserves if shown == Decimal(pending) and reserves["headroom"] else None

    def _run_after(self, moment: datetime) -> Run | None:
        return Run.objects.filter(as_of__gt=moment).order_by("as_of").first()

    def _refused(self, partner: PartnerDoor, body: Document, *, key: str | None, code: str) -> None:
        self._say(f"    refused {partner.refused('issuances', body, key=key, code=code)}")

    def _expect_state(self, partner: PartnerDoor, issuance: Document, state: str) -> None:
        found = partner.get(f"issuances/{issuance['id']}")["state"]
        if found != state:
            raise StoryStuck(f"The request is {found}, not {state}.")

    def _await_state(
        self, partner: PartnerDoor, issuance: Document, axis: str, state: str
    ) -> Document:
        def arrived() -> Document | None:
            request = partner.get(f"issuances/{issuance['id']}")
            return request if request[axis] == state else None

        return self._await(f"the request's {axis} to be {state}", arrived)

    def _await(self, what: str, probe: Callable[[], T | None]) -> T:
        """Ask until there is an answer.

        Raises:
            StoryStuck: if there is none in time, or the house is told to stop.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (found := probe()):
            if time.monotonic() > deadline:
                raise StoryStuck(f"Waited {_PATIENCE_SECONDS} s in vain for {what}.")
            if self._stopping.wait(_POLL_SECONDS):
                raise StoryStuck(f"Told to stop while waiting for {what}.")
        return found

    def _login(self, member: cast.Member) -> StaffDoor:
        return StaffDoor(self.base_url, member.username, member.password)

    def _begin(self, title: str) -> None:
        self._step += 1
        self._say(f"\n {self._step}. {title}")


def _page(issuance: Document) -> str:
    """Return where staff see a request, and act on it."""
    return f"/admin/primary_market/issuancerequest/{issuance['id']}/"


def _shown(quantity: Decimal | None) -> str:
    return "unknown" if quantity is None else quantities.to_text(quantity)
