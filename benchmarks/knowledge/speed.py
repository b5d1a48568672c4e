"""Time of one retrieval inside the knowledge server, by number of passages; see retrieval.py."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import statistics
import struct
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int2, Int8

from benchmarks.knowledge.world import free_port
from tightrope.infra.database import Connection, Pool, Role, open_pool
from tightrope.infra.encoder import obtain
from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.infra.vectors import unpacked
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.server import index
from tightrope.knowledge.server.filters import Filters
from tightrope.knowledge.server.retrieval import read_query, retrieve
from tightrope.knowledge.server.search import Asked, Search
from tightrope.knowledge.server.tokens import grams, terms
from tightrope.knowledge.server.vectors import DIMENSIONS, FILE, Rows, unit, written
from tightrope.knowledge.versions import Version

REQUESTS, WARM = 200, 20
TRIES = 3
"""Of each question, the quickest counts: the machine is shared, and waiting for others is not the search's time."""
NOISE = 0.3
"""Length of what is added to a real vector of length one; the cosine with it is then some 0.96."""
IN_USE = index.EXACT
BLOCK = 10_000
_AT = datetime(2026, 11, 22, tzinfo=UTC)


class Encoded(Search):
    """Questions encoded before the clock starts."""

    name = "synthetic"

    def __init__(self, questions: list[str]) -> None:
        super().__init__(None)
        encoder = obtain()
        if encoder is None:
            raise SystemExit("there is no sentence encoder on this machine; requirements.lock installs one")
        self._rows = {text: encoder.encode([text], "query")[0] for text in questions}

    def ask(self, question: str) -> Asked:
        """A question with its vector."""
        return Asked(question, terms(question), grams(question), self._rows[question])


def real_rows() -> Rows:
    """Vectors of the knowledge base's passages."""
    with np.load(REPOSITORY / FILE) as kept:
        return unit(unpacked(kept["rows"], kept["scales"]))


def near(rows: Rows, made: np.random.Generator, count: int) -> Rows:
    """Vectors near real ones: synthetic vectors that lie as closely together as an encoder's do."""
    noise = made.normal(size=(count, DIMENSIONS)).astype(np.float32) * (NOISE / math.sqrt(DIMENSIONS))
    return unit(rows[made.integers(len(rows), size=count)] + noise)


