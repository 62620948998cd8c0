"""The main job: from a partner's request to tokens in its wallet, and books that tie."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from eth_account import Account
from eth_account.messages import encode_defunct

from issuer.approvals.errors import SamePerson
from issuer.custody.models import Statement
from issuer.foundation import calendars, clock, quantities
from issuer.reserves.cover import CoverStatus
from issuer.sandbox import cast
from issuer.sandbox.chains import FIRST
from issuer.sandbox.doors import PartnerDoor
from issuer.sandbox.stage import Document, Stage, StoryStuck, issuance_page

QUANTITY: Final = "600"


def tell(stage: Stage) -> None:
    """Tell it.

    Raises:
        StoryStuck: if something does not happen in time, or happens otherwise.
        DoorStuck: if a door does not behave as expected.
    """
    _introduce(stage)
    issuance = _request(stage)
    _fund(stage, issuance)
    _approve(stage, issuance)
    _mint(stage, issuance)
    reconcile(stage)


def reconcile(stage: Stage) -> None:
    """Wait for a reconciliation that finds everything explained, and show it."""
    stage.begin("Reconciliation, by the beat: three legs for each token")
    run = stage.wait_for_run()
    for result in run.results.select_related("token").prefetch_related("lines"):
        lines = {line.code: line.quantity for line in result.lines.all()}
        words = "  ".join(
            f"{code} {label} {_shown(lines[code])}"
            for code, label in (
                ("A10", "tokens unexplained"),
                ("B11", "shares unexplained"),
                ("C8", "surplus"),
            )
        )
        stage.say(f"    {result.token.symbol:<6} {result.status:<8} {words}")
        if result.status != CoverStatus.COVERED or lines["A10"] or lines["B11"]:
            raise StoryStuck(f"{result.token.symbol} is not explained: {result.reasons}")


def _introduce(stage: Stage) -> None:
    tokens = stage.anybody.get("tokens")["results"]
    symbols = ", ".join(token["symbol"] for token in tokens)
    stage.begin(f"The world: {cast.SPV.name} issues {symbols}; it owns 2 free AAPL shares")


def _request(stage: Stage) -> Document:
    partner = stage.partner
    stage.begin(f"{cast.PARTNER.name} binds its wallet and asks for {QUANTITY} AAPLx")
    account = Account.from_key(cast.wallet_key(cast.PARTNER_CODE))
    body = {
        "token": "AAPLx",
        "network": FIRST.caip2,
        "wallet": account.address,
        "quantity": QUANTITY,
        "client_reference": "desk-1042",
    }
    _refused(stage, partner, body, key="k-0", code="wallet-not-bound")
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
    stage.say(f"    wallet {wallet['address']} is bound by a signed challenge")

    _refused(stage, partner, body, key=None, code="idempotency-key-missing")
    _refused(stage, partner, body | {"token": "MSFTx"}, key="k-1", code="token-unknown")
    lapsed_wallet = Account.from_key(cast.wallet_key(cast.LAPSED_CODE)).address
    with PartnerDoor(stage.base_url, cast.partner_key(cast.LAPSED_CODE)) as lapsed:
        _refused(stage, lapsed, body | {"wallet": lapsed_wallet}, key="1", code="kyc-not-cleared")
    too_fine = f"{QUANTITY}.{'1' * 19}"
    _refused(stage, partner, body | {"quantity": too_fine}, key="k-2", code="quantity-too-fine")
    _refused(stage, partner, body | {"quantity": 600}, key="k-3", code="invalid-request")
    issuance = partner.created("issuances", body, key="desk-1042")
    _refused(
        stage, partner, body | {"quantity": "601"}, key="desk-1042", code="idempotency-key-reused"
    )
    again = partner.created("issuances", body, key="desk-1042")
    if again["id"] != issuance["id"]:
        raise StoryStuck(f"The same request made {issuance['id']} and then {again['id']}.")
    stage.say(f"    asked twice under one key, there is one request: {issuance['id']}")
    return issuance


def _fund(stage: Stage, issuance: Document) -> None:
    product = cast.PRODUCTS[0]
    today = clock.now().date()
    settles = calendars.settlement_date(today)
    stage.begin(f"Custody: 600 shares are to settle on {settles:%A %Y-%m-%d} (T+1)")
    page = issuance_page(issuance["id"])
    stage.by_officer(
        f"{page}change/",
        f"{page}accept/",
        trade_date=today.isoformat(),
        delivering_party=cast.PARTNER.name,
    )
    stage.custodian.expect(
        account=product.account,
        quantity=Decimal(QUANTITY),
        trade_date=today,
        settlement_date=settles,
    )
    _send_bad_files(stage, today)
    stage.move_clock(today)
    stage.wait_for_state(f"issuances/{issuance['id']}", "custody", "pending")
    reserves = stage.wait_for(
        "the statement with 600 pending", lambda: _known_reserves(stage, pending=QUANTITY)
    )
    stage.say(
        f"    statement of {today}: 600 pending, {reserves['held']} settled; "
        f"capacity {reserves['headroom']} AAPLx, so nothing of it may be minted"
    )
    stage.move_clock(settles)
    stage.wait_for_state(f"issuances/{issuance['id']}", "state", "FUNDED")
    stage.say(f"    statement of {settles}: 600 settled; the request is funded")


def _approve(stage: Stage, issuance: Document) -> None:
    stage.begin("Two officers: one proposes, another confirms")
    page = issuance_page(issuance["id"])
    stage.by_officer(f"{page}change/", f"{page}propose/")
    proposal = stage.proposal_on(issuance["id"])
    said = stage.officer.send_even_so(
        f"{page}change/", f"{page}confirm/", payload_hash=proposal.payload_hash
    )
    stage.say(f"    {cast.OFFICER.name} tries to confirm too: {said}")
    if SamePerson.code not in said:
        raise StoryStuck("One person alone was not refused.")
    stage.expect_state(f"issuances/{issuance['id']}", "FUNDED")
    stage.say(f"    signed over: sha256 {proposal.payload_hash}")
    stage.by_approver(f"{page}change/", f"{page}confirm/")


def _mint(stage: Stage, issuance: Document) -> None:
    stage.begin("The mint: signed and committed, then sent, final, and only then booked")
    done = stage.wait_for_state(f"issuances/{issuance['id']}", "state", "COMPLETED")
    mint = done["mint"]
    stage.say(f"    transaction {mint['transaction_hash']}")
    stage.say(f"    final in block {mint['block_number']}; {QUANTITY} AAPLx are in the books")


def _send_bad_files(stage: Stage, today: date) -> None:
    """Send an empty file, the last statement again, and a cut one; none may change anything."""
    custodian = stage.custodian
    before = calendars.last_session(today - timedelta(days=1))
    _, whole = custodian.statement(today)
    for file_name, content in (
        ("empty.csv", b""),
        ("yesterday-again.csv", custodian.statement(before)[1]),
        ("truncated.csv", whole[: len(whole) * 2 // 3]),
    ):
        path = custodian.send(file_name, content)
        reason = path.parent / "refused" / f"{file_name}.reason.txt"
        stage.wait_for(f"the refusal of {file_name}", reason.exists)
        [_, said] = reason.read_text(encoding="utf-8").splitlines()
        stage.say(f"    refused {file_name}: {said}")
    if Statement.objects.filter(as_of_date__gte=today).exists():
        raise StoryStuck("A bad file was taken for a statement.")


def _known_reserves(stage: Stage, *, pending: str) -> Document | None:
    reserves = stage.partner.find("reserves/AAPLx")
    if reserves is None:
        return None
    found = sum(Decimal(account["pending_receipt"] or 0) for account in reserves["custody"])
    return reserves if found == Decimal(pending) and reserves["headroom"] else None


def _refused(
    stage: Stage, partner: PartnerDoor, body: Document, *, key: str | None, code: str
) -> None:
    stage.say(f"    refused {partner.refused('issuances', body, key=key, code=code)}")


def _shown(quantity: Decimal | None) -> str:
    return "unknown" if quantity is None else quantities.to_text(quantity)
