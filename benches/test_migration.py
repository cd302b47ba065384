"""Migrating a folder of nirs4all 0.6, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import migration

if TYPE_CHECKING:
    from pathlib import Path


def test_migrate(benchmark: Any, sizes: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    migration.make(str(tmp_path / "old"), str(sizes.rows))
    assert benchmark.pedantic(migration.migrate, (str(tmp_path / "old"),), rounds=sizes.rounds)
