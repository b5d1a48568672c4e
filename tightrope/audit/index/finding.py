"""Asking the index. Every question is on the record before its answer is shown to anybody."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

from tightrope.audit import repository as log_repository
from tightrope.audit.errors import QuestionInvalid
from tightrope.audit.index import repository, sampling
from tightrope.audit.index.models import Found, Hit, Question
from tightrope.audit.index.query import customer_hash, where
from tightrope.audit.index.sampling import Sample
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, Place, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.repository import Conn
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool

LIMIT = 1000
"""Records shown unless told otherwise; all are counted."""

_LEAF_ONLY: dict[str, Any] = {"inputs": (), "customer": None, "agent": None, "model": None, "response": None}
_SEED = re.compile(r"[\x21-\x7e]{1,64}")


class Finder:
    """Answers questions for one person."""

    def __init__(self, pool: Pool, keyring: Keyring, recorder: Recorder, clock: Clock, *, who: str) -> None:
        """`pool`: of Role.AUDITOR; `who`: login name of the one who asks, for the record."""
        self._pool = pool
        self._keyring = keyring
        self._recorder = recorder
        self._clock = clock
        self._who = who

    async def find(
        self,
        question: Question,
        *,
        limit: int = LIMIT,
        reason: str = "",
        newest: bool = False,
        before: Place | None = None,
    ) -> Found:
        """The records that answer a question, oldest first.

        Args:
            limit: most records that are shown; all are counted.
            newest: newest first.
            before: show only records that stand before this place: the next page of an answer that is read newest first.

        Raises:
            QuestionInvalid: the question is not well-formed.
            WrongMasterKey: another master key than the log's.
        """
        clause, params = where(question, self._keyring)
        async with self._pool.connection() as conn:
            await self._confirm(conn)
            found = await self._answer(conn, question, clause, params, limit, newest=newest, before=before)
            facts = {"mode": "list", "records": found.records, "shown": len(found.hits)}
            await self._note(conn, question, reason, facts, before)
        return found

    async def sample(self, question: Question, size: int, seed: str, *, reason: str = "") -> Sample:
        """A reproducible sample of the records that answer a question, with its working papers.

        Raises:
            QuestionInvalid: the question, the size or the seed is not well-formed.
            WrongMasterKey: another master key than the log's.
        """
        if not _SEED.fullmatch(seed):
            raise QuestionInvalid("a seed is 1 to 64 printable ASCII characters without blanks: --seed 20260501")
        clause, params = where(question, self._keyring)
        async with self._pool.connection() as conn:
            await self._confirm(conn)
            population = await repository.places(conn, clause, params)
            drawn = sampling.draw(population, size, seed)
            hits = tuple(Hit(row, name) for row, name in await repository.at_places(conn, drawn))
            last = question.up_to or (await repository.position(conn)).last
            made = Sample(
                question=self.told(question),
                asked_by=self._who,
                drawn_at=self._clock.now(),
                seed=seed,
                size=size,
                population=len(population),
                population_sha256=sampling.fingerprint(population),
                up_to=str(last) if last else "",
                command=sampling.command(question, size, seed, last),
                hits=hits,
            )
            facts = {
                "mode": "sample",
                "records": len(population),
                "shown": len(hits),
                "population_sha256": made.population_sha256,
                "papers_sha256": hashlib.sha256(sampling.papers_json(made)).hexdigest(),
            }
            await self._note(conn, question, reason, facts | {"seed_sha256": hashlib.sha256(seed.encode()).hexdigest()})
        return made

    async def choose(self, conn: Conn, question: Question, *, whole: bool, most: int | None = None) -> list[Place]:
        """What an export of this question holds; the export makes the record of it.

        Args:
            whole: take the whole conversations of what is found, not the found records alone.
            most: whoever can take no more gets some of them where there are more, and more than this; so a question that every record answers
                does not bring the whole log into memory.
        """
        clause, params = where(question, self._keyring)
        await self._confirm(conn)
        limit = most + 1 if most is not None else None
        found = await repository.places(conn, clause, params, limit)
        if not whole or (most is not None and len(found) > most):
            return found
        convs = await repository.conversations(conn, clause, params)
        return sorted({*found, *await repository.of_conversations(conn, convs, limit)})

    def told(self, question: Question) -> dict[str, Any]:
        """The question as it may be written down: the customer by the keyed hash."""
        hashed = customer_hash(self._keyring, question.customer).hex() if question.customer is not None else None
        return question.to_json(customer=hashed)

    async def _answer(
        self,
        conn: Conn,
        question: Question,
        clause: str,
        params: dict[str, Any],
        limit: int,
        *,
        newest: bool,
        before: Place | None,
    ) -> Found:
        counts = await repository.counts(conn, clause, params)
        shown, more = clause, params
        if before is not None:
            shown = f"{clause} AND (i.shard, i.index) < (%(before_shard)s, %(before_index)s)"
            more = params | {"before_shard": before.shard, "before_index": before.index}
        rows = await repository.search(conn, shown, more, limit, newest=newest)
        leaf_clause, leaf_params = where(replace(question, **_LEAF_ONLY), self._keyring)
        closed = await repository.counts(conn, f"{leaf_clause} AND i.key_state <> 'active'", leaf_params)
        position = await repository.position(conn)
        hits = tuple(Hit(row, name) for row, name in rows)
        return Found(question, hits, **counts, unreadable=closed["records"], position=position)

    async def _note(
        self, conn: Conn, question: Question, reason: str, facts: dict[str, Any], before: Place | None = None
    ) -> None:
        asked = self.told(question) | ({"before": str(before)} if before is not None else {})
        payload = {"who": self._who, "reason": reason, "question": asked}
        await self._recorder.record(conn, RecordDraft(Event.INDEX_QUERIED, facts=facts, payload=payload))

    async def _confirm(self, conn: Conn) -> None:
        found = await log_repository.master_check(conn)
        if found is not None:
            self._keyring.confirm(found)
