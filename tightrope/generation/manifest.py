"""What a model is: which files with which hashes, under which licence, with which chat template. Its hash is the served name and the fingerprint.

A model comes through the air gap as a folder. `SHA256SUMS` lists every file of it, in the form that `sha256sum --check` reads; `tightrope-model.json`
says what the files are and holds the hash of that list. The hash of `tightrope-model.json` therefore names every byte. It holds no date and no host, so
that the same files give the same hash on the machine that downloaded them and on the one that serves them.

vLLM's own fingerprint covers its configuration, not the weights (reference C7); ours is given to it by `--fingerprint-value`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Final

MANIFEST: Final = "tightrope-model.json"
SUMS: Final = "SHA256SUMS"
OWN: Final = frozenset({MANIFEST, SUMS})
"""Files that we write into the folder; they are not part of the list."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,80}")
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)*")
_SAFE_ENDINGS: Final = (".safetensors", ".json", ".txt", ".md", ".jinja", ".model", ".gguf")
_SAFE_NAMES: Final = frozenset({"LICENSE", "LICENCE", "NOTICE"})
_THREE_BILLION: Final = {"model_type": "qwen2", "hidden_size": 2048, "num_hidden_layers": 36}
"""The shape of Qwen2.5-3B, whose licence is for research whatever file lies beside it."""


class ModelRefused(ValueError):
    """This folder is not imported, or is not the model that was approved; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its text."""

    name: str
    sha256: str
    notice: str
    """What has to be kept in mind where it is used, or nothing."""


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """What stands in `tightrope-model.json`. `repository` and `revision` say where the files came from; the revision is a full commit hash."""

    name: str
    repository: str
    revision: str
    architecture: str
    quantization: str
    licence: Licence
    chat_template_sha256: str
    files: int
    bytes: int
    sums_sha256: str

    def text(self) -> str:
        """The file, byte for byte the same for the same model."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def sha256(self) -> str:
        """The model's fingerprint: 64 hex digits."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    @property
    def served_name(self) -> str:
        """The name that every record carries: `qwen2.5-14b-instruct@` and the first 12 digits of the fingerprint."""
        return f"{self.name}@{self.sha256[:12]}"


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a folder, read once.

    Attributes:
        hashes: path below the folder -> SHA-256, of every file but our own two.
        size: bytes of them together.
        texts: contents of the small files that are judged: licence, configuration, tokenizer, chat template, index of the weights.
    """

    hashes: Mapping[str, str]
    size: int
    texts: Mapping[str, str]


def sums(hashes: Mapping[str, str]) -> str:
    """`SHA256SUMS`: a line for each file, sorted."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))


