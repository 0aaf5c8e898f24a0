"""The report file of rows an import left out: each row as it stood, with what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gridgis.files.writing import write_csv
from gridgis.tasks.findings import Finding


def write_rejects(path: Path, rejected: pd.DataFrame, findings: Sequence[Finding]) -> None:
    """Write rejected rows as CSV: file, row, rule, column, problem and remedy (both languages), then their own columns.

    `rejected` has `file`, `row` and the columns of the source. A row that breaks several rules is told by its first.
    """
    first: dict[tuple[str, int], Finding] = {}
    for finding in findings:
        if finding.severity == "error" and finding.row is not None:
            first.setdefault((finding.file, finding.row), finding)
    told = [first.get((file, row)) for file, row in zip(rejected["file"], rejected["row"], strict=True)]
    head = pd.DataFrame(
        {
            "file": rejected["file"],
            "row": rejected["row"],
            "rule": [found.rule if found else "" for found in told],
            "column": [found.column if found else "" for found in told],
            "problem": [found.message("en") if found else "" for found in told],
            "remedy": [found.remedy("en") if found else "" for found in told],
            "问题": [found.message("zh") if found else "" for found in told],
            "处理办法": [found.remedy("zh") if found else "" for found in told],
        },
        index=rejected.index,
    )
    own = rejected.drop(columns=["file", "row"])
    own.columns = pd.Index([f"{name}_" if name in head.columns else name for name in own.columns])
    write_csv(path, pd.concat([head, own], axis=1))
