"""A custodian outside the house: it keeps its own list of deliveries, and sends a file a day.

It knows nothing of our books. What it holds follows from what was delivered to it and when that
settles, so a statement can be told for any day, again and again, and is always the same.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
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
        self._write("last-sent", day.isoformat())
        self._outbox.mkdir(parents=True, exist_ok=True)

    def expect(
        self, *, account: str, quantity: Decimal, trade_date: date, settlement_date: date
    ) -> None:
        """Take note of shares that somebody will deliver into `account`."""
        delivery = {
            "account": account,
            "quantity": quantities.to_text(quantity),
            "trade_date": trade_date.isoformat(),
            "settlement_date": settlement_date.isoformat(),
        }
        self._write("deliveries", [*self._read("deliveries"), delivery])

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
        deliveries = self._read("deliveries")
        for number, product in enumerate(cast.PRODUCTS, 6):
            settled = pending = Decimal(0)
            for delivery in deliveries:
                if delivery["account"] != product.account:
                    continue
                if date.fromisoformat(delivery["settlement_date"]) <= day:
                    settled += Decimal(delivery["quantity"])
                elif date.fromisoformat(delivery["trade_date"]) <= day:
                    pending += Decimal(delivery["quantity"])
            yield StatementLine(
                number=number,
                account=product.account,
                isin=product.share_isin,
                settled=settled,
                pending_receipt=pending,
                pending_delivery=Decimal(0),
                lent=Decimal(0),
                blocked=Decimal(0),
                pledged=settled,
            )

    def _read(self, name: str) -> Any:
        return json.loads((self._notes / f"{name}.json").read_text(encoding="utf-8"))

    def _write(self, name: str, value: Any) -> None:
        self._notes.mkdir(parents=True, exist_ok=True)
        path = self._notes / f"{name}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(value), encoding="utf-8")
        fresh.replace(path)
