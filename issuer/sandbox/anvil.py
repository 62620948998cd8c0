"""A development chain: one anvil process on this machine, and the levers that only it has."""

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eth_utils.address import to_checksum_address

from issuer.chain import token_contract
from issuer.chain.errors import ChainUnavailable
from issuer.chain.rpc import Call, HttpJsonRpc

HOST: Final = "127.0.0.1"
#: What a chain is called that nobody has named otherwise.
CHAIN_ID: Final = 31337
CAIP2: Final = f"eip155:{CHAIN_ID}"
#: With one slot per epoch, anvil holds the block two before its newest final.
BLOCKS_TO_FINALITY: Final = 2
#: States of older blocks are forgotten, or a chain that runs for days would fill memory and disk.
STATES_KEPT: Final = 256
STATE_INTERVAL_SECONDS: Final = 5
START_TIMEOUT_SECONDS: Final = 20
MINE_TIMEOUT_SECONDS: Final = 10
STOP_TIMEOUT_SECONDS: Final = 10

_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class AnvilMissing(Exception):
    """There is no anvil on this machine."""


class AnvilFailed(Exception):
    """The anvil process ended, or never answered."""


def binary() -> Path:
    """Return the anvil program: that of `ANVIL`, of the contracts' packages, or of the PATH.

    Raises:
        AnvilMissing: if there is none.
    """
    named = os.environ.get("ANVIL", "")
    if named:
        return Path(named)
    machine = platform.machine().lower()
    package = f"anvil-{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    folder = token_contract.ARTIFACT.parent
    installed = folder / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"
    if installed.exists():
        return installed
    found = shutil.which("anvil")
    if found is None:
        raise AnvilMissing(
            f"There is no anvil. Run `npm ci` in {folder}, or `npm install --no-save "
            f"@foundry-rs/{package}@1.7.1` there if the machine is not Linux on x86-64, "
            "or set ANVIL to the path of one."
        )
    return Path(found)


def command(
    *,
    port: int,
    chain_id: int = CHAIN_ID,
    state_file: Path | None = None,
    block_time_seconds: int | None = None,
    started_at: datetime | None = None,
) -> list[str]:
    """Return the command line of a chain on `port`, which only this machine reaches.

    A transaction is mined at once, and blocks come every `block_time_seconds` besides, if given.
    With a `state_file` the chain is saved there at intervals and when it stops, and goes on from
    there; balances can then be read again from the next final block on. A new chain begins at
    `started_at`.
    """
    line = [str(binary()), "--host", HOST, "--port", str(port), "--chain-id", str(chain_id)]
    line += ["--slots-in-an-epoch", "1", "--quiet", "--prune-history", str(STATES_KEPT)]
    if state_file is not None:
        line += ["--state", str(state_file), "--state-interval", str(STATE_INTERVAL_SECONDS)]
    if block_time_seconds is not None:
        line += ["--block-time", str(block_time_seconds), "--mixed-mining"]
    if started_at is not None:
        line += ["--timestamp", str(int(started_at.timestamp()))]
    return line


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


