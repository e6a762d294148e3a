"""What widgets say to screens: dataclass messages, posted by a widget, handled by a screen."""

from dataclasses import dataclass

from textual.message import Message


@dataclass
class CaseChosen(Message):
    """Somebody opened a case."""

    case_id: str


@dataclass
class Asked(Message):
    """Somebody typed a line: a question, or a slash command."""

    text: str
