"""What staff find where: the areas of the back office, in the order of the work."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class Area:
    """An entry of the sidebar, and the lists behind it; the first is where it leads."""

    title: str
    icon: str
    lists: tuple[tuple[str, str], ...]


AREAS: Final = (
    Area(
        "Requests",
        "assignment",
        (
            ("Issuance requests", "primary_market.issuancerequest"),
            ("Redemption requests", "primary_market.redemptionrequest"),
            ("Deposits", "primary_market.deposit"),
            ("Returns", "primary_market.depositreturn"),
        ),
    ),
    Area(
        "Custody",
        "inventory_2",
        (
            ("Statements", "custody.statement"),
            ("Positions", "custody.position"),
            ("Instructions", "custody.settlementinstruction"),
            ("Accounts", "custody.custodyaccount"),
        ),
    ),
    Area(
        "Reconciliation",
        "balance",
        (
            ("Runs", "reconciliation.run"),
            ("Breaks", "reconciliation.break"),
            ("Shares held", "reserves.sharehold"),
        ),
    ),
    Area("Gates", "traffic", (("Gates", "gate.scope"), ("Holds", "gate.hold"))),
    Area(
        "Attestations",
        "verified",
        (
            ("Attestations", "attestation.attestation"),
            ("Signing keys", "attestation.statementkey"),
        ),
    ),
    Area(
        "Chains",
        "link",
        (
            ("Contract acts", "chain.contractact"),
            ("Transactions", "chain.transactionintent"),
            ("Supply", "chain.supplysnapshot"),
            ("Mints & burns", "chain.chainevent"),
            ("Incoming", "chain.incomingtransfer"),
            ("Signers", "chain.signeraccount"),
            ("Trouble", "chain.networktrouble"),
        ),
    ),
    Area("Corporate actions", "call_split", (("Stock splits", "corporate_actions.stocksplit"),)),
    Area(
        "KYC & parties",
        "diversity_3",
        (
            ("KYC cases", "kyc.case"),
            ("Participants", "parties.authorizedparticipant"),
            ("Wallets", "parties.wallet"),
            ("API keys", "api.apikey"),
            ("Legal entities", "parties.legalentity"),
            ("Custodians", "parties.custodian"),
            ("Programs", "parties.program"),
            ("Criteria", "parties.criteria"),
        ),
    ),
    Area(
        "Instruments",
        "token",
        (
            ("Tokens", "instruments.token"),
            ("Deployments", "instruments.deployment"),
            ("Securities", "instruments.security"),
            ("Networks", "instruments.network"),
            ("Multipliers", "instruments.multiplier"),
            ("Controlled addresses", "instruments.controlledaddress"),
        ),
    ),
    Area(
        "Books",
        "menu_book",
        (
            ("Accounts", "ledger.account"),
            ("Transfers", "ledger.transfer"),
            ("Entries", "ledger.entry"),
        ),
    ),
    Area(
        "Audit trail",
        "history",
        (
            ("Events", "audit.auditevent"),
            ("Seals", "audit.seal"),
            ("Proposals", "approvals.proposal"),
            ("Outbox", "events.event"),
            ("Alerts", "operations.alertdelivery"),
        ),
    ),
    Area(
        "People",
        "badge",
        (
            ("Persons", "people.person"),
            ("Logins", "people.user"),
            ("Roles", "people.roleassignment"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: Today, and each area of which the user may see at least one list."""
    today = reverse("admin:index")
    items = [
        {"title": "Today", "icon": "today", "link": today, "active": request.path == today},
    ]
    for area in AREAS:
        links = [link for _, _, link in _visible(area, request)]
        if links:
            active = request.path.startswith(tuple(links))
            items.append(
                {"title": area.title, "icon": area.icon, "link": links[0], "active": active}
            )
    return [{"items": items}]


def tabs(request: HttpRequest) -> list[dict[str, Any]]:
    """Return, for each area with several lists, the tabs that lead from one to the other."""
    bars = []
    for area in AREAS:
        visible = _visible(area, request)
        if len(visible) > 1:
            items = [{"title": title, "link": link} for title, _, link in visible]
            bars.append({"models": [label for _, label, _ in visible], "items": items})
    return bars


def account_links(_request: HttpRequest) -> list[dict[str, str]]:
    """Return what a user does about their own login."""
    return [
        {"title": "Second factor", "link": reverse("mfa_index")},
        {"title": "Change password", "link": reverse("account_change_password")},
    ]


def environment(_request: HttpRequest) -> list[str] | None:
    """Return the label that tells the demo world from the real one on every page."""
    return ["Sandbox", "warning"] if settings.SANDBOX else None


def screens_style(_request: HttpRequest) -> str:
    """Return the address of the style that all screens share."""
    return static("foundation/screens.css")


def backoffice_style(_request: HttpRequest) -> str:
    """Return the address of the back office's own style."""
    return static("backoffice/backoffice.css")


def copy_script(_request: HttpRequest) -> str:
    """Return the address of the script that copies what is shortened."""
    return static("backoffice/copy.js")


def _visible(area: Area, request: HttpRequest) -> list[tuple[str, str, str]]:
    """Return title, label and address of each list of `area` that there is and the user may see."""
    lists = []
    for title, label in area.lists:
        room, name = label.split(".")
        registered = admin.site.is_registered(apps.get_model(label))
        if registered and request.user.has_perm(f"{room}.view_{name}"):
            lists.append((title, label, reverse(f"admin:{room}_{name}_changelist")))
    return lists


def record_url(label: str, record_id: UUID | None = None) -> str:
    """Return where a record, or the list of its kind, is shown; empty if it is nowhere."""
    name = f"admin:{label.replace('.', '_')}"
    try:
        if record_id is None:
            return reverse(f"{name}_changelist")
        return reverse(f"{name}_change", args=[record_id])
    except NoReverseMatch:
        return ""
