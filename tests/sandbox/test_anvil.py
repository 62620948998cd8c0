"""The development chain."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from issuer.chain import token_contract
from issuer.chain.errors import NodeRefused
from issuer.chain.evm import EvmChain
from issuer.sandbox import anvil
from issuer.sandbox.anvil import Anvil, AnvilFailed, AnvilMissing

MOMENT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def newest(chain: Anvil) -> datetime:
    block = chain.rpc.call("eth_getBlockByNumber", ["latest", False], result=dict)
    return datetime.fromtimestamp(int(block["timestamp"], 16), UTC)


class TestBinary:
    def test_is_that_of_the_packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ANVIL", raising=False)

        assert anvil.binary().is_relative_to(token_contract.ARTIFACT.parent / "node_modules")

    def test_is_the_one_that_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANVIL", "/opt/anvil")

        assert anvil.binary() == Path("/opt/anvil")

    def test_is_the_one_on_the_path_where_there_is_no_package(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("ANVIL", raising=False)
        monkeypatch.setattr(token_contract, "ARTIFACT", tmp_path / "TokenizedStock.json")
        program = tmp_path / "anvil"
        program.touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

        assert anvil.binary() == program

    def test_says_how_to_get_one(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("ANVIL", raising=False)
        monkeypatch.setattr(token_contract, "ARTIFACT", tmp_path / "TokenizedStock.json")
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(AnvilMissing, match="npm ci"):
            anvil.binary()


class TestRunning:
    def test_listens_on_this_machine_alone(self) -> None:
        line = anvil.command(port=1, block_time_seconds=2, state_file=Path("/tmp/state"))

        assert line[line.index("--host") + 1] == "127.0.0.1"
        assert line[line.index("--block-time") + 1] == "2"
        assert line[line.index("--state") + 1] == "/tmp/state"

    def test_ends_with_its_block(self) -> None:
        with anvil.running() as chain:
            assert chain.ready

        afterwards = Anvil(port=chain.port)
        assert not afterwards.ready
        afterwards.rpc.close()

    def test_goes_on_from_its_file(self, tmp_path: Path) -> None:
        state_file = tmp_path / "chain.json"
        with anvil.running(state_file=state_file, started_at=MOMENT) as chain:
            token = chain.deploy_token(name="Apple", symbol="AAPLx", admin=chain.accounts[0])
            chain.finalize()
            before = EvmChain(chain.rpc, chain_id=anvil.CHAIN_ID).final_block()

        with anvil.running(state_file=state_file) as chain:
            again = EvmChain(chain.rpc, chain_id=anvil.CHAIN_ID)
            assert again.block(before.number) == before
            chain.finalize()
            assert again.total_supply(token, at=again.final_block()) == 0

    def test_says_why_it_did_not_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANVIL", "/bin/false")

        with pytest.raises(AnvilFailed, match="ended at once"), anvil.running():
            pass

    def test_gives_up_on_a_program_that_never_answers(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = tmp_path / "anvil"
        program.write_text("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n")
        program.chmod(0o755)
        monkeypatch.setenv("ANVIL", str(program))
        monkeypatch.setattr(anvil, "START_TIMEOUT_SECONDS", 0)
        monkeypatch.setattr(anvil, "STOP_TIMEOUT_SECONDS", 0)

        with pytest.raises(AnvilFailed, match="did not answer"), anvil.running():
            pass


class TestLevers:
    def test_follow_a_clock_that_never_runs_backwards(self) -> None:
        with anvil.running(started_at=MOMENT) as chain:
            assert newest(chain) == MOMENT

            chain.follow(MOMENT + timedelta(days=1))
            assert newest(chain) == MOMENT + timedelta(days=1)
            chain.follow(MOMENT)
            assert newest(chain) == MOMENT + timedelta(days=1, seconds=1)

    def test_mine_no_call_that_the_contract_refuses(self) -> None:
        with anvil.running() as chain:
            admin, other = chain.accounts[:2]
            token = chain.deploy_token(name="Apple", symbol="AAPLx", admin=admin)
            before = newest(chain)

            with pytest.raises(NodeRefused):
                chain.send(token_contract.calldata("pause"), sender=other, to=token)

            assert newest(chain) == before

    def test_wait_for_a_block_only_so_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(anvil, "MINE_TIMEOUT_SECONDS", 0)
        with anvil.running() as chain:
            chain.rpc.call("evm_setAutomine", [False], result=object)

            with pytest.raises(AnvilFailed, match="did not mine"):
                chain.send(b"", sender=chain.accounts[0], to=chain.accounts[1])
