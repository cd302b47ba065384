"""The storage engine of nirs4all: workspaces of prediction files, summarised at once.

>>> import nirs4all_workspace as n4w
>>> ws = n4w.Workspace.open("my_workspace")
>>> ws.summary()["total_predictions"]
390
"""

import logging

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
from nirs4all_workspace._version import __version__
from nirs4all_workspace.artifacts import Artifacts
from nirs4all_workspace.datasets.collection import Datasets
from nirs4all_workspace.datasets.dataset_record import DatasetRecord
from nirs4all_workspace.datasets.link import LinkReport
from nirs4all_workspace.datasets.registry import DatasetList
from nirs4all_workspace.datasets.resolve import Resolution
from nirs4all_workspace.exceptions import (
    ComputationError,
    ConflictError,
    CorruptFileError,
    ErrorKind,
    FindingKind,
    InvalidTransitionError,
    LockTimeoutError,
    NotFoundError,
    Problem,
    ReadOnlyError,
    SchemaError,
    UnknownMetricError,
    UnsupportedVersionError,
    WorkspaceError,
)
from nirs4all_workspace.insight.charts.collection import Charts
from nirs4all_workspace.insight.trace import Trace
from nirs4all_workspace.insight.watch import Watch
from nirs4all_workspace.migration.migrate import migrate
from nirs4all_workspace.model.arguments import (
    DatasetFields,
    PairFilters,
    PredictionFilters,
    PredictionRow,
    RankingFilters,
    ScoreFilters,
    WriterOptions,
)
from nirs4all_workspace.model.result import Result, ResultList
from nirs4all_workspace.model.states import VALID_TRANSITIONS, RunStatus
from nirs4all_workspace.predictions.collection import Predictions, Ranking
from nirs4all_workspace.predictions.pages import Page
from nirs4all_workspace.predictions.summaries import FileSummary, read_summaries, read_summary
from nirs4all_workspace.predictions.writer import Writer
from nirs4all_workspace.runs.collection import RunList, Runs
from nirs4all_workspace.runs.lineage import Lineage
from nirs4all_workspace.runs.recorded import RecordedRun
from nirs4all_workspace.runs.results import Results
from nirs4all_workspace.runs.run import Run
from nirs4all_workspace.stores.import_store import import_store
from nirs4all_workspace.templates import Template, TemplateList, Templates, UsageList
from nirs4all_workspace.workspace import Workspace

# What to do with messages is for the application to say.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "VALID_TRANSITIONS",
    "Artifacts",
    "Charts",
    "ComputationError",
    "ConflictError",
    "CorruptFileError",
    "DatasetFields",
    "DatasetList",
    "DatasetRecord",
    "Datasets",
    "ErrorKind",
    "FileIndex",
    "FileSummary",
    "FindingKind",
    "InvalidTransitionError",
    "Lineage",
    "LinkReport",
    "LockTimeoutError",
    "MetricInfo",
    "NotFoundError",
    "Page",
    "PairFilters",
    "PredictionFilters",
    "PredictionRow",
    "Predictions",
    "Problem",
    "Ranking",
    "RankingFilters",
    "ReadOnlyError",
    "RecordedRun",
    "Resolution",
    "Result",
    "ResultList",
    "Results",
    "Run",
    "RunList",
    "RunStatus",
    "Runs",
    "SchemaError",
    "ScoreFilters",
    "SummaryAccumulator",
    "Template",
    "TemplateList",
    "Templates",
    "Trace",
    "UnknownMetricError",
    "UnsupportedVersionError",
    "UsageList",
    "Watch",
    "Workspace",
    "WorkspaceError",
    "Writer",
    "WriterOptions",
    "__version__",
    "hash_file",
    "import_store",
    "is_better",
    "metric_info",
    "migrate",
    "quick_hash",
    "read_footers",
    "read_summaries",
    "read_summary",
    "register_metric",
]
