"""Transfers between bank and securities account, or between firms, and what their states and failures mean. Nothing here moves money."""

from __future__ import annotations

from datetime import datetime

from actions.choosing import AskRecord, Choice, FindRecords, Records, ShowRecord
from actions.turn import Turn
from actions.wording import moment, money
from actions.words import day, plain, quantity, security_title
from tightrope.business.models import Transfer, TransferKind
from tightrope.business.operations import LIST_TRANSFERS
from tightrope.rules.code_book import Edition

RULE = "transfer_codes"
_KINDS = {
    TransferKind.BANK_TO_SECURITIES: ("银行转证券", "Bank to securities account"),
    TransferKind.SECURITIES_TO_BANK: ("证券转银行", "Securities account to bank"),
    TransferKind.CUSTODY_IN: ("转托管转入", "Securities from another firm"),
    TransferKind.CUSTODY_OUT: ("转托管转出", "Securities to another firm"),
}
_UNKNOWN = {"zh": "待核实", "en": "to be checked"}


def _edition(turn: Turn) -> Edition:
    return turn.context.rules.transfer_codes.on(turn.today)


def _what(transfer: Transfer, language: str) -> str:
    """`银行转证券 50,000.00 元`."""
    kind = _KINDS[transfer.kind][1 if language == "en" else 0]
    if transfer.amount is not None:
        return f"{kind} {money(transfer.amount, language)}"
    assert transfer.security is not None  # noqa: S101 - the contract: securities where there is no money
    assert transfer.quantity is not None  # noqa: S101
    return f"{kind} {security_title(transfer.security, language)} {quantity(transfer.quantity, transfer.security, language)}"


def line(turn: Turn, transfer: Transfer) -> str:
    """A transfer as a button shows it: time, what, and how it stands."""
    known = _edition(turn).statuses.get(transfer.status)
    state = f" · {known.title.text(turn.language)}" if known else ""
    return f"{moment(transfer.requested_at, turn.context.clock.now(), turn.language)} {_what(transfer, turn.language)}{state}"


def explain(turn: Turn, transfer: Transfer, as_of: datetime) -> None:
    """Say how a transfer stands, why, and what to do. A state or code that our table does not have is said as such, and a person is offered."""
    language, now, edition = turn.language, turn.context.clock.now(), _edition(turn)
    shown = {
        "transfer": _what(transfer, language),
        "counterparty": plain(transfer.counterparty_masked.replace("*", "•")),
        "requested_at": moment(transfer.requested_at, now, language),
        "as_of": moment(as_of, now, language),
    }
    status = edition.statuses.get(transfer.status)
    reason = edition.codes.get(transfer.failure.value) if transfer.failure is not None else None
    if transfer.failure is not None:
        inputs = {"status": transfer.status, "code": transfer.failure.value}
        turn.used_rule(RULE, edition.version, "explained" if reason else "unknown_code", inputs, {"day": turn.today} | inputs)
    if status is None or (transfer.failure is not None and reason is None):
        title = status.title.text(language) if status else _UNKNOWN[language]
        turn.say("utter_transfer_unexplained", (), status=title, **shown)
        return
    words = {"status": status.title.text(language), **shown}
    if reason is not None:
        turn.say(
            "utter_transfer_failed",
            (),
            reason=reason.title.text(language),
            meaning=reason.meaning.text(language),
            remedy=reason.remedy.text(language),
            **words,
        )
        return
    words |= {"meaning": status.meaning.text(language), "remedy": status.remedy.text(language)}
    if transfer.status == "processing" and transfer.expected_on is not None:
        turn.say("utter_transfer_processing", (), expected=day(transfer.expected_on, now, language), **words)
    else:
        turn.say("utter_transfer_state", (), **words)


async def _transfers(turn: Turn) -> Records:
    customer = await turn.customer()
    answer = await turn.fetch(LIST_TRANSFERS, lambda api, token: api.transfers(token, customer.customer_id))
    return Records(answer.value.items, answer.value.as_of)


TRANSFERS = Choice(
    name="transfer",
    call=LIST_TRANSFERS,
    scope="transfers:read",
    read=_transfers,
    key=lambda transfer: str(transfer.transfer_id),
    line=line,
    explanations=frozenset({f"utter_transfer_{part}" for part in ("state", "processing", "failed", "unexplained")}),
    explain=explain,
    older=("更早的转账", "Earlier transfers"),
    nothing=("不用了", "None of these"),
)


class FindTransfers(FindRecords):
    """The transfers of the last thirty days: none, several, or the only one explained."""

    action_name = "action_find_transfers"
    choice = TRANSFERS
    declaration = TRANSFERS.finding()


class AskTransfer(AskRecord):
    """Which transfer is meant."""

    action_name = "action_ask_transfer_choice"
    choice = TRANSFERS
    declaration = TRANSFERS.asking()


class ShowTransfer(ShowRecord):
    """Explains the transfer that was chosen."""

    action_name = "action_show_transfer"
    choice = TRANSFERS
    declaration = TRANSFERS.showing()
