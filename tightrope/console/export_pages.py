"""Export from the pages: the form, how far it is, and the download. Every change is a form with the session's token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from tightrope.audit.errors import ExportRefused
from tightrope.audit.export.bundle import verifier_files
from tightrope.audit.export.models import Language, Made, Masker, Order, Progress
from tightrope.audit.export.outside import Outside
from tightrope.audit.export.pdf import font_file
from tightrope.audit.export.proofs import TreeProofs
from tightrope.audit.export.service import REASON_LENGTH, Exporter, Parts
from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.console.errors import ExportBusy
from tightrope.console.exporting import Exports, Job, Make, Wish
from tightrope.console.login import auditor, posted
from tightrope.console.search import FIELDS, Asked, QuestionRefused
from tightrope.console.sessions import Session
from tightrope.console.web import ask_purpose, language_of, page
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.settings import Settings

Reader = Annotated[Session, Depends(auditor)]

REASON_LIMIT: Final = 300


def maker(settings: Settings, pool: Pool, keyring: Keyring, recorder: Recorder, clock: Clock, mask: Masker) -> Make:
    """What makes the exports of the pages, from the same parts as `tightrope audit export`.

    Args:
        pool: of Role.AUDITOR.
    """

    async def make(order: Order, progress: Progress) -> Made:
        async with pool.connection() as conn:
            row = await (await conn.execute("SELECT store FROM audit.sealer")).fetchone()
        # The sealer wrote down what it stores to: these pages need no key to that store.
        store = str(row["store"]) if row else ""
        proofs, outside = TreeProofs(settings), await asyncio.to_thread(Outside, settings)
        parts = Parts(settings, pool, keyring, recorder, clock, mask, proofs, outside, verifier_files(), store)
        return await Exporter(parts).make(order, progress)

    return make


def export_router(settings: Settings) -> APIRouter:
    """The pages of exports."""
    routes = APIRouter()

    @routes.get("/export")
    async def ask(request: Request, session: Reader) -> Response:
        if not session.purpose:
            return ask_purpose(request)
        try:
            asked = Asked.read(request.query_params, session.customers.get)
        except QuestionRefused as refused:
            return await _form(request, session, {}, refusal="invalid", invalid=str(refused), status=400)
        return await _form(request, session, asked.fields)

    @routes.post("/exports")
    async def begin(request: Request) -> Response:
        fields = await posted(request)
        session = await auditor(request)
        if not session.purpose:
            return RedirectResponse("/purpose?back=/search", status_code=303)
        try:
            asked = Asked.read(fields, session.customers.get)
        except QuestionRefused as refused:
            return await _form(request, session, {}, refusal="invalid", invalid=str(refused), status=400)
        wish = _wish(asked, fields, session)
        try:
            job = exports_of(request).begin(session.person, wish, font=settings.audit_pdf_font)
        except ExportBusy as busy:
            return await _form(request, session, asked.fields, refusal=f"busy_{busy.code}", status=409)
        return RedirectResponse(f"/exports/{job.id}", status_code=303)

    @routes.get("/exports/{name}")
    async def show(request: Request, session: Reader, name: str) -> Response:
        job = _job(request, session, name)
        return page(request, "exporting", job=job, question=shown(job.wish.fields, session), again=urlencode(job.wish.fields))

    @routes.get("/exports/{name}/state")
    async def state(request: Request, session: Reader, name: str) -> Response:
        return JSONResponse(_job(request, session, name).to_json())

    @routes.post("/exports/{name}/download")
    async def download(request: Request, name: str) -> Response:
        await posted(request)
        job = _job(request, await auditor(request), name)
        if job.state != "ready" or not job.path.is_file():
            raise HTTPException(404)
        stamp = job.begun.strftime("%Y%m%d-%H%M%S")
        headers = {
            "Content-Disposition": f'attachment; filename="audit-export-{stamp}{"-unmasked" if job.wish.unmasked else ""}.zip"',
            "Content-Length": str(job.size),
        }
        return StreamingResponse(exports_of(request).sent(job), media_type="application/zip", headers=headers)

    @routes.post("/exports/{name}/discard")
    async def discard(request: Request, name: str) -> Response:
        await posted(request)
        job = _job(request, await auditor(request), name)
        await exports_of(request).discard(job)
        return RedirectResponse(f"/export?{urlencode(job.wish.fields)}", status_code=303)

    return routes


def exports_of(request: Request) -> Exports:
    """The process's exports."""
    exports: Exports = request.app.state.exports
    return exports


def shown(fields: Mapping[str, str], session: Session) -> list[tuple[str, str]]:
    """A question's fields as the page shows them: the customer by the id that was typed."""
    return [
        (name, session.customers.get(fields[name], fields[name]) if name == "customer" else fields[name])
        for name in FIELDS
        if name in fields
    ]


def _wish(asked: Asked, fields: Mapping[str, str], session: Session) -> Wish:
    unmasked = fields.get("unmasked") == "yes"
    reason = " ".join(fields.get("reason", "").split())[:REASON_LIMIT]
    language: Language = "en" if fields.get("language") == "en" else "zh"
    return Wish(
        question=asked.question,
        fields=asked.fields,
        # An unmasked export needs a reason of its own: what was said on entering was said of reading.
        reason=reason if unmasked else reason or session.purpose,
        unmasked=unmasked,
        whole=fields.get("whole", "yes") == "yes",
        pdf=fields.get("pdf") == "yes",
        language=language,
    )


async def _form(
    request: Request, session: Session, fields: dict[str, str], *, refusal: str = "", invalid: str = "", status: int = 200
) -> Response:
    settings: Settings = request.app.state.settings
    context: dict[str, Any] = {
        "fields": fields,
        "question": shown(fields, session),
        "refusal": refusal,
        "invalid": invalid,
        "last": exports_of(request).last(session.person),
        "pdf": await asyncio.to_thread(_can_print, settings),
        "most": settings.console_export_records,
        "shortest": REASON_LENGTH,
        "form_language": language_of(request),
    }
    return page(request, "export", status=status, **context)


def _can_print(settings: Settings) -> bool:
    try:
        font_file(settings.audit_pdf_font)
    except ExportRefused:
        return False
    return True


def _job(request: Request, session: Session, name: str) -> Job:
    job = exports_of(request).of(session.person, name)
    if job is None:
        raise HTTPException(404)
    return job
