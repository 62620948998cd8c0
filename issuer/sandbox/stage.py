"""What every chapter of the story stands on: the doors, the world outside, and patience."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, datetime
from typing import Any, Final, Self, TypeVar

from django.db import connections
from django.db.models import Max

from issuer.approvals.models import Proposal
from issuer.chain.evm import EvmChain
from issuer.chain.signing import LocalKeySigner, UnsignedTransaction
from issuer.foundation import clock
from issuer.instruments.models import Deployment
from issuer.reconciliation.models import Run
from issuer.sandbox import cast, market_clock
from issuer.sandbox.chains import CHAINS, DemoChain
from issuer.sandbox.custodian import DemoCustodian
from issuer.sandbox.doors import PartnerDoor, StaffDoor

#: Far more than anything takes: a machine that does much else must not end the story.
_PATIENCE_SECONDS: Final = 180
_POLL_SECONDS: Final = 0.2

T = TypeVar("T")
Document = dict[str, Any]


class StoryStuck(Exception):
    """The story did not go on as it should."""


class Stage:
    """Everybody's door into a running house, and the levers of what is outside it.

    A context: the doors are open inside of it.
    """

    def __init__(
        self, base_url: str, *, say: Callable[[str], None], stopping: threading.Event
    ) -> None:
        self.base_url = base_url
        self.say = say
        self.custodian = DemoCustodian.of_settings()
        self.chains = {chain: chain.anvil() for chain in CHAINS}
        self._stopping = stopping
        self._doors = ExitStack()
        self._step = 0

    def __enter__(self) -> Self:
        enter = self._doors.enter_context
        self.anybody = enter(PartnerDoor(self.base_url, ""))
        self.partner = enter(PartnerDoor(self.base_url, cast.partner_key()))
        self.officer = enter(self._login(cast.OFFICER))
        self.approver = enter(self._login(cast.APPROVER))
        return self

    def __exit__(self, *_reason: object) -> None:
        self._doors.close()
        connections.close_all()

    def begin(self, title: str) -> None:
        """Say that the next step begins."""
        self._step += 1
        self.say(f"\n {self._step}. {title}")

    def by_officer(self, path: str, action: str = "", **fields: str | list[str]) -> None:
        """Have the officer send a form, and say what the page answers."""
        self.say(f"    {cast.OFFICER.name}: {self.officer.send(path, action, **fields)}")

    def by_approver(self, path: str, action: str = "", **fields: str) -> None:
        """Have the approver send a form, and say what the page answers."""
        self.say(f"    {cast.APPROVER.name}: {self.approver.send(path, action, **fields)}")

    def proposal_on(self, subject_id: str) -> Proposal:
        """Return what is proposed to do to a record."""
        return Proposal.objects.filter(subject_id=subject_id).latest("proposed_at")

    def wait_for(self, what: str, probe: Callable[[], T | None]) -> T:
        """Ask until there is an answer.

        Raises:
            StoryStuck: if there is none in time, or the house is told to stop.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (found := probe()):
            if time.monotonic() > deadline:
                raise StoryStuck(f"Waited {_PATIENCE_SECONDS} s in vain for {what}.")
            if self._stopping.wait(_POLL_SECONDS):
                raise StoryStuck(f"Told to stop while waiting for {what}.")
        return found

    def wait_for_state(self, path: str, axis: str, state: str) -> Document:
        """Wait until what the partner reads at `path` says so, and return it."""

        def arrived() -> Document | None:
            request = self.partner.get(path)
            return request if request[axis] == state else None

        return self.wait_for(f"the {axis} of {path} to be {state}", arrived)

    def expect_state(self, path: str, state: str) -> None:
        """Read the request at `path` once.

        Raises:
            StoryStuck: if it is in another state.
        """
        found = self.partner.get(path)["state"]
        if found != state:
            raise StoryStuck(f"{path} is {found}, not {state}.")

    def wait_for_run(self) -> Run:
        """Wait for a reconciliation of what is there now, made by the beat."""
        after = clock.now()
        runs = Run.objects.filter(as_of__gt=after).order_by("as_of")
        return self.wait_for("a reconciliation of its own accord", runs.first)

    def move_clock(self, day: date) -> None:
        """Move to the evening of `day`, the chains before the house.

        The other way round the house would rightly find that a chain stands still.
        """
        moment = datetime.combine(day, market_clock.STATEMENTS_SENT_AT)
        for anvil in self.chains.values():
            anvil.follow(moment)
            anvil.finalize()
        self.wait_for("the chains of that evening to be read", lambda: _read_since(moment))
        # The chains went on while they were read, and no block is from the future.
        market_clock.advance_to(max(moment, *(anvil.time for anvil in self.chains.values())))
        self.say(f"    the chains and the clock move to {moment:%A %Y-%m-%d %H:%M}Z")

    def sign_and_send(
        self, chain: DemoChain, signer: LocalKeySigner, contract: str, calldata: bytes
    ) -> str:
        """Send a call as anybody with a key does, and let it become final; return its hash."""
        anvil = self.chains[chain]
        anvil.fund(signer.address)
        node = EvmChain(anvil.rpc, chain_id=chain.chain_id)
        signed = signer.sign(
            UnsignedTransaction(
                chain_id=chain.chain_id,
                nonce=node.next_nonce(signer.address),
                contract=contract,
                calldata=calldata,
                fees=node.quote(sender=signer.address, contract=contract, calldata=calldata),
            )
        )
        node.broadcast(signed.raw)
        self.wait_for("a transaction to be mined", lambda: node.receipt(signed.hash))
        anvil.finalize()
        return signed.hash

    def _login(self, member: cast.Member) -> StaffDoor:
        return StaffDoor(self.base_url, member.username, member.password)


def partner_wallet() -> LocalKeySigner:
    """Return the partner's wallet, with its key."""
    return LocalKeySigner(f"0x{cast.wallet_key(cast.PARTNER_CODE).hex()}")


def issuance_page(request_id: str) -> str:
    """Return where staff see an issuance request, and act on it."""
    return f"/admin/primary_market/issuancerequest/{request_id}/"


def _read_since(moment: datetime) -> bool:
    """Say whether every deployment has been read at a block of `moment` or later."""
    newest = Deployment.objects.annotate(read=Max("supply_snapshots__block_mined_at"))
    return not newest.exclude(read__gte=moment).exists()
