"""Small experiments: a pipeline and a dataset for each capability of nirs4all."""

import numpy as np

N_TRAIN, N_TEST, N_WAVELENGTHS = 48, 12, 30
NAME = "lab"


def spectra(seed=7, columns=N_WAVELENGTHS):
    return np.cumsum(np.random.default_rng(seed).normal(size=(N_TRAIN + N_TEST, columns)), axis=1)


def dataset(x, y, name="wheat"):
    from nirs4all.data import SpectroDataset

    found = SpectroDataset(name=name)
    for rows, partition in ((slice(None, N_TRAIN), "train"), (slice(N_TRAIN, None), "test")):
        parts = [source[rows] for source in x] if isinstance(x, list) else x[rows]
        found.add_samples(parts, indexes={"partition": partition})
        found.add_targets(y[rows])
    return found


def wheat(seed=7, name="wheat"):
    x = spectra(seed)
    noise = np.random.default_rng(seed + 1).normal(size=len(x))
    return dataset(x, 2 * x[:, 3] - x[:, 8] + noise, name)


def two_targets():
    x = spectra()
    return dataset(x, np.c_[x[:, 3], x[:, 5] + 0.1 * x[:, 2]])


def labels():
    x = spectra()
    return dataset(x, np.where(x[:, 3] > 0, "high", np.where(x[:, 8] > 0, "mid", "low")))


def two_sources():
    x, more = spectra(), spectra(11, 10)
    return dataset([x, more], x[:, 3] + more[:, 2])


def folds():
    from sklearn.model_selection import KFold

    return KFold(3, shuffle=True, random_state=1)


def branches(*, named=False, models=True):
    from nirs4all.operators.transforms import StandardNormalVariate
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    first, second = [StandardScaler()], [StandardNormalVariate()]
    if models:
        first, second = [*first, {"model": PLSRegression(2)}], [*second, {"model": Ridge()}]
    return {"branch": {"a": first, "b": second} if named else [first, second]}


def pipeline(name):
    """The pipeline of a capability, as a user writes it."""
    from nirs4all.operators.filters import YOutlierFilter
    from nirs4all.operators.transforms import GaussianAdditiveNoise, SavitzkyGolay, StandardNormalVariate
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    pls = {"model": PLSRegression(n_components=2)}
    search = {
        "n_trials": 4,
        "sampler": "random",
        "seed": 3,
        "model_params": {"n_components": ("int", 1, 5)},
    }
    noise = GaussianAdditiveNoise(sigma=0.01, random_state=4)
    return {
        "plain": lambda: [StandardScaler(), folds(), pls],
        "no splitter": lambda: [StandardScaler(), pls],
        "several models": lambda: [StandardScaler(), folds(), pls, {"model": Ridge()}],
        "branches": lambda: [folds(), branches()],
        "named branches": lambda: [folds(), branches(named=True)],
        "branches, then a model": lambda: [folds(), branches(models=False), pls],
        "merged features": lambda: [folds(), branches(models=False), {"merge": "features"}, pls],
        "merged features, then scaled": lambda: [
            folds(),
            branches(models=False),
            {"merge": "features"},
            MinMaxScaler(),
            pls,
        ],
        "merged predictions": lambda: [folds(), branches(), {"merge": "predictions"}, {"model": Ridge(0.5)}],
        "classification": lambda: [StandardScaler(), folds(), {"model": LogisticRegression()}],
        "search": lambda: [StandardScaler(), folds(), {"model": PLSRegression(), "finetune_params": search}],
        "excluded": lambda: [
            {"exclude": YOutlierFilter(method="iqr", threshold=0.3)},
            StandardScaler(),
            folds(),
            pls,
        ],
        "augmented samples": lambda: [
            {"sample_augmentation": {"transformers": [noise], "count": 1}},
            StandardScaler(),
            folds(),
            pls,
        ],
        "augmented features": lambda: [
            {"feature_augmentation": [StandardNormalVariate(), SavitzkyGolay()]},
            folds(),
            pls,
        ],
        "generators": lambda: [
            {"_or_": [StandardScaler(), MinMaxScaler(feature_range=(0, 2)), StandardNormalVariate()]},
            folds(),
            {"model": Ridge(), "alpha": {"_or_": [0.1, 10.0]}},
        ],
    }[name]()


DATA = {
    "two targets": two_targets,
    "classification": labels,
    "two sources": two_sources,
}


def data(name):
    return DATA.get(name, wheat)()


def one_call(steps, given, place, name=NAME, **options):
    """What one `nirs4all.run` to its own workspace stores."""
    import nirs4all

    return nirs4all.run(
        steps,
        given,
        name=name,
        workspace_path=place,
        **{"random_state": 1, "save_charts": False, "verbose": 0} | options,
    )
