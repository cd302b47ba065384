"""The storage engine of nirs4all: workspaces of prediction files, summarised at once.

>>> import nirs4all_workspace as n4w
>>> ws = n4w.Workspace.open("my_workspace")
>>> ws.summary()["total_predictions"]
390
"""

from nirs4all_workspace._native import (
    FileIndex,
    MetricInfo,
    SummaryAccumulator,
    hash_file,
    is_better,
    metric_info,
    quick_hash,
    read_footers,
    register_metric,
)
from nirs4all_workspace.artifacts import Artifacts
from nirs4all_workspace.exceptions import (
    ConflictError,
    CorruptFileError,
    InvalidTransitionError,
    LockTimeoutError,
    NotFoundError,
    SchemaError,
    UnknownMetricError,
    WorkspaceError,
)
from nirs4all_workspace.lineage import Lineage
from nirs4all_workspace.migrate import migrate
from nirs4all_workspace.pages import Page
from nirs4all_workspace.predictions import Predictions, Ranking
from nirs4all_workspace.recorded_run import RecordedRun
from nirs4all_workspace.result_query import Results
from nirs4all_workspace.results import Result, ResultList
from nirs4all_workspace.run import Run
from nirs4all_workspace.runs import RunList, Runs
from nirs4all_workspace.states import VALID_TRANSITIONS, RunStatus
from nirs4all_workspace.summaries import FileSummary, read_summaries, read_summary
from nirs4all_workspace.templates import Template, Templates
from nirs4all_workspace.trace import Trace
from nirs4all_workspace.watch import Watch
from nirs4all_workspace.workspace import Workspace
from nirs4all_workspace.writer import Writer

__version__ = "0.1.0"

__all__ = [
    "VALID_TRANSITIONS",
    "Artifacts",
    "ConflictError",
    "CorruptFileError",
    "FileIndex",
    "FileSummary",
    "InvalidTransitionError",
    "Lineage",
    "LockTimeoutError",
    "MetricInfo",
    "NotFoundError",
    "Page",
    "Predictions",
    "Ranking",
    "RecordedRun",
    "Result",
    "ResultList",
    "Results",
    "Run",
    "RunList",
    "RunStatus",
    "Runs",
    "SchemaError",
    "SummaryAccumulator",
    "Template",
    "Templates",
    "Trace",
    "UnknownMetricError",
    "Watch",
    "Workspace",
    "WorkspaceError",
    "Writer",
    "hash_file",
    "is_better",
    "metric_info",
    "migrate",
    "quick_hash",
    "read_footers",
    "read_summaries",
    "read_summary",
    "register_metric",
]
