"""Typed reading of the environment."""

from pathlib import Path

import pytest

from issuer import env


class TestText:
    def test_returns_what_is_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PLACE", "here")

        assert env.text("PLACE") == "here"

    def test_takes_nothing_for_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PLACE", "")

        assert env.text("PLACE", "there") == "there"

    def test_names_the_variable_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PLACE", raising=False)

        with pytest.raises(env.VariableMissing, match=r"^Set PLACE in the environment\.$"):
            env.text("PLACE")


class TestFlag:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False), ("", True)],
    )
    def test_reads_yes_and_no(
        self, value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LIGHT", value)

        assert env.flag("LIGHT", default=True) is expected

    def test_refuses_what_is_neither(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LIGHT", "maybe")

        with pytest.raises(env.VariableInvalid, match="LIGHT must be 1 or 0, not 'maybe'"):
            env.flag("LIGHT", default=False)


class TestInteger:
    def test_returns_the_number_or_its_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COUNT", "7")
        monkeypatch.delenv("OTHER", raising=False)

        assert (env.integer("COUNT"), env.integer("OTHER", 3)) == (7, 3)

    @pytest.mark.parametrize(
        ("value", "message"),
        [("many", "COUNT must be a whole number, not 'many'"), ("0", "must be at least 1, not 0")],
    )
    def test_refuses_what_is_none_or_too_small(
        self, value: str, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COUNT", value)

        with pytest.raises(env.VariableInvalid, match=message):
            env.integer("COUNT", minimum=1)


class TestWords:
    def test_splits_at_commas_and_drops_what_is_empty(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOSTS", "a.example, b.example,,")
        monkeypatch.delenv("OTHERS", raising=False)

        assert env.words("HOSTS") == ["a.example", "b.example"]
        assert env.words("OTHERS", ("c.example",)) == ["c.example"]


class TestPath:
    def test_is_absolute(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PLACE", "here")

        assert env.path("PLACE") == tmp_path / "here"
        assert env.path("NOWHERE", Path("/there")) == Path("/there")


class TestUrl:
    def test_returns_its_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NODE", "https://node.example:8545/key")

        parts = env.url("NODE", schemes=("https",))

        assert (parts.hostname, parts.port, parts.path) == ("node.example", 8545, "/key")

    def test_refuses_another_scheme_and_does_not_repeat_the_password(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NODE", "ftp://user:hunter2@node.example")

        with pytest.raises(env.VariableInvalid) as refusal:
            env.url("NODE", schemes=("http", "https"))

        assert str(refusal.value) == "NODE must be an address that begins with http:// or https://"


class TestSecret:
    def test_comes_from_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KEY", "hunter2")

        assert env.secret("KEY") == "hunter2"

    def test_comes_from_the_file_without_its_last_newline(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "key").write_text("hunter2\n")
        monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))

        assert env.secret("KEY") == "hunter2"

    def test_names_both_ways_when_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("KEY", raising=False)

        with pytest.raises(env.VariableMissing, match="Set KEY, or KEY_FILE to the file"):
            env.secret("KEY")
        assert env.secret("KEY", "default") == "default"

    def test_refuses_both_ways_at_once(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("KEY", "hunter2")
        monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))

        with pytest.raises(env.VariableInvalid, match="either KEY or KEY_FILE, not both"):
            env.secret("KEY")

    def test_refuses_a_file_that_cannot_be_read_or_is_empty(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))

        with pytest.raises(env.VariableInvalid, match="cannot be read"):
            env.secret("KEY", "default")

        (tmp_path / "key").write_text("\n")
        with pytest.raises(env.VariableMissing, match="is empty"):
            env.secret("KEY", "default")


class TestMapping:
    def test_reads_an_object(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NODES", '{"eip155:1": ["https://node.example"]}')
        monkeypatch.delenv("OTHERS", raising=False)

        assert env.mapping("NODES") == {"eip155:1": ["https://node.example"]}
        assert env.mapping("OTHERS") == {}

    @pytest.mark.parametrize("value", ["hunter2", '["hunter2"]'])
    def test_refuses_anything_else_and_does_not_repeat_it(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NODES", value)

        with pytest.raises(env.VariableInvalid) as refusal:
            env.mapping("NODES")

        assert str(refusal.value) == "NODES must be a JSON object."
