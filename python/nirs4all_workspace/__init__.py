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
from nirs4all_workspace.pages import Page
