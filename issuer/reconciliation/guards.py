"""What those who have contracts do something ask for us: whether the chain is rid of suspects."""

from issuer.chain.errors import ActMustWait
from issuer.chain.models import ContractAct
from issuer.chain.states import SignerPurpose
from issuer.reconciliation.trust import newest_snapshots, trust_now


def require_no_suspect(act: ContractAct) -> None:
    """Refuse to make anybody a minter while the chain shows one who may have stolen.

    A mint past the books that is made while a successor has the role, too, could be either's: a
    thief who still can mint would take each successor down with them. Other roles mint nothing,
    and a suspected admin has to appoint its own successor.

    Raises:
        ActMustWait: if the newest final block of a contract of the network shows so.
    """
    if act.role != SignerPurpose.MINTER:
        return
    suspects = trust_now().suspects
    for snapshot in newest_snapshots().filter(deployment__network=act.network_id):
        held = suspects.intersection(snapshot.minters)
        if held:
            raise ActMustWait(
                f"{min(held)} may have minted past the books, and is a minter of "
                f"{snapshot.deployment}: the role is revoked from it first.",
                address=min(held),
            )
