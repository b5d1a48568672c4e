"""From probabilities to commands: what is declined or handed over early, what is taken, what is asked back, and two things said at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tightrope.understanding import dangers, patterns, phrases, rules
from tightrope.understanding.models import SEARCH, SMALL_TALK, Clarify, Command, Request, StartFlow
from tightrope.understanding.training import CHITCHAT, OUT_OF_SCOPE, Thresholds
from tightrope.understanding.training import SEARCH as SEARCH_CLASS

_LISTED = 3
"""Flows that are offered to choose from."""
_NO_FLOW = {SEARCH_CLASS, CHITCHAT, OUT_OF_SCOPE}
_CUES = {
    rules.ADVICE_FLOW: (patterns.ADVICE, patterns.FORECAST),
    rules.TRADE_FLOW: (patterns.TRADE,),
}
_BETWEEN = re.compile(
    r"[。.!！?？;；]+(?:\s|(?<![\d.]))(?!\d)|[,，]?\s*(?:另外|还有|顺便|顺带|对了|然后|同时|此外|(?:再|也)(?=帮|查|看|问|给|告诉|办|算|说))"
    r"|[,，]?\s*\b(?:and also|and then|also|plus|by the way|btw|as well as|another thing|oh and|and)\b"
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SHORTEST = 4
_MOST_PARTS = 4


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probabilities in 1e-4: of classes, and of flows (a flow's reasons added up), best first."""

    labels: dict[str, int]
    flows: tuple[tuple[str, int], ...]

    @staticmethod
    def of(probabilities: dict[str, float]) -> Weighed:
        """From the classifier's answer."""
        labels = {label: round(p * 10_000) for label, p in probabilities.items()}
        flows: dict[str, int] = {}
        for label, p in labels.items():
            flow = label.partition(".")[0]
            flows[flow] = flows.get(flow, 0) + p
        return Weighed(labels, tuple(sorted(flows.items(), key=lambda item: (-item[1], item[0]))))

    @property
    def best(self) -> str:
        """The likeliest class."""
        return max(self.labels, key=lambda label: (self.labels[label], label))


DANGERS = ("talk_to_agent.distress", "talk_to_agent.coercion", "talk_to_agent.vulnerable", "report_fraud")
_OF_RULES = {
    "distress": DANGERS,
    "coercion": DANGERS,
    "fraud": DANGERS,
    "vulnerable": DANGERS,
    "complaint": ("file_complaint", *DANGERS),
    "person": ("talk_to_agent.request", "file_complaint", *DANGERS),
}
"""Rules that go by words inside a message, and the classes that bear them out."""
_SURE, _HARDLY, _LIKELY = 9000, 200, 6000


def borne_out(rule: str) -> bool:
    """Whether a rule is one of those that the classifier is asked about."""
    return rule in _OF_RULES


def doubts(rule: str, weighed: Weighed) -> bool:
    """Whether the classifier is sure that a message means something else than the rule's words (QQ号被盗了 is not our matter)."""
    own = _OF_RULES[rule]
    return (
        weighed.best not in own
        and weighed.labels[weighed.best] >= _SURE
        and sum(weighed.labels.get(n, 0) for n in own) <= _HARDLY
    )


def besides_a_person(text: str, weighed: Weighed, weigh: Callable[[str], Weighed]) -> bool:
    """Whether a person is wanted for the journey that a message names: it names it without the words for a person, too.

    Who wants a person for a journey wants the person; a journey whose own name has such words in it is still found by its name.
    """
    rest = patterns.PERSON.matches.sub(" ", text).strip()
    return weighed.best not in _NO_FLOW and bool(rest) and weigh(rest).best == weighed.best


def kin(rule: str, weighed: Weighed, text: str) -> str:
    """The danger that it is: of despair and of blackmail their words are enough, between the others the classifier decides where it is likely."""
    best = max(DANGERS, key=lambda label: weighed.labels.get(label, 0))
    words_decide = rule == "distress" or (rule == "coercion" and dangers.EXTORTION.search(text))
    if words_decide or weighed.labels.get(best, 0) < _LIKELY:
        return rule
    return "fraud" if best == rules.FRAUD_FLOW else best.partition(".")[2]


