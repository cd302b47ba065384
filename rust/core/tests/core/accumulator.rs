//! Whole summaries against recomputation, in every order, split, encoding and number of threads.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray};
use common::{
    ENCODINGS, Encoding, METRICS, Prediction, Rng, added, assert_same, batch, batched, predictions,
};
use n4w_core::base::metrics::{self, Direction};
use n4w_core::base::threads;
use n4w_core::base::value::Value;
use n4w_core::summary::{Accumulator, add_batches, embedded, report, split_by_dataset};
use proptest::prelude::*;

fn summary(accumulator: &Accumulator) -> Value {
    report::summary(accumulator, None, "now")
}

/// The value at a path of keys.
fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, key| value.get(key).unwrap())
}

#[track_caller]
fn assert_close(value: &Value, expected: Option<f64>) {
    let close = match (value, expected) {
        (Value::Float(value), Some(expected)) => (value - expected).abs() <= 1e-11 * expected.abs().max(1.0),
        (Value::Null, None) => true,
        _ => false,
    };
    assert!(close, "{value:?} against {expected:?}");
}

/// Recomputes one score column of one metric.
fn check_stats(stats: &Value, scores: &[Option<f64>]) {
    let mut finite: Vec<f64> = scores.iter().flatten().copied().filter(|score| score.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    let count = finite.len() as f64;
    let number = |condition: fn(&Option<f64>) -> bool| {
        Value::Int(scores.iter().filter(|score| condition(score)).count() as u64)
    };
    assert_eq!(*at(stats, &["count"]), Value::Int(finite.len() as u64));
    assert_eq!(*at(stats, &["nulls"]), number(Option::is_none));
    assert_eq!(*at(stats, &["nans"]), number(|score| score.is_some_and(f64::is_nan)));
    assert_eq!(*at(stats, &["infs"]), number(|score| score.is_some_and(f64::is_infinite)));
    assert_close(at(stats, &["min"]), finite.first().copied());
    assert_close(at(stats, &["max"]), finite.last().copied());
    let mean = (count > 0.0).then(|| finite.iter().sum::<f64>() / count);
    assert_close(at(stats, &["mean"]), mean);
    let squares: f64 = finite.iter().map(|value| (value - mean.unwrap_or_default()).powi(2)).sum();
    assert_close(at(stats, &["std"]), (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()));
    let Value::List(quartiles) = at(stats, &["quartiles"]) else {
        assert!(finite.is_empty());
        return;
    };
    for (value, q) in quartiles.iter().zip([0.25, 0.5, 0.75]) {
        let rank = q * (count - 1.0);
        let (low, high) = (finite[rank.floor() as usize], finite[rank.ceil() as usize]);
        assert_close(value, Some(low + (high - low) * rank.fract()));
    }
}

/// Ids and scores of the best ten, by sorting all candidates.
fn ranking(rows: &[&Prediction], direction: Direction) -> Vec<(Option<String>, [Option<u64>; 3])> {
    let is_val = |row: &&&Prediction| row.texts[6].as_deref() == Some("val");
    let has_val = rows.iter().any(|row| is_val(&row));
    let score = usize::from(!rows.iter().any(|row| row.scores[0].is_some()));
    let mut candidates: Vec<(f64, &Prediction)> = rows
        .iter()
        .filter(|row| !has_val || is_val(row))
        .filter_map(|row| Some((direction.goodness(row.scores[score]?)?, *row)))
        .collect();
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.texts[0].cmp(&b.1.texts[0])));
    candidates
        .into_iter()
        .map(|(_, row)| (row.texts[0].clone(), row.scores.map(|score| score.map(f64::to_bits))))
        .take(10)
        .collect()
}

fn bits(value: &Value) -> Option<u64> {
    match value {
        Value::Float(value) => Some(value.to_bits()),
        _ => None,
    }
}

