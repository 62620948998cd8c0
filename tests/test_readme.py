"""README tells the truth: its map of the rooms, its matrix of roles and its settings."""

import re
from pathlib import Path

from django.conf import settings

from issuer.people.roles import MATRIX, Role

README = (Path(settings.BASE_DIR) / "README.md").read_text(encoding="utf-8")


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its two head rows."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return rows[2:]


def test_names_each_room_once() -> None:
    named = [row[0].strip("`") for row in rows_after("The rooms")]

    assert sorted(named) == sorted(settings.ROOMS)


def test_has_the_matrix_of_roles_as_it_is() -> None:
    told = {
        act.strip("`"): {role for role, mark in zip(Role, marks, strict=True) if mark}
        for act, *marks in rows_after("Who may do what")
    }

    acts = {act for allowed in MATRIX.values() for act in allowed}
    assert told == {act: {role for role in Role if act in MATRIX[role]} for act in acts}


def test_names_each_setting() -> None:
    source = (Path(settings.BASE_DIR) / "issuer" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.[a-z]+\(\s*"([A-Z_]+)"|_secret\("([A-Z_]+)"', source))

    told = {
        name for row in rows_after("Run it for real") for name in re.findall(r"[A-Z_]{3,}", row[0])
    }
    assert told == {first or second for first, second in read}


def test_names_the_two_commands() -> None:
    assert "make demo" in README
    assert "make test" in README
