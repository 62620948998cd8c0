"""A custodian outside the house: it keeps its own list of deliveries, and sends a file a day.

It knows nothing of our books. What it holds follows from what was delivered to it and from it, when
that settles, and which shares were split, so a statement can be told for any day, again and again,
and is always the same.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from issuer.custody import csv_statement
from issuer.custody.readers import StatementDocument, StatementLine
from issuer.foundation import calendars, quantities
from issuer.sandbox import cast

#: When it sends the statement of a day, after the close in New York in summer and winter.
SENDS_AT: Final = time(21, 30, tzinfo=UTC)


class DemoCustodian:
    """The custodian of the demo world; its notes are in `notes`, its files go to `outbox`."""

    def __init__(self, *, notes: Path, outbox: Path) -> None:
        self._notes = notes
        self._outbox = outbox

    @classmethod
    def of_settings(cls) -> "DemoCustodian":
        """Return the custodian of this data directory."""
        return cls(
            notes=settings.DATA_DIR / "sandbox" / "custodian",
            outbox=Path(settings.CUSTODY_DROP_DIR) / cast.CUSTODIAN_CODE,
        )

    def begin(self, day: date) -> None:
        """Open the accounts; the first statement that is sent by itself is of the day after."""
        self._write("deliveries", [])
        self._write("departures", [])
        self._write("splits", [])
        self._write("last-sent", day.isoformat())
        self._outbox.mkdir(parents=True, exist_ok=True)

    def expect(
        self, *, account: str, quantity: Decimal, trade_date: date, settlement_date: date
    ) -> None:
        """Take note of shares that somebody will deliver into `account`."""
        self._note("deliveries", account, quantity, trade_date, settlement_date)

    def deliver(
        self, *, account: str, quantity: Decimal, trade_date: date, settlement_date: date
    ) -> None:
        """Take the order to deliver shares out of `account`; on their date they are gone."""
        self._note("departures", account, quantity, trade_date, settlement_date)

    def split(self, *, account: str, shares_after: int, shares_before: int, day: date) -> None:
        """Split the shares of `account` before the close of `day`; what is on its way with them.

        What is ordered on that day, or later, is meant in new shares.
        """
        split = {
            "account": account,
            "shares_after": shares_after,
            "shares_before": shares_before,
            "day": day.isoformat(),
        }
        self._write("splits", [*self._read("splits"), split])

    def statement(self, day: date) -> tuple[str, bytes]:
        """Return name and content of the file for the close of `day`."""
        document = StatementDocument(
            custodian=cast.CUSTODIAN_CODE,
            reference=f"HC-{day.isoformat()}",
            as_of_date=day,
            supersedes="",
            lines=tuple(self._lines(day)),
        )
        return f"{document.reference}.csv", csv_statement.write(document)

    def send(self, file_name: str, content: bytes) -> Path:
        """Drop a file; it gets its name only when all of it is there."""
        self._outbox.mkdir(parents=True, exist_ok=True)
        path = self._outbox / file_name
        unfinished = path.with_name(f"{file_name}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)
        return path

    def send_due_statements(self, now: datetime) -> list[Path]:
        """Send the statements of all sessions that have closed and were not told of yet."""
        sent: list[Path] = []
        if not (self._notes / "last-sent.json").exists():
            return sent
        day = date.fromisoformat(self._read("last-sent")) + timedelta(days=1)
        while datetime.combine(day, SENDS_AT) <= now:
            if calendars.is_session(day):
                sent.append(self.send(*self.statement(day)))
            self._write("last-sent", day.isoformat())
            day += timedelta(days=1)
        return sent

    def _lines(self, day: date) -> Iterator[StatementLine]:
        for number, product in enumerate(cast.PRODUCTS, 6):
            came, coming = self._moved("deliveries", product.account, day)
            went, leaving = self._moved("departures", product.account, day)
            settled = came - went
            yield StatementLine(
                number=number,
                account=product.account,
                isin=product.share_isin,
                settled=settled,
                pending_receipt=coming,
                pending_delivery=leaving,
                lent=Decimal(0),
                blocked=Decimal(0),
                pledged=settled,
            )

    def _moved(self, name: str, account: str, day: date) -> tuple[Decimal, Decimal]:
        """Return what has moved by the close of `day`, and what is on its way then."""
        done = pending = Decimal(0)
        for movement in self._read(name):
            if movement["account"] != account:
                continue
            traded = date.fromisoformat(movement["trade_date"])
            quantity = quantities.scaled(
                Decimal(movement["quantity"]), self._factor(account, since=traded, until=day)
            )
            assert quantity is not None, "the demo world splits without fractions"
            if date.fromisoformat(movement["settlement_date"]) <= day:
                done += quantity
            elif traded <= day:
                pending += quantity
        return done, pending

    def _factor(self, account: str, *, since: date, until: date) -> Fraction:
        """Return how many shares at the close of `until` one is that was ordered on `since`."""
        factor = Fraction(1)
        for split in self._read("splits"):
            if split["account"] == account and since < date.fromisoformat(split["day"]) <= until:
                factor *= Fraction(split["shares_after"], split["shares_before"])
        return factor

    def _note(
        self, name: str, account: str, quantity: Decimal, trade_date: date, settlement_date: date
    ) -> None:
        movement = {
            "account": account,
            "quantity": quantities.to_text(quantity),
            "trade_date": trade_date.isoformat(),
            "settlement_date": settlement_date.isoformat(),
        }
        self._write(name, [*self._read(name), movement])

    def _read(self, name: str) -> Any:
        return json.loads((self._notes / f"{name}.json").read_text(encoding="utf-8"))

    def _write(self, name: str, value: Any) -> None:
        self._notes.mkdir(parents=True, exist_ok=True)
        path = self._notes / f"{name}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(value), encoding="utf-8")
        fresh.replace(path)
