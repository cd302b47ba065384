"""Sabotages of how folds become a score, and of what is ranked."""

from sabotages.patch import Sabotage

SABOTAGES = {
    "let biases of two folds cancel out": Sabotage(
        "rust/core/src/summary/fold_scores.rs",
        "Pooling::Magnitude => weighted(scores, f64::abs),",
        "Pooling::Magnitude => weighted(scores, |score| score),",
        "unit/test_scores.py",
    ),
    "rank failed results": Sabotage(
        "rust/core/src/catalogue/top_results.rs",
        "text(status) == Some(FAILED)",
        'text(status) == Some("lost")',
        "unit/test_best_results.py",
    ),
    "rank test scores with validation": Sabotage(
        "rust/core/src/catalogue/result_query.rs",
        "if basis == Some(Basis::Test.name()) { Self::Tested }",
        "if basis == Some(Basis::Test.name()) { Self::Validated }",
        "unit/test_best_results.py",
    ),
    "score a model without its folds": Sabotage(
        "rust/core/src/summary/fold_scores.rs",
        "if self.folds.is_empty() && singles",
        "if singles",
        "unit/test_best_results.py",
    ),
}
