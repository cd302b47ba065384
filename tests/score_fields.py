"""The fields of a result that scores are in, as docs/format.md names them."""

SCORE_FIELDS = (
    "score",
    "score_mean",
    "score_std",
    "n_folds",
    "score_avg",
    "score_basis",
    "score_test",
    "model_name",
)
