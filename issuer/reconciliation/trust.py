"""Whom we trust with the roles of our contracts: who signs for us, and has no key that may leak."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from issuer.chain.models import ChainEvent, ContractCall, SignerAccount, SupplySnapshot
from issuer.chain.selectors import mints_past_the_books
from issuer.chain.states import ActState, IntentKind, IntentStep, SignerPurpose
from issuer.instruments.models import Deployment, Network


@dataclass(frozen=True, slots=True)
class Untrusted:
    """An account that holds the role of `purpose` on `network` and should not.

    `suspected` says that its key may have minted past the books; `served` that it signed for us
    in that role before, or does now.
    """

    network: Network
    purpose: SignerPurpose
    address: str
    suspected: bool
    served: bool

    @property
    def subject(self) -> str:
        """What tells one from another: network, role and address."""
        return f"{self.network.caip2}:{self.purpose.value}:{self.address}"


@dataclass(frozen=True, slots=True)
class Trust:
    """Who signs for us on each network, by its id and the purpose, and who did.

    `suspects` are the accounts of which any may have minted past the books.
    """

    in_use: Mapping[tuple[UUID, SignerPurpose], str]
    served: frozenset[tuple[UUID, SignerPurpose, str]]
    suspects: frozenset[str]

    def untrusted(self, snapshot: SupplySnapshot, network: Network) -> Iterator[Untrusted]:
        """Yield who holds a role as of `snapshot`, which is of `network`, and should not.

        That is anybody beside the signer in use: one of ours that was retired, too, until the
        chain has forgotten it, and the one in use, once its key may be in other hands.
        """
        for name, holders in snapshot.holders.items():
            purpose = SignerPurpose(name)
            trusted = self.in_use.get((network.pk, purpose))
            for address in holders:
                suspected = address in self.suspects
                if address != trusted or suspected:
                    served = (network.pk, purpose, address) in self.served
                    yield Untrusted(network, purpose, address, suspected, served)


def trust_now() -> Trust:
    """Return whom we trust at this moment."""
    accounts = list(SignerAccount.objects.order_by())
    return Trust(
        in_use={
            (account.network_id, SignerPurpose(account.purpose)): account.address
            for account in accounts
            if account.retired_at is None
        },
        served=frozenset(
            (account.network_id, SignerPurpose(account.purpose), account.address)
            for account in accounts
        ),
        suspects=_suspects(),
    )


def newest_snapshots() -> QuerySet[SupplySnapshot]:
    """Return the newest snapshot of each deployment that was read, whosever it is."""
    newest = SupplySnapshot.objects.filter(deployment=OuterRef("pk")).order_by("-block_number")
    ids = Deployment.objects.order_by().values_list(Subquery(newest.values("pk")[:1]), flat=True)
    snapshots = SupplySnapshot.objects.filter(pk__in=ids)
    return snapshots.select_related("deployment__network", "deployment__token").order_by("pk")


def _suspects() -> frozenset[str]:
    """Return every account whose key may have minted past the books; none is trusted again.

    Who signed such a mint's transaction says little: a role may be used through a contract, a
    relay or a delegation, and no event of the contract names who used it. So whoever could mint
    on the contract up to the mint's block is suspected, on whatever chain it can mint now.
    """
    mints = mints_past_the_books().order_by()
    senders = set(mints.exclude(sender="").values_list("sender", flat=True))
    before = mints.filter(
        deployment=OuterRef("deployment"), block_number__gte=OuterRef("block_number")
    )
    listed = SupplySnapshot.objects.filter(Exists(before)).order_by().distinct()
    held = {address for minters in listed.values_list("minters", flat=True) for address in minters}
    return frozenset(senders | held | set(_appointed_by(mints)))


def _appointed_by(mints: QuerySet[ChainEvent]) -> QuerySet[SignerAccount, str]:
    """Return who of ours could mint on a contract by the block of one of `mints` on it.

    A block between two readings may know a minter whom neither reading knows: at least ours. Whom
    an act of ours granted the role could not mint before that call was mined; so who follows a
    thief is not suspected of the mints that came between the appointment and the call.
    """
    grants = ContractCall.objects.filter(
        act__kind=IntentKind.GRANT_ROLE,
        act__role=SignerPurpose.MINTER,
        act__account=OuterRef(OuterRef("address")),
        deployment=OuterRef("deployment"),
    ).exclude(act__state__in=[ActState.PROPOSED, ActState.DECLINED])
    mined = grants.filter(
        intent__transitions__step=IntentStep.FINALIZE.name,
        intent__transitions__block_number__lte=OuterRef("block_number"),
    )
    otherwise = Q(block_mined_at__gte=OuterRef("appointed_at")) & ~Exists(grants)
    could = mints.filter(Exists(mined) | otherwise, deployment__network=OuterRef("network"))
    appointed = SignerAccount.objects.filter(Exists(could), purpose=SignerPurpose.MINTER)
    return appointed.order_by().values_list("address", flat=True)
