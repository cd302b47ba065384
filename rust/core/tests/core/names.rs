//! Counts by name, and the totals that is kept of each.

#![allow(clippy::unwrap_used, clippy::float_cmp, missing_docs)]

use crate::common;

use common::Rng;
use n4w_core::base::metrics::Direction;
use n4w_core::summary::names::{Count, Names, RETAINED, ScoreTotals};
use proptest::prelude::*;

const NONE: Direction = Direction::Unknown;

#[test]
fn most_rows_first_then_by_name_and_null_last() {
    let mut names = Names::<u64>::default();
    for (name, count) in [(Some("b"), 2), (Some("a"), 2), (None, 9), (Some("c"), 5), (Some(""), 1)] {
        *names.entry(name) += count;
    }
    assert_eq!(
        names.sorted(),
        [(Some("c"), &5), (Some("a"), &2), (Some("b"), &2), (Some(""), &1), (None, &9)]
    );
    assert!(names.may_have("a") && names.may_have("") && !names.may_have("d"));
}

#[test]
fn the_limit_keeps_the_most_frequent() {
    let mut names = Names::<u64>::default();
    (1..=10).for_each(|count| *names.entry(Some(&format!("name{count:02}"))) += count);
    *names.entry(None) += 3;
    names.limit(10, NONE);
    assert!(!names.may_have("absent"));
    names.limit(4, NONE);
    let kept: Vec<_> = names.sorted();
    assert_eq!(
        kept,
        [(Some("name10"), &10), (Some("name09"), &9), (Some("name08"), &8), (Some("name07"), &7), (None, &3)]
    );
    // A name may be among those that were counted together.
    assert!(names.may_have("name01") && names.may_have("absent"));
    let mut again = Names::<u64>::default();
    again.merge(&names, NONE);
    names.limit(0, NONE);
    again.limit(0, NONE);
    assert_eq!(names.sorted(), again.sorted());
}

#[test]
fn beyond_what_is_kept_nothing_is_lost() {
    let mut names = Names::<u64>::default();
    for index in 0..RETAINED + 100 {
        *names.entry(Some(&format!("name{index}"))) += 1;
        *names.entry(Some("name0")) += 1;
    }
    let sorted = names.sorted();
    assert_eq!(sorted.len(), RETAINED);
    assert_eq!(sorted[0], (Some("name0"), &(RETAINED as u64 + 101)));
    assert!(names.may_have("any"));
}

fn tallied(scores: &[Option<f64>], direction: Direction) -> ScoreTotals {
    let mut totals = ScoreTotals::default();
    scores.iter().for_each(|&score| totals.add(score, direction));
    totals
}

/// Values are multiples of 1 / `UNIT`, so that integers sum them exactly.
const UNIT: f64 = 1024.0;

fn score() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        Just(Some(f64::NAN)),
        Just(Some(f64::INFINITY)),
        Just(Some(-1.0)),
        Just(Some(1.0)),
        (-10_000i64..10_000).prop_map(|value| Some(value as f64 / UNIT)),
        (-(1i64 << 50)..1 << 50).prop_map(|value| Some(value as f64 / UNIT)),
    ]
}

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn a_tally_in_any_order_and_split(scores in prop::collection::vec(score(), 0..60), seed: u64) {
        for direction in [Direction::Maximize, Direction::Minimize, Direction::Zero] {
            let whole = tallied(&scores, direction);
            let finite: Vec<f64> = scores.iter().flatten().copied().filter(|score| score.is_finite()).collect();
            prop_assert_eq!(whole.rows(), scores.len() as u64);
            prop_assert_eq!(whole.mean().is_some(), !finite.is_empty());
            // The sum is compensated: right to the last place even where large values cancel.
            if let Some(mean) = whole.mean() {
                let exact = finite.iter().map(|&value| (value * UNIT) as i128).sum::<i128>() as f64;
                let exact = exact / UNIT / finite.len() as f64;
                prop_assert!((mean - exact).abs() <= exact.abs() * 1e-15, "{} against {}", mean, exact);
            }
            let better = |a: f64, b: f64| match direction {
                Direction::Maximize => a.max(b),
                Direction::Minimize => a.min(b),
                _ if a.abs() == b.abs() => a.max(b),
                _ => if a.abs() < b.abs() { a } else { b },
            };
            prop_assert_eq!(whole.best(), finite.iter().copied().reduce(better));

            let mut rng = Rng(seed);
            let mut shuffled = scores.clone();
            rng.shuffle(&mut shuffled);
            let cut = rng.below(shuffled.len() + 1);
            let mut merged = tallied(&shuffled[..cut], direction);
            merged.merge(&tallied(&shuffled[cut..], direction), direction);
            prop_assert_eq!((merged.rows(), merged.best()), (whole.rows(), whole.best()));
            let close = match (merged.mean(), whole.mean()) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-15 * a.abs().max(1.0),
                (a, b) => a == b,
            };
            prop_assert!(close, "{:?} against {:?}", merged.mean(), whole.mean());
        }
    }
}
