"""What nodes answer, and what counts as an answer."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from issuer.chain.errors import ChainUnavailable, NodeRefused
from issuer.chain.rpc import Call, FirstThatAnswers, HttpJsonRpc

Answer = Callable[[Any], tuple[int, bytes]]


class Node:
    """An HTTP server on this machine that answers as the test says."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: (200, b"")
        self.requests: list[Any] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                node.requests.append(body)
                status, content = node.answer(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_request(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/secret-key-in-the-path"

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.stop()


@pytest.fixture
def rpc(node: Node) -> Iterator[HttpJsonRpc]:
    rpc = HttpJsonRpc(node.url, timeout_seconds=1)
    yield rpc
    rpc.close()


def answering(*results: Any) -> Answer:
    """Answer each request of a call or a batch with the next of `results`."""

    def answer(body: Any) -> tuple[int, bytes]:
        requests = body if isinstance(body, list) else [body]
        answers = [
            {"jsonrpc": "2.0", "id": request["id"], "result": result}
            for request, result in zip(requests, results, strict=True)
        ]
        return 200, json.dumps(answers if isinstance(body, list) else answers[0]).encode()

    return answer


class TestCall:
    def test_sends_a_request_and_returns_its_result(self, node: Node, rpc: HttpJsonRpc) -> None:
        node.answer = answering("0x7a69")

        assert rpc.call("eth_chainId", [], result=str) == "0x7a69"

        [request] = node.requests
        assert (request["jsonrpc"], request["method"], request["params"]) == (
            "2.0",
            "eth_chainId",
            [],
        )

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param((200, b""), id="nothing"),
            pytest.param((200, b"<html>Bad gateway</html>"), id="HTML"),
            pytest.param((200, b"null"), id="null"),
            pytest.param((200, b"[]"), id="an empty batch"),
            pytest.param((200, b'{"jsonrpc":"2.0","id":1}'), id="no result"),
            pytest.param((200, b'{"jsonrpc":"2.0","id":1,"result":null}'), id="a null result"),
            pytest.param((200, b'{"jsonrpc":"2.0","id":1,"result":7}'), id="another type"),
            pytest.param((200, b'{"jsonrpc":"2.0","id":99,"result":"0x1"}'), id="another id"),
            pytest.param((200, b'{"jsonrpc":"2.0","id":null,"result":"0x1"}'), id="no id"),
            pytest.param((200, b'{"jsonrpc":"1.0","id":1,"result":"0x1"}'), id="another version"),
            pytest.param((200, b'{"jsonrpc":"2.0","id":1,"result":"0x'), id="cut off"),
            pytest.param((302, b""), id="a redirect"),
            pytest.param((429, b"slow down"), id="too many requests"),
            pytest.param((500, b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'), id="HTTP 500"),
        ],
    )
    def test_takes_no_other_answer(
        self, node: Node, rpc: HttpJsonRpc, answer: tuple[int, bytes]
    ) -> None:
        node.answer = lambda _: answer

        with pytest.raises(ChainUnavailable) as refusal:
            rpc.call("eth_chainId", [], result=str)

        assert "secret" not in refusal.value.detail

    def test_is_rid_of_the_key_that_a_node_repeats(self, node: Node, rpc: HttpJsonRpc) -> None:
        error = {"code": -32005, "message": f"Over the limit of {node.url}?q", "data": node.url}
        node.answer = lambda asked: (
            200,
            json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode(),
        )

        with pytest.raises(NodeRefused) as refusal:
            rpc.call("eth_chainId", [], result=str)

        assert "/[redacted]?q" in refusal.value.detail
        assert "secret" not in refusal.value.message + refusal.value.data

    @pytest.mark.parametrize(
        "address",
        [
            "http://user:s3cret-of-the-desk@127.0.0.1:9/",
            "http://127.0.0.1:9/v3/s3cret-of-the-desk",
            "http://127.0.0.1:9/?chain=1&apikey=s3cret-of-the-desk",
            "http://s3cret-of-the-desk-as-a-label.invalid:9/",
        ],
    )
    def test_names_no_key_wherever_the_address_has_it(self, address: str) -> None:
        with pytest.raises(ChainUnavailable) as refusal:
            HttpJsonRpc(address, timeout_seconds=1).call("eth_chainId", [], result=str)

        assert "s3cret" not in refusal.value.detail

    def test_does_not_wait_for_ever(self, node: Node, rpc: HttpJsonRpc) -> None:
        waited = threading.Event()

        def answer(_: Any) -> tuple[int, bytes]:
            waited.wait(5)
            return 200, b""

        node.answer = answer

        with pytest.raises(ChainUnavailable) as refusal:
            rpc.call("eth_chainId", [], result=str)

        waited.set()
        assert refusal.value.detail == "127.0.0.1 did not answer: ReadTimeout."

    def test_says_so_if_nobody_listens(self, node: Node) -> None:
        silent = HttpJsonRpc("http://127.0.0.1:9/secret-key-in-the-path")

        with pytest.raises(ChainUnavailable) as refusal:
            silent.call("eth_chainId", [], result=str)

        silent.close()
        assert refusal.value.detail == "127.0.0.1 did not answer: ConnectError."

    @pytest.mark.parametrize(
        ("data", "expected"), [("0x5c40d0b1", "0x5c40d0b1"), (None, ""), ({"a": 1}, "")]
    )
    def test_passes_the_nodes_own_error_on(
        self, node: Node, rpc: HttpJsonRpc, data: Any, expected: str
    ) -> None:
        error = {"code": 3, "message": "execution reverted", "data": data}
        node.answer = lambda body: (
            200,
            json.dumps({"jsonrpc": "2.0", "id": body["id"], "error": error}).encode(),
        )

        with pytest.raises(NodeRefused) as refusal:
            rpc.call("eth_call", [], result=str)

        assert refusal.value.error_code == 3
        assert refusal.value.message == "execution reverted"
        assert refusal.value.data == expected


class TestBatch:
    def test_returns_results_in_the_order_of_its_calls(self, node: Node, rpc: HttpJsonRpc) -> None:
        def backwards(body: Any) -> tuple[int, bytes]:
            status, content = answering("first", "second")(body)
            return status, json.dumps(json.loads(content)[::-1]).encode()

        node.answer = backwards

        assert rpc.batch([Call("a", [], str), Call("b", [], str)]) == ["first", "second"]

    def test_asks_nothing_for_no_calls(self, node: Node, rpc: HttpJsonRpc) -> None:
        assert rpc.batch([]) == []
        assert node.requests == []

    def test_takes_null_only_where_it_means_something(self, node: Node, rpc: HttpJsonRpc) -> None:
        node.answer = answering(None)

        assert rpc.batch([Call("eth_getTransactionReceipt", [], str, nullable=True)]) == [None]
        with pytest.raises(ChainUnavailable):
            rpc.batch([Call("eth_blockNumber", [], str)])

    @pytest.mark.parametrize(
        "ids", [pytest.param([1], id="one short"), pytest.param([1, 1], id="one twice")]
    )
    def test_wants_every_answer_once(self, node: Node, rpc: HttpJsonRpc, ids: list[int]) -> None:
        answers = [{"jsonrpc": "2.0", "id": each, "result": "0x1"} for each in ids]
        node.answer = lambda _: (200, json.dumps(answers).encode())

        with pytest.raises(ChainUnavailable):
            rpc.batch([Call("a", [], str), Call("b", [], str)])


class TestFirstThatAnswers:
    def test_goes_on_to_the_next_where_one_is_silent(self, node: Node, rpc: HttpJsonRpc) -> None:
        node.answer = answering("0x1")
        silent = HttpJsonRpc("http://127.0.0.1:9/")
        nodes = FirstThatAnswers([silent, rpc])

        assert nodes.call("eth_chainId", [], result=str) == "0x1"
        assert nodes.batch([Call("eth_chainId", [], str)]) == ["0x1"]

        silent.close()

    def test_takes_a_refusal_for_an_answer(self, node: Node, rpc: HttpJsonRpc) -> None:
        error = {"code": -32000, "message": "insufficient funds"}
        node.answer = lambda body: (
            200,
            json.dumps({"jsonrpc": "2.0", "id": body["id"], "error": error}).encode(),
        )

        with pytest.raises(NodeRefused):
            FirstThatAnswers([rpc, rpc]).call("eth_estimateGas", [], result=str)

        assert len(node.requests) == 1

    def test_reports_the_silence_of_the_last(self) -> None:
        silent = HttpJsonRpc("http://127.0.0.1:9/")

        with pytest.raises(ChainUnavailable):
            FirstThatAnswers([silent, silent]).call("eth_chainId", [], result=str)

        silent.close()