def sure(text: str, weighed: Weighed, limits: Thresholds) -> str | None:
    """What a folded message is taken for without asking back: a red line first, then the flow that reaches `accept`; None: there is doubt."""
    for label, limit in limits.red_lines.items():
        if weighed.labels.get(label, 0) >= limit:
            return label
    for label, topics in _CUES.items():
        if weighed.labels.get(label, 0) >= limits.cued and any(topic.found(text) for topic in topics):
            return label
    best, score = weighed.flows[0]
    return best if score >= limits.accept else None


def choose(request: Request, text: str, weighed: Weighed, limits: Thresholds) -> tuple[Command, ...]:
    """The commands for a folded message as a whole."""
    if (taken := sure(text, weighed, limits)) is not None:
        return _taken(request, taken, weighed)
    best, _ = weighed.flows[0]
    options = [flow for flow, p in weighed.flows if p >= limits.clarify and _can_be_offered(request, flow)]
    if best == SEARCH_CLASS:
        # Nothing is lost by looking: what the knowledge base does not hold is not answered.
        return (SEARCH,)
    if options == [rules.PERSON_FLOW] == [best]:
        return _taken(request, best, weighed)
    if best not in _NO_FLOW and options:
        # One flow alone is no choice: a person is the other way out.
        others = [] if len(options) > 1 or not request.offer(rules.PERSON_FLOW) else [rules.PERSON_FLOW]
        return (Clarify(tuple(options[:_LISTED] + others)),)
    if phrases.QUESTION.search(text) and (best not in _NO_FLOW or weighed.labels.get(SEARCH_CLASS, 0) >= limits.clarify):
        return (SEARCH,)
    return _taken(request, best, weighed) if best in _NO_FLOW else ()


def _taken(request: Request, label: str, weighed: Weighed) -> tuple[Command, ...]:
    """What a class, or a flow of several classes, leads to."""
    flow, _, reason = label.partition(".")
    if flow == SEARCH_CLASS:
        return (SEARCH,)
    if flow == OUT_OF_SCOPE:
        return ()
    if flow == CHITCHAT:
        return (SMALL_TALK,)
    if flow == rules.TRADE_FLOW:
        return rules.trade(request)
    if flow == rules.FRAUD_FLOW:
        return rules.in_danger(request, "fraud")
    if flow == rules.COMPLAINT_FLOW:
        return rules.complaint(request)
    if flow == rules.PERSON_FLOW:
        mine = {name.partition(".")[2]: p for name, p in weighed.labels.items() if name.startswith(f"{flow}.")}
        reason = reason or max(mine, key=lambda name: (mine[name], name))
        return rules.to_person(request, reason) if reason == "request" else rules.in_danger(request, reason)
    return rules.start(request, flow)


def _can_be_offered(request: Request, flow: str) -> bool:
    """Flows that make sense as a choice: on offer, not running already, and not there to decline something."""
    active = request.flow.id if request.flow else None
    return request.offer(flow) is not None and flow != active and not flow.startswith("decline_")


def parts(text: str) -> list[str]:
    """The sentences and clauses of a folded message that could be two requests; one alone where it has none, or too many."""
    found = [plain for part in _BETWEEN.split(text) if part and _says_something(plain := part.strip(" ,，"))]
    return found if 1 < len(found) <= _MOST_PARTS else [text]


def _says_something(part: str) -> bool:
    """Long enough to be a request of its own: four Chinese characters or three words."""
    return len(part) >= _SHORTEST if _HAN.search(part) else part.count(" ") >= 2


def both(request: Request, each: list[tuple[str, Weighed]], whole: Weighed, limits: Thresholds) -> tuple[Command, ...] | None:
    """Two different requests in one message, in the order said; None where it is one, or where doubt is left."""
    found: list[tuple[str, Weighed]] = []
    for _, weighed in each:
        flow, score = weighed.flows[0]
        if score >= limits.second and flow not in {CHITCHAT, OUT_OF_SCOPE} and flow not in {name for name, _ in found}:
            found.append((flow, weighed))
    names = {flow for flow, _ in found}
    whole_best = whole.flows[0][0]
    if len(found) != 2 or whole_best not in names or not any(flow != SEARCH_CLASS for flow in names):
        return None
    commands = tuple(command for flow, weighed in found for command in _taken(request, flow, weighed))
    started = [command.flow for command in commands if isinstance(command, StartFlow)]
    # A person takes over everything: what else was said goes with the conversation.
    return None if rules.PERSON_FLOW in started or rules.FRAUD_FLOW in started or len(set(started)) != len(started) else commands
