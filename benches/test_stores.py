"""Importing a store of nirs4all 1.4, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import stores

if TYPE_CHECKING:
    from pathlib import Path


def test_import(benchmark: Any, sizes: Any, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("nirs4all", reason="nirs4all is missing: pip install nirs4all-workspace[nirs4all]")
    monkeypatch.chdir(tmp_path)
    stores.make(str(tmp_path / "store"), str(sizes.rows // 10))
    assert benchmark.pedantic(stores.bring, (str(tmp_path / "store"),), rounds=sizes.rounds)
