"""The fault proxy does to bytes what it is told, and nothing else."""

import socket
import threading
from collections.abc import Iterator

import pytest

from infra.client import until
from tests.fault.lab.proxy import DOWN, UP, Network


class Echo:
    """A server that answers every byte with itself, and keeps what it heard."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.heard = bytearray()
        self.pieces: list[int] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            while piece := connection.recv(65536):
                self.heard += piece
                self.pieces.append(len(piece))
                connection.sendall(piece)
            connection.sendall(b"!")  # it can still speak after the caller has closed its half
            connection.close()
        except OSError:
            return

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def network(echo: Echo) -> Iterator[Network]:
    made = Network()
    made.link("echo", echo.port)
    yield made
    made.close()


@pytest.fixture
def caller(network: Network) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", network.links["echo"].port), timeout=10) as made:
        yield made


def ask(caller: socket.socket, text: bytes) -> bytes:
    caller.sendall(text)
    return whole(caller, len(text))


def whole(caller: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (piece := caller.recv(size - len(found))):
        found += piece
    return found


def test_on_a_clear_day_bytes_pass_both_ways_and_a_half_close_too(caller: socket.socket) -> None:
    text = b"0123456789" * 50_000
    threading.Thread(target=caller.sendall, args=(text,), daemon=True).start()
    assert whole(caller, len(text)) == text
    caller.shutdown(socket.SHUT_WR)
    assert whole(caller, 2) == b"!", "the server heard the end and had the last word"


@pytest.mark.parametrize(("deaf", "arrives"), [(UP, b""), (DOWN, b"lost")])
def test_a_blackhole_swallows_one_direction_and_the_connection_stays(
    network: Network, caller: socket.socket, echo: Echo, deaf: str, arrives: bytes
) -> None:
    network.set("echo", blackholes=frozenset({deaf}))
    caller.sendall(b"lost")
    caller.settimeout(0.3)
    with pytest.raises(TimeoutError):
        caller.recv(10)
    assert bytes(echo.heard) == arrives
    network.clear("echo")
    with pytest.raises(ConnectionResetError):
        assert caller.recv(10) != b"", "a connection with a hole in it is reset when the day clears"


def test_a_reset_comes_after_the_bytes_that_were_allowed(network: Network, caller: socket.socket, echo: Echo) -> None:
    network.set("echo", reset_after=6)
    caller.sendall(b"0123456789")
    with pytest.raises(ConnectionResetError):
        assert caller.recv(100) != b""
    assert bytes(echo.heard) in (b"", b"012345"), "a reset may lose what was under way, never more passes"


def test_reset_now_ends_every_connection_and_the_next_one_is_good(network: Network, caller: socket.socket) -> None:
    assert ask(caller, b"a") == b"a"
    assert network.reset("echo") == 1
    with pytest.raises(ConnectionResetError):
        assert caller.recv(1) != b""
    with socket.create_connection(("127.0.0.1", network.links["echo"].port), timeout=10) as again:
        assert ask(again, b"b") == b"b"


def test_a_half_close_ends_what_the_server_says_while_the_caller_is_still_heard(
    network: Network, caller: socket.socket, echo: Echo
) -> None:
    assert ask(caller, b"a") == b"a"
    assert network.half_close("echo") == 1
    assert caller.recv(1) == b"", "end of stream"
    caller.sendall(b"still here")
    caller.close()
    until(lambda: bytes(echo.heard) == b"astill here", 10, "the server to hear it")


def test_slices_are_small_pieces_of_the_same_bytes(network: Network, caller: socket.socket, echo: Echo) -> None:
    network.set("echo", slice=3, latency=0.005)
    assert ask(caller, b"0123456789") == b"0123456789"
    assert len(echo.pieces) > 1 and max(echo.pieces) < 10


def test_refusal_ends_new_connections_only(network: Network, caller: socket.socket) -> None:
    assert ask(caller, b"a") == b"a"
    network.set("echo", refuse=True)
    with pytest.raises(ConnectionError):
        ask(socket.create_connection(("127.0.0.1", network.links["echo"].port), timeout=10), b"x")
    assert ask(caller, b"b") == b"b", "the old one lives"


def test_latency_and_rate_delay_and_a_clear_day_ends_the_wait(network: Network, caller: socket.socket) -> None:
    network.set("echo", latency=3600.0)
    caller.sendall(b"late")
    caller.settimeout(0.2)
    with pytest.raises(TimeoutError):
        caller.recv(10)
    network.clear("echo")
    caller.settimeout(10)
    assert whole(caller, 4) == b"late", "delayed is not lost"
    network.set("echo", rate=1.0)
    caller.sendall(b"x" * 3600)
    caller.settimeout(0.2)
    with pytest.raises(TimeoutError):
        caller.recv(1)
