"""The same tokens on a second chain: requests name their network, and one supply is the sum."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from eth_account import Account

from issuer.foundation import calendars, clock
from issuer.sandbox import cast
from issuer.sandbox.chains import FIRST, SECOND, DemoChain
from issuer.sandbox.stage import Document, Stage, issuance_page


@dataclass(frozen=True)
class Order:
    """What the partner asks for."""

    symbol: str
    quantity: str
    chain: DemoChain
    reference: str


ORDERS: Final = (
    Order("AAPLx", "100", SECOND, "desk-1043"),
    Order("NVDAx", "20", FIRST, "desk-1044"),
    Order("NVDAx", "10", SECOND, "desk-1045"),
)


def tell(stage: Stage) -> None:
    """Tell it.

    Raises:
        StoryStuck: if something does not happen in time, or happens otherwise.
        DoorStuck: if a door does not behave as expected.
    """
    stage.begin(f"A second chain: 100 AAPLx on {SECOND.name}, 20 + 10 NVDAx on both")
    issuances = [_request(stage, order) for order in ORDERS]
    today = clock.now().date()
    settles = calendars.settlement_date(today)
    for order, issuance in zip(ORDERS, issuances, strict=True):
        page = issuance_page(issuance["id"])
        stage.by_officer(
            f"{page}change/",
            f"{page}accept/",
            trade_date=today.isoformat(),
            delivering_party=cast.PARTNER.name,
        )
        stage.custodian.expect(
            account=cast.product(order.symbol).account,
            quantity=Decimal(order.quantity),
            trade_date=today,
            settlement_date=settles,
        )
    stage.move_clock(settles)
    for issuance in issuances:
        stage.wait_for_state(f"issuances/{issuance['id']}", "state", "FUNDED")
        page = issuance_page(issuance["id"])
        stage.by_officer(f"{page}change/", f"{page}propose/")
        stage.by_approver(f"{page}change/", f"{page}confirm/")
    for issuance in issuances:
        stage.wait_for_state(f"issuances/{issuance['id']}", "state", "COMPLETED")
    show_supply(stage, "AAPLx")


def show_supply(stage: Stage, symbol: str) -> None:
    """Show what is on each chain, and how much each may still mint."""
    reserves = stage.wait_for(
        "the reserves to be known", lambda: stage.partner.find(f"reserves/{symbol}")
    )
    for entry in reserves["chains"]:
        stage.say(
            f"    {symbol} on {entry['network']}: {entry['supply']} at {entry['multiplier']} "
            f"a token, room for {entry['headroom']} more"
        )
    stage.say(f"    {symbol}: {reserves['owed']} shares owed, {reserves['held']} held")


def _request(stage: Stage, order: Order) -> Document:
    account = Account.from_key(cast.wallet_key(cast.PARTNER_CODE))
    body = {
        "token": order.symbol,
        "network": order.chain.caip2,
        "wallet": account.address,
        "quantity": order.quantity,
        "client_reference": order.reference,
    }
    return stage.partner.created("issuances", body, key=order.reference)
