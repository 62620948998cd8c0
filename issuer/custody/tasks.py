"""Taking in the files that custodians drop, and looking after what was instructed."""

import os
from pathlib import Path
from typing import Final

import structlog
from celery import shared_task
from django.conf import settings

from issuer.custody import services
from issuer.custody.models import Statement
from issuer.foundation import actors, clock
from issuer.foundation.errors import DomainError
from issuer.parties.models import Custodian

logger = structlog.get_logger(__name__)

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"


@shared_task(ignore_result=True, expires=60)
def collect_statements() -> None:
    """Take in what lies in the drop folder of each custodian; safe to deliver more than once.

    A file is moved to `accepted`, or to `refused` with the reason beside it. Only names that end
    in .csv are looked at: whoever is still writing a file gives it another name.
    """
    for custodian in Custodian.objects.order_by("code"):
        folder = Path(settings.CUSTODY_DROP_DIR) / custodian.code
        for path in sorted(folder.glob("*.csv")):
            try:
                _collect(path, custodian)
            except OSError as problem:
                # It stays where it is, for somebody to look at; the others get their turn.
                logger.error("A file cannot be taken in", file=_name(path), reason=str(problem))


@shared_task(ignore_result=True, expires=60)
def age_instructions() -> None:
    """Note which instructions did not settle on their date; safe to deliver more than once."""
    failed = services.fail_overdue(actor=actors.system("age_instructions"), at=clock.now())
    for instruction in failed:
        logger.warning("A settlement failed", instruction=str(instruction.pk))


def _collect(path: Path, custodian: Custodian) -> None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return  # another worker took it
    if _was_taken_in(path, raw, custodian):
        _move(path, ACCEPTED)
        return
    try:
        statement = services.receive_statement(
            custodian=custodian,
            file_name=_name(path),
            raw=raw,
            actor=actors.system("collect_statements"),
            at=clock.now(),
        )
    except DomainError as refusal:
        logger.warning("A statement was refused", file=_name(path), code=refusal.code)
        moved = _move(path, REFUSED)
        if moved is not None:
            reason = f"{refusal.title} ({refusal.code}).\n{refusal.detail}\n"
            moved.with_name(f"{moved.name}.reason.txt").write_text(reason, encoding="utf-8")
    else:
        logger.info("A statement was taken in", statement=str(statement.pk), file=_name(path))
        _move(path, ACCEPTED)


def _name(path: Path) -> str:
    """Return the name of a file as text; custodians' systems write bytes that are no UTF-8."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def _was_taken_in(path: Path, raw: bytes, custodian: Custodian) -> bool:
    """Say whether we took this file in and were stopped before we could move it.

    A file that was moved and comes again is another matter: that one is refused as repeated.
    """
    taken_in = Statement.objects.filter(custodian=custodian, file_name=_name(path), raw=raw)
    return taken_in.exists() and not (path.parent / ACCEPTED / path.name).exists()


def _move(path: Path, folder: str) -> Path | None:
    """Move a file into a folder beside it, under a name that is free there."""
    target_folder = path.parent / folder
    target_folder.mkdir(exist_ok=True)
    target, number = target_folder / path.name, 1
    while target.exists():
        number += 1
        target = target_folder / f"{path.stem}-{number}{path.suffix}"
    try:
        return path.rename(target)
    except FileNotFoundError:
        return None  # another worker moved it
