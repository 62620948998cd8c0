"""Opening custody accounts."""

import re
from datetime import datetime

from django.db import transaction

from issuer.audit import services as audit
from issuer.custody import errors
from issuer.custody.models import ACCOUNT_REFERENCE, CustodyAccount
from issuer.foundation import history
from issuer.foundation.actors import Actor
from issuer.foundation.errors import Malformed
from issuer.foundation.transactions import translating
from issuer.instruments import chart
from issuer.instruments.models import Token
from issuer.ledger import services as ledger
from issuer.ledger.models import Side
from issuer.parties.models import Custodian


@transaction.atomic
def open_custody_account(
    *, token: Token, custodian: Custodian, reference: str, actor: Actor, at: datetime
) -> CustodyAccount:
    """Open a token's own account with a custodian, pledged to the program's security agent.

    `reference` is the custodian's account number. Its accounts in the books are opened with it.

    Raises:
        Malformed: if `reference` is not of letters, digits, points, dashes and underscores.
        CustodyAccountTaken: if the account, or one of the token with this custodian, is open.
    """
    if not re.fullmatch(ACCOUNT_REFERENCE, reference):
        raise Malformed(f"{reference[:64]!r} is not an account number.", field="reference")
    account = CustodyAccount(
        token=token,
        custodian=custodian,
        reference=reference,
        pledgee=token.program.security_agent,
        opened_at=at,
    )
    taken = errors.CustodyAccountTaken(
        f"{reference}, or an account of {token} with {custodian}, is open.", account=reference
    )
    with translating(
        {
            "custody_account_once_per_custodian": taken,
            "custody_account_once_per_token_custodian_pledge": taken,
            "custody_account_reference_once_per_token": taken,
        }
    ):
        history.save(account, actor=actor, at=at)
    isin = token.security.isin
    for code, side in (
        (chart.shares_settled(token, reference), Side.DEBIT),
        (chart.shares_pending_receipt(token, reference), Side.DEBIT),
        (chart.shares_pending_delivery(token, reference), Side.CREDIT),
    ):
        ledger.open_account(code=code, unit=isin, side=side, at=at)
    audit.record(
        "custody_account.open",
        subject=account,
        actor=actor,
        at=at,
        account=reference,
        custodian=custodian.code,
        token=token.symbol,
    )
    return account
