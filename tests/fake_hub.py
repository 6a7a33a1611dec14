"""A stand-in for the Hub: takes what huggingface_hub sends it, and keeps every commit."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class FakeHub:
    """What was sent.

    Attributes:
        url: For `HF_ENDPOINT`.
        created: Bodies of the requests for a repository.
        commits: Of each commit its first line, and the files by path.
        tokens: What authorised the requests that change something.
    """

    url: str = ""
    created: list[dict] = field(default_factory=list)
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    @property
    def files(self) -> dict[str, bytes]:
        """What the repository holds behind the last commit."""
        return {path: content for _, files in self.commits for path, content in files.items()}


@contextmanager
def serving() -> Iterator[FakeHub]:
    """Run one on a free port."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._take()

        def do_HEAD(self):
            self._take()

        def do_POST(self):
            self._take()

        def _take(self):
            if "/commit/" in self.path or self.path == "/api/repos/create":
                hub.tokens.add(self.headers.get("Authorization"))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = _answer(hub, self.path.partition("?")[0], body)
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or {}).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()


def _answer(hub: FakeHub, path: str, body: bytes) -> dict | None:
    """What the Hub says; None where it has nothing."""
    if path == "/api/repos/create":
        hub.created.append(json.loads(body))
        told = hub.created[-1]
        return {"url": f"{hub.url}/{told.get('organization', 'someone')}/{told['name']}"}
    if "/preupload/" in path:
        # All small enough to stand in the commit itself.
        files = json.loads(body)["files"]
        return {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False,
                           "oid": None} for f in files]}  # fmt: skip
    if "/commit/" in path:
        lines = [json.loads(line) for line in body.splitlines()]
        files = {line["value"]["path"]: base64.b64decode(line["value"]["content"])
                 for line in lines if line["key"] == "file"}  # fmt: skip
        hub.commits.append((lines[0]["value"]["summary"], files))
        repo, oid = path.split("/")[3:5], f"{len(hub.commits):040d}"
        return {
            "success": True,
            "commitOid": oid,
            "commitUrl": f"{hub.url}/{'/'.join(repo)}/commit/{oid}",
        }
    return {} if path == "/api/validate-yaml" else None
