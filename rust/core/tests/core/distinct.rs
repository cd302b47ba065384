//! Distinct counts: exact to 4,096, within 2 % beyond, and merges are unions.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use common::Rng;
use n4w_core::summary::distinct::{Distinct, EXACT};

fn of(prefix: &str, range: std::ops::Range<usize>) -> Distinct {
    let mut distinct = Distinct::default();
    range.for_each(|index| distinct.add(&format!("{prefix}{index}")));
    distinct
}

#[test]
fn exact_to_the_limit_however_often_a_name_comes() {
    assert_eq!(Distinct::default().count(), 0);
    for count in [1, 2, 100, EXACT - 1, EXACT] {
        let mut distinct = of("config", 0..count);
        for index in 0..count {
            distinct.add(&format!("config{index}"));
        }
        assert!(distinct.is_exact());
        assert_eq!(distinct.count(), count as u64);
    }
    assert!(!of("config", 0..EXACT + 1).is_exact());
}

#[test]
fn within_two_percent_beyond() {
    for seed in 0..8 {
        let prefix = format!("seed{seed}_");
        let mut distinct = Distinct::default();
        let mut at = 0;
        for count in [EXACT + 1, 5000, 10_000, 30_000, 100_000, 300_000, 1_000_000] {
            if count > 300_000 && seed > 2 {
                continue;
            }
            (at..count).for_each(|index| distinct.add(&format!("{prefix}{index}")));
            at = count;
            let error = (distinct.count() as f64 / count as f64 - 1.0).abs();
            assert!(error < 0.02, "{count} names with prefix {prefix}: {error}");
        }
    }
}

#[test]
fn merge_is_union_in_any_order() {
    let mut rng = Rng(7);
    for sizes in
        [vec![10, 20, 30], vec![3000, 2000, 10], vec![5000, 100, 4096, 1], vec![50_000, 5000, 4000, 3000]]
    {
        let mut parts: Vec<Distinct> = Vec::new();
        let mut union = Distinct::default();
        for &size in &sizes {
            // Overlapping ranges.
            let start = rng.below(2000);
            parts.push(of("name", start..start + size));
            (start..start + size).for_each(|index| union.add(&format!("name{index}")));
        }
        for _ in 0..6 {
            rng.shuffle(&mut parts);
            let mut merged = Distinct::default();
            parts.iter().for_each(|part| merged.merge(part));
            merged.merge(&parts[0]); // again: nothing new
            assert_eq!(merged, union);
            let mut onto = parts[0].clone();
            parts[1..].iter().for_each(|part| onto.merge(part));
            assert_eq!(onto, union);
        }
    }
}

#[test]
fn merging_nothing_changes_nothing() {
    for count in [0, 5, 10_000] {
        let mut distinct = of("a", 0..count);
        let before = distinct.clone();
        distinct.merge(&Distinct::default());
        assert_eq!(distinct, before);
        let mut empty = Distinct::default();
        empty.merge(&before);
        assert_eq!(empty, before);
    }
}
