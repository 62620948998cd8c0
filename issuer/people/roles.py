"""What each role may do: the matrix, in code, so that a change of it is reviewed like one."""

from collections.abc import Mapping
from enum import unique
from typing import Final

from django.db import models


@unique
class Role(models.TextChoices):
    """What a person on staff is there for."""

    ADMINISTRATOR = "ADMINISTRATOR", "Administrator"
    OPERATIONS_OFFICER = "OPERATIONS_OFFICER", "Operations officer"
    APPROVER = "APPROVER", "Approver"
    COMPLIANCE_OFFICER = "COMPLIANCE_OFFICER", "Compliance officer"
    AUDITOR = "AUDITOR", "Auditor"


#: Every role may look at everything but personal data; these are the acts beyond looking.
MATRIX: Final[Mapping[Role, frozenset[str]]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            "gate.place_hold",
            "operations.acknowledge_alert",
            "people.manage_roles",
            "instruments.manage_instruments",
            "parties.manage_parties",
        }
    ),
    Role.OPERATIONS_OFFICER: frozenset(
        {
            "api.issue_apikey",
            "attestation.propose_attestation",
            "chain.propose_contractact",
            "corporate_actions.announce_stocksplit",
            "custody.instruct_settlement",
            "custody.load_statement",
            "gate.place_hold",
            "gate.propose_resume",
            "operations.acknowledge_alert",
            "primary_market.accept_issuance",
            "primary_market.accept_redemption",
            "primary_market.propose_issuance",
            "primary_market.propose_redemption",
            "primary_market.propose_return",
            "reconciliation.propose_close_break",
        }
    ),
    Role.APPROVER: frozenset(
        {
            "attestation.confirm_attestation",
            "attestation.propose_attestation",
            "chain.confirm_contractact",
            "chain.propose_contractact",
            "corporate_actions.confirm_stocksplit",
            "gate.confirm_resume",
            "gate.place_hold",
            "gate.propose_resume",
            "operations.acknowledge_alert",
            "primary_market.confirm_issuance",
            "primary_market.confirm_redemption",
            "primary_market.confirm_return",
            "primary_market.propose_issuance",
            "primary_market.propose_redemption",
            "primary_market.propose_return",
            "reconciliation.confirm_close_break",
        }
    ),
    Role.COMPLIANCE_OFFICER: frozenset(
        {
            "gate.place_hold",
            "kyc.manage_case",
            "kyc.view_personal_data",
            "operations.acknowledge_alert",
            "parties.revoke_wallet",
            "primary_market.freeze_issuance",
            "primary_market.freeze_redemption",
        }
    ),
    Role.AUDITOR: frozenset(),
}
