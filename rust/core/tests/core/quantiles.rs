//! Quartiles: exact while few, within 1 % of rank beyond.

#![allow(clippy::unwrap_used, clippy::float_cmp, missing_docs)]

use crate::common;

use common::Rng;
use n4w_core::summary::quantiles::{EXACT, Quantiles};
use proptest::prelude::*;

fn of(values: &[f64]) -> Quantiles {
    let mut quantiles = Quantiles::default();
    quantiles.add_slice(values);
    quantiles
}

/// Linear interpolation, as `NumPy` does by default.
fn expected(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        let (whole, rest) =
            (quarter * (sorted.len() - 1) / 4, (quarter * (sorted.len() - 1) % 4) as f64 / 4.0);
        let next = sorted[(whole + 1).min(sorted.len() - 1)];
        sorted[whole] + (next - sorted[whole]) * rest
    })
}

/// How far the quartiles are from their ranks, as a share of all values.
fn rank_error(quantiles: &Quantiles, values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let quartiles = quantiles.quartiles().unwrap();
    let errors = quartiles.iter().zip([0.25, 0.5, 0.75]).map(|(value, q)| {
        let rank = q * (sorted.len() - 1) as f64;
        let low = sorted.partition_point(|other| other < value) as f64;
        let high = sorted.partition_point(|other| other <= value) as f64 - 1.0;
        (low - rank).max(rank - high).max(0.0) / sorted.len() as f64
    });
    errors.fold(0.0, f64::max)
}

/// Values in the orders that sketches find hard.
fn inputs(count: usize) -> Vec<(&'static str, Vec<f64>)> {
    let mut rng = Rng(count as u64);
    let random: Vec<f64> = (0..count).map(|_| rng.unit()).collect();
    let mut sorted = random.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let reversed: Vec<f64> = sorted.iter().rev().copied().collect();
    let from_both_ends =
        (0..count).map(|index| if index % 2 == 0 { index as f64 } else { -(index as f64) }).collect();
    let inwards =
        (0..count).map(|index| (count - index) as f64 * if index % 2 == 0 { 1.0 } else { -1.0 }).collect();
    vec![
        ("random", random),
        ("sorted", sorted),
        ("reversed", reversed),
        ("sawtooth", (0..count).map(|index| (index % 1000) as f64).collect()),
        ("sawtooth of a buffer", (0..count).map(|index| (index % (EXACT + 1)) as f64).collect()),
        ("outwards", from_both_ends),
        ("inwards", inwards),
        ("two values", (0..count).map(|index| f64::from(index % 3 == 0)).collect()),
        ("heavy tail", (0..count).map(|_| rng.unit().powi(-3)).collect()),
    ]
}

#[test]
fn exact_to_the_limit() {
    for count in [1, 2, 3, 4, 5, 100, EXACT - 1, EXACT] {
        for (name, values) in inputs(count) {
            let quantiles = of(&values);
            assert!(quantiles.is_exact());
            assert_eq!(quantiles.quartiles().unwrap(), expected(&values), "{count} {name}");
            let mut merged = Quantiles::default();
            values.chunks(7).for_each(|chunk| merged.merge(&of(chunk)));
            assert!(merged.is_exact());
            assert_eq!(merged.quartiles(), quantiles.quartiles());
        }
    }
    assert!(!of(&vec![1.0; EXACT + 1]).is_exact());
    assert_eq!(Quantiles::default().quartiles(), None);
}

#[test]
fn within_one_percent_of_rank() {
    for count in [EXACT + 1, 3 * EXACT, 10_000, 100_000, 1_000_000] {
        for (name, values) in inputs(count) {
            let error = rank_error(&of(&values), &values);
            assert!(error < 0.01, "{count} {name}: {error}");
        }
    }
}

#[test]
fn one_by_one_is_the_same_as_some_at_once() {
    for (name, values) in inputs(50_000) {
        let (mut one_by_one, mut some_at_once) = (Quantiles::default(), Quantiles::default());
        values.iter().for_each(|&value| one_by_one.add(value));
        values.chunks(7000).for_each(|some| some_at_once.add_slice(some));
        assert_eq!(one_by_one, some_at_once);
        let error = rank_error(&one_by_one, &values);
        assert!(error < 0.01, "{name}: {error}");
    }
}

