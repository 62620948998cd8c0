"""Taking in what custodians say."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from issuer.audit import services as audit
from issuer.custody import errors, registry, selectors
from issuer.custody.models import (
    CustodyAccount,
    Position,
    SettlementInstruction,
    StatedSettlement,
    Statement,
)
from issuer.custody.readers import InstructionLine, StatementDocument, StatementLine
from issuer.custody.services._settlement import settle_from_statement
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.parties.models import Custodian

#: A statement of ten thousand accounts has less than one.
SIZE_MAX_BYTES: Final = 5 * 2**20


@transaction.atomic
def receive_statement(
    *, custodian: Custodian, file_name: str, raw: bytes, actor: Actor, at: datetime
) -> Statement:
    """Load a statement, and settle what it shows to have come or gone.

    Raises:
        DomainError: whatever `load_statement` raises; then nothing is written.
    """
    statement = load_statement(
        custodian=custodian, file_name=file_name, raw=raw, actor=actor, at=at
    )
    settle_from_statement(statement, actor=actor, at=at)
    return statement


@transaction.atomic
def load_statement(
    *, custodian: Custodian, file_name: str, raw: bytes, actor: Actor, at: datetime
) -> Statement:
    """Take in a file of `custodian`, whole or not at all: its bytes and what they say.

    Raises:
        StatementTooLarge: if it has over five mebibytes.
        StatementFormatUnknown: if nothing here reads files of such a name.
        StatementEmpty: if it says nothing.
        StatementTruncated: if it is not all there.
        StatementMalformed: if a line of it cannot be read.
        StatementInconsistent: if a line claims more shares encumbered than settled, or settled of
            an instruction than it is of, or any of one that was taken back.
        StatementWrongCustodian: if another custodian's code stands in it.
        StatementFromTheFuture: if it is of a day after that of `at`.
        StatementRepeated: if the same bytes were taken in before.
        StatementReferenceReused: if its number was taken by another file.
        StatementOld: if one as new is here, unless it names that one as superseded.
        StatementUnknownAccount: if it speaks of an account that is not ours.
        StatementWrongSecurity: if it states another security for an account.
        StatementUnknownInstruction: if it names an instruction that we did not give.
        StatementIncomplete: if it leaves an account of ours out.
    """
    # Files of one custodian are compared with each other, so they come in one after another.
    Custodian.objects.select_for_update(of=("self",)).get(pk=custodian.pk)
    sha256 = _new_hash(custodian, file_name, raw)
    document = registry.reader_for(file_name).read(raw)
    accounts = _check(document, custodian=custodian, at=at)
    statement = Statement.objects.create(
        custodian=custodian,
        reference=document.reference,
        as_of_date=document.as_of_date,
        file_name=file_name,
        raw=raw,
        sha256=sha256,
        received_at=at,
        received_by=str(actor),
        supersedes=_superseded(document, custodian),
    )
    _save_lines(statement, document, accounts)
    audit.record(
        "statement.load",
        subject=statement,
        actor=actor,
        at=at,
        custodian=custodian.code,
        statement=document.reference,
        as_of_date=document.as_of_date.isoformat(),
        sha256=sha256,
        accounts=str(len(document.lines)),
    )
    return statement


def _new_hash(custodian: Custodian, file_name: str, raw: bytes) -> str:
    """Return the hash of a file that is not too large, and was never taken in."""
    if len(raw) > SIZE_MAX_BYTES:
        raise errors.StatementTooLarge(
            f"{file_name} has {len(raw)} bytes; {SIZE_MAX_BYTES} are the most.",
            bytes=str(len(raw)),
        )
    sha256 = hashlib.sha256(raw).hexdigest()
    if Statement.objects.filter(custodian=custodian, sha256=sha256).exists():
        raise errors.StatementRepeated(
            f"{file_name} was taken in before, to the byte.", sha256=sha256
        )
    return sha256


def _check(
    document: StatementDocument, *, custodian: Custodian, at: datetime
) -> Mapping[str, CustodyAccount]:
    """Compare a statement with what we know; return our accounts by their numbers."""
    if document.custodian != custodian.code:
        raise errors.StatementWrongCustodian(
            f"The statement is of {document.custodian}, not of {custodian.code}.",
            custodian=document.custodian,
        )
    if document.as_of_date > at.date():
        raise errors.StatementFromTheFuture(
            f"The statement is of {document.as_of_date}, which has not come.",
            as_of_date=document.as_of_date.isoformat(),
        )
    if Statement.objects.filter(custodian=custodian, reference=document.reference).exists():
        raise errors.StatementReferenceReused(
            f"{document.reference} is the number of another statement.",
            statement=document.reference,
        )
    rows = custodian.accounts.select_related("token__security")
    accounts = {account.reference: account for account in rows}
    for line in document.lines:
        _check_line(line, accounts.get(line.account))
    _check_instructions(document, accounts, at=at)
    stated = {line.account for line in document.lines}
    for reference, account in sorted(accounts.items()):
        if reference not in stated and account.opened_at.date() <= document.as_of_date:
            raise errors.StatementIncomplete(
                f"The statement says nothing about {reference}.", account=reference
            )
    return accounts


def _superseded(document: StatementDocument, custodian: Custodian) -> Statement | None:
    """Return the statement that `document` replaces: the current one, if it is of the same day."""
    current = selectors.current_statement(custodian)
    named = document.supersedes
    if current is None or current.as_of_date < document.as_of_date:
        if not named:
            return None
    elif current.as_of_date == document.as_of_date and current.reference == named:
        return current
    found = "none" if current is None else f"{current.reference} of {current.as_of_date}"
    detail = f"{document.reference} of {document.as_of_date}"
    detail += f", which supersedes {named}," if named else ""
    raise errors.StatementOld(f"{detail} cannot follow the current statement, {found}.")


def _check_line(line: StatementLine, account: CustodyAccount | None) -> None:
    """Compare a line with the account that it should be about."""
    number = str(line.number)
    if account is None:
        raise errors.StatementUnknownAccount(
            f"Line {number}: {line.account} is not an account of ours.",
            line=number,
            account=line.account,
        )
    if line.isin != account.token.security.isin:
        raise errors.StatementWrongSecurity(
            f"Line {number}: {line.account} holds {account.token.security.isin}, not {line.isin}.",
            line=number,
            isin=line.isin,
        )
    if max(line.pending_delivery + line.lent + line.blocked, line.pledged) > line.settled:
        raise errors.StatementInconsistent(
            f"Line {number}: of {quantities.to_text(line.settled)} settled shares, more are said "
            "to be on their way out, lent, blocked or pledged.",
            line=number,
            account=line.account,
        )


def _check_instructions(
    document: StatementDocument, accounts: Mapping[str, CustodyAccount], *, at: datetime
) -> None:
    """Compare what a statement says of our instructions with what we told the custodian."""
    lines = document.instructions
    statement = Statement(as_of_date=document.as_of_date, received_at=at)
    instructions = SettlementInstruction.objects.select_related("account__token")
    known = instructions.in_bulk([line.instruction for line in lines])
    for line in lines:
        number = str(line.number)
        instruction, account = known.get(line.instruction), accounts.get(line.account)
        if instruction is None or account is None or instruction.account_id != account.pk:
            raise errors.StatementUnknownInstruction(
                f"Line {number}: {line.instruction} is no instruction of ours for {line.account}.",
                line=number,
                account=line.account,
            )

        _require_possible(line, instruction, statement)


def _require_possible(
    line: InstructionLine, instruction: SettlementInstruction, statement: Statement
) -> None:
    """Refuse that more has settled of an instruction than we told, or any of one taken back.

    Compared only where statement and books count the same shares of an open one.
    """
    most = instruction.quantity
    if instruction.state == InstructionState.CANCELLED:
        most = Decimal(0)
    elif instruction.state not in selectors.OPEN_STATES or not selectors.counts_as_booked(
        statement, instruction.account.token
    ):
        return
    if line.settled > most:
        number, settled = str(line.number), quantities.to_text(line.settled)
        raise errors.StatementInconsistent(
            f"Line {number}: settled is {settled}, of at most {quantities.to_text(most)} shares "
            f"that may move by {instruction.pk}.",
            line=number,
            account=line.account,
            column="settled",
        )


def _save_lines(
    statement: Statement, document: StatementDocument, accounts: Mapping[str, CustodyAccount]
) -> None:
    """Keep what a statement says of accounts, and of instructions."""
    Position.objects.bulk_create(
        Position(
            statement=statement,
            account=accounts[line.account],
            isin=line.isin,
            settled=line.settled,
            pending_receipt=line.pending_receipt,
            pending_delivery=line.pending_delivery,
            lent=line.lent,
            blocked=line.blocked,
            pledged=line.pledged,
        )
        for line in document.lines
    )
    StatedSettlement.objects.bulk_create(
        StatedSettlement(statement=statement, instruction_id=line.instruction, settled=line.settled)
        for line in document.instructions
    )
