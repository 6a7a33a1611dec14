"""Questions over HTTP to servers of one model: bounded, retried, and shared between them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Event, Thread
from typing import Any, TypeVar

from httpx2 import Client, HTTPError, Response, Timeout
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from rl_faith.errors import ModelError, one_line

log = logging.getLogger(__name__)
T = TypeVar("T")
Body = dict[str, Any]

# Requests that wait for one server at a time.
_IN_FLIGHT = 4
_CONNECT_SECONDS = 10.0
_FIRST_SECONDS = 30.0
_LEAST_ATTEMPTS = 3
# How long a request waits before its server is asked whether it is there, and for that answer.
_CHECK_SECONDS = 8.0


@dataclass(frozen=True)
class Server:
    """A server, and what it calls the model."""

    url: str
    model: str


class _PassingError(Exception):
    """A failure after which asking again makes sense."""


class Fleet:
    """Servers of one model. A request that fails at one goes to the next.

    A busy server still lists its models at once; one that does not is taken for dead.

    Args:
        servers: At least one.
        timeout: Seconds that one request may take while the server says that it is there.
        patience: Seconds for which a request is repeated while every server fails.
    """

    def __init__(self, servers: Sequence[Server], *, timeout: float, patience: float) -> None:
        self.servers, self.patience = tuple(servers), patience
        self._client = Client(timeout=Timeout(timeout, connect=_CONNECT_SECONDS))

    def ask(self, bodies: Sequence[Body], read: Callable[[Body, Any], T]) -> list[T]:
        """Post each body to /v1/completions; return what `read` makes of the answers, in order.

        Args:
            bodies: Each without its model, which servers may call differently.
            read: Of a body and its answer; raises for one that is none.

        Raises:
            ModelError: a server refused a question, or none answered it for too long.
        """
        over = Event()
        with ThreadPoolExecutor(_IN_FLIGHT * len(self.servers)) as pool:
            asked = [
                pool.submit(self._patiently, over, read, number, body)
                for number, body in enumerate(bodies)
            ]
            try:
                for answer in as_completed(asked):
                    answer.result()
            finally:
                # After an error, or Ctrl-C, no other request is begun or repeated.
                over.set()
                pool.shutdown(cancel_futures=True)
        return [answer.result() for answer in asked]

    def _patiently(self, over: Event, read: Callable[[Body, Any], T], number: int, body: Body) -> T:
        turns = (self.servers[i % len(self.servers)] for i in count(number))
        retrying = Retrying(
            sleep=sleep_using_event(over),
            stop=stop_when_event_set(over)
            | (stop_after_attempt(_LEAST_ATTEMPTS) & stop_after_delay(self.patience)),
            wait=wait_random_exponential(multiplier=0.5, max=15),
            retry=retry_if_exception_type(_PassingError),
            before_sleep=_say,
            reraise=True,
        )
        try:
            answer: T = retrying(self._once, turns, body, read)
            return answer
        except _PassingError as failure:
            raise ModelError(
                f"{failure}; when it answers again, run the same command again to go on"
            ) from None

    def _once(self, turns: Iterator[Server], body: Body, read: Callable[[Body, Any], T]) -> T:
        server = next(turns)
        try:
            answer = self._posted(server, body)
        except HTTPError as error:
            raise _PassingError(
                f"the server at {server.url} does not answer ({_named(error)})"
            ) from None
        _check(server.url, answer)
        try:
            return read(body, answer.json())
        except Exception as error:  # what answers may be anything
            raise _PassingError(
                f"the server at {server.url} answered what is no completion ({_named(error)})"
            ) from None

    def _posted(self, server: Server, body: Body) -> Response:
        """The answer to a request; while it is awaited, the server must say that it is there."""
        answer = Future[Response]()
        url, whole = f"{server.url}/v1/completions", {**body, "model": server.model}
        # Nobody waits for the thread of a server that is dead, the end of the program neither.
        post = partial(_resolve, answer, partial(self._client.post, url, json=whole))
        Thread(target=post, daemon=True).start()
        while not wait([answer], _CHECK_SECONDS).done:
            self._client.get(f"{server.url}/v1/models", timeout=_CHECK_SECONDS)
        return answer.result()


def _resolve(answer: Future[Response], post: Callable[[], Response]) -> None:
    try:
        answer.set_result(post())
    except Exception as error:
        answer.set_exception(error)


def models_at(url: str) -> list[dict[str, Any]]:
    """The entries of /v1/models.

    Raises:
        ModelError: nothing answers there, or something else than an OpenAI-compatible server.
    """
    try:
        with Client(timeout=_FIRST_SECONDS) as client:
            answer = client.get(f"{url}/v1/models").raise_for_status()
    except HTTPError as error:
        raise ModelError(
            f"no server answers at {url} ({_named(error)}); start one with scripts/serve.sh"
        ) from None
    try:
        return [{**card, "id": str(card["id"])} for card in answer.json()["data"]]
    except (LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"what answers at {url} is no OpenAI-compatible server ({_named(error)})"
        ) from None


def _check(url: str, answer: Response) -> None:
    if answer.status_code == 429 or answer.is_server_error:
        raise _PassingError(f"the server at {url} answered with {answer.status_code}")
    if not answer.is_success:
        raise ModelError(
            f"the server at {url} refused a question with {answer.status_code}: "
            f"{one_line(answer.text)[:300]}"
        )


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)[:200]}"


def _say(state: RetryCallState) -> None:
    failure = state.outcome.exception() if state.outcome else None
    log.warning("%s; asking again", failure)
