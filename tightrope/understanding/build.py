"""Makes what a start takes as it is: vectors and classifier beside their lines. `make understanding`, or
`python -m tightrope.understanding.build [--check]`.
"""

from __future__ import annotations

import sys

from tightrope.infra import encoder as encoders
from tightrope.infra.settings import get_settings
from tightrope.understanding import classifier, training, vectors


def main(arguments: list[str]) -> int:
    """Write `vectors.npz` and `model.npz`; with `--check` only say whether they are those of the lines (0) or not (1)."""
    folder = get_settings().project_dir / "data" / "understanding"
    encoder = encoders.obtain()
    if encoder is None:
        sys.stderr.write("There is no encoder on this machine: nothing can be built here\n")
        return 1
    name = training.fingerprint(folder, encoder)
    kept = vectors.load(folder, encoder.name)
    fresh = classifier.load(folder / training.MODEL, name, encoder, kept) is not None
    if "--check" in arguments or fresh:
        sys.stdout.write("Up to date\n" if fresh else f"{training.MODEL} is not of these lines: make understanding\n")
        return 0 if fresh else 1
    examples = training.lines(folder)
    texts = [example.text for example in examples]
    rows, missing = vectors.gather(texts, encoder, kept, _progress)
    if missing or len(kept.keys) != len(set(vectors.keys_of(texts).tolist())):
        vectors.save(folder, encoder.name, texts, rows)
    sys.stderr.write(f"{len(texts)} lines, {missing} of them new; training\n")
    training.train(examples, name, encoder, vectors.load(folder, encoder.name)).save(folder / training.MODEL)
    return 0


def _progress(done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        sys.stderr.write(f"{done} of {total} new lines encoded\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
