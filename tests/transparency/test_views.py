from datetime import datetime
from decimal import Decimal

import pytest
from django.test import Client

from issuer.foundation import clock
from tests.make import primary_market as make

pytestmark = pytest.mark.django_db


class TestReserves:
    def test_says_in_words_what_backs_each_token(self, client: Client) -> None:
        at = clock.now()
        market = make.market(own_shares=Decimal(2), at=at)

        page = client.get("/")

        open("/tmp/h8.html", "w").write(page.content.decode())
        assert page.status_code == 200
