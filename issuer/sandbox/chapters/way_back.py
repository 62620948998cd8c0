"""The way back: tokens come in, are burned, and shares leave; and a split passes over another."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from issuer.chain import token_contract
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.foundation import calendars, clock, quantities
from issuer.instruments.models import Deployment, Token
from issuer.sandbox import cast
from issuer.sandbox.chains import FIRST
from issuer.sandbox.chapters.second_chain import show_supply
from issuer.sandbox.stage import Document, Stage, partner_wallet

REDEEMED: Final = "AAPLx"
QUANTITY: Final = "100"
PARTS: Final = ("60", "40")
SPLITTING: Final = "NVDAx"
SPLIT: Final = (4, 1)
#: New York opens at half past two or half past one; by then a split holds.
EFFECTIVE_AT: Final = time(13, 0, tzinfo=UTC)

_SPLITS: Final = "/admin/corporate_actions/stocksplit"


def tell(stage: Stage) -> None:
    """Tell it.

    Raises:
        StoryStuck: if something does not happen in time, or happens otherwise.
        DoorStuck: if a door does not behave as expected.
    """
    redemption = _redeem(stage)
    _announce_split(stage)
    _settle(stage, redemption)


def _redeem(stage: Stage) -> Document:
    stage.begin(f"Redemption: {QUANTITY} AAPLx come back as {' and '.join(PARTS)}, and are burned")
    wallet = partner_wallet()
    body = {
        "token": "AAPLx",
        "network": FIRST.caip2,
        "wallet": wallet.address,
        "quantity": QUANTITY,
        "client_reference": "desk-1046",
    }
    redemption = stage.partner.created("redemptions", body, key="desk-1046")
    path, page = f"redemptions/{redemption['id']}", redemption_page(redemption["id"])
    stage.say(
        f"    to {redemption['deposit_address']}, {redemption['quantity']} AAPLx, at least "
        f"{redemption['minimum']}, by {redemption['expires_at']}"
    )
    stage.by_officer(f"{page}change/", f"{page}accept/", receiving_party=cast.PARTNER.name)
    contract = Deployment.objects.get(token__symbol=REDEEMED, network__caip2=FIRST.caip2)
    for part in PARTS:
        base_units = quantities.to_base_units(Decimal(part), decimals=contract.decimals)
        calldata = token_contract.calldata("transfer", redemption["deposit_address"], base_units)
        sent = stage.sign_and_send(FIRST, wallet, contract.address, calldata)
        stage.say(f"    {part} AAPLx sent in {sent}")
    stage.wait_for_state(path, "state", "RECEIVED")
    stage.by_officer(f"{page}change/", f"{page}propose/")
    stage.by_approver(f"{page}change/", f"{page}confirm/")
    delivering = stage.wait_for_state(path, "state", "DELIVERING")
    stage.say(f"    burned in {delivering['burn']['transaction_hash']}")
    trade_date = calendars.last_session(clock.now().date())
    stage.custodian.deliver(
        account=cast.product("AAPLx").account,
        quantity=Decimal(QUANTITY),
        trade_date=trade_date,
        settlement_date=calendars.settlement_date(trade_date),
    )
    return delivering


def _announce_split(stage: Stage) -> None:
    after, before = SPLIT
    day = calendars.next_settlement_day(clock.now().date())
    effective_at = datetime.combine(day, EFFECTIVE_AT)
    stage.begin(f"{SPLITTING} splits {after}:{before} on {effective_at:%A %Y-%m-%d %H:%M}Z")
    token = Token.objects.get(symbol=SPLITTING)
    stage.by_officer(
        f"{_SPLITS}/add/",
        token=str(token.pk),
        shares_after=str(after),
        shares_before=str(before),
        effective_at=f"{effective_at:%Y-%m-%dT%H:%M:%SZ}",
        source="Announced by the company.",
    )
    split = token.stock_splits.latest("announced_at")
    stage.by_officer(f"{_SPLITS}/{split.pk}/acts/propose/")
    stage.by_approver(f"{_SPLITS}/{split.pk}/acts/confirm/")
    stage.custodian.split(
        account=cast.product(SPLITTING).account,
        shares_after=after,
        shares_before=before,
        day=day,
    )
    stage.wait_for(
        "the split to be scheduled on both chains", lambda: _stands(split, SplitState.SCHEDULED)
    )
    show_supply(stage, SPLITTING)


def _settle(stage: Stage, redemption: Document) -> None:
    day = calendars.next_settlement_day(clock.now().date())
    stage.begin("The next evening: the shares are gone, and owed and held have moved together")
    stage.move_clock(day)
    stage.wait_for_state(f"redemptions/{redemption['id']}", "state", "COMPLETED")
    stage.say(f"    statement of {day}: {QUANTITY} AAPL delivered; the redemption is completed")
    split = Token.objects.get(symbol=SPLITTING).stock_splits.latest("announced_at")
    stage.wait_for("the split to be booked and shown", lambda: _stands(split, SplitState.CLOSED))
    for symbol in ("AAPLx", SPLITTING):
        show_supply(stage, symbol)


def redemption_page(request_id: str) -> str:
    """Return where staff see a redemption request, and act on it."""
    return f"/admin/primary_market/redemptionrequest/{request_id}/"


def _stands(split: StockSplit, state: SplitState) -> bool:
    split.refresh_from_db()
    return split.state == state
