"""Percentiles and medians of what was measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest-rank percentile of values in rising order; ``share`` is 0..1."""
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def delay_summary_ms(delays_ns: Iterable[int]) -> dict[str, float]:
    """p50, p95, p99 and the largest, in milliseconds; empty when nothing was measured."""
    ordered = sorted(delays_ns)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(ordered, share) / 1e6, 3) for name, share in shares.items()}


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure that every run has."""
    if not runs:
        return {}
    shared = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: statistics.median(run[name] for run in runs) for name in shared}


def spread(values: Sequence[float]) -> float:
    """Largest difference between runs as a share of their median: how far a figure can be trusted."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
