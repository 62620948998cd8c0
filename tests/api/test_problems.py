"""Refusals as the outside reads them."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.test import Client, RequestFactory
from pytest_django.asserts import assertContains

from issuer.api import problems
from issuer.api.problems import STATUS_OF_KIND
from issuer.foundation.errors import DomainError
from tests.make.api import Partner, problem

pytestmark = pytest.mark.django_db


def refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    problems.catalog()  # imports the refusals of every room
    for refusal in kind.__subclasses__():
        if "code" in vars(refusal):
            yield refusal
        yield from refusals(refusal)


class TestCatalog:
    def test_codes_are_unique(self) -> None:
        codes = [refusal.code for refusal in refusals() if refusal.__module__.startswith("issuer")]

        assert sorted(codes) == sorted(set(codes))

    def test_every_refusal_has_one_status(self) -> None:
        for refusal in refusals():
            kinds = [kind for kind in STATUS_OF_KIND if issubclass(refusal, kind)]
            assert len(kinds) == 1, refusal

    def test_every_code_has_a_page(self) -> None:
        without = []
        for code in problems.catalog():
            try:
                get_template(f"problems/{code}.html")
            except TemplateDoesNotExist:
                without.append(code)

        assert without == []

    def test_every_page_has_a_code(self) -> None:
        folder = settings.BASE_DIR / "templates" / "problems"
        pages = {page.stem for page in folder.glob("*.html")} - {"index", "problem"}

        assert pages - set(problems.catalog()) == set()


class TestPages:
    def test_every_page_says_when_why_and_what_to_do(self, client: Client) -> None:
        for code, (status, title) in problems.catalog().items():
            page = client.get(f"/problems/{code}")

            assertContains(page, f"<h1>{title}</h1>", html=True)
            assertContains(page, f"with status {status.value}")
            assert "<p></p>" not in page.content.decode(), code

    def test_the_list_links_to_every_page(self, client: Client) -> None:
        page = client.get("/problems/")

        for code in problems.catalog():
            assertContains(page, f'href="/problems/{code}"')

    def test_there_is_no_page_of_an_unknown_code(self, client: Client) -> None:
        assert client.get("/problems/no-such-code").status_code == 404


class TestToProblemResponse:
    def test_a_refusal_of_the_domain_tells_code_and_facts(self, anybody: Partner) -> None:
        response = anybody.get("tokens/NONEx")

        assert problem(response) == (404, "token-missing")
        assert response.json() == {
            "type": f"{settings.PUBLIC_URL}/problems/token-missing",
            "title": "There is no such token",
            "status": 404,
            "detail": "There is no token 'NONEx'.",
            "code": "token-missing",
            "facts": {},
        }

    def test_says_how_to_show_who_one_is(self, anybody: Partner) -> None:
        response = anybody.get("issuances")

        assert problem(response) == (401, "key-missing")
        assert response.headers["WWW-Authenticate"] == "Bearer"

    def test_an_address_that_no_view_serves_is_a_problem_too(self, anybody: Partner) -> None:
        assert problem(anybody.get("nothing-here")) == (404, "not-found")
        assert problem(anybody.get("tokens/")) == (404, "not-found")

    def test_elsewhere_it_is_a_page(self, client: Client) -> None:
        response = client.get("/nothing-here")

        assert response.status_code == 404
        assert response.headers["Content-Type"].startswith("text/html")

    def test_a_method_that_is_not_known_names_those_that_are(self, anybody: Partner) -> None:
        response = anybody.client.delete("/api/v1/tokens")

        assert problem(response) == (405, "method-not-allowed")
        assert "GET" in response.headers["Allow"]

    def test_a_type_that_there_is_no_answer_of(self, anybody: Partner) -> None:
        assert problem(anybody.get("tokens", Accept="text/csv")) == (406, "not-acceptable")

    def test_a_body_that_is_no_json(self, door: Partner) -> None:
        assert problem(door.post("issuances", raw=b'{"token": ')) == (400, "malformed-json")
        assert problem(door.post("issuances", raw=b'{"a": NaN}')) == (400, "malformed-json")
        assert problem(door.post("issuances", raw=b"\xff\xfe")) == (400, "malformed-json")

    @pytest.mark.parametrize("raw", [b"[" * 60_000, b'{"a":' * 10_000])
    def test_a_body_that_is_nested_too_deeply(self, door: Partner, raw: bytes) -> None:
        assert problem(door.post("issuances", raw=raw)) == (400, "malformed-json")

    def test_a_member_whose_name_is_half_a_character(self, door: Partner) -> None:
        response = door.post("issuances", raw=b'{"\\ud800": 1}')

        assert problem(response) == (400, "invalid-request")
        assert response.json()["errors"][0]["pointer"] == "#/?"

    @pytest.mark.parametrize("address", ["tokens/%00", "reserves/AAPLx%00"])
    def test_an_address_with_a_nul(self, anybody: Partner, address: str) -> None:
        assert problem(anybody.get(address)) == (404, "not-found")

    def test_a_body_that_is_no_object(self, door: Partner) -> None:
        assert problem(door.post("issuances", ["AAPLx"])) == (400, "invalid-request")

    def test_a_body_that_is_not_declared_as_json(self, door: Partner) -> None:
        response = door.client.post(
            "/api/v1/issuances", "token=AAPLx", "text/plain", headers={"Idempotency-Key": "1"}
        )

        assert problem(response) == (415, "unsupported-media-type")

    def test_a_body_that_is_too_large(self, door: Partner) -> None:
        response = door.post("issuances", {"token": "A" * 65_536})

        assert problem(response) == (413, "request-too-large")

    def test_errors_point_to_every_place_that_is_wrong(self, door: Partner) -> None:
        response = door.post("issuances", {"token": 7, "quantity": 600, "colour": "red"})

        assert problem(response) == (400, "invalid-request")
        assert response.json()["errors"] == [
            {"pointer": "#/colour", "detail": "No such member is known here.", "code": "unknown"}
        ]

    def test_a_bug_tells_nothing_but_that_it_is_one(
        self, door: Partner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("issuer.api.v1.tokens.token_documents", None)

        response = door.get("tokens")

        assert problem(response) == (500, "internal-error")
        assert "NoneType" not in response.content.decode()

    def test_a_bug_elsewhere_is_a_page(self, rf: RequestFactory) -> None:
        response = problems.server_error(rf.get("/"))

        assert response.status_code == 500
        assert response.headers["Content-Type"].startswith("text/html")
