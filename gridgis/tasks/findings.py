"""What an import found: each rule broken by a row, said with the file, the row the user sees, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gridgis.errors import DataError
from gridgis.files.cleaning import RULES, Problem, Severity
from gridgis.text import Lang, t

# A file of a million bad rows is told by its first ones and by counts.
MOST_PER_RULE: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule broken by one row, or by a whole file."""

    rule: str
    """Name in `gridgis.files.cleaning.RULES`."""
    severity: Severity
    file: str
    row: int | None
    """Row number as a table program shows it, or the feature id as QGIS does; None for the whole file."""
    numbered: Literal["row", "feature"]
    column: str = ""
    """Heading in the file, where one column is at fault."""
    value: str = ""
    """What stands there."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def message(self, lang: Lang) -> str:
        """Where and what, in a language."""
        return f"{self.place(lang)}{t('import.colon', lang)}{self._say('', lang)}"

    def remedy(self, lang: Lang) -> str:
        """What to do, in a language."""
        return self._say("_fix", lang)

    def place(self, lang: Lang) -> str:
        """File and row, in a language."""
        key = "file" if self.row is None else self.numbered
        return t(f"import.where_{key}", lang, file=self.file, row=self.row)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; texts in English."""
        return {
            "rule": self.rule, "severity": self.severity, "file": self.file, "row": self.row, "column": self.column or None,
            "value": self.value or None, "message": self.message("en"), "remedy": self.remedy("en"),
        }  # fmt: skip

    def _say(self, ending: str, lang: Lang) -> str:
        return t(f"import.{self.rule}{ending}", lang, column=self.column, value=self.value, **self.extra)


class Rejected(DataError):
    """Rows that broke a rule kept an import out; the message is the first one's, with its remedy and how many there are."""

    def message(self, lang: Lang) -> str:
        """The message in a language."""
        first: Finding = self.values["first"]  # type: ignore[assignment]
        more = self.values["errors"]
        key = self.key if more == 1 else "import.rejected_more"
        return t(key, lang, message=first.message(lang), remedy=first.remedy(lang), errors=more)


def findings_of(
    problems: Sequence[Problem], *, files: Sequence[str], rows: Sequence[int], numbered: Sequence[Literal["row", "feature"]]
) -> tuple[tuple[Finding, ...], dict[str, int]]:
    """Findings, errors first, then by file and row; at most 200 of a rule; and how many rows break each rule.

    `files`, `rows` and `numbered` say for each position in the frame where it came from.
    """
    counts: Counter[str] = Counter()
    found: list[tuple[tuple[bool, int], Finding]] = []
    for problem in problems:
        if len(problem.rows) == 0:
            counts[problem.rule] += 1
            file = str(problem.extra.get("file", files[0] if len(files) else ""))
            extra = {name: value for name, value in problem.extra.items() if name != "file"}
            found.append(
                (
                    (problem.severity != "error", -1),
                    Finding(problem.rule, problem.severity, file, None, "row", problem.column, "", extra),
                )
            )
            continue
        room = max(MOST_PER_RULE - counts[problem.rule], 0)
        counts[problem.rule] += len(problem.rows)
        for nth, at in enumerate(problem.rows[:room].tolist()):
            value = problem.shown[nth] if nth < len(problem.shown) else ""
            one = Finding(
                problem.rule, problem.severity, files[at], int(rows[at]), numbered[at], problem.column, value, problem.extra
            )
            found.append(((problem.severity != "error", at), one))
    found.sort(key=lambda pair: pair[0])
    return tuple(finding for _, finding in found), dict(counts)


def count(counts: Mapping[str, int], severity: Severity) -> int:
    """How many rows break rules of a severity.

    >>> count({"duplicate": 2, "overlap": 1}, "error")
    2
    """
    return sum(number for rule, number in counts.items() if RULES[rule] == severity)
