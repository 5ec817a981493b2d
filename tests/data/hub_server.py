"""A hub of datasets on this machine that speaks as much of the Hugging Face hub's protocol as it takes to read one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

Files = Mapping[str, bytes]


def commit_of(files: Files) -> str:
    """The commit of a dataset with these files."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


class Hub(ThreadingHTTPServer):
    """owner/name → its commits, the last of which is `main`; names in `gated` are seen, but not read."""

    daemon_threads = True

    def __init__(self, repos: Mapping[str, list[Files]], gated: frozenset[str] = frozenset()) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repos, self.gated = dict(repos), gated
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.server_port}"

    def files(self, name: str, revision: str) -> Files | None:
        """The files of a revision, None where there is none."""
        known = {commit_of(files): files for files in self.repos[name]} | {"main": self.repos[name][-1]}
        return known.get(revision)


@contextlib.contextmanager
def serving(repos: Mapping[str, list[Files]], gated: frozenset[str] = frozenset()) -> Iterator[Hub]:
    """A hub as long as the block lasts."""
    hub = Hub(repos, gated)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        is_api = path.startswith("/api/datasets/")
        owner, short, *rest = path.removeprefix("/api").removeprefix("/datasets/").split("/")
        name = f"{owner}/{short}"
        if name not in self.server.repos:
            return self.fail(401, "RepoNotFound")
        what, revision, *inner = rest or ["revision", "main"]
        files = self.server.files(name, revision)
        if files is None:
            return self.fail(404, "RevisionNotFound")
        if name in self.server.gated and not (is_api and what == "revision"):
            return self.fail(401, "GatedRepo")
        if is_api and what == "revision":
            return self.say(json.dumps({"id": name, "sha": commit_of(files), "siblings": [{"rfilename": file} for file in files]}).encode())
        if is_api:  # tree, paths-info
            wanted = parse_qs(body.decode()).get("paths", []) if what == "paths-info" else ["/".join(inner)]
            return self.say(json.dumps(_entries(files, wanted, below=what == "tree")).encode())
        content = files.get("/".join(inner))
        if content is None:
            return self.fail(404, "EntryNotFound")
        return self.say(content, {"X-Repo-Commit": commit_of(files), "ETag": f'"{hashlib.sha1(content).hexdigest()}"'})

    do_HEAD = do_POST = do_GET

    def fail(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def say(self, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(200)
        for header, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _entries(files: Files, wanted: list[str], *, below: bool) -> list[dict[str, object]]:
    """Files and folders, as the hub lists them: those within `wanted`, or those themselves."""
    folders = {file.rpartition("/")[0] for file in files if "/" in file}
    entries = [{"type": "directory", "path": folder, "oid": "0" * 40} for folder in folders]
    entries += [{"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()} for file, content in files.items()]
    if below:
        return [entry for entry in entries if str(entry["path"]).startswith(f"{wanted[0]}/" if wanted[0] else "")]
    return [entry for entry in entries if entry["path"] in wanted]