class Anvil:
    """The levers of an anvil process that listens on `port`."""

    def __init__(self, *, port: int, chain_id: int = CHAIN_ID) -> None:
        self.port = port
        self.chain_id = chain_id
        self.url = f"http://{HOST}:{port}"
        self.rpc = HttpJsonRpc(self.url)

    @property
    def ready(self) -> bool:
        """Whether the chain answers."""
        try:
            return self.rpc.call("eth_chainId", [], result=str) == hex(self.chain_id)
        except ChainUnavailable:
            return False

    @property
    def accounts(self) -> list[str]:
        """The funded accounts that anvil signs for by itself, in EIP-55 form."""
        accounts = self.rpc.call("eth_accounts", [], result=list[str])
        return [to_checksum_address(account) for account in accounts]

    @property
    def height(self) -> int:
        """The number of the newest block."""
        return int(self.rpc.call("eth_blockNumber", [], result=str), 16)

    @property
    def time(self) -> datetime:
        """When the newest block was mined, by the chain's own clock."""
        newest = self.rpc.call("eth_getBlockByNumber", ["latest", False], result=dict[str, Any])
        return datetime.fromtimestamp(int(newest["timestamp"], 16), UTC)

    def mine(self, blocks: int = 1) -> None:
        """Mine `blocks` blocks at once."""
        self.rpc.call("anvil_mine", [hex(blocks)], result=Any)

    def finalize(self) -> None:
        """Mine until what is in the newest block is final."""
        self.mine(BLOCKS_TO_FINALITY)

    def follow(self, moment: datetime) -> None:
        """Set the chain's clock to `moment` and mine a block then; time never runs backwards."""
        seconds = max(int(moment.timestamp()), int(self.time.timestamp()) + 1)
        self.rpc.call("evm_setTime", [seconds], result=Any)
        self.mine()

    def fund(self, account: str) -> None:
        """Give an account what it takes to pay for transactions."""
        self.rpc.call("anvil_setBalance", [account, hex(10**18)], result=Any)

    def snapshot(self) -> str:
        """Remember the chain's present state; return the name to `revert` to."""
        return self.rpc.call("evm_snapshot", [], result=str)

    def revert(self, name: str) -> None:
        """Return to a remembered state, which is then forgotten."""
        self.rpc.call("evm_revert", [name], result=bool)

    def send(self, data: bytes, *, sender: str, to: str | None = None) -> dict[str, Any]:
        """Send a transaction from one of `accounts`, and return its receipt.

        A call that the contract refuses raises `NodeRefused` and is not mined.
        """
        transaction = {"from": sender, "data": f"0x{data.hex()}"} | ({"to": to} if to else {})
        # Estimated here, since anvil would mine a call that the contract refuses.
        gas = self.rpc.call("eth_estimateGas", [transaction], result=str)
        transaction["gas"] = gas
        sent = self.rpc.call("eth_sendTransaction", [transaction], result=str)
        asked = Call("eth_getTransactionReceipt", [sent], dict[str, Any], nullable=True)
        deadline = time.monotonic() + MINE_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None
            [receipt] = self.rpc.batch([asked])
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise AnvilFailed(f"anvil did not mine {sent} within {MINE_TIMEOUT_SECONDS} seconds.")

    def deploy_token(self, *, name: str, symbol: str, admin: str) -> str:
        """Deploy a token contract whose roles `admin`, one of `accounts`, grants.

        Returns its address in EIP-55 form.
        """
        code = token_contract.creation_code(name=name, symbol=symbol, admin=admin)
        return to_checksum_address(self.send(code, sender=admin)["contractAddress"])


@contextmanager
def running(
    *,
    port: int | None = None,
    chain_id: int = CHAIN_ID,
    state_file: Path | None = None,
    started_at: datetime | None = None,
) -> Iterator[Anvil]:
    """Run an anvil process for the time of the block, and stop it after.

    Raises:
        AnvilMissing: if there is no anvil.
        AnvilFailed: if it does not answer in time.
    """
    chosen = free_port() if port is None else port
    line = command(port=chosen, chain_id=chain_id, state_file=state_file, started_at=started_at)
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    anvil = Anvil(port=chosen, chain_id=chain_id)
    try:
        _wait(process, anvil)
        yield anvil
    finally:
        anvil.rpc.close()
        _stop(process)


def _wait(process: subprocess.Popen[bytes], anvil: Anvil) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not anvil.ready:
        if process.poll() is not None:
            assert process.stderr is not None
            words = process.stderr.read().decode(errors="replace").strip()
            raise AnvilFailed(f"anvil ended at once ({process.returncode}): {words[-500:]}")
        if time.monotonic() > deadline:
            raise AnvilFailed(f"anvil did not answer within {START_TIMEOUT_SECONDS} seconds.")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()
