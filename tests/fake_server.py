"""A small HTTP server that answers as `vllm serve` does, as far as a policy sees it."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch

CONTEXT = 512
END = 2


def cost(prompt, token):
    """Log-probability of a token behind a prompt, by a rule that a test can repeat."""
    return -6 - (31 * sum(prompt) + 7 * len(prompt) + token) % 97 / 10


def written(prompt, most):
    """The reply to a prompt."""
    return [*prompt[-3:], END][:most]


class FakeServer(ThreadingHTTPServer):
    """Serves one model.

    Args:
        cards: What /v1/models lists.
        faults: What to do with the first requests for completions instead of answering.
        understands: Of logprob_token_ids and allowed_token_ids, what the server takes.
        alone: The log-probability of an only allowed token; None for the true one.
        cost: Log-probability of a token behind a prompt.
        written: The reply to a prompt.
    """

    daemon_threads = True

    def __init__(
        self,
        cards: Iterable[dict] = ({"id": "toy", "max_model_len": CONTEXT},),
        faults: Iterable[Callable] = (),
        understands=("logprob_token_ids", "allowed_token_ids"),
        alone: float | None = None,
        cost=cost,
        written=written,
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cards, self.faults, self.understands = list(cards), deque(faults), understands
        self.alone, self.cost, self.written = alone, cost, written
        self.bodies: list[dict] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that gave up is part of the tests."""

    def choice(self, index, prompt, body):
        """What a prompt gets."""
        known = {key: body[key] for key in self.understands if key in body}
        tokens = known.get("logprob_token_ids") or known.get("allowed_token_ids") or [5]
        only = self.alone if "allowed_token_ids" in known else None
        step = {f"token_id:{t}": self.cost(prompt, t) if only is None else only for t in tokens}
        return {
            "index": index,
            "logprobs": {"top_logprobs": [step]} if body.get("logprobs") else None,
            "token_ids": self.written(prompt, body["max_tokens"]),
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send({"data": self.server.cards})

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.busy += 1
            server.most_busy = max(server.busy, server.most_busy)
            fault = server.faults.popleft() if server.faults else None
        try:
            if fault is None:
                choices = [server.choice(i, p, body) for i, p in enumerate(body["prompt"])]
                # Their order is no promise.
                self.send({"choices": choices[::-1], "usage": usage(body)})
            else:
                fault(self)
        finally:
            with server.lock:
                server.busy -= 1

    def send(self, content, status=200):
        """Answer with JSON, or with text as it is."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Say nothing."""


def usage(body):
    """Every prompt's first token was in the cache."""
    return {"prompt_tokens_details": {"cached_tokens": len(body["prompt"])}}


def failing(status):
    """Answer with an error."""
    return lambda handler: handler.send({"error": {"message": "out of order"}}, status)


def saying(content):
    """Answer with something else."""
    return lambda handler: handler.send(content)


def hanging(handler):
    """Answer when nobody waits any more."""
    time.sleep(1.5)
    handler.close_connection = True


def hanging_up(handler):
    """Close the connection without an answer."""
    handler.connection.close()
    handler.close_connection = True


def like(policy):
    """How a server answers that has the model of a policy on transformers."""
    lock = threading.Lock()

    def cost(prompt, token):
        with lock, torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([prompt])).logits[0, -1]
        return logits.log_softmax(-1)[token].item()

    def written(prompt, most):
        with lock, torch.no_grad():
            ids = torch.tensor([prompt])
            whole = policy.model.generate(
                input_ids=ids, attention_mask=ids * 0 + 1, do_sample=False, max_new_tokens=most
            )
        return whole[0, len(prompt) :].tolist()

    return {"cost": cost, "written": written}


@contextmanager
def running(**how):
    """A server that runs until the test ends."""
    server = FakeServer(**how)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
