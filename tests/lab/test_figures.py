"""The page of figures."""

from __future__ import annotations

from tests.lab.figures import page


def test_each_measurement_is_a_row_and_failure_is_said() -> None:
    text = page(["test_x[a]: fps 20, rtt_s 0.3"], False, "2026-01-02", 2)
    assert "| `test_x[a]` | fps 20, rtt_s 0.3 |" in text
    assert "not all demands met" in text
    assert "not all" not in page([], True, "2026-01-02", 2)
