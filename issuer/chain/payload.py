"""What two persons sign when they have contracts do something."""

from typing import Any, Final

from issuer.chain.models import ContractAct
from issuer.foundation import canonical, quantities

#: The action under which approvals keep it.
CONFIRM_ACT: Final = "contract_act.confirm"


def act_payload(act: ContractAct) -> dict[str, Any]:
    """Return everything that decides what is called, on which contracts."""
    event = act.remedied_event
    calls = act.calls.select_related("deployment__network")
    return {
        "action": CONFIRM_ACT,
        "act": str(act.pk),
        "network": act.network.caip2,
        "deployments": sorted(call.deployment.caip10 for call in calls),
        "kind": act.kind,
        "account": act.account,
        "role": act.role,
        "base_units": None if act.base_units is None else str(act.base_units),
        "remedied_mint": None if event is None else f"{event.transaction_hash}:{event.log_index}",
        "multiplier": None if act.multiplier is None else quantities.to_text(act.multiplier),
        "effective_at": None if act.effective_at is None else canonical.timestamp(act.effective_at),
        "reason": act.reason,
    }
