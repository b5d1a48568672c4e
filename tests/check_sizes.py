"""No module over 400 lines: what one cannot read at once, one cannot approve."""

import sys
from pathlib import Path

LIMIT = 400


def main() -> int:
    root = Path(__file__).resolve().parents[1]
    long = []
    for folder in ("tightrope", "actions", "benchmarks", "tests"):
        for path in (root / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LIMIT:
                long.append(f"{path.relative_to(root)}: {lines} lines; split it by use case (limit {LIMIT})")
    sys.stderr.write("".join(f"{line}\n" for line in sorted(long)))
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main())