def fill(connection: psycopg.Connection, dataset: str, size: int) -> None:
    """A dataset of `size` chunks in documents of four, each chunk with words of two real passages and two synthetic vectors."""
    random.seed(size)
    made, rows = np.random.default_rng(size), real_rows()
    pools: dict[str, list[tuple[str, list[str]]]] = {language: [] for language in ("zh", "en")}
    for passage in load_release(REPOSITORY / "knowledge_base").passages:
        pools[passage.language].append((passage.content, sorted(set(terms(passage.content)))))
    connection.execute(
        "INSERT INTO knowledge.dataset (id, name, embedding_model, created_at, updated_at) VALUES (%s, %s, 'synthetic', %s, %s)",
        (dataset, f"speed-{size}", _AT, _AT),
    )
    first = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM knowledge.chunk").fetchone()[0]  # type: ignore[index]
    documents = [(f"{size:08x}{at:024x}", ("zh", "en")[at % 2]) for at in range((size + 3) // 4)]
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY knowledge.document (id, dataset_id, name, content, meta_fields, created_at, updated_at) FROM STDIN"
        ) as copy:
            for document, language in documents:
                meta = {"audience": "public", "lang": language, "effective_from": "2026-01-01", "effective_to": "9999-12-31"}
                copy.write_row((document, dataset, "x.md", b"x", Jsonb(meta), _AT, _AT))
        kept = []
        with cursor.copy("COPY knowledge.chunk (number, id, document_id, dataset_id, content) FROM STDIN") as copy:
            for at in range(size):
                document, language = documents[at // 4]
                one, other = random.choices(pools[language], k=2)
                halves = (random.sample(found, len(found) // 2) for found in (one[1], other[1]))
                kept.append(sorted({term for half in halves for term in half}))
                copy.write_row((first + at, f"{at:016x}", document, dataset, one[0]))
        with cursor.copy("COPY knowledge.posting (dataset_id, term, chunk, head) FROM STDIN") as copy:
            for at, found in enumerate(kept):
                for place, term in enumerate(found):
                    copy.write_row((dataset, term, first + at, place % 4 == 0))
        with cursor.copy("COPY knowledge.embedding (chunk, part, dataset_id, vector) FROM STDIN (FORMAT BINARY)") as copy:
            for begin in range(0, 2 * size, BLOCK):
                block = near(rows, made, min(BLOCK, 2 * size - begin)).astype(">f4")
                for at, row in enumerate(block, begin):  # pgvector's binary form: how many numbers, nought, the numbers
                    packed = struct.pack(">HH", DIMENSIONS, 0) + row.tobytes()
                    copy.write_row((Int8(first + at // 2), Int2(at % 2 + 1), dataset, packed))


async def measure(settings: Settings, dataset: str, size: int) -> None:
    """Labelled questions in turn, with the filter that our client sends; each way of comparing vectors that fits the size."""
    lines = (REPOSITORY / "tests/golden/knowledge/unseen.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line) for line in lines][: REQUESTS + WARM]
    search, filters = Encoded([question["question"] for question in asked]), Filters()
    found: dict[str, list[list[str]]] = {}
    async with open_pool(settings, Role.KNOWLEDGE, max_size=1) as pool:
        for way, limit in (("exact", 10**9), ("graph", 0)):
            if way == "graph" and size <= IN_USE:
                continue
            index.EXACT = limit
            times, found[way] = [], []
            for question in asked[:WARM]:
                await _timed(pool, search, filters, dataset, question)
            began_work = await _worked(pool)
            for question in asked[WARM:]:
                tries = [await _timed(pool, search, filters, dataset, question) for _ in range(TRIES)]
                times.append(min(spent for spent, _ in tries))
                found[way].append(tries[0][1])
            worked = await _worked(pool)
            here, there = (1000 * (after - before) / len(times) / TRIES for before, after in zip(began_work, worked, strict=True))
            used = await _uses_graph(pool, dataset, search.ask(asked[0]["question"]).row) if way == "graph" else True
            cuts = statistics.quantiles(times, n=100)
            alike = statistics.mean(
                len(set(one) & set(other)) / len(other) for one, other in zip(found[way], found["exact"], strict=True)
            )
            in_use = "yes" if (way == "exact") == (size <= IN_USE) else ""
            name = way if used else f"{way}, BUT THE PLANNER COMPARED ALL"
            print(
                f"| {size:,} | {name} | {in_use} | {cuts[49]:.1f} | {cuts[94]:.1f} | {cuts[98]:.1f} "
                f"| {here:.1f} + {there:.1f} | {alike:.3f} |",
                flush=True,
            )


async def _timed(pool: Pool, search: Search, filters: Filters, dataset: str, question: dict[str, str]) -> tuple[float, list[str]]:
    """Milliseconds of one retrieval, and what it found."""
    began = time.perf_counter()
    async with pool.connection() as connection:
        chunks = await _one(connection, search, filters, dataset, question)
    return 1000 * (time.perf_counter() - began), chunks


async def _worked(pool: Pool) -> tuple[float, float]:
    """Seconds of processor time of this process and of the Postgres backend behind the pool: what waiting for others does not change."""
    async with pool.connection() as connection:
        fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()  # noqa: ASYNC240 - no disk
    return time.process_time(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _uses_graph(pool: Pool, dataset: str, row: Rows | None) -> bool:
    """Whether Postgres walks the HNSW graph for the search's own query."""
    assert row is not None
    async with pool.connection() as connection:
        values = {"datasets": [dataset], "vector": written(row), "ahead": index.AHEAD}
        plan = await (await connection.execute("EXPLAIN " + index.NEAR["graph"], values)).fetchall()
    return any("embedding_near" in str(line) for line in plan)


async def _one(connection: Connection, search: Search, filters: Filters, dataset: str, question: dict[str, str]) -> list[str]:
    """Ids of the best eight."""
    conditions = [("audience", "=", "public"), ("lang", "=", question["language"]), ("effective_to", "≥", "2026-11-22")]
    body = {
        "question": question["question"],
        "dataset_ids": [dataset],
        "page_size": 8,
        "similarity_threshold": 0.0,
        "vector_similarity_weight": 0.9,
        "reference_metadata": {"include": True},
        "metadata_condition": {
            "logic": "and",
            "conditions": [
                {"name": name, "comparison_operator": operator, "value": value} for name, operator, value in conditions
            ],
        },
    }
    found = await retrieve(connection, read_query(body, Version(0, 27, 3)), search, filters)
    assert len(found["chunks"]) == 8
    return [chunk["id"] for chunk in found["chunks"]]


def main(sizes: list[int]) -> None:
    """Start a Postgres of its own, fill and measure each size in turn."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(state_dir=Path(folder), database_port=free_port())
        ensure_demo_secrets(settings)
        postgres = EmbeddedPostgres(settings)
        postgres.start()
        try:
            migrate("knowledge", postgres.superuser_conninfo("knowledge"))
            print(
                "| passages | vectors | in use | p50 ms | p95 ms | p99 ms | work ms (Python + Postgres) | of the exact best eight |",
                "| --- " * 8 + "|",
                sep="\n",
            )
            for size in sizes:
                dataset = f"{size:032x}"
                with postgres.superuser("knowledge") as connection:
                    connection.execute("SET maintenance_work_mem = '512MB'")
                    connection.execute("DROP INDEX IF EXISTS knowledge.embedding_near")
                    fill(connection, dataset, size)
                    if size > IN_USE:
                        connection.execute("SELECT knowledge.build_graph()")
                    connection.execute("VACUUM ANALYZE")  # as autovacuum does
                asyncio.run(measure(settings, dataset, size))
        finally:
            postgres.stop(mode="immediate")
