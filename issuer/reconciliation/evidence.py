"""What a break rests on, in one place: the events, who signed them, the lines and the accounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from issuer.chain.models import ChainEvent, SignerAccount, SupplySnapshot
from issuer.chain.states import SignerPurpose
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.gate.models import Hold
from issuer.gate.selectors import subject_name
from issuer.instruments import chart
from issuer.instruments.models import Token
from issuer.ledger.models import Account
from issuer.reconciliation import selectors
from issuer.reconciliation.models import Break, Line
from issuer.reconciliation.states import BreakCode

#: The letter of the lines in which a break shows; of those that no line shows, of the nearest.
_LEG_OF: Final[Mapping[BreakCode, str]] = {
    **dict.fromkeys([BreakCode.UNA_MINT, BreakCode.CHN_UNK, BreakCode.CHN_SRC], "A"),
    **dict.fromkeys([BreakCode.SUP_OVER, BreakCode.SUP_UNDER], "A"),
    **dict.fromkeys([BreakCode.CUS_SHORT, BreakCode.CUS_LONG], "B"),
    **dict.fromkeys([BreakCode.SRC_STALE, BreakCode.SET_FAIL], "B"),
    **dict.fromkeys([BreakCode.BAK_SHORT, BreakCode.BAK_SETTLED], "C"),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """An address that holds a role and should not; the account of ours that it is or was, if any.

    `snapshots` are of the newest block of each contract, each with whether it still holds it.
    """

    address: str
    purpose: SignerPurpose
    signer: SignerAccount | None
    snapshots: Sequence[tuple[SupplySnapshot, bool]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What staff look at before they say what became of a difference.

    `mints` are all that nobody approved for the token: they explain a supply that is too large.
    `lines` are those of the run that saw the break last; `accounts` are those of the books that
    the lines are held against.
    """

    mints: Sequence[ChainEvent]
    holder: Holder | None
    instruction: SettlementInstruction | None
    lines: Sequence[Line]
    accounts: Sequence[Account]
    custody: Sequence[CustodyAccount]
    holds: Sequence[Hold]


def evidence_of(found: Break) -> Evidence:
    """Return what the break `found` rests on."""
    code = BreakCode(found.code)
    leg = _LEG_OF[code]
    custody = CustodyAccount.objects.filter(token=found.token_id).order_by("reference")
    lines = Line.objects.filter(
        result__run=found.last_seen_run_id, result__token=found.token_id, code__startswith=leg
    )
    codes = _codes(found.token, leg, custody)
    return Evidence(
        mints=_mints(found, code),
        holder=_holder(found) if code == BreakCode.CHN_UNK else None,
        instruction=_instruction(found) if code == BreakCode.SET_FAIL else None,
        lines=list(lines.prefetch_related("items").order_by("position")),
        accounts=list(Account.objects.filter(code__in=codes).order_by("code")),
        custody=list(custody.select_related("custodian__entity")) if leg == "B" else [],
        holds=list(
            Hold.objects.filter(reference=found.pk)
            .select_related("scope")
            .annotate(subject_name=subject_name("scope__subject_id"))
            .order_by("id")
        ),
    )


def _mints(found: Break, code: BreakCode) -> Sequence[ChainEvent]:
    """Return the unapproved mint that the break is about, or all, where a sum is too large."""
    if code in {BreakCode.SUP_OVER, BreakCode.BAK_SHORT}:
        return list(selectors.unmatched_mints([found.token]))
    if code != BreakCode.UNA_MINT:
        return []
    transaction_hash, _, log_index = found.subject.partition("#")
    events = ChainEvent.objects.filter(
        deployment__token=found.token_id, transaction_hash=transaction_hash
    )
    if log_index:
        events = events.filter(log_index=int(log_index))
    return list(events.select_related("deployment__network"))


def _holder(found: Break) -> Holder:
    """Return who holds a role, with the newest block of each contract."""
    named, _, address = found.subject.rpartition(":")
    caip2, _, purpose = named.rpartition(":")
    signers = SignerAccount.objects.filter(network__caip2=caip2, address=address)
    snapshots = (
        SupplySnapshot.objects.filter(
            deployment__token=found.token_id, deployment__network__caip2=caip2
        )
        .select_related("deployment__network", "deployment__token")
        .order_by("deployment_id", "-block_number")
        .distinct("deployment_id")
    )
    read = [(snapshot, address in snapshot.holders.get(purpose, ())) for snapshot in snapshots]
    return Holder(address, SignerPurpose(purpose), signers.first(), read)


def _instruction(found: Break) -> SettlementInstruction | None:
    instructions = SettlementInstruction.objects.select_related("account__custodian__entity")
    return instructions.filter(pk=UUID(found.subject)).first()


def _codes(token: Token, leg: str, custody: Iterable[CustodyAccount]) -> list[str]:
    match leg:
        case "A":
            return [chart.tokens_issued(token), chart.tokens_outstanding(token)]
        case "B":
            of_account = (
                chart.shares_settled,
                chart.shares_pending_receipt,
                chart.shares_pending_delivery,
            )
            return [code(token, account.reference) for account in custody for code in of_account]
        case _:
            return [
                chart.shares_owed_on_tokens(token),
                chart.shares_paid_not_minted(token),
                chart.shares_burned_not_delivered(token),
                chart.shares_own(token),
            ]
