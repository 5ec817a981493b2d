"""Against a real server of somebody else's: `transformers serve` with the embedded model, which ignores the wish for log-probabilities."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml

from vat.config import AlignSpec
from vat.errors import BackendError, ConfigError
from vat.models.base import Kept
from vat.models.remote import RemoteModel
from vat.models.tiny import FOLDER
from vat.types import Message, Prompt, gathered

DEFAULTS = yaml.safe_load((Path(__file__).parents[2] / "conf" / "model" / "openai.yaml").read_text())
STARTS_WITHIN_S = 180

pytestmark = pytest.mark.skipif(not all(map(find_spec, ("fastapi", "uvicorn"))), reason="needs a real server: pip install transformers[serving]")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = tmp_path_factory.mktemp("serve") / "log"
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(FOLDER), "--device", "cpu", "--dtype", "float32"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with said.open("wb") as log:
        process = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log, env=env)
    try:
        until = time.monotonic() + STARTS_WITHIN_S
        while not is_up(port):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < until, said.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def remote(url: str, **changed: object) -> RemoteModel:
    settings = {key: setting for key, setting in DEFAULTS.items() if key != "_target_"}
    return RemoteModel(**(settings | {"name": str(FOLDER), "base_url": url, "api_key_env": None, "concurrency": 4} | changed))


@pytest.fixture
def prompts(compose: Callable[..., AlignSpec]) -> list[Prompt]:
    """Questions as the main program asks them."""
    spec = compose("model=tiny", "elicit.format=chat")
    theory = spec.theory.load()
    question = spec.elicit.question(theory)
    return [question.prompt(probe) for probe in spec.data.split(theory).test.rows[:12]]


def greedy(prompts: list[Prompt], max_new_tokens: int) -> list[str]:
    """What the model itself writes, without any of our code."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    texts = []
    for prompt in prompts:
        turns = [turn._asdict() for turn in prompt.messages]
        given = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            made = model.generate(**given, max_new_tokens=max_new_tokens, do_sample=False)
        texts.append(tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True))
    return texts


@pytest.mark.parametrize("max_new_tokens", [1, 6])
def test_texts_of_a_real_server_are_those_of_the_model_behind_it(url: str, prompts: list[Prompt], max_new_tokens: int) -> None:
    assert remote(url).generate(prompts, max_new_tokens=max_new_tokens) == greedy(prompts, max_new_tokens)


def test_ratings_of_a_server_that_ignores_the_wish_for_probabilities_are_texts(url: str, prompts: list[Prompt]) -> None:
    model = remote(url)
    model.check(prompts[0])
    first = list(model.ratings(prompts, max_new_tokens=6, kept=Kept(frozenset({0, 5}))))
    rest = list(model.ratings(prompts, max_new_tokens=6, kept=Kept(frozenset(row for part in first for row in part.rows))))
    assert sorted(row for part in rest for row in part.rows) == [0, 5]
    answers = gathered(len(prompts), first + rest)
    assert list(answers.text_N) == greedy(prompts, 6)
    assert {text.strip() for text in answers.text_N} <= set("12345")
    assert np.isnan(answers.probability_N5).all()
    assert (answers.tokens_N2[:, 0] > 20).all()
    assert (answers.tokens_N2[:, 1] >= 1).all()


def test_a_path_that_a_real_server_does_not_have_is_told(url: str, prompts: list[Prompt]) -> None:
    with pytest.raises(ConfigError, match=r"must be a model of .*; got status 404: "):
        remote(url.removesuffix("/v1") + "/v9").check(prompts[0])


def test_what_a_real_server_refuses_is_told_in_its_words(url: str) -> None:
    odd = Prompt((Message("nobody", "?"),), "", tuple("12345"))  # type: ignore[arg-type]
    with pytest.raises(BackendError) as caught:
        remote(url, request_options={"nonsense": True}, retries=0).check(odd)
    assert "got status 4" in str(caught.value)
    assert "nonsense" in str(caught.value)
