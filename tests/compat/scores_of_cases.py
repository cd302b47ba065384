"""The cases of `make_scores.py`: made-up spectra, calls of nirs4all, and what they are in scikit-learn."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit, StratifiedKFold
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler


@dataclass
class Case:
    """One call of nirs4all, and the pipelines of scikit-learn that it amounts to."""

    steps: list
    models: list
    split: object
    data: str = "spectra"
    options: dict = field(default_factory=dict)


def arrays():
    """The made-up data: X and y of training, X and y of testing; all of them exact as float32."""
    rng = np.random.default_rng(7)

    def exact(values):
        return np.round(np.asarray(values) * 256) / 256

    x = exact(np.cumsum(rng.normal(size=(72, 12)), axis=1))
    y = exact(2 * x[:, 3] - x[:, 8] + rng.normal(size=72))
    classes = np.digitize(y, np.quantile(y, [0.3, 0.6])).astype(float)
    # The mean of either half is 2 off the other's, the constant 5 is 1 off both.
    wave = np.tile(exact([0.5, -0.5, 1.25, -1.25, 0.25, -0.25]), 12)
    half = 5 + np.where(np.arange(72) < 30, -1.0, 1.0) + wave
    two = np.column_stack([y, exact(10 * x[:, 5] + 3 * rng.normal(size=72))])
    made = {"spectra": y, "classes": classes, "halves": half, "targets": two, "untested": y}
    return {
        name: (x[:60], of[:60], x[60:], of[60:]) if name != "untested" else (x[:60], of[:60], None, None)
        for name, of in made.items()
    }


def cases() -> dict[str, Case]:
    def pls(components=3):
        return PLSRegression(n_components=components)

    def model(estimator, **more):
        return {"model": estimator, **more}

    def one(split, **more):
        steps = [StandardScaler(), *([split] if split else []), model(pls())]
        return Case(steps, [[StandardScaler(), pls()]], split, **more)

    def several(steps, models, **more):
        models = [[StandardScaler(), *model] for model in models]
        return Case([StandardScaler(), three, *steps], models, three, **more)

    def classes(split):
        logistic = LogisticRegression(max_iter=500)
        steps = [StandardScaler(), split, model(logistic)]
        return Case(steps, [[StandardScaler(), logistic]], split, data="classes")

    three = KFold(3, shuffle=True, random_state=1)
    halves = KFold(2)
    either = {"_or_": [StandardScaler, Normalizer, MinMaxScaler]}
    each = [[StandardScaler(), Ridge()], [Normalizer(), Ridge()], [MinMaxScaler(), Ridge()]]
    branches = [[MinMaxScaler(), model(pls())], [Normalizer(), model(Ridge())]]
    of_branches = [[MinMaxScaler(), pls()], [Normalizer(), Ridge()]]
    named = {"plain": [model(pls())], "scaled": [Normalizer(), model(pls())]}
    stratified = StratifiedKFold(3, shuffle=True, random_state=1)
    constant = DummyRegressor(strategy="constant", constant=5.0)
    two_best = {"refit": {"top_k": 2, "ranking": "rmsecv"}}
    scaled = [Normalizer(), pls()]
    return {
        "kfold3": one(three),
        "kfold7": one(KFold(7)),
        "repeated_kfold": one(RepeatedKFold(n_splits=4, n_repeats=3, random_state=1)),
        "shuffle_split": one(ShuffleSplit(n_splits=4, test_size=0.25, random_state=1)),
        "one_split": one(ShuffleSplit(n_splits=1, test_size=0.25, random_state=1)),
        "leave_one_out": one(LeaveOneOut()),
        "no_splitter": one(None),
        "no_test": one(three, data="untested"),
        "no_refit": one(three, options={"refit": False}),
        "two_models": several([model(pls()), model(Ridge())], [[pls()], [Ridge()]]),
        "same_class": several([model(pls(2)), model(pls(5))], [[pls(2)], [pls(5)]]),
        "same_name": several([model(pls(2), name="M"), model(Ridge(), name="M")], [[pls(2)], [Ridge()]]),
        "twins": several([model(pls()), model(pls())], [[pls()], [pls()]]),
        "steps_repeated": several([model(pls()), Normalizer(), model(pls())], [[pls()], scaled]),
        "branches": several([{"branch": branches}], of_branches),
        "named_branches": several([{"branch": named}], [[pls()], scaled]),
        "generator": Case([either, three, model(Ridge())], each, three),
        "refit_two": Case([either, three, model(Ridge())], each, three, options=two_best),
        "bias": Case(
            [halves, model(DummyRegressor()), model(constant)],
            [[DummyRegressor()], [constant]],
            halves,
            data="halves",
        ),
        "two_targets": one(three, data="targets"),
        "classes": classes(three),
        "classes_stratified": classes(stratified),
    }
