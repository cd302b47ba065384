"""The lines of the table, and what their figures depend on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

Times = dict[str, list[float]]


@dataclass
class Row:
    """One line of the table; all times in seconds, unless the unit is another."""

    name: str
    family: str
    size: int
    times: Times
    faster_than: dict[str, float] = field(default_factory=dict)  # peer: so many times
    floor: str = ""  # which of the times is the floor
    floors: float = 0.0  # at most so many times the floor ...
    plus: float = 0.0  # ... or so many times another of the times, and so many seconds
    limit: float = 0.0  # at most so many seconds
    unit: str = "s"
    within: dict[str, float] = field(default_factory=dict)  # at most so many times another of the times
    beyond: dict[str, float] = field(default_factory=dict)  # at most so much more than another

    def cells(self, judged: bool) -> list[str]:
        """Name, ours, peers, floor, ratio, bar, met."""
        medians = {name: median(times) for name, times in self.times.items()}
        mine = medians.pop("ours")
        floor = medians.pop(self.floor, 0.0)
        shown = [f"{name} {self.amount(value)}" for name, value in medians.items() if "floor" not in name]
        ratios, bars, met = [], [], []
        for peer, factor in self.faster_than.items():
            ratios.append(f"{medians[peer] / mine:.1f}x faster than {peer}")
            bars.append(f"{factor:g}x faster than {peer}")
            met.append(mine * factor <= medians[peer])
        for other, factor in self.within.items():
            ratios.append(f"{mine / medians[other]:.2f}x {other}")
            bars.append(f"within {factor:g}x of {other}" + (f" + {_time(self.plus)}" if self.plus else ""))
            met.append(mine <= factor * medians[other] + self.plus)
        for other, more in self.beyond.items():
            ratios.append(f"{self.amount(mine - medians[other])} more than {other}")
            bars.append(f"within {self.amount(more)} of {other}")
            met.append(mine <= medians[other] + more)
        if floor:
            ratios.append(f"{mine / floor:.1f}x the floor")
        if self.floors:
            bars.append(f"{self.floors:g}x the floor" + (f" + {_time(self.plus)}" if self.plus else ""))
            met.append(mine <= self.floors * floor + self.plus)
        if self.limit:
            bars.append(f"under {self.amount(self.limit)}")
            met.append(mine <= self.limit)
        verdict = ("yes" if all(met) else "**no**") if judged and met else "-"
        cells = [
            self.name,
            self.amount(mine),
            "; ".join(shown),
            self.amount(floor) if floor else "",
            "; ".join(ratios),
        ]
        return [cell or "-" for cell in [*cells, "; ".join(bars), verdict]]

    def amount(self, value: float) -> str:
        """With its unit."""
        return _time(value) if self.unit == "s" else f"{value:.4g} {self.unit}".rstrip()


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def machine() -> dict[str, object]:
    """What the figures depend on."""
    cpu = platform.processor()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
    }


def versions(elsewhere: dict[str, str | None]) -> dict[str, str]:
    """Of all peers; `elsewhere` has Pythons that have others, by package."""
    found = {
        name: importlib.metadata.version(name)
        for name in ("nirs4all-workspace", "polars", "pyarrow", "duckdb", "blake3")
    }
    found |= {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package, python in elsewhere.items():
        if python:
            code = f"import importlib.metadata as m; print(m.version({package!r}))"
            done = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
            found[package] = done.stdout.strip()
    return found


def curves(rows: list[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Medians by family, size and whose."""
    answer: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        medians = {name: median(times) for name, times in row.times.items()}
        answer.setdefault(row.family, {})[str(row.size)] = medians
    return answer