#[test]
fn thousands_of_small_pieces() {
    for (count, size) in [(100_000, 37), (300_000, 100), (300_000, 2048), (300_000, 2049), (500_000, 5000)] {
        for (name, values) in inputs(count) {
            let mut pieces: Vec<Quantiles> = values.chunks(size).map(of).collect();
            let mut in_order = Quantiles::default();
            pieces.iter().for_each(|piece| in_order.merge(piece));
            let error = rank_error(&in_order, &values);
            assert!(error < 0.01, "{count} in pieces of {size}, {name}: {error}");

            let mut rng = Rng(size as u64);
            while pieces.len() > 1 {
                let from = pieces.swap_remove(rng.below(pieces.len()));
                let into = rng.below(pieces.len());
                pieces[into].merge(&from);
            }
            let error = rank_error(&pieces[0], &values);
            assert!(error < 0.01, "{count} in a tree of pieces of {size}, {name}: {error}");
        }
    }
}

/// As footers are: each file's sketch is compacted, then all are merged.
fn merged_after_compaction(values: &[f64], size: usize, limit: usize) -> f64 {
    let mut merged = Quantiles::default();
    for chunk in values.chunks(size) {
        let mut piece = of(chunk);
        piece.compact_to(limit);
        merged.merge(&piece);
    }
    rank_error(&merged, values)
}

#[test]
fn compacted_pieces_are_within_one_percent_of_rank() {
    for limit in [4096, 2048, 1024, 512] {
        for (count, size) in
            [(5000, 5000), (100_000, 100_000), (200_000, 2000), (200_000, 5000), (300_000, 50_000)]
        {
            for (name, values) in inputs(count) {
                let error = merged_after_compaction(&values, size, limit);
                assert!(error < 0.01, "{count} in pieces of {size} compacted to {limit}, {name}: {error}");
            }
        }
    }
}

/// What a footer full of metrics falls back to.
#[test]
fn strongly_compacted_pieces_are_within_one_percent_of_rank() {
    let mut worst = Vec::new();
    for limit in [256, 128, 64] {
        for (count, size) in [(100_000, 100_000), (200_000, 2000), (200_000, 5000)] {
            for (name, values) in inputs(count) {
                let error = merged_after_compaction(&values, size, limit);
                if error >= 0.01 {
                    worst.push(format!(
                        "{count} in pieces of {size} compacted to {limit}, {name}: {error:.4}"
                    ));
                }
            }
        }
    }
    assert!(worst.is_empty(), "{worst:#?}");
}

#[test]
fn compaction_keeps_the_limit_and_small_sketches() {
    for count in [1, 64, 65, 1000, 2048, 5000, 100_000] {
        for limit in [0, 64, 100, 1024, 4096] {
            let mut quantiles = of(&inputs(count)[0].1);
            let before = quantiles.clone();
            quantiles.compact_to(limit);
            if count <= limit.max(64) {
                assert_eq!(quantiles, before);
            }
            assert!(quantiles.quartiles().is_some());
        }
    }
}

/// Half of the way between the two largest numbers there are is a number.
#[test]
fn quartiles_of_extreme_values_are_finite() {
    for values in [vec![-1.7e308, 1.7e308], vec![f64::MIN, f64::MAX, f64::MAX], vec![f64::MAX; 5]] {
        let quartiles = of(&values).quartiles().unwrap();
        assert!(quartiles.iter().all(|quartile| quartile.is_finite()), "{values:?}: {quartiles:?}");
    }
}

proptest! {
    #![proptest_config(common::cases(64))]

    #[test]
    fn any_values_to_the_limit(values in prop::collection::vec(-1e6..1e6f64, 1..EXACT), cut in 0usize..EXACT) {
        let cut = cut.min(values.len());
        let mut merged = of(&values[cut..]);
        merged.merge(&of(&values[..cut]));
        prop_assert_eq!(merged.quartiles().unwrap(), expected(&values));
    }

    #[test]
    fn any_merges_beyond(sizes in prop::collection::vec(1usize..6000, 2..40), seed: u64) {
        let mut rng = Rng(seed);
        let (mut all, mut merged) = (Vec::new(), Quantiles::default());
        for size in sizes {
            // Each piece lies elsewhere.
            let (base, scale) = (rng.unit() * 3.0, rng.unit());
            let values: Vec<f64> = (0..size).map(|_| base + scale * rng.unit()).collect();
            merged.merge(&of(&values));
            all.extend(values);
        }
        let error = rank_error(&merged, &all);
        prop_assert!(error < 0.01, "{} values: {error}", all.len());
    }
}

