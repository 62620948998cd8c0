"""Who signs our transactions on a network, for what, and until when."""

from datetime import datetime

from django.db import transaction
from eth_utils.address import to_checksum_address

from issuer.audit import services as audit
from issuer.chain import errors, selectors
from issuer.chain.models import SignerAccount
from issuer.chain.states import SignerPurpose
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.instruments.models import Network


@transaction.atomic
def appoint_signer(
    *, network: Network, purpose: SignerPurpose, address: str, actor: Actor, at: datetime
) -> SignerAccount:
    """Have `address` sign for `purpose` on `network`; nothing changes if it does already.

    It says whom we let sign. Whom the contracts let act is said on chain, by granting the role.

    Raises:
        SignerInUse: if another account signs for the purpose, or this one for another.
        SignerRetired: if this one was retired, there, for whatever purpose.
    """
    address = to_checksum_address(address)
    in_use = selectors.signer_in_use(network, purpose)
    if in_use is not None and in_use.address == address:
        return in_use
    held = SignerAccount.objects.filter(network=network, address=address).first()
    if held is not None and held.retired_at is not None:
        raise errors.SignerRetired(f"{held} was retired: {held.retired_reason}")
    taken = errors.SignerInUse(f"{network} has another {purpose.label.lower()} than {address}.")
    elsewhere = errors.SignerInUse(f"{address} signs for another purpose on {network}.")
    with translating(
        {
            "signer_account_one_in_use_per_purpose": taken,
            "signer_account_address_once_per_network": elsewhere,
        }
    ):
        account = SignerAccount.objects.create(
            network=network, purpose=purpose, address=address, appointed_at=at
        )
    facts = {"network": network.caip2, "purpose": purpose.value, "address": address}
    audit.record("signer.appoint", subject=account, actor=actor, at=at, **facts)
    return account


@transaction.atomic
def retire_signer(
    *, network: Network, purpose: SignerPurpose, reason: str, actor: Actor, at: datetime
) -> SignerAccount:
    """Have the account in use sign no more; waits for a signature that is under way.

    What it signed before stays signed: its bytes may still reach a block, until the contracts
    take its role away.

    Raises:
        SignerMissing: if no account signs for the purpose.
    """
    account = (
        SignerAccount.objects.select_for_update(of=("self",))
        .filter(network=network, purpose=purpose, retired_at=None)
        .first()
    )
    if account is None:
        raise errors.SignerMissing(f"Nobody signs as {purpose.label.lower()} on {network}.")
    account.retired_at, account.retired_reason = at, reason
    account.save(update_fields=["retired_at", "retired_reason"])
    facts = {"network": network.caip2, "purpose": purpose.value, "address": account.address}
    audit.record("signer.retire", subject=account, actor=actor, at=at, reason=reason, **facts)
    return account


def lock_in_use(network: Network, purpose: SignerPurpose, address: str) -> SignerAccount:
    """Return the account that signs for `purpose`, locked while its next nonce is taken.

    Raises:
        SignerRetired: if `address` signed for it, and was retired.
        SignerMismatch: if another account signs for it, or none.
    """
    require_transaction()
    account = (
        SignerAccount.objects.select_for_update(of=("self",))
        .filter(network=network, purpose=purpose, address=address)
        .first()
    )
    if account is None:
        detail = f"{address} is not appointed as {purpose.label.lower()} of {network}."
        raise errors.SignerMismatch(detail)
    if account.retired_at is not None:
        raise errors.SignerRetired(f"{account} was retired: {account.retired_reason}")
    return account
