"""What nirs4all and scikit-learn offer to templates may be made; what leads out of them may not."""

import importlib
import inspect
import pkgutil
import warnings

import pytest
from nirs4all_workspace.integrations.nirs4all.permissions import NotAllowedError, check

pytest.importorskip("nirs4all", reason="needs the extra: pip install 'nirs4all-workspace[nirs4all]'")


def serialized(steps):
    from nirs4all.pipeline import PipelineConfigs

    return PipelineConfigs(steps, name="x").original_template


def operators():
    """All classes of nirs4all's operators that are no base classes, by name."""
    package = importlib.import_module("nirs4all.operators")
    found = {}
    for module in pkgutil.walk_packages(package.__path__, "nirs4all.operators.", onerror=lambda _: None):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                content = vars(importlib.import_module(module.name))
        except Exception:  # noqa: BLE001 - needs a framework that is not installed
            continue
        for name, thing in content.items():
            if inspect.isclass(thing) and thing.__module__ == module.name:
                found[f"{module.name}.{name}"] = thing
    return found


def test_all_operators_may_be_made():
    found = operators()
    assert len(found) > 150
    for name in found:
        check([{"class": name}, {"model": name}, name])


def test_all_estimators_of_scikit_learn_may_be_made():
    from sklearn.utils import all_estimators

    found = all_estimators()
    assert len(found) > 150
    for _, estimator in found:
        check([{"model": {"class": f"{estimator.__module__}.{estimator.__qualname__}"}}])


def test_templates_of_objects_pass_once_they_are_stored():
    import numpy as np
    from nirs4all.operators.transforms import SNV, SavitzkyGolay
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.decomposition import SparseCoder
    from sklearn.ensemble import RandomForestRegressor, StackingRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.model_selection import ShuffleSplit
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

    stack = StackingRegressor([("a", Ridge(2.0)), ("b", PLSRegression(3))], final_estimator=Ridge(0.1))
    steps = [
        MinMaxScaler,
        {"y_processing": MinMaxScaler()},
        ShuffleSplit(n_splits=3, random_state=1),
        {"_or_": [SNV, SavitzkyGolay(window_length=7), None]},
        {"feature_augmentation": {"_or_": [SNV, SavitzkyGolay], "pick": 2}},
        {"branch": [[SNV(), PLSRegression(2)], [{"model": Ridge(), "name": "Ridge v1.0"}]]},
        SparseCoder(np.eye(3)),
        FunctionTransformer(func=r2_score),
        {"model": GaussianProcessRegressor(kernel=RBF(2.0) + WhiteKernel())},
        {"model": stack},
        {
            "model": RandomForestRegressor,
            "finetune_params": {"n_trials": 3, "model_params": {"max_depth": (2, 9)}},
        },
        {"_range_": [1, 5], "param": "n_components", "model": {"class": StandardScaler}},
    ]
    check(serialized(steps))


@pytest.mark.parametrize(
    "name",
    [
        "nirs4all.import_module",
        "nirs4all.operators.models.import_module",
        "nirs4all.operators.transforms.concat.importlib",
        "nirs4all.operators.transforms.concat._import_class",
        "nirs4all.operators.methods.n4m_ops.importlib",
        "nirs4all.operators.methods.n4m_ops.Path",
        "nirs4all.controllers.models.factory.ModelFactory",
        "nirs4all.pipeline.storage.artifacts.artifact_persistence.from_bytes",
        "nirs4all.pipeline.dagml.torch_estimator.DagMLTorchEstimator",
        "sklearn.datasets._base.urlretrieve",
        "sklearn.datasets._openml.urlopen",
        "sklearn.datasets.fetch_openml",
        "sklearn.utils._show_versions.sys",
        "sklearn.utils.os.system",
        "sklearn.os",
        "sklearn.pipeline.defaultdict",
        "sklearn.utils.parallel.joblib",
        "n4m.roles.ctypes",
    ],
)
@pytest.mark.parametrize("key", ["class", "model"])
def test_what_leads_out_is_refused(name, key):
    module, _, attribute = name.rpartition(".")
    try:
        getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        # Nor does nirs4all find it.
        return
    with pytest.raises(NotAllowedError):
        check([{key: name}])


def test_functions_may_be_named_and_not_called():
    check(
        [
            {
                "class": "sklearn.preprocessing.FunctionTransformer",
                "params": {"func": "sklearn.metrics.r2_score"},
            }
        ]
    )
    check([{"function": "sklearn.metrics.r2_score"}])
    with pytest.raises(NotAllowedError):
        check([{"class": "sklearn.metrics.r2_score"}])


def test_enumerations_of_nirs4all_are_made_and_nothing_else():
    check([{"params": {"mode": {"enum": "nirs4all.core.task_type.TaskType", "value": "regression"}}}])
    for name in ("nirs4all.run", "nirs4all.import_module", "nirs4all.core.task_type.StrEnum"):
        with pytest.raises(NotAllowedError):
            check([{"params": {"mode": {"enum": name, "value": "os"}}}])
