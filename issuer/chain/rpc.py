"""JSON-RPC 2.0 over HTTP: a well-formed answer, or `ChainUnavailable`."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

import httpx
import msgspec
import structlog

from issuer.chain.errors import ChainUnavailable, NodeRefused

TIMEOUT_SECONDS: Final = 10
NULL: Final = b"null"
#: Shorter parts of a node's address are no keys: mainnet, v2, the name of a vendor.
SECRET_LENGTH_MIN: Final = 12
_REDACTED: Final = "[redacted]"

Result = TypeVar("Result")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request, and the type that its result must have; None too, where `nullable`."""

    method: str
    params: Sequence[Any]
    result: type[Result]
    nullable: bool = False


class JsonRpc(Protocol):
    """Asks one node. Every method raises `ChainUnavailable` rather than guess."""

    def call(self, method: str, params: Sequence[Any], *, result: type[Result]) -> Result:
        """Return the result of one request; `NodeRefused` carries the node's own error."""

    def batch(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Return the results of several requests, in their order, asked of one node at once."""


class _Error(msgspec.Struct):
    code: int
    message: str
    data: Any = None


class _Answer(msgspec.Struct):
    jsonrpc: str
    id: int | None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: _Error | None = None


class HttpJsonRpc:
    """A `JsonRpc` over HTTP.

    Nodes' addresses carry keys, so messages name the host alone; and what a node says is rid of
    them before anybody reads it, for some repeat the address they were asked at.
    """

    def __init__(self, url: str, *, timeout_seconds: int = TIMEOUT_SECONDS) -> None:
        self._url = url
        parts = urlsplit(url)
        self._secrets = _secrets_of(parts)
        self._host = parts.hostname or "?"
        for label in self._host.split("."):
            if label in self._secrets:
                self._host = self._host.replace(label, _REDACTED)
        self._client = httpx.Client(timeout=timeout_seconds)
        self._ids = itertools.count(1)

    def call(self, method: str, params: Sequence[Any], *, result: type[Result]) -> Result:
        asked = Call(method, params, result)
        [request] = self._requests([asked])
        answer = self._decode(self._post(request), _Answer)
        return self._read(self._result(asked, request["id"], answer), asked)

    def batch(self, calls: Sequence[Call[Any]]) -> list[Any]:
        if not calls:
            return []
        requests = self._requests(calls)
        answers = self._decode(self._post(requests), list[_Answer])
        by_id = {answer.id: answer for answer in answers}
        if len(answers) != len(requests) or by_id.keys() != {each["id"] for each in requests}:
            raise ChainUnavailable(f"{self._host} left requests of a batch without an answer.")
        results = [
            self._result(asked, request["id"], by_id[request["id"]])
            for asked, request in zip(calls, requests, strict=True)
        ]
        return [
            None if asked.nullable and result == NULL else self._read(result, asked)
            for asked, result in zip(calls, results, strict=True)
        ]

    def close(self) -> None:
        """Close the connections to the node."""
        self._client.close()

    def _requests(self, calls: Sequence[Call[Any]]) -> list[dict[str, Any]]:
        return [
            {
                "jsonrpc": "2.0",
                "id": next(self._ids),
                "method": asked.method,
                "params": list(asked.params),
            }
            for asked in calls
        ]

    def _post(self, body: dict[str, Any] | list[dict[str, Any]]) -> bytes:
        try:
            response = self._client.post(
                self._url,
                content=msgspec.json.encode(body),
                headers={"Content-Type": "application/json"},
            )
        except httpx.HTTPError as exc:
            problem = type(exc).__name__  # its text may repeat the address
            raise ChainUnavailable(f"{self._host} did not answer: {problem}.") from None
        if response.status_code != httpx.codes.OK:
            raise ChainUnavailable(f"{self._host} answered HTTP {response.status_code}.")
        content = response.content
        for secret in self._secrets:
            content = content.replace(secret.encode(), _REDACTED.encode())
        return content

    def _decode(self, content: bytes, shape: type[Result]) -> Result:
        try:
            return msgspec.json.decode(content, type=shape)
        except msgspec.MsgspecError as exc:
            raise ChainUnavailable(f"{self._host} did not answer in JSON-RPC: {exc}.") from exc

    def _result(self, asked: Call[Any], request_id: int, answer: _Answer) -> bytes:
        if answer.error is not None:
            raise NodeRefused(
                asked.method,
                error_code=answer.error.code,
                message=answer.error.message,
                data=answer.error.data if isinstance(answer.error.data, str) else "",
            )
        if answer.jsonrpc != "2.0" or answer.id != request_id:
            raise ChainUnavailable(f"{self._host} answered another request than {asked.method}.")
        return bytes(answer.result)

    def _read(self, result: bytes, asked: Call[Result]) -> Result:
        try:
            return msgspec.json.decode(result, type=asked.result)
        except msgspec.MsgspecError as exc:
            detail = f"{self._host} answered {asked.method} in another form: {exc}."
            raise ChainUnavailable(detail) from exc


def _secrets_of(parts: SplitResult) -> list[str]:
    """Return what in a node's address may be a key, the longest first."""
    named = [value for _, value in parse_qsl(parts.query)]
    where = [*parts.path.split("/"), *parts.netloc.rpartition("@")[0].split(":"), *named]
    keys = {part for part in where if len(part) >= SECRET_LENGTH_MIN}
    # A label of the host is one where a vendor gives each customer a name that is their key.
    labels = (parts.hostname or "").split(".")
    keys |= {label for label in labels if len(label) >= 2 * SECRET_LENGTH_MIN}
    return sorted(keys, key=lambda key: (-len(key), key))


class FirstThatAnswers:
    """A `JsonRpc` over several nodes: asks each in turn until one answers.

    A node's refusal is an answer. If none does, the last one's silence is reported.
    """

    def __init__(self, nodes: Sequence[JsonRpc]) -> None:
        assert nodes, "no node, no answer"
        self._nodes = nodes

    def call(self, method: str, params: Sequence[Any], *, result: type[Result]) -> Result:
        return self._first(lambda node: node.call(method, params, result=result))

    def batch(self, calls: Sequence[Call[Any]]) -> list[Any]:
        return self._first(lambda node: node.batch(calls))

    def _first(self, ask: Callable[[JsonRpc], Result]) -> Result:
        *others, last = self._nodes
        for node in others:
            try:
                return ask(node)
            except NodeRefused:
                raise
            except ChainUnavailable as silence:
                logger.warning("chain.node_silent", reason=silence.detail)
        return ask(last)
