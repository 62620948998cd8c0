"""The OpenAPI document, and the page that shows it."""

import json
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from issuer.api import problems
from issuer.api.documentation import OF_PARTNERS, OF_WRITES

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return generated()


def generated() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    document: dict[str, Any] = generator(api_version="v1").get_schema(public=True)
    return document


def operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def codes_of(operation: dict[str, Any]) -> set[str]:
    problem_answers = [
        answer["content"][problems.CONTENT_TYPE]
        for answer in operation["responses"].values()
        if problems.CONTENT_TYPE in answer.get("content", {})
    ]
    return {
        example["value"]["code"]
        for answer in problem_answers
        for example in answer["examples"].values()
    }


class TestSchema:
    def test_is_generated_without_a_warning(self) -> None:
        GENERATOR_STATS.reset()

        document = generated()

        assert not GENERATOR_STATS
        validate_schema(document)  # type: ignore[no-untyped-call]  # the library has no types
        assert document["openapi"].startswith("3.1")

    def test_describes_every_operation(self, schema: dict[str, Any]) -> None:
        assert sorted(operation["operationId"] for _, operation in operations(schema)) == [
            "bind_wallet",
            "cancel_issuance",
            "cancel_redemption",
            "challenge_wallet",
            "get_attestation",
            "get_attestation_document",
            "get_attestation_package",
            "get_attestation_pdf",
            "get_issuance",
            "get_redemption",
            "get_reserves",
            "get_token",
            "list_attestations",
            "list_issuances",
            "list_redemptions",
            "list_reserves",
            "list_tokens",
            "list_wallets",
            "request_issuance",
            "request_redemption",
        ]

    def test_names_the_problems_of_every_operation(self, schema: dict[str, Any]) -> None:
        for name, operation in operations(schema):
            codes = codes_of(operation)
            assert codes <= set(problems.catalog()), name
            assert "internal-error" in codes, name
            if {"apiKey": []} in operation.get("security", []):
                assert {refusal.code for refusal in OF_PARTNERS} <= codes, name
            if name.startswith("post"):
                assert {refusal.code for refusal in OF_WRITES} <= codes, name

    def test_only_reserves_tokens_and_attestations_are_public(self, schema: dict[str, Any]) -> None:
        public = {
            operation["operationId"]
            for _, operation in operations(schema)
            if {"apiKey": []} not in operation.get("security", [])
        }

        assert {name.split("_")[1] for name in public} == {
            "attestation",
            "attestations",
            "reserves",
            "token",
            "tokens",
        }

    def test_a_quantity_is_a_string(self, schema: dict[str, Any]) -> None:
        quantity = schema["components"]["schemas"]["IssuanceInput"]["properties"]["quantity"]

        assert quantity["type"] == "string"

    def test_can_be_fetched(self, client: Client) -> None:
        response = client.get("/api/v1/schema", headers={"Accept": "application/json"})

        assert response.status_code == 200
        assert json.loads(response.content)["info"]["title"] == "Issuer"


class TestPage:
    def test_shows_the_document_without_any_other_site(self, client: Client) -> None:
        page = client.get("/api/v1/docs/").content.decode()

        assert "drf_spectacular_sidecar/redoc" in page
        assert "cdn.jsdelivr" not in page
        assert finders.find("drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js")
