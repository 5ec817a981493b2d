"""One request to an OpenAI-compatible server: what it brings, or why it brings nothing and whether to try again.

The key goes into the header of the request and nowhere else: whatever a server sends back is cleared of it before anybody sees it.
"""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from vat.errors import shown
from vat.models.replies import REFUSALS, complaint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

AGAIN = frozenset({408, 409, 425, 429, *range(500, 600)})
"""Status codes after which the same request may fare better."""
OF_THE_PROMPT = frozenset({400, 413, 422})
"""Status codes that say something about one request and nothing about the next."""
SPENT = frozenset({"insufficient_quota", "insufficient_balance"})
"""Codes of an error 429 that no waiting mends."""
TOO_LONG = re.compile(r"context[ _-]?(?:length|size|window)|(?:prompt|input|request) is too long", re.I)
"""How servers say so; each has words of its own."""
IDLE_S = 4
"""Connections idle for longer are not used again: common servers hang up after five seconds, and might while we send."""

Kind = Literal["unreachable", "slow", "page", "status", "reply"]
Scope = Literal["again", "prompt", "server"]


class Fault(Exception):  # noqa: N818 - it is turned into an error of ours before a user sees it
    """Why a request brought no answer.

    kind: nothing could be reached; it took too long; a web page came; a status that is an error; a reply that is none.
    scope: another attempt may help; this prompt gets no answer; no prompt will get one.
    status: of HTTP, 0 where none came.
    wait_s: how long the server asks to wait.
    """

    def __init__(self, kind: Kind, text: str, *, scope: Scope = "again", status: int = 0, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.kind, self.scope, self.status, self.wait_s = kind, scope, status, wait_s

    @property
    def too_long(self) -> bool:
        """Whether the server says that the prompt does not fit into the model's context."""
        return self.scope == "prompt" and bool(TOO_LONG.search(str(self)))

    @property
    def told(self) -> str:
        """In a few words."""
        if self.kind == "page":
            return f"a web page (status {self.status})"
        return f"status {self.status}: {shown(str(self))}" if self.kind == "status" else str(self)


class Server:
    """An address that is asked with a key ("" for none)."""

    def __init__(self, base_url: str, key: str, *, timeout_s: float) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._key, self._timeout_s = key, timeout_s

    def session(self, connections: int) -> aiohttp.ClientSession:
        """Connections to the server, kept open between requests."""
        import aiohttp

        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_S),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy_of(self._url),
        )

    async def ask(self, session: aiohttp.ClientSession, body: bytes) -> bytes:
        """Send one request; returns the body of the reply, or of an error that says that the model refuses.

        Raises:
            Fault: Nothing came, or not what was asked for.
        """
        import aiohttp

        try:
            async with session.post(self._url, data=body, allow_redirects=False) as reply:  # a redirect might carry the key elsewhere
                content = await reply.read()
        except TimeoutError as error:
            raise Fault("slow", f"no whole answer within {self._timeout_s:g} s") from error
        except aiohttp.InvalidURL:  # of the proxy; what it says may hold the proxy's password, here and below
            raise Fault("unreachable", "a proxy that is no URL", scope="server") from None
        except aiohttp.ClientResponseError as error:
            raise Fault("unreachable", self.cleared(f"{error.status} {error.message} from the proxy")) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Fault("unreachable", self.cleared(str(error).replace(" ssl:default", "") or type(error).__name__)) from error
        page = content[:100].lstrip()[:1] == b"<"
        if reply.status == 200 and not page:
            return content
        message, code = complaint_of(content)
        if code in REFUSALS:
            return content
        raise self._fault(reply.status, reply.headers, message, code, page=page)

    def cleared(self, text: str) -> str:
        """A text without the key, or anything that begins like it: servers repeat the key that they do not take."""
        if not self._key:
            return text
        start = re.escape(self._key[:8])
        return re.sub(rf"{re.escape(self._key)}|{re.escape(quote(self._key, safe=''))}|{start}[^\s\"',;]*", "[key]", text)

    def _fault(self, status: int, headers: Mapping[str, str], message: str, code: str, *, page: bool) -> Fault:
        text = self.cleared(message)
        if 300 <= status < 400:
            text = f"a redirection to {self.cleared(shown_url(headers.get('Location', '')))}"
            return Fault("status", text, scope="server", status=status)
        if code in SPENT:
            return Fault("status", text, scope="server", status=status)
        if page and status < 500:
            return Fault("page", text, scope="again" if status == 200 else "server", status=status)
        if status in AGAIN:
            return Fault("status", text, status=status, wait_s=_wait_s(headers.get("Retry-After", "")))
        return Fault("status", text, scope="prompt" if status in OF_THE_PROMPT else "server", status=status)


def host_of(url: str) -> str:
    """The host's name, all loopback addresses being `localhost`; "" where there is none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    try:
        return "localhost" if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return host


def shown_url(url: str) -> str:
    """A URL as it may be shown: without query and fragment, and cut short where a user or a password may be in it."""
    if "@" in url:
        return "".join(re.findall(r"^https?://", url)) + "…"
    return re.split(r"[?#]", url, maxsplit=1)[0]


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for a URL; a server on this machine is asked directly."""
    parts = urlsplit(url)
    if host_of(url) == "localhost" or proxy_bypass(parts.hostname or ""):
        return None
    proxy: Any = getproxies().get(parts.scheme)
    return proxy or None


def _wait_s(header: str) -> float | None:
    """Seconds from a Retry-After header, which gives seconds or a date."""
    try:
        wait_s = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except ValueError:
            return None
        wait_s = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, wait_s) if math.isfinite(wait_s) else None
