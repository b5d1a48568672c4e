"""Every error that the engine raises."""

from __future__ import annotations


class EngineError(Exception):
    """Base of the engine's errors."""


class ProjectError(EngineError):
    """A project file cannot be used: says file, line, what is wrong and how to mend it."""

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        self.file = file
        self.line = line
        self.what = message
        super().__init__(f"{file}:{line}: {message}" if file else message)


class PredicateError(EngineError):
    """A condition cannot be read; names the place in it."""


class CommandSyntaxError(EngineError):
    """A line is no command of the text form asked for."""


class ActionFailed(EngineError):
    """The action server refused, failed, answered nonsense or did not answer in time."""

    def __init__(self, action: str, reason: str) -> None:
        self.action = action
        self.reason = reason
        super().__init__(f"{action}: {reason}")


class ActionMissing(ActionFailed):
    """Nothing that runs actions has one of this name."""


class UnderstandingFailed(EngineError):
    """The understanding server gave no usable answer."""


class ConversationBusy(EngineError):
    """Another server has held this conversation for longer than the lock waits; the caller may try again."""