fn check(accumulator: &Accumulator, rows: &[Prediction]) {
    let answer = summary(accumulator);
    assert_eq!(*at(&answer, &["total_predictions"]), Value::Int(rows.len() as u64));
    let mut by_metric = BTreeMap::<&str, Vec<&Prediction>>::new();
    rows.iter()
        .for_each(|row| by_metric.entry(row.metric.as_deref().unwrap_or_default()).or_default().push(row));
    for (metric, rows) in &by_metric {
        let entry = at(&answer, &["by_metric", metric]);
        let direction = metrics::direction(metric);
        assert_eq!(*at(entry, &["direction"]), direction.name().into());
        assert_eq!(*at(entry, &["count"]), Value::Int(rows.len() as u64));
        for (column, name) in ["val_score", "test_score", "train_score"].into_iter().enumerate() {
            let scores: Vec<_> = rows.iter().map(|row| row.scores[column]).collect();
            check_stats(at(entry, &["stats", name]), &scores);
        }
        let Value::List(top) = at(entry, &["top_predictions"]) else { panic!("no ranking") };
        let top: Vec<_> = top
            .iter()
            .map(|row| {
                let id = match at(row, &["id"]) {
                    Value::Text(id) => Some(id.clone()),
                    _ => None,
                };
                (id, ["val_score", "test_score", "train_score"].map(|score| bits(at(row, &[score]))))
            })
            .collect();
        let expected = ranking(rows, direction);
        // Equally good rows of one id may stand in any order here.
        let key = |list: &[(Option<String>, [Option<u64>; 3])]| {
            list.iter().map(|item| item.0.clone()).collect::<Vec<_>>()
        };
        assert_eq!(key(&top), key(&expected), "{metric}");
    }
    let main =
        by_metric.iter().filter(|(metric, _)| !metric.is_empty()).map(|(metric, rows)| (rows.len(), *metric));
    let main = main.fold(
        None,
        |best: Option<(usize, &str)>, next| {
            if best.is_none_or(|best| next.0 > best.0) { Some(next) } else { best }
        },
    );
    assert_eq!(*at(&answer, &["metric"]), main.map(|main| main.1).into());

    let distinct = |column: usize| {
        let names: BTreeSet<_> = rows.iter().filter_map(|row| row.texts[column].as_deref()).collect();
        Value::Int(names.len() as u64)
    };
    for (key, column) in [("n_partitions", 6), ("n_folds", 5), ("n_configs", 4), ("n_runs", 1)] {
        assert_eq!(*at(&answer, &["facets", key]), distinct(column), "{key}");
    }
    let branches: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| {
            row.branch_id.as_deref().or(row.branch_name.as_deref().filter(|name| !name.is_empty()))
        })
        .collect();
    assert_eq!(*at(&answer, &["branch_count"]), Value::Int(branches.len() as u64));
    let mut models = BTreeMap::<Option<&str>, u64>::new();
    rows.iter().for_each(|row| *models.entry(row.texts[3].as_deref()).or_default() += 1);
    let Value::List(listed) = at(&answer, &["facets", "models"]) else { panic!("no models") };
    let listed: BTreeMap<Option<&str>, u64> = listed
        .iter()
        .map(|model| match (at(model, &["name"]), at(model, &["count"])) {
            (Value::Text(name), Value::Int(count)) => (Some(name.as_str()), *count),
            (Value::Null, Value::Int(count)) => (None, *count),
            other => panic!("{other:?}"),
        })
        .collect();
    if !rows.is_empty() && main.is_some() {
        // Models that only rows of other metrics have count as well.
        assert_eq!(listed, models);
    }
    let times: Vec<i64> = rows.iter().filter_map(|row| row.created_at).collect();
    let written = |time: Option<&i64>| time.and_then(|&time| n4w_core::base::clock::format_time(time));
    assert_eq!(*at(&answer, &["date_range", "earliest"]), written(times.iter().min()).as_deref().into());
    assert_eq!(*at(&answer, &["date_range", "latest"]), written(times.iter().max()).as_deref().into());
}

proptest! {
    #![proptest_config(common::cases(48))]

    #[test]
    fn recomputed(seed: u64, count in 0usize..1500) {
        let rows = predictions(seed, count, &METRICS);
        check(&added(&rows), &rows);
        check(&batched(&rows, 400, Encoding::Utf8), &rows);
    }

    #[test]
    fn rows_and_batches_agree(seed: u64, count in 0usize..2048, size in 1usize..700) {
        let rows = predictions(seed, count, &METRICS);
        let by_row = added(&rows);
        for encoding in ENCODINGS {
            assert_same(&by_row, &batched(&rows, size, encoding));
        }
    }

    #[test]
    fn merges_in_any_order_and_tree(seed: u64, count in 1usize..2048) {
        let rows = predictions(seed, count, &METRICS);
        let mut rng = Rng(seed);
        let mut parts: Vec<Accumulator> = rows.chunks(1 + rng.below(300)).map(added).collect();
        let whole = added(&rows);
        rng.shuffle(&mut parts);
        while parts.len() > 1 {
            let from = parts.swap_remove(rng.below(parts.len()));
            let into = rng.below(parts.len());
            parts[into].merge(&from);
        }
        assert_same(&parts[0], &whole);
    }

    /// A ranking's candidates depend on what other rows there are: every switch, in every order.
    #[test]
    fn rankings_switch_alike_in_any_order(seed: u64, count in 1usize..12) {
        let mut rng = Rng(seed);
        let mut rows = predictions(seed, count, &[Some("rmse")]);
        for (index, row) in rows.iter_mut().enumerate() {
            row.texts[0] = Some(format!("id{index}"));
            row.texts[6] = Some((*rng.pick(&["val", "train", "train", "train"])).to_owned());
            row.scores[0] = row.scores[0].filter(|_| rng.below(4) == 0);
        }
        let whole = added(&rows);
        check(&whole, &rows);
        rng.shuffle(&mut rows);
        assert_same(&added(&rows), &whole);
        let cut = rng.below(rows.len() + 1);
        let mut merged = added(&rows[..cut]);
        merged.merge(&added(&rows[cut..]));
        assert_same(&merged, &whole);
    }
}