def read_sums(text: str) -> dict[str, str]:
    """The other way round.

    Raises:
        ModelRefused: a line of another form, or a file twice.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        digest, gap, path = line.partition("  ")
        if not (gap and re.fullmatch(r"[0-9a-f]{64}", digest) and _PLAIN.fullmatch(path)) or path in found:
            raise ModelRefused(f"{SUMS} has a line that is none of its own: {line[:80]!r}; import the model again")
        found[path] = digest
    return found


def describe(found: Found, *, name: str, repository: str, revision: str) -> ModelManifest:
    """The manifest of a folder.

    Raises:
        ModelRefused: a name or revision of the wrong form, a licence that forbids this use or is unknown, files that run code when loaded, weights
            that are missing, no chat template.
    """
    if not _NAME.fullmatch(name):
        raise ModelRefused(f"a model's name has small letters, digits, dots and dashes, not {name!r}")
    if not _REVISION.fullmatch(revision):
        raise ModelRefused(
            "the revision is the full commit hash (40 hex digits) that the files were downloaded at, not a branch or a tag"
        )
    for path in found.hashes:
        _check_file(path)
    config = _json(found, "config.json")
    if "auto_map" in config:
        raise ModelRefused("config.json asks for code of its own (auto_map): only models that vLLM knows by itself are served")
    _check_weights(found)
    return ModelManifest(
        name=name,
        repository=repository,
        revision=revision,
        architecture=", ".join(config.get("architectures") or ()) or str(config.get("model_type", "")),
        quantization=str((config.get("quantization_config") or {}).get("quant_method", "none")),
        licence=licence(found, config),
        chat_template_sha256=hashlib.sha256(_chat_template(found).encode()).hexdigest(),
        files=len(found.hashes),
        bytes=found.size,
        sums_sha256=hashlib.sha256(sums(found.hashes).encode()).hexdigest(),
    )


def licence(found: Found, config: Mapping[str, Any]) -> Licence:
    """The licence that lies beside the weights, if it allows a firm to serve its customers.

    Raises:
        ModelRefused: none, an unknown one, or one for research only.
    """
    if all(config.get(key) == value for key, value in _THREE_BILLION.items()):
        raise ModelRefused(
            "this is Qwen2.5 3B, whose licence is for research only: take 7B (Apache-2.0), or 1.5B where memory is short"
        )
    path = next((path for path in ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE") if path in found.texts), None)
    if path is None:
        raise ModelRefused("there is no LICENSE file in the folder: put the one of the repository beside the weights")
    text = found.texts[path]
    words = " ".join(text.lower().split())
    digest = found.hashes[path]
    if "research license" in words or "non-commercial" in words or "noncommercial" in words:
        raise ModelRefused(f"{path} allows research only, not serving customers: take a model under Apache-2.0")
    if "apache license" in words and "2.0" in words:
        return Licence("Apache-2.0", digest, "")
    if "mit license" in words:
        return Licence("MIT", digest, "")
    if "qwen license agreement" in words:
        return Licence(
            "Qwen License",
            digest,
            "commercial use up to 100 million monthly users; a model that is improved with its output says 'Built with Qwen'; have counsel read it",
        )
    raise ModelRefused(f"{path} is a licence that nobody here has read: Apache-2.0, MIT and the Qwen License are known")


def compare(manifest_text: str, sums_text: str, found: Found, expected: str = "") -> ModelManifest:
    """The manifest, if the folder holds exactly the files that it names.

    Args:
        expected: the fingerprint, or its beginning of at least 12 digits, that came by another way than the files; empty: none did.

    Raises:
        ModelRefused: anything differs; names the first files that do.
    """
    name, repository, revision = _read(manifest_text)
    actual = hashlib.sha256(manifest_text.encode()).hexdigest()
    if expected and (len(expected) < 12 or not actual.startswith(expected)):
        raise ModelRefused(f"the folder holds {name}@{actual[:12]}, not the expected model {expected[:12]!r}")
    listed = read_sums(sums_text)
    wrong = sorted(path for path, digest in found.hashes.items() if listed.get(path) != digest)
    wrong += sorted(path for path in listed if path not in found.hashes)
    if wrong:
        raise ModelRefused(
            f"{len(wrong)} files are altered, missing or not of this model: {', '.join(wrong[:5])}; copy the folder again"
        )
    manifest = describe(found, name=name, repository=repository, revision=revision)
    if manifest.text() != manifest_text or sums(found.hashes) != sums_text:
        raise ModelRefused(f"{MANIFEST} or {SUMS} does not say what lies there: import the model again")
    return manifest


def _read(text: str) -> tuple[str, str, str]:
    """Name, repository and revision: what cannot be read off the files. All else is made anew and compared."""
    try:
        data = json.loads(text)
        found = (data["name"], data["repository"], data["revision"])
    except (ValueError, KeyError, TypeError):
        found = (None, None, None)
    if not all(isinstance(one, str) for one in found):
        raise ModelRefused(f"{MANIFEST} is not one of ours: import the model again")
    return found


def _check_file(path: str) -> None:
    name = PurePosixPath(path).name
    if not _PLAIN.fullmatch(path):
        raise ModelRefused(f"the file {path[:80]!r} has a name that no model needs: remove it")
    if name not in _SAFE_NAMES and not name.endswith(_SAFE_ENDINGS):
        raise ModelRefused(
            f"{path} may run code when it is loaded, or is not needed: only safetensors, GGUF, JSON and text are imported"
        )


def _check_weights(found: Found) -> None:
    weights = {path for path in found.hashes if path.endswith((".safetensors", ".gguf"))}
    if not weights:
        raise ModelRefused("there are no weights (.safetensors or .gguf) in the folder")
    if "model.safetensors.index.json" not in found.texts:
        return
    index = _json(found, "model.safetensors.index.json")
    shards = set((index.get("weight_map") or {}).values())
    if missing := sorted(shards - weights):
        raise ModelRefused(f"weights are missing: {', '.join(missing[:5])}; copy the folder again")
    if beside := sorted(weights - shards):
        raise ModelRefused(f"weights that the index does not name: {', '.join(beside[:5])}; remove them")


def _chat_template(found: Found) -> str:
    template = found.texts.get("chat_template.jinja") or _json(found, "tokenizer_config.json").get("chat_template")
    if not isinstance(template, str) or not template.strip():
        raise ModelRefused("there is no chat template: this is a base model, take the Instruct one")
    return template


def _json(found: Found, path: str) -> dict[str, Any]:
    try:
        data = json.loads(found.texts[path])
    except KeyError:
        raise ModelRefused(f"{path} is missing: copy the folder again") from None
    except ValueError:
        raise ModelRefused(f"{path} is not JSON: copy the folder again") from None
    if not isinstance(data, dict):
        raise ModelRefused(f"{path} is not an object: copy the folder again")
    return data
