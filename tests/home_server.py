"""A corpus's home on this machine: it breaks off, forgets ranges, or says nothing of lengths when it is told to."""

import hashlib
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asr.download import Archive


class Home(ThreadingHTTPServer):
    """Files by their path; what it does wrong is set from outside."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks_after: int | None = None
        self.knows_ranges = True
        self.states_length = True
        self.asked: list[str | None] = []

    def archive(self, name: str, content: bytes, checksum: str = "right") -> Archive:
        self.files[f"/{name}"] = content
        if checksum == "right":
            checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Archive(name.partition(".")[0], f"http://127.0.0.1:{self.server_port}/{name}", checksum)


class Handler(BaseHTTPRequestHandler):
    server: Home

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        content = self.server.files.get(self.path)
        if content is None:
            return self.send_error(404)
        start = int(re.search(r"\d+", asked)[0]) if asked and self.server.knows_ranges else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if self.server.states_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        # Fewer bytes than promised, and the connection is closed.
        self.wfile.write(body if self.server.breaks_after is None else body[: self.server.breaks_after])

    def log_message(self, *args: object) -> None:
        """Say nothing."""
