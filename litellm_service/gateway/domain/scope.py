"""What a budget or a rate limit stands on."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

ScopeKind = Literal["everything", "application", "user", "key", "model"]


class Subject(msgspec.Struct, frozen=True):
    """The names that one request is charged under; `model` is the canonical `provider/model`."""

    application_id: str
    user_id: str
    key_id: str
    model: str


class Scope(msgspec.Struct, frozen=True):
    """One application, user or key by name; models by a glob (`openai/*`); or everything (`name` is empty)."""

    kind: ScopeKind
    name: str = ""

    def covers(self, subject: Subject) -> bool:
        """Whether a request counts here."""
        if self.kind == "everything":
            return True
        if self.kind == "model":
            return fnmatchcase(subject.model, self.name)
        charged: str = getattr(subject, f"{self.kind}_id")
        return charged == self.name

    def __str__(self) -> str:
        return self.kind if self.kind == "everything" else f"{self.kind} {self.name}"
