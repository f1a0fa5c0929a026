"""Compares clients' acknowledgements, the mock's truth log and the database."""

import dataclasses
from collections import Counter
from typing import Any

from stack import ApiService, Mock

_SUMS = (
    "requests",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "unpriced_requests",
    "estimated_requests",
    "duration_us",
)
_KEYS = "quarter, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status"
# Rollups by themselves, and the same sums made anew from the ledger up to the watermark.
_STORED = f"SELECT {_KEYS}, {', '.join(_SUMS)} FROM rollups"
_RECOUNTED = """
SELECT admitted_at_ms / 900000 AS quarter, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status,
    sum(final AND kind IN (1, 2)) AS requests, sum(final AND kind IN (1, 2) AND http_status >= 400) AS errors,
    sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens, sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens, coalesce(sum(cost_nano_usd), 0) AS cost_nano_usd,
    sum(final AND kind IN (1, 2) AND cost_nano_usd IS NULL) AS unpriced_requests,
    sum(final AND kind IN (1, 2) AND estimated) AS estimated_requests,
    sum(CASE WHEN final AND kind IN (1, 2) THEN duration_us ELSE 0 END) AS duration_us
FROM ledger WHERE id <= (SELECT value FROM meta WHERE name = 'rollup_watermark') GROUP BY 1, 2, 3, 4, 5, 6, 7
"""  # constants


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    """A request whose client received the end of the answer, and what it was told of its usage."""

    request_id: str
    marker: str
    prompt_tokens: int
    completion_tokens: int


@dataclasses.dataclass
class Findings:
    """What does not agree; all lists are empty when all is well."""

    acknowledged: int = 0
    dispatched: int = 0
    estimated: int = 0
    lost: list[str] = dataclasses.field(default_factory=list)
    unequal: list[str] = dataclasses.field(default_factory=list)
    duplicated: list[str] = dataclasses.field(default_factory=list)
    untracked: list[str] = dataclasses.field(default_factory=list)
    unsummed: list[str] = dataclasses.field(default_factory=list)
    open_holds: int = 0

    @property
    def faults(self) -> dict[str, Any]:
        """The parts that are not as they must be."""
        names = ("lost", "unequal", "duplicated", "untracked", "unsummed", "open_holds")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def compare(api: ApiService, mock: Mock, acknowledged: list[Acknowledged]) -> Findings:
    """Everything that must agree once the service has recovered and is idle."""
    findings = Findings(acknowledged=len(acknowledged), open_holds=api.open_holds())
    _compare_ledger(api, mock, findings)
    _compare_acknowledged(api, mock, acknowledged, findings)
    _compare_sums(api, findings)
    return findings


def _compare_ledger(api: ApiService, mock: Mock, findings: Findings) -> None:
    """Each upstream call has exactly one settled or estimated row; each request one row in `requests`."""
    rows = api.rows("SELECT lower(hex(request_id)) AS id, attempt, kind, final, estimated FROM ledger WHERE kind < 3")
    per_attempt = Counter((row["id"], row["attempt"]) for row in rows)
    findings.duplicated += [str(key) for key, count in per_attempt.items() if count > 1]
    attempts = Counter(request_id for request_id, _ in per_attempt)
    finals = Counter(row["id"] for row in rows if row["final"])
    findings.duplicated += [request_id for request_id, count in finals.items() if count > 1]
    calls = Counter(call["ids"]["x-request-id"].replace("-", "") for call in mock.calls())
    findings.dispatched = sum(calls.values())
    findings.untracked += [name for name, count in calls.items() if attempts[name] < count]
    findings.estimated = sum(1 for row in rows if row["kind"] == 2)
    requests = {row["id"].replace("-", "") for row in api.rows("SELECT id FROM requests")}
    findings.lost += sorted(set(finals) ^ requests)


def _compare_acknowledged(api: ApiService, mock: Mock, acknowledged: list[Acknowledged], findings: Findings) -> None:
    rows = {
        row["id"]: row
        for row in api.rows(
            "SELECT r.*, l.estimated, l.kind, l.cost_nano_usd AS ledger_cost FROM requests r "
            "JOIN ledger l ON lower(hex(l.request_id)) = replace(r.id, '-', '') AND l.final"
        )
    }
    served = {call["marker"]: call["usage"] for call in mock.calls() if call["how"]}
    for told in acknowledged:
        row = rows.get(told.request_id)
        if row is None:
            findings.lost.append(told.request_id)
        elif not _equal(row, told, served.get(told.marker)):
            findings.unequal.append(f"{told} {served.get(told.marker)} {row}")


def _equal(row: dict[str, Any], told: Acknowledged, truth: dict[str, int] | None) -> bool:
    tokens = (row["prompt_tokens"], row["completion_tokens"])
    stated = truth is None or tokens == (truth["prompt_tokens"], truth["completion_tokens"])
    settled = (row["outcome"], row["estimated"], row["kind"]) == ("completed", 0, 1)
    cost = row["cost_nano_usd"] == row["ledger_cost"]
    return stated and settled and cost and tokens == (told.prompt_tokens, told.completion_tokens)


def _compare_sums(api: ApiService, findings: Findings) -> None:
    """Rollups = GROUP BY of the ledger up to the watermark."""
    stored, recounted = (
        {tuple(row.values())[:7]: tuple(row[name] for name in _SUMS) for row in api.rows(statement)}
        for statement in (_STORED, _RECOUNTED)
    )
    for key in stored.keys() | recounted.keys():
        if stored.get(key) != recounted.get(key):
            findings.unsummed.append(f"{key}: {stored.get(key)} stored, {recounted.get(key)} in the ledger")
