"""What migrations do with what is there already."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from issuer.chain.models import TransactionAttempt, TransactionIntent
from issuer.chain.states import IntentState
from tests.make import chain as make

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = ("chain", "0005_let_no_return_go_under_a_halt")
AFTER = ("chain", "0006_number_attempts_and_steps")


@pytest.fixture
def intent() -> Iterator[TransactionIntent]:
    """An intent with two attempts, from before they were numbered."""
    intent = make.intent(state=IntentState.BROADCAST)
    make.attempt(intent)
    heads = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate([BEFORE])
    yield intent
    MigrationExecutor(connection).migrate(heads)


class TestNumberAttemptsAndSteps:
    def test_numbers_those_that_are_there_by_their_ids(self, intent: TransactionIntent) -> None:
        MigrationExecutor(connection).migrate([AFTER])

        numbered = TransactionAttempt.objects.order_by("id").values_list("intent", "serial")
        assert list(numbered) == [(intent.pk, 1), (intent.pk, 2)]
