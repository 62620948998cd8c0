"""How operations are described, so that the OpenAPI document names every answer and problem."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from issuer.api import errors, idempotency, problems
from issuer.foundation.errors import DomainError

#: What every operation that only partners reach may refuse.
OF_PARTNERS: Final = (
    errors.KeyMissing,
    errors.KeyInvalid,
    errors.KeyExpired,
    errors.KeyRevoked,
    errors.ScopeMissing,
)
#: What every operation that changes something may refuse besides.
OF_WRITES: Final = (
    errors.IdempotencyKeyMissing,
    errors.IdempotencyKeyReused,
    errors.RequestTooLarge,
    errors.Busy,
)
INVALID_REQUEST: Final = "invalid-request"
OF_BODIES: Final = (INVALID_REQUEST, "malformed-json", "unsupported-media-type")
OF_EVERYTHING: Final = ("not-acceptable", problems.INTERNAL_ERROR[0])

IDEMPOTENCY_KEY: Final = OpenApiParameter(
    idempotency.HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="1 to 128 printable ASCII characters that stand for this request. The same key "
    f"with the same request repeats the first answer, with `{idempotency.REPLAYED}: true`.",
)
IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of what you have; if that is still so, the answer is 304.",
)


class PlaceOutput(serializers.Serializer):
    """One thing that is wrong with a request, and where."""

    pointer = serializers.CharField(
        required=False, help_text="JSON Pointer (RFC 6901) into the body, as a fragment."
    )
    parameter = serializers.CharField(required=False, help_text="Name of a query parameter.")
    detail = serializers.CharField()
    code = serializers.CharField()


#: A refusal (RFC 9457). Not a class, for a serializer has an attribute `errors` of its own.
PROBLEM: Final = inline_serializer(
    "Problem",
    {
        "type": serializers.URLField(help_text="The page that explains the code."),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="This occurrence, in words; may change."),
        "code": serializers.CharField(help_text="Stable: branch on it."),
        "facts": serializers.DictField(
            child=serializers.CharField(), required=False, help_text="This occurrence, as values."
        ),
        "errors": PlaceOutput(many=True, required=False),
    },
)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped
    """Describes the keys of partners."""

    target_class = "issuer.api.authentication.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "iss_<prefix>_<secret>",
            "description": "A key that an officer of the issuer issued to you.",
        }


def reads(
    operation_id: str,
    summary: str,
    answer: Any,
    *,
    refusals: Sequence[type[DomainError]] = (),
    parameters: Sequence[OpenApiParameter] = (),
    public: bool = False,
    media_type: str = "application/json",
    cached: bool = False,
) -> Callable[..., Any]:
    """Describe an operation that changes nothing."""
    refused: list[type[DomainError] | str] = [*refusals, *OF_EVERYTHING]
    if parameters:
        refused.append(INVALID_REQUEST)
    if not public:
        refused.extend(OF_PARTNERS)
    answers: dict[Any, Any] = {(HTTPStatus.OK.value, media_type): answer}
    if cached:
        answers[HTTPStatus.NOT_MODIFIED.value] = OpenApiResponse(description="What you have.")
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        parameters=[*parameters, *([IF_NONE_MATCH] if cached else [])],
        responses=answers | _problem_answers(refused),
        auth=[] if public else None,
    )


def writes(
    operation_id: str,
    summary: str,
    body: Any,
    answer: Any,
    *,
    status: HTTPStatus = HTTPStatus.CREATED,
    refusals: Sequence[type[DomainError]] = (),
) -> Callable[..., Any]:
    """Describe an operation that changes something, once per Idempotency-Key."""
    refused: list[type[DomainError] | str] = [*refusals, *OF_PARTNERS, *OF_WRITES, *OF_EVERYTHING]
    if body is not None:
        refused.extend(OF_BODIES)
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        request=body,
        parameters=[IDEMPOTENCY_KEY],
        responses={status.value: answer} | _problem_answers(refused),
    )


def _problem_answers(refused: Sequence[type[DomainError] | str]) -> dict[Any, Any]:
    """Return one answer per status, which lists its codes and shows an example of each."""
    by_status: dict[HTTPStatus, set[str]] = defaultdict(set)
    for each in refused:
        code = each if isinstance(each, str) else each.code
        by_status[problems.catalog()[code][0]].add(code)
    return {
        (status.value, problems.CONTENT_TYPE): OpenApiResponse(
            PROBLEM,
            description="One of: " + ", ".join(f"`{code}`" for code in sorted(codes)) + ".",
            examples=[_example(code) for code in sorted(codes)],
        )
        for status, codes in sorted(by_status.items())
    }


def _example(code: str) -> OpenApiExample:
    status, title = problems.catalog()[code]
    value = problems.body(status, code, title, "This occurrence, in words.")
    return OpenApiExample(code, value=value, response_only=True)
