"""All actions of this project."""

from __future__ import annotations

from typing import Final

from actions.account import TellBalance
from actions.base import DeclaredAction
from actions.calculators import AskInterestUntil, CalculateCompoundGrowth, CalculateMarginInterest, CalculateTradingCost
from actions.closing import CheckClosure, RequestClosure
from actions.common import AskLoginState, BeginJourney, MayRepeat, OfferFlows, SetLanguage
from actions.complaint import FileComplaint, SummariseComplaint
from actions.contact import AskContactConsent, AskContactField, RequestContactChange, ShowContact
from actions.handoff import HandOver
from actions.holdings import ListHoldings
from actions.ipo import TellAllotments
from actions.knowledge import AnswerQuestion
from actions.margin import CheckMarginEligibility
from actions.margin_ratio import CheckMarginRatio
from actions.menu import ShowMenu
from actions.options import CheckOptionsEligibility
from actions.orders import AskOrder, FindOrders, ShowOrder
from actions.password import WarnOfTypedSecret
from actions.risk import TellRiskAssessment
from actions.statements import AskStatementConsent, AskStatementMonth, AskStatementYear, CheckStatementPeriod, RequestStatement
from actions.trading_calendar import AskCalendarDay, CheckTradingCalendar
from actions.transfers import AskTransfer, FindTransfers, ShowTransfer
from actions.verdicts import ExplainVerdict

ACTIONS: Final[tuple[type[DeclaredAction], ...]] = (
    SetLanguage,
    BeginJourney,
    AskLoginState,
    MayRepeat,
    OfferFlows,
    TellBalance,
    ListHoldings,
    FindOrders,
    AskOrder,
    ShowOrder,
    FindTransfers,
    AskTransfer,
    ShowTransfer,
    AskStatementMonth,
    AskStatementYear,
    CheckStatementPeriod,
    AskStatementConsent,
    RequestStatement,
    TellAllotments,
    TellRiskAssessment,
    ShowContact,
    AskContactField,
    AskContactConsent,
    RequestContactChange,
    CheckMarginEligibility,
    CheckOptionsEligibility,
    ShowMenu,
    CheckMarginRatio,
    ExplainVerdict,
    CalculateTradingCost,
    CalculateMarginInterest,
    AskInterestUntil,
    CalculateCompoundGrowth,
    CheckTradingCalendar,
    AskCalendarDay,
    AnswerQuestion,
    HandOver,
    WarnOfTypedSecret,
    CheckClosure,
    RequestClosure,
    SummariseComplaint,
    FileComplaint,
)
