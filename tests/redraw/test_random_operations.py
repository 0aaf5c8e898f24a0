"""Random operations on made-up grids: every state is a coverage, for our rules and for GEOS, and no ground is lost."""

from __future__ import annotations

from tests.redraw.walk import voronoi, walk


def test_three_hundred_random_operations_keep_every_rule() -> None:
    walked = walk(voronoi(30), steps=300, seed=1)
    assert sum(walked.done.values()) > 150
    assert set(walked.done) == {
        "add_vertex", "assign", "create", "delete_vertex", "merge", "move_vertex", "reshape", "retire", "split",
    }  # fmt: skip
