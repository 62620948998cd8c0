"""What holds for all rooms at once: floors, refusals, columns."""

import importlib
import pkgutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

import issuer
from issuer.api.problems import STATUS_OF_KIND
from issuer.foundation.errors import DomainError
from issuer.foundation.fields import QuantityField


def import_every_module() -> None:
    """Import all that holds refusals; commands and migrations are run, not imported."""
    for module in pkgutil.walk_packages(issuer.__path__, "issuer."):
        if not {"migrations", "management", "package"} & set(module.name.split(".")):
            importlib.import_module(module.name)


import_every_module()

OURS = [
    model
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in settings.ROOMS
]


def floors() -> dict[str, int]:
    """The floor of every room, from the bottom up, as import-linter is told."""
    config = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    return {
        room.strip("()"): floor
        for floor, layer in enumerate(reversed(layers))
        for room in layer.replace("|", " ").split()
    }


def refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """Every refusal of the house that has a code."""
    for refusal in kind.__subclasses__():
        if "code" in vars(refusal) and refusal.__module__.startswith("issuer."):
            yield refusal
        yield from refusals(refusal)


REFUSALS = list(dict.fromkeys(refusals()))


class TestFloors:
    def test_have_a_place_for_every_room(self) -> None:
        assert set(settings.ROOMS) <= set(floors())

    @pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
    def test_are_kept_by_foreign_keys(self, model: type[models.Model]) -> None:
        rank = floors()
        room = model._meta.app_label
        for field in model._meta.get_fields():
            target = field.related_model
            if not field.concrete or target is None or isinstance(target, str):
                continue
            goal = target._meta.app_label
            if goal in rank:
                assert rank[goal] < rank[room] or goal == room, f"{field} points up to {goal}"


class TestRefusals:
    def test_have_codes_of_their_own(self) -> None:
        shared = [code for code, n in Counter(r.code for r in REFUSALS).items() if n > 1]

        assert shared == []

    @pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
    def test_have_a_code_a_title_and_one_status(self, refusal: type[DomainError]) -> None:
        statuses = [status for kind, status in STATUS_OF_KIND.items() if issubclass(refusal, kind)]

        assert len(statuses) == 1
        assert refusal.code == refusal.code.lower().replace("_", "-").strip()
        assert refusal.title
        assert not refusal.title.endswith(".")


class TestColumns:
    @pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
    def test_hold_no_floats_and_no_other_decimals_than_quantities(
        self, model: type[models.Model]
    ) -> None:
        columns = model._meta.concrete_fields

        floats = [c.name for c in columns if c.get_internal_type() == "FloatField"]
        assert floats == []
        decimals = [c for c in columns if isinstance(c, models.DecimalField)]
        assert [c.name for c in decimals if not isinstance(c, QuantityField)] == []

    @pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
    def test_never_take_rows_of_others_with_them(self, model: type[models.Model]) -> None:
        cascading = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.ForeignKey)
            and field.remote_field.on_delete is models.CASCADE
            and not model._meta.auto_created
        ]

        assert cascading == []
