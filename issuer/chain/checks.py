"""What must hold of a contract act, when it is proposed and again when it is confirmed."""

from collections.abc import Sequence
from datetime import datetime

from django.db import models
from django.db.models import Sum
from eth_utils.address import is_address

from issuer.chain import errors, selectors
from issuer.chain.models import ChainEvent, ContractAct, TransactionIntent
from issuer.chain.states import (
    ACT_KINDS,
    CHANGES_ROLE,
    CONCERNS_NOBODY,
    ActState,
    EventKind,
    IntentKind,
    SignerPurpose,
)
from issuer.foundation import quantities
from issuer.foundation.transactions import require_transaction
from issuer.instruments.models import Deployment, Network


def require_one_network(deployments: Sequence[Deployment]) -> Network:
    """Return the network that all of `deployments` are on.

    Raises:
        ActNotSound: if there are none, one is named twice, or they are on several.
    """
    networks = {deployment.network_id: deployment.network for deployment in deployments}
    if len(networks) != 1 or len({deployment.pk for deployment in deployments}) < len(deployments):
        detail = "An act concerns different contracts of one network, and at least one."
        raise errors.ActNotSound(detail)
    return next(iter(networks.values()))


def require_sound(act: ContractAct, *, at: datetime) -> None:
    """Refuse an act that lacks what its kind needs, says more, or says what cannot be.

    Raises:
        ActNotSound: if so.
        QuantityTooFine: if a multiplier has more decimal places than contracts count.
    """
    kind = IntentKind(act.kind)
    scheduled = act.multiplier is not None and act.effective_at is not None
    seizes = act.base_units is not None and act.remedied_event is not None
    terms = act.multiplier is not None or act.effective_at is not None
    loot = act.base_units is not None or act.remedied_event is not None
    wrong = {
        "its kind takes a request, not an act": kind not in ACT_KINDS,
        "it needs an address": kind not in CONCERNS_NOBODY and not is_address(act.account),
        "it concerns no address": kind in CONCERNS_NOBODY and act.account != "",
        "it needs a role": kind in CHANGES_ROLE and act.role not in SignerPurpose.values,
        "it concerns no role": kind not in CHANGES_ROLE and act.role != "",
        "it needs what is seized, and the mint that it undoes": (
            kind is IntentKind.SEIZE and not seizes
        ),
        "it seizes nothing": kind is not IntentKind.SEIZE and loot,
        "it needs a multiplier and its time": (
            kind is IntentKind.SCHEDULE_MULTIPLIER and not scheduled
        ),
        "it schedules nothing": kind is not IntentKind.SCHEDULE_MULTIPLIER and terms,
        "it does not say why": act.reason == "",
    }
    for what, holds in wrong.items():
        if holds:
            raise errors.ActNotSound(f"{kind.label}: {what}.")
    if scheduled:
        require_ahead(act, at=at)
    if kind is IntentKind.REVOKE_ROLE:
        require_admin_stays(act)


def require_ahead(act: ContractAct, *, at: datetime) -> None:
    """Refuse a multiplier of nothing, or whose time is not ahead or not a whole second.

    Raises:
        ActNotSound: if so.
        QuantityTooFine: if the multiplier has more decimal places than contracts count.
    """
    if act.multiplier is not None:
        if act.multiplier <= 0:
            raise errors.ActNotSound("A token stands for some shares.")
        quantities.to_base_units(act.multiplier, decimals=quantities.SCALE)
    if act.effective_at is None:
        return
    if act.effective_at <= at or act.effective_at.microsecond:
        raise errors.ActNotSound("A multiplier takes effect at a whole second that is ahead.")


def require_part_of(act: ContractAct, whole: models.Model | None) -> None:
    """Refuse to decide on an act apart from what it is a part of.

    Raises:
        ActPartOfAnother: if it is a part of something else than `whole`.
    """
    decided_with = ("", None) if whole is None else (whole._meta.label_lower, whole.pk)
    if (act.part_of_type, act.part_of_id) != decided_with:
        raise errors.ActPartOfAnother(
            f"{act} is decided on with what it is a part of, and not by itself.",
            part_of_type=act.part_of_type,
            part_of_id="" if act.part_of_id is None else str(act.part_of_id),
        )


def require_admin_stays(act: ContractAct) -> None:
    """Refuse to revoke the role of the account that would have to sign the revocation.

    Raises:
        ActNotSound: if so: nobody could sign this, or any grant after it.
    """
    if act.role != SignerPurpose.ADMIN:
        return
    in_use = selectors.signer_in_use(act.network, SignerPurpose.ADMIN)
    if in_use is not None and in_use.address == act.account:
        detail = "The admin in use would revoke its own role, and nobody could grant any after it."
        raise errors.ActNotSound(detail)


def require_seizable(
    event: ChainEvent, base_units: int, *, deployments: Sequence[Deployment]
) -> None:
    """Refuse to seize for a mint of ours, elsewhere, or more than it made; lock the mint.

    Raises:
        ActNotSound: if so.
    """
    require_transaction()
    ChainEvent.objects.select_for_update(of=("self",)).get(pk=event.pk)
    if event.kind != EventKind.MINT or TransactionIntent.objects.filter(event=event).exists():
        raise errors.ActNotSound("A seizure undoes a mint past the books, and no other.")
    if [deployment.pk for deployment in deployments] != [event.deployment_id]:
        raise errors.ActNotSound("A seizure is on the contract of the mint that it undoes.")
    under_way = event.remedies.exclude(state__in=[ActState.DECLINED, ActState.FAILED])
    left = event.base_units - (under_way.aggregate(Sum("base_units"))["base_units__sum"] or 0)
    if not 0 < base_units <= left:
        detail = f"Of the {event.base_units} base units of the mint, {left} are left to seize."
        raise errors.ActNotSound(detail, left=str(left))
