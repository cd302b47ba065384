//! Adding metrics to the table; apart from the other tests, since the table belongs to the process.

#![allow(clippy::unwrap_used, missing_docs)]

use n4w_core::ErrorKind;
use n4w_core::base::metrics::{self, Direction, Metric};

fn metric(name: &str, aliases: &[&str], direction: Direction) -> Metric {
    Metric {
        name: name.to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        direction,
        optimum: None,
        range: (f64::NEG_INFINITY, f64::INFINITY),
        pooling: metrics::Pooling::Mean,
    }
}

#[test]
fn a_registered_metric_is_known() {
    let mine = metric("My_Metric", &["mine"], Direction::Minimize);
    metrics::register(&mine).unwrap();
    for name in ["My_Metric", "my_metric", "MY_METRIC", "mine"] {
        assert_eq!(metrics::find(name).as_ref(), Some(&mine), "{name}");
    }
    assert!(metrics::all().contains(&mine));
    metrics::register(&mine).unwrap(); // again, the same: nothing changes
    assert_eq!(metrics::all().iter().filter(|metric| metric.name == "My_Metric").count(), 1);
}

#[test]
fn a_registration_that_disagrees_changes_nothing() {
    for conflict in [
        metric("rmse", &[], Direction::Maximize),
        metric("RMSE", &[], Direction::Maximize),
        metric("fresh_a", &["fresh_b", "r2"], Direction::Minimize),
        metric("", &[], Direction::Minimize),
        metric("fresh_c", &[""], Direction::Minimize),
    ] {
        assert_eq!(metrics::register(&conflict).unwrap_err().kind, ErrorKind::Argument, "{conflict:?}");
    }
    for name in ["fresh_a", "fresh_b", "fresh_c"] {
        assert_eq!(metrics::direction(name), Direction::Unknown);
    }
    assert_eq!(metrics::direction("rmse"), Direction::Minimize);
    assert_eq!(metrics::direction("r2"), Direction::Maximize);
}
