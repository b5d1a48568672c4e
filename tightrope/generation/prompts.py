"""Prompts: versioned files, and the one function that fills them. It takes masked words, published passages and flow descriptions, nothing else.

`prompts/<name>.v<N>.jinja2` has the blocks `system` and `user`. All that is put in goes through the filter `data`: one line of JSON in which
no line break, no angle bracket and no control character stands as itself, so that no passage and no question can end its place or look like a
part of the chat template. A changed prompt is a new version: the hash of the file is in every record.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, final

from jinja2 import Environment, StrictUndefined
from jinja2 import Template as JinjaTemplate

from tightrope.generation.errors import PromptRefused
from tightrope.generation.masking import Masked

MAX_QUESTION: Final = 1000
"""Characters of the customer's masked words in a prompt; questions are shorter, and what is longer is cut."""
MAX_PROMPT: Final = 32_000
"""Characters of all messages together: about 8,000 tokens of English, more of Chinese than the profiles take (deploy/vllm)."""
_NAME: Final = re.compile(r"(?P<name>[a-z_]+)\.v(?P<version>\d+)\.jinja2")


class PassageLike(Protocol):
    """A published passage, cut into its sentences."""

    @property
    def title(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def sentences(self) -> Sequence[str]: ...


class FlowLike(Protocol):
    """A journey as its author describes it."""

    @property
    def id(self) -> str: ...
    @property
    def description(self) -> str: ...


@dataclass(frozen=True)
class Template:
    """A prompt file. `prompt_id` is its name and version, such as `answer.v1`."""

    prompt_id: str
    sha256: str
    blocks: Mapping[str, Any]
    jinja: JinjaTemplate


_SEAL: Final = object()


@final
class Prompt:
    """What a model is sent. Made by `build` alone.

    Attributes:
        messages: (role, content) in order.
        sha256: over the messages as JSON.
        template_sha256: over the template's file.
    """

    __slots__ = ("messages", "prompt_id", "sha256", "template_sha256")
    prompt_id: str
    template_sha256: str
    messages: tuple[tuple[str, str], ...]
    sha256: str

    def __init__(self, seal: object, template: Template, messages: tuple[tuple[str, str], ...]) -> None:
        if seal is not _SEAL:
            raise TypeError("Prompt is made by tightrope.generation.prompts.build alone")
        digest = hashlib.sha256(json.dumps(messages, ensure_ascii=False).encode()).hexdigest()
        fields = {"prompt_id": template.prompt_id, "template_sha256": template.sha256, "messages": messages, "sha256": digest}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Prompt cannot be changed: {name}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("Prompt is not pickled: build it where it is used")


def data(value: Any) -> str:
    """JSON on one line, in which nothing can be taken for the prompt's own text or for a mark of the chat template."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        r"[<>&\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]",
        lambda found: f"\\u{ord(found[0]):04x}",
        text,
    )


_environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - `data` escapes
_environment.filters["data"] = data


@lru_cache(maxsize=16)
def load(folder: Path, prompt_id: str) -> Template:
    """The template `prompt_id` of a folder, such as `answer.v1`; read once per process.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it has not the blocks `system` and `user`.
    """
    path = folder / f"{prompt_id}.jinja2"
    if not _NAME.fullmatch(path.name):
        raise ValueError(f"a prompt is called <name>.v<N>, not {prompt_id!r}")
    raw = path.read_bytes()
    jinja = _environment.from_string(raw.decode())
    if jinja.blocks.keys() != {"system", "user"}:
        raise ValueError(f"{path.name} must have the blocks system and user and no other")
    return Template(prompt_id, hashlib.sha256(raw).hexdigest(), jinja.blocks, jinja)


def build(
    template: Template, *, question: Masked, passages: Sequence[PassageLike] = (), flows: Sequence[FlowLike] = ()
) -> Prompt:
    """The prompt for one question.

    Raises:
        PromptRefused: a passage is not what was published under its hash, a sentence is not of its passage, or all is too long.
    """
    for passage in passages:
        if hashlib.sha256(passage.text.encode()).hexdigest() != passage.sha256:
            raise PromptRefused(f"the passage {passage.title!r} > {passage.section!r} is not the text that its hash names")
        if any(sentence not in passage.text for sentence in passage.sentences):
            raise PromptRefused(
                f"the passage {passage.title!r} > {passage.section!r} does not hold a sentence that was cut from it"
            )
    values = {
        "question": question.text[:MAX_QUESTION],
        "passages": [
            {"n": n, "title": passage.title, "section": passage.section, "sentences": list(passage.sentences)}
            for n, passage in enumerate(passages, start=1)
        ],
        "flows": [{"id": flow.id, "description": flow.description} for flow in flows],
    }
    context = template.jinja.new_context(values)
    messages = tuple((role, "".join(template.blocks[role](context)).strip()) for role in ("system", "user"))
    if (size := sum(len(content) for _, content in messages)) > MAX_PROMPT:
        raise PromptRefused(f"the prompt has {size} characters, at most {MAX_PROMPT} are sent: give fewer passages")
    return Prompt(_SEAL, template, messages)
