"""What keeps shares for a request, and which gates its mint or burn has to pass."""

from uuid import UUID

from issuer.gate.models import ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.instruments.models import Network, Token
from issuer.reserves.models import ShareHold
from issuer.reserves.states import ShareHoldState


def scopes_of(token: Token, network: Network) -> list[ScopeKey]:
    """Return the gates that a mint or burn of `token` on `network` has to pass."""
    custodians = token.custody_accounts.order_by().values_list("custodian_id", flat=True)
    return [
        (ScopeKind.PROGRAM, token.program_id),
        (ScopeKind.TOKEN, token.pk),
        (ScopeKind.NETWORK, network.pk),
        *((ScopeKind.CUSTODIAN, custodian_id) for custodian_id in custodians.distinct()),
    ]


def active_hold(request_id: UUID) -> ShareHold | None:
    """Return the shares that are held for a request, if any are."""
    return ShareHold.objects.filter(request_id=request_id, state=ShareHoldState.ACTIVE).first()
