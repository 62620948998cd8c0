"""Questions about parties and their wallets."""

from issuer.parties import errors, ownership_proofs
from issuer.parties.models import AuthorizedParticipant, Criteria, Program, Wallet
from issuer.parties.states import WalletState


def bound_wallet(participant: AuthorizedParticipant, namespace: str, address: str) -> Wallet:
    """Return the wallet at `address` that `participant` has bound.

    Raises:
        NamespaceUnsupported: if wallets of `namespace` cannot be bound.
        Malformed: if `address` is not written as its namespace prescribes.
        WalletNotBound: if the participant has not bound it, or its binding was revoked.
    """
    normalized = ownership_proofs.proof_for(namespace).normalized(address)
    wallet = Wallet.objects.filter(
        participant=participant,
        namespace=namespace,
        address=normalized,
        state=WalletState.BOUND,
    ).first()
    if wallet is None:
        detail = f"{namespace}:{normalized} is not a wallet of {participant}."
        raise errors.WalletNotBound(detail, namespace=namespace, address=normalized)
    return wallet


def criteria_in_force(program: Program) -> Criteria | None:
    """Return the newest criteria that were published for `program`, if any were."""
    return program.criteria.order_by("-published_at", "-id").first()
