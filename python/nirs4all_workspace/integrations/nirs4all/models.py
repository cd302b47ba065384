"""Fitted models as `.n4a` files, which nirs4all writes and reads again; here they are bytes."""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nirs4all_workspace._io import files
from nirs4all_workspace.integrations.nirs4all.rows import results_of

CHOICES = ("refit", "all", "none")
# Folds of a model that was fitted to all training samples.
_ALL_SAMPLES = ("final", "", None)


@dataclass
class Exported:
    """The models of one result.

    Attributes:
        files: Name and content of each `.n4a` file.
        manifests: The manifest of the file of each of its own results, in their order; empty of one without.
        problems: What nirs4all said where it refused to export a model.
    """

    files: list[tuple[str, bytes]] = field(default_factory=list)
    manifests: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def exported(
    result: Any,  # noqa: ANN401 - a RunResult, which is imported on use
    artifacts: str,
    config_name: str | None = None,
    *,
    with_manifests: bool = False,
) -> Exported:
    """Return models of a result, as nirs4all exports them.

    A model that it does not export, as of a shape that its default engine cannot replay, fails no result.

    Args:
        result: What `nirs4all.run` returned for one configuration and dataset.
        artifacts: What is stored. "refit": of each of its own results (one; of several models in one pipeline
            one each) the model fitted again that nirs4all chooses by cross-validation; nothing where none was
            fitted again. "all": besides, every further model fitted again that nirs4all exports on its own,
            which its legacy engine alone does, and without a refit the models of folds as one. "none":
            nothing.
        config_name: The name of the configuration, for files of rows that have none.
        with_manifests: Whether manifests are wanted in any case.

    Raises:
        ValueError: `artifacts` is none of these.
    """
    if artifacts not in CHOICES:
        raise ValueError(f"artifacts: expected one of {', '.join(CHOICES)}, got {artifacts!r}")
    found = Exported()
    if artifacts == "none" and not with_manifests:
        return found
    with tempfile.TemporaryDirectory(prefix="n4w-models-") as folder:
        for place, leaf in enumerate(results_of(result)):
            finals = [
                row
                for row in leaf.predictions.filter_predictions(load_arrays=False)
                if row.get("fold_id") in _ALL_SAMPLES
            ]
            content = None
            if finals or artifacts == "all":
                content = _export(leaf, Path(folder) / f"{place}.n4a", found, None)
            found.manifests.append({} if content is None else _manifest(content))
            if content is not None and artifacts != "none":
                found.files.append((_name(leaf, config_name or str(place)), content))
            if artifacts == "all" and leaf.execution_engine is None:
                for further, row in enumerate(_further(leaf, finals)):
                    path = Path(folder) / f"{place}-{further}.n4a"
                    content = _export(leaf, path, found, row)
                    if content is not None:
                        found.files.append((_file_name(row["config_name"], row["model_name"]), content))
    return found


def _export(leaf: Any, path: Path, found: Exported, source: Any) -> bytes | None:  # noqa: ANN401
    try:
        leaf.export(path, **({} if source is None else {"source": source}))
        return files.read_bytes(path)
    except Exception as error:  # noqa: BLE001 - of what it refuses nirs4all has no common error
        found.problems.append(f"{type(error).__name__}: {error}")
        return None


def _manifest(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
    return manifest if isinstance(manifest, dict) else {}


def _further(leaf: Any, finals: list[Any]) -> list[Any]:  # noqa: ANN401
    """Return a row of each model fitted again beside the one that nirs4all chooses."""
    chosen = leaf.best or {}
    rows = {_key(row): row for row in finals}
    return [row for key, row in rows.items() if key != _key(chosen)]


def _key(row: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Return what tells models apart that were fitted again; branches have no names there."""
    return tuple(row.get(name) for name in ("config_name", "model_name", "step_idx", "preprocessings"))


def _name(leaf: Any, config_name: str) -> str:  # noqa: ANN401
    best = leaf.best or {}
    return _file_name(best.get("config_name") or config_name, best.get("model_name") or "model")


def _file_name(*parts: object) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", ".".join(map(str, parts))) + ".n4a"
