"""model=openai model.name=… model.base_url=…, and every yaml with an address of its own: models behind an OpenAI-compatible chat server.

vLLM, SGLang, llama.cpp, Ollama and most companies offer one. Ratings come from the log-probabilities of the first token where the server
gives them, which is tried out before long work, and from text elsewhere.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field

from vat.errors import BackendError, ConfigError, VatError, shown
from vat.models.base import NOTHING_KEPT, Capabilities, Kept, Model
from vat.models.exchange import Budget, Exchange, Limits
from vat.models.http import Fault, Server, host_of, shown_url
from vat.models.replies import Reply, has_probabilities, rating_of, text_of
from vat.settings import settings
from vat.types import Answered, Prompt, answers_of

OURS = frozenset({"model", "messages", "stream", "n", "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "chat_template_kwargs"})
"""Keys of a request that are not for request_options."""
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
"""How environment variables are named here."""
LEAST_TOKENS = (1, 16)
"""How many new tokens are tried; some servers refuse to write so few."""
FEWER_LOGPROBS = 5
"""What is asked for where a server gives no more."""
FAILURE_HOLDS_S = 60
"""For how long a failed trial stands for the next: the jobs of a sweep need not each find out again."""
CHECK_RETRIES = 2
NOTHING_SAID = Reply(None, math.nan, "", (math.nan, math.nan))
"""To a prompt that is longer than the context, where words are asked for: an answer that is missing. A rating is an error."""

Positive = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]


class Trial(NamedTuple):
    """What one real request showed: top log-probabilities that the server gives, the least new tokens it accepts, tokens read per character.

    seeded: whether it takes the number of a draw. tokens: read and written to find out.
    """

    top_logprobs: int
    least_tokens: int
    density: float
    seeded: bool
    tokens: tuple[float, float]


@settings
class RemoteModel(Model):
    """A model behind a server.

    name: as the server knows it. base_url: up to but without /chat/completions.
    api_key_env: name of the environment variable with the key; null sends none.
    revision: your own name for the weights behind the server; part of what determines the answers.
    template_options: sent as chat_template_kwargs. request_options: further keys of the request.
    token_limit: what the server calls the most new tokens.
    top_logprobs: how many log-probabilities to ask for; 0 never asks.
    concurrency: requests in flight. retries: attempts after the first. breaker: prompts in a row without an answer that end the job.
    timeout_s: for one request, to the last byte. time_limit_s: for one list of prompts.
    usd_per_million_read, usd_per_million_written: price of a million tokens, null if unknown.
    max_cost_usd: what a job may cost.
    """

    name: str
    base_url: str
    api_key_env: str | None
    revision: str | None
    template_options: dict[str, Any]
    request_options: dict[str, Any]
    token_limit: Literal["max_tokens", "max_completion_tokens"]
    top_logprobs: Annotated[int, Field(ge=0, le=20)]
    concurrency: Annotated[int, Field(ge=1)]
    timeout_s: Positive
    time_limit_s: Positive | None
    retries: Annotated[int, Field(ge=0)]
    breaker: Annotated[int, Field(ge=1)]
    usd_per_million_read: Price | None
    usd_per_million_written: Price | None
    max_cost_usd: Positive | None

    @property
    def label(self) -> str:
        """The name as the server knows it."""
        return self.name

    def identity(self) -> dict[str, object]:
        """Name, revision and host, and what is asked for; no key, price or limit, and no port, so that a server may be restarted elsewhere."""
        return {
            "name": self.name, "revision": self.revision, "host": host_of(self.base_url), "template_options": self.template_options,
            "request_options": self.request_options, "logprobs": self.top_logprobs > 0,
        }  # fmt: skip

    def capabilities(self) -> Capabilities:
        """Its weights are out of reach."""
        return Capabilities(trainable=False, caveat="")

    def to_keep(self) -> Model:
        """Cleared of what an address and the name of a variable may not hold, and would be refused for."""
        named = self.api_key_env is not None and VARIABLE.fullmatch(self.api_key_env)
        return replace(self, base_url=shown_url(self.base_url), api_key_env=self.api_key_env if named else None)

    def cost_usd(self, tokens: tuple[float, float]) -> float:
        """What tokens read and written cost; NaN where a price is unknown."""
        prices = (self.usd_per_million_read, self.usd_per_million_written)
        return sum(math.nan if price is None else count * price / 1e6 for count, price in zip(tokens, prices, strict=True))

    def drawing(self, temperature: float) -> Model:
        """Asked for words at a temperature, with the number of the draw as the server's `seed`, where it takes one."""
        return self._variant(request_options=self.request_options | {"temperature": temperature})

    def within(self, limit_usd: float | None) -> Model:
        """Limited by what is given here or was before, whatever is less."""
        limits = [limit for limit in (limit_usd, self.max_cost_usd) if limit is not None]
        return self._variant(max_cost_usd=min(limits, default=None))

    def check(self, prompt: Prompt, *, max_new_tokens: int = 0) -> tuple[float, float]:
        """Look at the settings, and ask the server one thing, once.

        Raises:
            ConfigError: An address, a key, a name or an option that cannot be; plain text, where a chat server takes turns.
            BackendError: The server cannot be reached or does not answer.
        """
        self._check_settings()
        rated = max_new_tokens == 0
        is_known = isinstance(self._known_trial(rated), Trial)
        trial = self._try_out(prompt, max_new_tokens, rated=rated)
        return (0.0, 0.0) if is_known else trial.tokens

    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """From log-probabilities where the server gives them; else as `texts`. Raises as `check`, and a BackendError when it ends early."""
        yield from self._answers(prompts, max_new_tokens, kept, rated=True)

    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """What the server gives as the message, and as the thought before it."""
        yield from self._answers(prompts, max_new_tokens, kept, rated=False)

    def _answers(self, prompts: Sequence[Prompt], max_new_tokens: int, kept: Kept, *, rated: bool) -> Iterator[Answered]:
        # Sorted, prompts that begin alike follow each other, which is what a server's prefix cache wants.
        rows = sorted((row for row in range(len(prompts)) if row not in kept.rows), key=lambda row: prompts[row].messages)
        if not rows:
            return
        self._check_settings()
        trial = self._try_out(prompts[rows[0]], max_new_tokens, rated=rated)
        top = trial.top_logprobs if rated else 0
        tokens = trial.least_tokens if top else max(trial.least_tokens, max_new_tokens)
        prices = (self.usd_per_million_read or 0.0, self.usd_per_million_written or 0.0)
        most = (trial.density * max(_length(prompts[row]) for row in rows), tokens)
        exchange = Exchange(
            self._server(),
            rows,
            lambda row: self._body(prompts[row], top, tokens, seeded=trial.seeded),
            (lambda row, content: rating_of(content, prompts[row].labels)) if top else (lambda row, content: text_of(content)),
            limits=Limits(self.concurrency, self.retries, self.breaker, self.time_limit_s),
            budget=Budget(self.max_cost_usd, (prices[0] / 1e6, prices[1] / 1e6), spent=kept.tokens, most=most),
            who=self._who,
            instead=lambda fault: NOTHING_SAID if fault.too_long and not rated else None,
        )
        try:
            for group in exchange.answers():
                yield _answered(group)
        except Fault as fault:
            raise self._error(fault) from fault

    def _check_settings(self) -> None:
        """What can be known without asking anybody."""
        self._check_address()
        self._key()
        if strange := sorted(self.request_options.keys() & OURS):
            raise ConfigError(f"model.request_options: may not set what a setting of its own sets; got {strange[0]}. See conf/model/openai.yaml.")
        prices = {"usd_per_million_read": self.usd_per_million_read, "usd_per_million_written": self.usd_per_million_written}
        if self.max_cost_usd is not None and (unknown := [key for key, price in prices.items() if price is None]):
            raise ConfigError(f"model.max_cost_usd={self.max_cost_usd:g}: needs prices; got none. Set model.{' and model.'.join(unknown)}.")

    def _check_address(self) -> None:
        where, url = "model.base_url", shown_url(self.base_url)
        try:
            parts = urlsplit(self.base_url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            whole = False
        if any(mark in self.base_url for mark in "@?#"):
            raise ConfigError(f"{where}: may hold no user, password or query; got some in {url}. Use model.api_key_env.")
        if not whole or self.base_url != "".join(self.base_url.split()):
            raise ConfigError(f"{where}: must be http://… or https://… with a host; got {shown(url)}. Give it as https://api.openai.com/v1.")
        if parts.path.rstrip("/").endswith("/completions"):
            raise ConfigError(f"{where}: ends before /chat/completions, which we add; got {url}. Leave that away.")

    def _key(self) -> str:
        """The key, "" where none is sent."""
        if self.api_key_env is None:
            return ""
        if not VARIABLE.fullmatch(self.api_key_env):  # it may be the key itself, which is not to be shown
            raise ConfigError("model.api_key_env: must be the name of an environment variable, in capitals; got none. Name the one with the key.")
        key = os.environ.get(self.api_key_env, "").strip()
        where, none = f"model.api_key_env={self.api_key_env}", "or set model.api_key_env=null if the server wants no key"
        if not key:
            raise ConfigError(f"{where}: this environment variable must hold the key; got nothing. Export it, {none}.")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigError(f"{where}: the key in this environment variable must be one word; got something else. Export it again, {none}.")
        return key

    def _server(self) -> Server:
        return Server(self.base_url, self._key(), timeout_s=self.timeout_s)

    def _try_out(self, prompt: Prompt, max_new_tokens: int, *, rated: bool) -> Trial:
        """What the server gives, from one real request per process."""
        if not prompt.messages:
            raise ConfigError(f"{self._who}: a chat server must be given turns; got plain text. Use elicit.format=chat.")
        known = self._known_trial(rated)
        if isinstance(known, Trial):
            return known
        if known and time.monotonic() < known[1]:
            raise known[0]
        try:
            self._trials[rated, self._draws] = found = self._first_accepted(prompt, max_new_tokens, rated=rated)
        except VatError as error:
            self._trials[rated, self._draws] = error, time.monotonic() + FAILURE_HOLDS_S
            raise
        return found

    @property
    def _trials(self) -> dict[tuple[bool, bool], Trial | tuple[VatError, float]]:
        """Of this model and its variants, by whether it rates and whether it draws; a failure with the time until which it stands."""
        kept: dict[tuple[bool, bool], Trial | tuple[VatError, float]] = self.__dict__.setdefault("_tried", {})
        return kept

    def _known_trial(self, rated: bool) -> Trial | tuple[VatError, float] | None:
        """The trial of ratings tells what one of texts would."""
        return self._trials.get((rated, self._draws)) or self._trials.get((True, self._draws))

    @property
    def _draws(self) -> bool:
        return bool(self.request_options.get("temperature"))

    def _variant(self, **changes: Any) -> RemoteModel:
        """The same server's model with other settings; what was tried out is known to both."""
        other = replace(self, **changes)
        other.__dict__["_tried"] = self._trials
        return other

    def _first_accepted(self, prompt: Prompt, max_new_tokens: int, *, rated: bool) -> Trial:
        """Ask for less of what servers refuse until this one does not."""
        tops = dict.fromkeys((self.top_logprobs, min(self.top_logprobs, FEWER_LOGPROBS), 0)) if rated else (0,)
        forms = [(top, tokens) for top in tops for tokens in LEAST_TOKENS]
        forms += [(0, max_new_tokens)] if max_new_tokens > max(LEAST_TOKENS) else []
        for seeded, (top, tokens) in itertools.product((True, False) if self._draws else (False,), forms):
            try:
                reply = self._one(prompt, top, tokens, seeded=seeded)
            except Fault as fault:
                refused = fault
                if fault.status not in (400, 422):
                    break
            else:
                if self.max_cost_usd is not None and math.isnan(reply.tokens[0]):
                    rule = f"model.max_cost_usd={self.max_cost_usd:g}: needs a server that counts tokens; got no usage"
                    raise BackendError(f"{rule} from {shown_url(self.base_url)}. Set it to null.")
                return Trial(top if reply.probability else 0, tokens, reply.tokens[0] / _length(prompt), seeded, reply.tokens)
        raise self._error(refused) from refused

    def _one(self, prompt: Prompt, top: int, tokens: int, *, seeded: bool) -> Reply:
        """The reply to one prompt; without probabilities if the server, asked for them, gives none."""

        def read(_: int, content: bytes) -> Reply:
            return rating_of(content, prompt.labels) if top and has_probabilities(content) else text_of(content)

        limits = Limits(concurrency=1, retries=min(CHECK_RETRIES, self.retries), breaker=1, time_limit_s=None)
        free = Budget(None, (0.0, 0.0), spent=(0.0, 0.0), most=(0.0, 0.0))
        body = self._body(prompt, top, tokens, seeded=seeded)
        exchange = Exchange(self._server(), [0], lambda _: body, read, limits=limits, budget=free, who=self._who)
        (((_, reply),),) = exchange.answers()
        return reply

    def _body(self, prompt: Prompt, top: int, tokens: int, *, seeded: bool) -> bytes:
        asked: dict[str, Any] = {
            "model": self.name,
            "messages": [turn._asdict() for turn in prompt.messages],
            "temperature": 0,
            self.token_limit: tokens,
        }
        if top:
            asked |= {"logprobs": True, "top_logprobs": top}
        if seeded:
            asked |= {"seed": prompt.draw}
        if self.template_options:
            asked |= {"chat_template_kwargs": self.template_options}
        return json.dumps(asked | self.request_options).encode()

    @property
    def _who(self) -> str:
        return f"model {self.name}"

    def _error(self, fault: Fault) -> VatError:
        """A fault that ends it all, for a user."""
        url, status = shown_url(self.base_url), fault.status
        where = f"model.base_url={url}"
        if fault.kind == "unreachable":
            rule = f"{where}: the server must be there and stay there; got {shown(str(fault), 200)}"
            return BackendError(f"{rule}. Start it, or check the address and the connection.", retryable=True)
        if fault.kind == "slow":
            return BackendError(f"{where}: the server must answer in time; got {fault}. Try again, or raise model.timeout_s.", retryable=True)
        if fault.kind == "page":
            rule = f"{where}: must be an OpenAI-compatible server; got {fault.told}"
            return ConfigError(f"{rule}. Check the address, which often ends in /v1, and whether a proxy wants a login.")
        if status == 401 or (status == 403 and not self.api_key_env):
            if not self.api_key_env:
                return ConfigError(f"model.api_key_env=null: {url} wants a key; got status {status}. Name the environment variable that holds it.")
            return ConfigError(
                f"model.api_key_env={self.api_key_env}: {url} must accept the key in this variable; got status {status}. Check the key."
            )
        if status == 403:
            return ConfigError(
                f"model.api_key_env={self.api_key_env}: the key must be allowed to use {self.name}; got {fault.told}. Check the account."
            )
        if 300 <= status < 400:
            return ConfigError(f"{where}: must be where the server is; got {fault.told}. Set it to that.")
        if status == 404:
            return ConfigError(f"model.name={self.name}: must be a model of {url}; got {fault.told}. Check model.name, and model.base_url.")
        if fault.kind == "reply":
            return BackendError(f"{self._who}: must answer as an OpenAI-compatible server does; got {fault}. See what runs at {url}.", retryable=True)
        retryable = fault.scope == "again"
        step = "Run the same command to go on" if retryable else "Check the settings of the model against what the server says"
        return BackendError(f"{self._who}: the server must take the request; got {fault.told}. {step}.", retryable=retryable)


def _length(prompt: Prompt) -> int:
    """In characters, at least one."""
    return sum(len(message.content) for message in prompt.messages) or 1


def _answered(group: list[tuple[int, Reply]]) -> Answered:
    """Rows with their replies as arrays."""
    rows, replies = zip(*group, strict=True)
    tokens_N2 = np.array([reply.tokens for reply in replies])
    if replies[0].probability is None:
        return Answered(rows, answers_of(None, None, text_N=[reply.text for reply in replies], tokens_N2=tokens_N2))
    probability_N5 = np.array([reply.probability for reply in replies])
    return Answered(rows, answers_of(probability_N5, np.array([reply.mass for reply in replies]), tokens_N2=tokens_N2))
