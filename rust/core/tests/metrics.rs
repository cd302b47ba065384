//! The table of metrics.

#![allow(clippy::unwrap_used, missing_docs)]

use n4w_core::ErrorKind;
use n4w_core::base::metrics::{self, Direction};

const MAXIMIZE: &str = "r2 r2_score rpd rpiq explained_variance explained_variance_score pearson_r spearman_r consistency \
    accuracy balanced_accuracy precision balanced_precision precision_micro precision_macro recall balanced_recall \
    recall_micro recall_macro f1 balanced_f1 f1_micro f1_macro f1_score specificity roc_auc auc kappa cohen_kappa \
    matthews_corrcoef mcc jaccard jaccard_score";
const MINIMIZE: &str = "mse rmse rmsecv rmsep mae mape median_ae max_error mean_squared_error root_mean_squared_error \
    mean_absolute_error mean_absolute_percentage_error median_absolute_error sep nrmse nmse nmae log_loss hamming_loss";

#[test]
fn every_name_of_the_specification_is_known() {
    let rows = [(MAXIMIZE, Direction::Maximize), (MINIMIZE, Direction::Minimize), ("bias", Direction::Zero)];
    for (names, direction) in rows {
        for name in names.split_whitespace() {
            assert_eq!(metrics::direction(name), direction, "{name}");
            assert_eq!(metrics::direction(&name.to_uppercase()), direction, "{name}");
        }
    }
    for name in ["", "rmse ", "made_up", "score", "val_score"] {
        assert_eq!((metrics::direction(name), metrics::find(name)), (Direction::Unknown, None));
    }
}

#[test]
fn aliases_name_the_same_metric() {
    for (alias, name) in
        [("r2_score", "r2"), ("auc", "roc_auc"), ("cohen_kappa", "kappa"), ("matthews_corrcoef", "mcc")]
    {
        assert_eq!(metrics::find(alias).unwrap().name, name);
    }
    for metric in metrics::all() {
        for name in std::iter::once(&metric.name).chain(&metric.aliases) {
            assert_eq!(metrics::find(name).as_ref(), Some(&metric));
        }
    }
    let names: Vec<String> = metrics::all().into_iter().map(|metric| metric.name).collect();
    assert!(names.is_sorted() && !names.contains(&"r2_score".to_owned()));
}

#[test]
fn an_optimum_lies_in_the_range_and_is_the_best() {
    for metric in metrics::all() {
        let (low, high) = metric.range;
        assert!(low < high);
        let Some(optimum) = metric.optimum else {
            assert!(metric.direction == Direction::Maximize && high.is_infinite());
            continue;
        };
        assert!((low..=high).contains(&optimum), "{}", metric.name);
        let best = metric.direction.goodness(optimum);
        for other in [low, high, 0.3, -0.3] {
            if (low..=high).contains(&other) {
                assert!(metric.direction.goodness(other) <= best, "{} {other}", metric.name);
            }
        }
    }
}

#[test]
fn goodness_orders_scores() {
    let good = |direction: Direction, score: f64| direction.goodness(score);
    assert!(good(Direction::Maximize, 0.9) > good(Direction::Maximize, 0.8));
    assert!(good(Direction::Minimize, 0.8) > good(Direction::Minimize, 0.9));
    assert!(good(Direction::Zero, -0.1) > good(Direction::Zero, 0.2));
    assert_eq!(good(Direction::Zero, -0.1), good(Direction::Zero, 0.1));
    for direction in [Direction::Maximize, Direction::Minimize, Direction::Zero] {
        assert_eq!(direction.goodness(f64::NAN), None);
        assert_eq!(direction.goodness(0.0).unwrap().to_bits(), direction.goodness(-0.0).unwrap().to_bits());
        assert_eq!(Direction::ranking(direction.name()).unwrap(), direction);
    }
    assert_eq!(Direction::Unknown.goodness(1.0), None);
    assert_eq!(Direction::ranking("unknown").unwrap_err().kind, ErrorKind::Argument);
    assert_eq!(Direction::ranking("Maximize").unwrap_err().kind, ErrorKind::Argument);
}
