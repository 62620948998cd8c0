"""What one person has proposed and another has to confirm, by what it is about."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from issuer.approvals.models import Proposal
from issuer.approvals.selectors import open_proposals
from issuer.attestation.models import Attestation
from issuer.backoffice.navigation import record_url
from issuer.chain.models import ContractAct
from issuer.corporate_actions.models import StockSplit
from issuer.foundation import quantities
from issuer.gate.models import Scope, ScopeKind
from issuer.gate.selectors import scope_names
from issuer.primary_market.models import (
    Deposit,
    DepositReturn,
    IssuanceRequest,
    RedemptionRequest,
)
from issuer.reconciliation.models import Break

#: What a record is called, and where it is shown, by its id.
Found: TypeAlias = Mapping[UUID, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Something that waits for a second person with `permission`."""

    act: str
    permission: str
    name: str
    url: str
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one proposes to do to a kind of record, who may confirm it, and how to look it up."""

    act: str
    permission: str
    look_up: Callable[[Collection[UUID]], Found]


def confirmations() -> Iterator[Confirmation]:
    """Return what is proposed, by as many queries for one as for all of a kind."""
    proposals = list(open_proposals().filter(subject_type__in=_KINDS))
    for label, kind in _KINDS.items():
        of_kind = [proposal for proposal in proposals if proposal.subject_type == label]
        found = kind.look_up([proposal.subject_id for proposal in of_kind]) if of_kind else {}
        for proposal in of_kind:
            if proposal.subject_id not in found:  # it waits with what it is a part of
                continue
            name, url = found[proposal.subject_id]
            yield Confirmation(kind.act, kind.permission, name, url, proposal)


def name_of_request(request: IssuanceRequest | RedemptionRequest) -> str:
    """Return what staff call a request, as in: 12.5 AAPLx for Kepler Markets, K-1042."""
    quantity = quantities.to_text(request.quantity)
    return f"{quantity} {request.token} for {request.participant}, {request.client_reference}"


def name_of_deposit(deposit: Deposit) -> str:
    """Return what staff call a deposit, as in: 110 AAPLx on Exchange."""
    deployment = deposit.transfer.deployment
    quantity = quantities.to_text(deposit.quantity)
    return f"{quantity} {deployment.token} on {deployment.network}"


def name_of_split(stock_split: StockSplit) -> str:
    """Return what staff call a split, as in: 4 for 1 of NVDAx."""
    return f"{stock_split.ratio} of {stock_split.token}"


def _issuances(ids: Collection[UUID]) -> Found:
    rows = IssuanceRequest.objects.filter(pk__in=ids)
    return {
        row.pk: (name_of_request(row), record_url(IssuanceRequest._meta.label_lower, row.pk))
        for row in rows.select_related("token", "participant__entity")
    }


def _redemptions(ids: Collection[UUID]) -> Found:
    rows = RedemptionRequest.objects.filter(pk__in=ids)
    return {
        row.pk: (name_of_request(row), record_url(RedemptionRequest._meta.label_lower, row.pk))
        for row in rows.select_related("token", "participant__entity")
    }


def _returns(ids: Collection[UUID]) -> Found:
    """Look returns up: each is shown on the page of its deposit."""
    rows = DepositReturn.objects.filter(pk__in=ids).select_related(
        "deposit__transfer__deployment__token", "deposit__transfer__deployment__network"
    )
    label = Deposit._meta.label_lower
    return {
        row.pk: (
            f"{quantities.to_text(row.quantity)} of {name_of_deposit(row.deposit)}",
            record_url(label, row.deposit_id),
        )
        for row in rows
    }


def _attestations(ids: Collection[UUID]) -> Found:
    rows = Attestation.objects.filter(pk__in=ids).select_related("program")
    label = Attestation._meta.label_lower
    return {
        row.pk: (str(row), record_url(label, row.pk)) for row in rows.defer("content", "document")
    }


def _breaks(ids: Collection[UUID]) -> Found:
    rows = Break.objects.filter(pk__in=ids).select_related("token")
    return {row.pk: (str(row), record_url(Break._meta.label_lower, row.pk)) for row in rows}


def _contract_acts(ids: Collection[UUID]) -> Found:
    rows = ContractAct.objects.filter(pk__in=ids, part_of_id=None).select_related("network")
    label = ContractAct._meta.label_lower
    return {
        row.pk: (f"{row.get_kind_display()} on {row.network}", record_url(label, row.pk))
        for row in rows
    }


def _splits(ids: Collection[UUID]) -> Found:
    rows = StockSplit.objects.filter(pk__in=ids).select_related("token")
    label = StockSplit._meta.label_lower
    return {row.pk: (name_of_split(row), record_url(label, row.pk)) for row in rows}


def _gates(ids: Collection[UUID]) -> Found:
    keys = {
        row.pk: (ScopeKind(row.kind), row.subject_id) for row in Scope.objects.filter(pk__in=ids)
    }
    names = scope_names(keys.values())
    label = Scope._meta.label_lower
    return {pk: (names[key], record_url(label, pk)) for pk, key in keys.items()}


_KINDS: Final[Mapping[str, _Kind]] = {
    IssuanceRequest._meta.label_lower: _Kind(
        "Confirm issuance", "primary_market.confirm_issuance", _issuances
    ),
    RedemptionRequest._meta.label_lower: _Kind(
        "Confirm redemption", "primary_market.confirm_redemption", _redemptions
    ),
    DepositReturn._meta.label_lower: _Kind(
        "Confirm return of tokens", "primary_market.confirm_return", _returns
    ),
    Attestation._meta.label_lower: _Kind(
        "Confirm attestation", "attestation.confirm_attestation", _attestations
    ),
    Break._meta.label_lower: _Kind(
        "Confirm that a break is closed", "reconciliation.confirm_close_break", _breaks
    ),
    ContractAct._meta.label_lower: _Kind(
        "Confirm contract act", "chain.confirm_contractact", _contract_acts
    ),
    StockSplit._meta.label_lower: _Kind(
        "Confirm split", "corporate_actions.confirm_stocksplit", _splits
    ),
    Scope._meta.label_lower: _Kind("Confirm to resume", "gate.confirm_resume", _gates),
}