/// Of a row that cannot rank, the texts that only a ranking shows need not be read.
#[test]
fn merging_nothing_changes_nothing() {
    let state = added(&predictions(1, 500, &METRICS));
    let mut left = Accumulator::default();
    left.merge(&state);
    let mut right = state.clone();
    right.merge(&Accumulator::default());
    for merged in [left, right] {
        assert_eq!(embedded::to_bytes(&merged), embedded::to_bytes(&state));
    }
}

#[test]
fn beyond_the_exact_limits_all_else_still_agrees() {
    let rows = predictions(9, 150_000, &[Some("rmse"), Some("r2")]);
    let by_row = added(&rows);
    let by_batch = batched(&rows, 100_000, Encoding::Dictionary);
    for metric in ["rmse", "r2"] {
        let [a, b] = [&by_row, &by_batch]
            .map(|state| summary(state).get("by_metric").unwrap().get(metric).unwrap().clone());
        for part in ["count", "direction", "ranked_by", "models", "runs", "top_predictions"] {
            assert!(common::same(at(&a, &[part]), at(&b, &[part])), "{part}");
        }
        for column in ["val_score", "test_score", "train_score"] {
            for key in ["count", "nulls", "nans", "infs", "min", "max", "mean", "std"] {
                assert!(
                    common::same(at(&a, &["stats", column, key]), at(&b, &["stats", column, key])),
                    "{column} {key}"
                );
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let rows = predictions(4, 200_000, &METRICS);
    let batches: Vec<RecordBatch> = rows.chunks(90_000).map(|rows| batch(rows, Encoding::Utf8)).collect();
    let with = |count: usize| {
        threads::run(count, || {
            let mut state = Accumulator::default();
            add_batches(&mut state, &batches).unwrap();
            let split = split_by_dataset(&batches, "unnamed").unwrap();
            (embedded::to_bytes(&state), split.values().map(embedded::to_bytes).collect::<Vec<_>>())
        })
        .unwrap()
    };
    let serial = with(1);
    for count in [2, 3, 8] {
        assert!(with(count) == serial, "{count} threads");
    }
}

/// A dictionary may hold values that no row uses: those of rows that were cut off or filtered out.
#[test]
fn unused_values_of_a_dictionary_do_not_count() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["train", "val", "test", "never"]));
    let column: ArrayRef =
        Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(vec![Some(1), Some(1), None]), names));
    let scores: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("val_score", scores, true),
        ("partition", Arc::clone(&column), true),
        ("fold_id", Arc::clone(&column), true),
        ("config_name", Arc::clone(&column), true),
        ("run_id", Arc::clone(&column), true),
        ("branch_id", Arc::clone(&column), true),
    ])
    .unwrap();
    let mut state = Accumulator::default();
    add_batches(&mut state, &[batch]).unwrap();
    let answer = summary(&state);
    for key in ["n_partitions", "n_folds", "n_configs", "n_runs"] {
        assert_eq!(*at(&answer, &["facets", key]), Value::Int(1), "{key}");
    }
    assert_eq!(*at(&answer, &["branch_count"]), Value::Int(1));
}

#[test]
fn datasets_are_split_as_if_each_had_its_own_file() {
    let mut rows = predictions(6, 3000, &METRICS);
    let mut rng = Rng(6);
    for row in &mut rows {
        row.texts[2] = rng.pick(&[Some("wheat"), Some("maize"), Some("alone"), None]).map(str::to_owned);
        // Names that only one dataset has.
        row.texts[4] = row.texts[2].as_ref().map(|name| format!("{name}{}", rng.below(30)));
    }
    for encoding in ENCODINGS {
        let split = split_by_dataset(&[batch(&rows, encoding)], "alone").unwrap();
        assert_eq!(split.keys().collect::<Vec<_>>(), ["alone", "maize", "wheat"]);
        for (name, state) in &split {
            let own: Vec<Prediction> = rows
                .iter()
                .filter(|row| row.texts[2].as_deref().unwrap_or("alone") == name)
                .cloned()
                .collect();
            println!("{encoding:?}, {name}");
            assert_same(&added(&own), state);
        }
    }
}

#[test]
fn groups_that_rank_differently_become_unranked() {
    let rows = predictions(8, 50, &[Some("later_known")]);
    let unknown = added(&rows);
    let metric = metrics::Metric {
        name: "later_known".to_owned(),
        aliases: Vec::new(),
        direction: Direction::Minimize,
        optimum: None,
        range: (0.0, f64::INFINITY),
        pooling: metrics::Pooling::Mean,
    };
    metrics::register(&metric).unwrap();
    let known = added(&rows);
    for (first, second) in [(&unknown, &known), (&known, &unknown)] {
        let mut merged = first.clone();
        merged.merge(second);
        let group = merged.group("later_known").unwrap();
        assert_eq!((group.direction(), group.rows()), (Direction::Unknown, 100));
        assert!(group.ranking().top().sorted().is_empty());
    }
}
