"""What staff see of reconciliation: runs, the desk of breaks, and the gates that both shut."""

from issuer.reconciliation.admin._breaks import BreakAdmin
from issuer.reconciliation.admin._gates import GateAdmin
from issuer.reconciliation.admin._runs import RunAdmin

__all__ = ["BreakAdmin", "GateAdmin", "RunAdmin"]
