//! Mean and standard deviation against exact integer sums.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use common::Rng;
use n4w_core::summary::moments::Moments;
use proptest::prelude::*;

/// Values `origin + j * step` that are exact in f64, and their exact mean (from the origin) and standard deviation.
struct Exact {
    values: Vec<f64>,
    origin: f64,
    mean: f64,
    std: f64,
}

impl Exact {
    fn new(origin: f64, step: f64, steps: &[i64]) -> Self {
        let count = steps.len() as i128;
        let sum: i128 = steps.iter().map(|&j| i128::from(j)).sum();
        let squares: i128 = steps.iter().map(|&j| i128::from(j) * i128::from(j)).sum();
        let variance = (count * squares - sum * sum) as f64 / (count * (count - 1)) as f64;
        Self {
            values: steps.iter().map(|&j| origin + j as f64 * step).collect(),
            origin,
            mean: sum as f64 / count as f64 * step,
            std: variance.sqrt() * step,
        }
    }

    #[track_caller]
    fn check(&self, moments: &Moments) {
        assert_eq!(moments.count(), self.values.len() as u64);
        let (mean, std) = (moments.mean().unwrap(), moments.std().unwrap());
        let expected = self.origin + self.mean;
        let ulp = expected.abs().max(f64::MIN_POSITIVE) * f64::EPSILON;
        assert!(
            (mean - expected).abs() <= 2.0 * ulp + self.mean.abs() * 1e-13 + self.std * 1e-12,
            "mean {mean} against {expected}"
        );
        assert!((std - self.std).abs() <= 1e-11 * self.std, "std {std} against {}", self.std);
    }
}

fn one_by_one(values: &[f64]) -> Moments {
    let mut moments = Moments::default();
    values.iter().for_each(|&value| moments.add(value));
    moments
}

fn as_slice(values: &[f64]) -> Moments {
    let mut moments = Moments::default();
    moments.add_slice(values);
    moments
}

/// Cut at random, each piece added in one of both ways, merged pair by pair in random order.
fn as_tree(values: &[f64], rng: &mut Rng) -> Moments {
    let mut rest = values;
    let mut parts = vec![Moments::default()];
    while !rest.is_empty() {
        let most = *rng.pick(&[1, 3, 50, 1000]);
        let (piece, after) = rest.split_at((1 + rng.below(most)).min(rest.len()));
        parts.push(if rng.below(2) == 0 { one_by_one(piece) } else { as_slice(piece) });
        rest = after;
    }
    while parts.len() > 1 {
        let from = parts.swap_remove(rng.below(parts.len()));
        let into = rng.below(parts.len());
        parts[into].merge(&from);
    }
    parts.pop().unwrap()
}

#[test]
fn a_mean_of_1e9_with_a_spread_of_1e_3() {
    let mut rng = Rng(1);
    // The distance of neighbouring f64 at 1e9.
    let step = f64::from_bits(1e9f64.to_bits() + 1) - 1e9;
    for count in [2, 3, 100, 10_000, 300_000] {
        let steps: Vec<i64> = (0..count).map(|_| rng.below(8389) as i64).collect();
        let exact = Exact::new(1e9, step, &steps);
        exact.check(&one_by_one(&exact.values));
        exact.check(&as_slice(&exact.values));
        exact.check(&as_tree(&exact.values, &mut rng));
        exact.check(&as_tree(&exact.values, &mut rng));
    }
}

#[test]
fn a_first_value_far_from_the_others() {
    // The origin is an outlier: 2^30 from the rest, whose steps are 2^-20.
    let steps: Vec<i64> = (0..100_000).map(|j| if j == 0 { 1 << 50 } else { j % 1024 }).collect();
    let exact = Exact::new(0.0, 1.0 / f64::from(1 << 20), &steps);
    exact.check(&one_by_one(&exact.values));
    exact.check(&as_slice(&exact.values));
}

