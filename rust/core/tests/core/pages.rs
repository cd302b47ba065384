//! Any place of any order, with so little room that every kind of window is needed, against a plain sort.

#![allow(clippy::unwrap_used, missing_docs)]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use arrow_array::{Float64Array, RecordBatch, StringArray};
use n4w_core::base::progress::Progress;
use n4w_core::query::cursor::Cursor;
use n4w_core::query::entry::Limits;
use n4w_core::query::file_snapshot::Files;
use n4w_core::query::filter::Filter;
use n4w_core::query::keys::Sort;
use n4w_core::query::order::Order;
use n4w_core::query::take::ties;
use n4w_core::segment::live_set::Open;
use n4w_core::types::schema::Type;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

type Row = (Option<&'static str>, Option<f64>, Option<&'static str>, Option<&'static str>);

fn row() -> impl Strategy<Value = Row> {
    let text =
        prop::sample::select(vec![None, Some("a"), Some("b"), Some("ba"), Some("c"), Some("ü"), Some("")]);
    let score = prop::sample::select(vec![
        None,
        Some(0.0),
        Some(-0.0),
        Some(1.0),
        Some(-1.5),
        Some(f64::NAN),
        Some(f64::INFINITY),
    ]);
    let metric =
        prop::sample::select(vec![Some("rmse"), Some("rmse"), Some("r2"), Some("bias"), Some("own"), None]);
    (text.clone(), score, metric, text)
}

fn write(path: &Path, rows: &[Row]) {
    let id: StringArray = rows.iter().map(|row| row.0).collect();
    let score: Float64Array = rows.iter().map(|row| row.1).collect();
    let metric: StringArray = rows.iter().map(|row| row.2).collect();
    let model: StringArray = rows.iter().map(|row| row.3).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(id) as _, true),
        ("val_score", Arc::new(score) as _, true),
        ("metric", Arc::new(metric) as _, true),
        ("model_name", Arc::new(model) as _, true),
    ])
    .unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn last<T: PartialOrd>(one: Option<T>, two: Option<T>, descending: bool) -> Ordering {
    match (one, two) {
        (Some(one), Some(two)) => {
            let order = one.partial_cmp(&two).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
        (one, two) => one.is_none().cmp(&two.is_none()),
    }
}

fn by_number(one: Option<f64>, two: Option<f64>, descending: bool) -> Ordering {
    let class = |number: Option<f64>| number.map_or(2, |number| i32::from(number.is_nan()));
    let value = |number: Option<f64>| number.filter(|number| !number.is_nan());
    class(one).cmp(&class(two)).then_with(|| last(value(one), value(two), descending))
}

fn expected(one: &Row, two: &Row, column: &str, descending: Option<bool>) -> Ordering {
    let backwards = descending.unwrap_or(false);
    let order = match (column, descending) {
        ("val_score", None) => {
            let rank = |row: &Row| row.2.filter(|metric| *metric != "own");
            let goodness = |row: &Row| match rank(row)? {
                "r2" => row.1.map(|score| -score),
                "bias" => row.1.map(f64::abs),
                _ => row.1,
            };
            last(rank(one), rank(two), false).then_with(|| by_number(goodness(one), goodness(two), false))
        }
        ("val_score", _) => by_number(one.1, two.1, backwards),
        ("id", _) => last(one.0, two.0, backwards),
        _ => last(one.3, two.3, backwards),
    };
    order.then_with(|| last(one.0, two.0, false))
}

static QUERIES: AtomicU64 = AtomicU64::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_place(
        files in prop::collection::vec(prop::collection::vec(row(), 0..14), 1..4),
        column in prop::sample::select(vec!["val_score", "id", "model_name"]),
        descending in prop::sample::select(vec![None, Some(false), Some(true)]),
        rows in 1usize..6,
        tied in 1usize..4,
        limit in 1usize..8,
        sample in prop::sample::select(vec![1usize, 3, 32_768]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut plain = Vec::new();
        for (number, rows) in files.iter().enumerate() {
            write(&folder.path().join(format!("{number}.meta.parquet")), rows);
            plain.extend(rows.iter().enumerate().map(|(place, row)| (number, place, *row)));
        }
        plain.sort_by(|one, two| expected(&one.2, &two.2, column, descending).then((one.0, one.1).cmp(&(two.0, two.1))));
        let plain: Vec<(u32, u32)> = plain.iter().map(|(file, place, _)| (*file as u32, *place as u32)).collect();
        let listed = Files::list(folder.path(), Open::Live, &BTreeMap::new(), true).unwrap();
        let sort = Sort { column: column.to_owned(), descending, direction: None };
        let (filter, progress) = (Filter::default(), Progress::default());
        let query = QUERIES.fetch_add(1, Atomic::Relaxed).to_string();
        let mut order = Order::of(folder.path(), query, &listed.files, &filter, &sort, &progress).unwrap();
        order.limits = Limits { rows, ties: tied, sample };
        prop_assert_eq!(order.total().unwrap(), plain.len() as u64);
        for place in (0..=plain.len()).rev().step_by(3).chain(0..plain.len()) {
            let found = order.rows(place as u64, limit).unwrap();
            let found: Vec<(u32, u32)> = found.iter().map(|entry| (entry.file, entry.row)).collect();
            prop_assert_eq!(&found[..], &plain[place..plain.len().min(place + limit)], "at {}", place);
        }
        let all = order.rows(0, usize::MAX).unwrap();
        let text = (order.levels.keys.kind == Type::Text).then_some(column);
        for (place, (entry, tie)) in all.iter().zip(ties(&listed.files, &all, text).unwrap()).enumerate() {
            let cursor = Cursor::new(&order.levels.keys, entry.key, tie);
            let again = Cursor::decode(&cursor.encode("q"), "q").unwrap();
            prop_assert_eq!(&again, &cursor);
            prop_assert_eq!(order.place_after(&again).unwrap(), place as u64 + 1);
        }
    }
}