/// The train, val and test rows of a fold carry the same scores.
#[test]
fn values_in_threes_are_ranked_as_others() {
    let mut rng = Rng(33);
    for count in [1, 600, 20_000] {
        let fits: Vec<f64> = (0..count).map(|_| rng.unit()).collect();
        let values: Vec<f64> = fits.iter().flat_map(|&fit| [fit; 3]).collect();
        let quantiles = of(&values);
        if values.len() <= EXACT {
            assert_eq!(quantiles.quartiles().unwrap(), expected(&values));
        }
        assert!(rank_error(&quantiles, &values) < 0.01, "{count}");
    }
}

#[test]
fn a_closed_sketch_knows_its_answers_and_nothing_of_others() {
    let mut rng = Rng(34);
    let values: Vec<f64> = (0..1000).map(|_| rng.unit()).collect();
    let mut finalized = of(&values);
    finalized.finalize();
    assert_eq!(finalized.quartiles().unwrap(), expected(&values));
    assert!(finalized.is_exact());
    let mut alone = Quantiles::default();
    alone.merge(&finalized);
    assert_eq!(alone.quartiles(), finalized.quartiles());
    for (mut one, other) in [(finalized.clone(), of(&values)), (of(&values), finalized)] {
        one.merge(&other);
        assert_eq!((one.quartiles(), one.is_exact()), (None, false));
    }
}

#[test]
fn sketches_answer_together_as_one_of_all_values_does() {
    for (count, size) in [(1, 1), (5, 2), (EXACT, 37), (EXACT + 1, 37), (30_000, 500), (200_000, 7000)] {
        for (name, values) in inputs(count) {
            let parts: Vec<Quantiles> = values.chunks(size).map(of).chain([Quantiles::default()]).collect();
            let together = Quantiles::together(&parts.iter().collect::<Vec<_>>());
            assert_eq!(together.is_exact(), count <= EXACT, "{count} {name}");
            if together.is_exact() {
                assert_eq!(together.quartiles().unwrap(), expected(&values), "{count} {name}");
            }
            let error = rank_error(&together, &values);
            assert!(error < 0.01, "{count} in parts of {size}, {name}: {error}");
        }
    }
}

/// The bits of floats next to zero lie far apart: all but one value are alike in their leading ones.
#[test]
fn values_beside_one_across_zero_are_ranked_as_others() {
    let mut rng = Rng(35);
    for outlier in [-0.5, 0.0, f64::MIN, -5e-324] {
        let values: Vec<f64> = (0..100_000).map(|_| 0.5 + rng.unit() / 2.0).chain([outlier]).collect();
        let few = &values[values.len() - EXACT..];
        assert_eq!(of(few).quartiles().unwrap(), expected(few));
        let parts: Vec<Quantiles> = values.chunks(1000).map(of).collect();
        let together = Quantiles::together(&parts.iter().collect::<Vec<_>>());
        for quantiles in [&together, &of(&values)] {
            assert!(rank_error(quantiles, &values) < 0.01, "{outlier}");
        }
    }
}

#[test]
fn together_with_a_closed_sketch_nothing_is_known() {
    let (open, mut finalized, none) = (of(&[1.0, 2.0, 3.0]), of(&[4.0, 5.0]), Quantiles::default());
    finalized.finalize();
    assert_eq!(Quantiles::together(&[&none, &finalized, &none]), finalized);
    for parts in [vec![&open, &finalized], vec![&finalized, &finalized]] {
        let together = Quantiles::together(&parts);
        assert_eq!((together.quartiles(), together.is_exact()), (None, false));
    }
    let nothing = Quantiles::together(&[&none]);
    assert_eq!((nothing.quartiles(), nothing.is_exact()), (None, true));
}