#[test]
fn constant_values_have_no_spread() {
    for value in [0.1, 1e288, -1e200, -1e-300, 1e9 + 0.1] {
        let values = vec![value; 1000];
        for moments in [one_by_one(&values), as_slice(&values), as_tree(&values, &mut Rng(3))] {
            assert_eq!((moments.mean(), moments.std()), (Some(value), Some(0.0)));
        }
    }
}

#[test]
fn few_values() {
    assert_eq!((Moments::default().mean(), Moments::default().std()), (None, None));
    let one = one_by_one(&[2.5]);
    assert_eq!((one.count(), one.mean(), one.std()), (1, Some(2.5), None));
    assert_eq!(one_by_one(&[1.0, 3.0]).std(), Some(2f64.sqrt()));
    let mut merged = Moments::default();
    merged.merge(&Moments::default());
    assert_eq!(merged, Moments::default());
    merged.add_slice(&[]);
    assert_eq!(merged, Moments::default());
}

#[test]
fn a_value_from_2_to_the_960_on_leaves_no_mean_whatever_its_place() {
    let limit = 2f64.powi(960);
    for large in [limit, -limit, f64::MAX, f64::MIN] {
        for place in 0..6 {
            let mut values = vec![1.0, -f64::MAX.sqrt(), 0.5, 1e280, -1e280];
            values.insert(place, large);
            for moments in
                [one_by_one(&values), as_slice(&values), as_tree(&values, &mut Rng(place as u64 + 1))]
            {
                assert_eq!((moments.mean(), moments.std()), (None, None));
                assert!(moments.has_overflow());
            }
        }
    }
    let most = f64::from_bits(limit.to_bits() - 1);
    for values in [vec![most; 100_000], vec![most, most, 1.0, 2.0, most, most]] {
        let sum = values.iter().map(|value| value / 2f64.powi(100)).sum::<f64>();
        let mean = sum / values.len() as f64 * 2f64.powi(100);
        for moments in [one_by_one(&values), as_slice(&values), as_tree(&values, &mut Rng(5))] {
            assert!((moments.mean().unwrap() - mean).abs() <= 1e-12 * mean);
            assert!(moments.std().unwrap().is_finite() && !moments.has_overflow());
        }
    }
}

#[test]
fn a_spread_whose_square_no_float_holds() {
    // Of half a and half -a the deviation is a, times the root of n / (n - 1).
    for exponent in [0, 100, 479, 480, 481, 500, 512, 600, 700, 959] {
        let large = 2f64.powi(exponent);
        let mut values: Vec<f64> = (0..1000).map(|at| if at % 2 == 0 { large } else { -large }).collect();
        // Small ones before and after change units on the way.
        values.extend([0.0; 2]);
        values.swap(0, 1000);
        let expected = large * (1000.0f64 / 1001.0).sqrt();
        for moments in [one_by_one(&values), as_slice(&values), as_tree(&values, &mut Rng(7))] {
            assert!((moments.std().unwrap() - expected).abs() <= 1e-12 * expected, "2^{exponent}");
            assert!(moments.mean().unwrap().abs() <= 1e-12 * large, "2^{exponent}");
        }
    }
}

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn any_tree_of_merges(
        steps in prop::collection::vec(-(1i64 << 20)..1 << 20, 2..600),
        origin in -(1i32 << 30)..1 << 30,
        seed: u64,
    ) {
        prop_assume!(steps.iter().any(|step| step != &steps[0]));
        let exact = Exact::new(f64::from(origin), 1.0 / 1024.0, &steps);
        exact.check(&one_by_one(&exact.values));
        exact.check(&as_slice(&exact.values));
        exact.check(&as_tree(&exact.values, &mut Rng(seed)));
    }

    #[test]
    fn any_finite_values_never_panic(values in prop::collection::vec(any::<f64>().prop_filter("finite", |value| value.is_finite()), 0..50)) {
        for moments in [one_by_one(&values), as_slice(&values), as_tree(&values, &mut Rng(5))] {
            prop_assert!(moments.mean().is_none_or(f64::is_finite));
            prop_assert!(moments.std().is_none_or(|std| std.is_finite() && std >= 0.0));
        }
    }
}
