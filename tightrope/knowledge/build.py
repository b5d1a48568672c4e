"""Makes the passages' vectors that the knowledge server and the composers take as they are: `make knowledge`, or
`python -m tightrope.knowledge.build [--check]`.
"""

from __future__ import annotations

import sys

import numpy as np

from tightrope.infra import encoder as encoders
from tightrope.infra import vectors as kept_vectors
from tightrope.infra.settings import get_settings
from tightrope.knowledge.compose import vectors as pieces
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.server import vectors


def main(arguments: list[str]) -> int:
    """Write `data/knowledge/vectors.npz` and `pieces.npz`; with `--check` only say whether they hold every passage of the knowledge base (0) or not (1)."""
    project = get_settings().project_dir
    encoder = encoders.obtain()
    if encoder is None:
        sys.stderr.write("There is no encoder on this machine: nothing can be built here\n")
        return 1
    passages = load_release(project / "knowledge_base").passages
    texts = list(dict.fromkeys(text for passage in passages for text in vectors.parts(passage.content, passage.keywords)))
    if "--check" in arguments:
        keys = np.array([kept_vectors.key(text) for text in texts], dtype=np.uint64)
        missing = int((~kept_vectors.load(project / vectors.FILE, encoder.name).find(keys)[1]).sum())
        missing += pieces.missing(project, encoder, passages)
        sys.stdout.write("Up to date\n" if not missing else f"{missing} texts have no vector: make knowledge\n")
        return 1 if missing else 0
    made = vectors.build(project, encoder, texts, _progress) + pieces.build(project, encoder, passages, _progress)
    sys.stdout.write(f"{len(passages)} passages, {made} texts new\n")
    return 0


def _progress(done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        sys.stderr.write(f"{done} of {total} texts encoded\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
