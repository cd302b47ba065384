//! Folders of files: neither threads nor the cache change an answer, and one bad file is one bad file.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{METRICS, Prediction, added, parquet_of, predictions, same};
use n4w_core::ErrorKind;
use n4w_core::base::metrics::Direction;
use n4w_core::base::progress::Progress;
use n4w_core::base::threads;
use n4w_core::footer::TailReader;
use n4w_core::query::equal_rows::Configurations;
use n4w_core::query::filter::Filter;
use n4w_core::query::top::{Query, top as ranked};
use n4w_core::reading::collect::{Caching, Collected, collect, collect_rankings};
use n4w_core::segment::live_set::Open;
use n4w_core::summary::topk::{Ranked, TopK};
use n4w_core::summary::{Accumulator, report};
use n4w_core::upkeep::rebuild::{Outcome, rebuild, rebuild_file};
use n4w_core::upkeep::verify;
use tempfile::TempDir;

/// A folder of good files, with and without summaries, and of bad ones; and the rows of the good ones.
fn folder() -> (TempDir, Vec<Prediction>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut all = Vec::new();
    for index in 0..90u64 {
        let inner = root.join(format!("predictions/folder{}", index % 7));
        fs::create_dir_all(&inner).unwrap();
        let path = if index % 5 == 0 { root } else { &inner }.join(format!("file{index:03}.meta.parquet"));
        let mut rows = predictions(index, 20 + index as usize, &METRICS);
        for (row, prediction) in rows.iter_mut().enumerate() {
            prediction.texts[0] = Some(format!("{index}-{row}"));
        }
        fs::write(&path, parquet_of(&rows)).unwrap();
        if index % 3 != 0 {
            rebuild_file(&path, &mut TailReader::default()).unwrap();
        }
        all.extend(rows);
    }
    let good = fs::read(root.join("file000.meta.parquet")).unwrap();
    fs::write(root.join("bad_cut.meta.parquet"), &good[..good.len() / 2]).unwrap();
    fs::write(root.join("bad_empty.meta.parquet"), b"").unwrap();
    fs::write(root.join("bad_garbage.meta.parquet"), b"PAR1 this is no Parquet file PAR1").unwrap();
    fs::create_dir(root.join("bad_folder.meta.parquet")).unwrap();
    // None of these is a prediction file.
    for other in [".hidden.meta.parquet", "x.partial.meta.parquet", "x.parquet", "predictions/x.meta.parquet"]
    {
        fs::write(root.join(other), b"").unwrap();
    }
    (folder, all)
}

fn collected(root: &Path, threads: usize, caching: Caching) -> Collected {
    let collect = || kept(root, collect(root, Open::Live, caching, &Progress::default()));
    threads::run(threads, collect).unwrap()
}

fn kept(root: &Path, collected: n4w_core::Result<Collected>) -> Collected {
    let collected = collected.unwrap();
    collected.cache(root);
    collected
}

fn answer(collected: &Collected) -> String {
    let errors: Vec<_> = collected.errors.iter().map(|error| (&error.path, error.kind)).collect();
    let summary = report::workspace_summary(&collected.datasets, &collected.whole, "now").to_json();
    format!("{summary}\n{} files, {:?}\n{errors:?}", collected.files, collected.scanned)
}

/// Makes all files look older than they are.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        }
    }
}

#[test]
fn threads_and_cache_change_nothing() {
    let (folder, rows) = folder();
    let root = folder.path();
    age(root);
    let serial = collected(root, 1, Caching::Off);
    let expected = answer(&serial);
    let mut whole = Accumulator::default();
    serial.datasets.values().for_each(|datasets| whole.merge(datasets));
    assert_eq!(whole.rows(), rows.len() as u64);
    let bad: Vec<_> = serial.errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        bad,
        ["bad_cut", "bad_empty", "bad_folder", "bad_garbage"].map(|name| format!("{name}.meta.parquet"))
    );
    for count in [2, 4] {
        assert_eq!(answer(&collected(root, count, Caching::Off)), expected, "{count} threads");
    }
    // The change time cannot be set back; the cache trusts files only some seconds later.
    std::thread::sleep(Duration::from_millis(2200));
    for caching in [Caching::Whole, Caching::Whole, Caching::Files, Caching::Files, Caching::Whole] {
        assert_eq!(answer(&collected(root, 2, caching)), expected, "{caching:?}");
    }

    // One file changes, one comes, one goes: the cache notices.
    fs::write(root.join("file005.meta.parquet"), parquet_of(&predictions(77, 40, &METRICS))).unwrap();
    fs::write(root.join("new.meta.parquet"), parquet_of(&predictions(78, 5, &METRICS))).unwrap();
    fs::remove_file(root.join("file010.meta.parquet")).unwrap();
    let changed = answer(&collected(root, 1, Caching::Off));
    assert_ne!(changed, expected);
    for caching in [Caching::Files, Caching::Whole, Caching::Files] {
        assert_eq!(answer(&collected(root, 2, caching)), changed, "{caching:?}");
    }
    for file in fs::read_dir(root.join(".cache")).unwrap() {
        fs::write(file.unwrap().path(), b"garbage").unwrap();
    }
    assert_eq!(answer(&collected(root, 2, Caching::Files)), changed, "with a damaged cache");
    fs::remove_dir_all(root.join(".cache")).unwrap();
    assert_eq!(answer(&collected(root, 2, Caching::Files)), changed, "without a cache");
}

/// An answer without what it says of quartiles.
fn without_quartiles(answer: &str) -> String {
    let parts = answer.split("\"quartiles").map(|part| {
        let said = part.starts_with("\": ") || part.starts_with("_exact\": ");
        if !said {
            return part;
        }
        part.split_once(if part.starts_with("\": [") { "], " } else { ", " }).map_or(part, |(_, rest)| rest)
    });
    parts.collect()
}

#[test]
fn rankings_lack_quartiles_alone() {
    let (folder, _) = folder();
    let root = folder.path();
    threads::run(1, || rebuild(root, &Progress::default())).unwrap().unwrap();
    age(root);
    let whole = answer(&collected(root, 1, Caching::Off));
    assert!(whole.contains("\"quartiles\": [") && !without_quartiles(&whole).contains("quartiles"));
    fs::read_dir(root).unwrap().map(|entry| entry.unwrap()).for_each(|entry| {
        if entry.file_name().to_string_lossy().starts_with("bad_") {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
    });
    let whole = answer(&collected(root, 1, Caching::Off));
    std::thread::sleep(Duration::from_millis(2200));
    let rankings = |count| {
        let collect = || kept(root, collect_rankings(root, Open::Live, Caching::Whole, &Progress::default()));
        answer(&threads::run(count, collect).unwrap())
    };
    // Without a cache, from its own, and from that of the whole.
    for count in [1, 2] {
        let found = rankings(count);
        assert!(!found.contains("\"quartiles\": ["));
        assert!(without_quartiles(&found) == without_quartiles(&whole), "{count} threads");
    }
    assert!(root.join(".cache/rankings.bin").is_file() && !root.join(".cache/summary.bin").exists());
    assert!(answer(&collected(root, 2, Caching::Whole)) == whole);
    fs::remove_file(root.join(".cache/rankings.bin")).unwrap();
    assert!(rankings(2) == whole);
}

/// Files' summaries merged are the summary of all rows, within the exact limits.
#[test]
fn merged_footers_are_recomputation() {
    let folder = tempfile::tempdir().unwrap();
    let rows = predictions(1, 2000, &METRICS);
    for (index, rows) in rows.chunks(73).enumerate() {
        let path = folder.path().join(format!("wheat{index:02}.meta.parquet"));
        fs::write(&path, parquet_of(rows)).unwrap();
        rebuild_file(&path, &mut TailReader::default()).unwrap();
    }
    let merged = collected(folder.path(), 2, Caching::Off);
    assert!(merged.scanned.is_empty());
    let [merged, expected] =
        [&merged.datasets["wheat"], &added(&rows)].map(|state| report::summary(state, None, "now"));
    assert!(same(&merged, &expected), "{}\n{}", merged.to_json(), expected.to_json());
}

#[test]
fn rebuilding_in_parallel_leaves_only_bad_files_without_a_summary() {
    let (folder, _) = folder();
    let root = folder.path();
    let before = answer_of_rows(root);
    let outcomes = threads::run(4, || rebuild(root, &Progress::default())).unwrap().unwrap();
    assert_eq!(outcomes.len(), 94);
    for (name, outcome) in &outcomes {
        assert_eq!(matches!(outcome, Outcome::Failed(_)), name.starts_with("bad_"), "{name}");
    }
    assert_eq!(outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Written(_))).count(), 30);
    let after = collected(root, 2, Caching::Off);
    assert!(after.scanned.is_empty());
    assert_eq!(answer_of_rows(root), before);
    let findings = threads::run(2, || verify::verify(root, true, &Progress::default())).unwrap().unwrap();
    assert!(findings.iter().all(|finding| finding.path.starts_with("bad_")), "{findings:?}");
    assert_eq!(findings.len(), 4);
}

fn answer_of_rows(root: &Path) -> String {
    let collected = collected(root, 1, Caching::Off);
    report::workspace_summary(&collected.datasets, &collected.whole, "now").to_json()
}

/// The ids of a ranking that sorts all rows.
fn expected_top(rows: &[Prediction], query: &Query, only_val: bool, direction: Direction) -> Vec<String> {
    let mut top = TopK::new(query.k);
    for row in rows.iter().map(Prediction::row) {
        let wanted = query.filter.equal.iter().all(|(column, value)| {
            let text = match *column {
                "model_name" => row.texts[3],
                "fold_id" => row.texts[5],
                "partition" => row.texts[6],
                _ => row.task_type,
            };
            text == Some(value.as_str())
        });
        let in_range = query
            .filter
            .ranges
            .iter()
            .all(|(column, range)| row.scores[*column].is_some_and(|score| range.contains(&score)));
        let names_partition = query.filter.equal.iter().any(|(column, _)| *column == "partition");
        let is_candidate = names_partition || !only_val || row.texts[6] == Some("val");
        if row.metric == query.metric.as_deref()
            && wanted
            && in_range
            && is_candidate
            && let Some(goodness) = row.scores[0].and_then(|score| direction.goodness(score))
        {
            top.offer(Ranked::new(goodness, row.scores, row.texts.into_iter()));
        }
    }
    top.sorted().iter().map(|ranked| ranked.texts()[0].unwrap().to_owned()).collect()
}

/// No result says its configuration.
const NONE: &Configurations<'static> = &|_| Ok(HashMap::new());

#[test]
fn rankings_are_those_of_all_rows() {
    let (folder, rows) = folder();
    let text = |column: &'static str, value: &str| (column, value.to_owned());
    let equal = |equal| Filter { equal, ..Filter::default() };
    let queries = [
        Query { k: 5, ..Query::default() },
        Query { k: 32, ..Query::default() },
        Query { k: 200, ..Query::default() },
        Query { k: 40, filter: equal(vec![text("model_name", "Modèle3")]), ..Query::default() },
        Query {
            k: 10,
            filter: equal(vec![text("partition", "test"), text("fold_id", "avg")]),
            ..Query::default()
        },
        Query {
            k: 10,
            filter: Filter { ranges: vec![(0, 0.25..=1.5)], ..equal(vec![text("task_type", "regression")]) },
            ..Query::default()
        },
        Query { k: 10, filter: equal(vec![text("model_name", "none")]), ..Query::default() },
    ];
    for query in queries {
        for (metric, direction) in
            [("rmse", Direction::Minimize), ("r2", Direction::Maximize), ("bias", Direction::Zero)]
        {
            let query = Query { metric: Some(metric.to_owned()), ..query.clone() };
            let expected = expected_top(&rows, &query, true, direction);
            for count in [1, 3] {
                let answer = threads::run(count, || {
                    ranked(folder.path(), &query, NONE, Open::Live, Caching::Off, &Progress::default())
                });
                let answer = answer.unwrap().unwrap();
                let found: Vec<_> =
                    answer.best.iter().map(|best| best.ranked.texts()[0].unwrap().to_owned()).collect();
                assert_eq!(found, expected, "{query:?}, {count} threads");
                assert_eq!(answer.errors.len(), 4);
            }
        }
    }
    let unknown = Query { k: 1, metric: Some("made_up".to_owned()), ..Query::default() };
    let error =
        ranked(folder.path(), &unknown, NONE, Open::Live, Caching::Off, &Progress::default()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Metric);
    let several = Query { k: 1, ..Query::default() };
    let error =
        ranked(folder.path(), &several, NONE, Open::Live, Caching::Off, &Progress::default()).err().unwrap();
    assert!(error.message.contains("rmse") && error.message.contains("bias"), "{error}");
}

/// A bad file stays bad; the files beside it need not be scanned each time for that.
#[test]
fn what_was_scanned_is_kept_beside_a_bad_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("bad.meta.parquet"), b"").unwrap();
    fs::write(root.join("scanned.meta.parquet"), parquet_of(&predictions(1, 20, &METRICS))).unwrap();
    collected(root, 1, Caching::Whole);
    let kept = n4w_core::reading::cache::load(root, n4w_core::reading::cache::SCANS);
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["scanned.meta.parquet"]);
}

/// Without a bad file, an unchanged folder is answered from one stat a file.
#[test]
fn a_folder_of_good_files_is_answered_from_the_cache() {
    let (folder, _) = folder();
    let root = folder.path();
    for name in ["bad_cut", "bad_empty", "bad_garbage"] {
        fs::remove_file(root.join(format!("{name}.meta.parquet"))).unwrap();
    }
    fs::remove_dir(root.join("bad_folder.meta.parquet")).unwrap();
    let expected = answer(&collected(root, 1, Caching::Off));
    std::thread::sleep(Duration::from_millis(2200));
    for caching in [Caching::Whole, Caching::Whole, Caching::Files, Caching::Off] {
        assert_eq!(answer(&collected(root, 2, caching)), expected);
    }
    assert!(root.join(".cache/summary.bin").exists());
    fs::write(root.join("file005.meta.parquet"), parquet_of(&predictions(77, 40, &METRICS))).unwrap();
    let changed = answer(&collected(root, 1, Caching::Off));
    for caching in [Caching::Whole, Caching::Whole, Caching::Files] {
        assert_eq!(answer(&collected(root, 2, caching)), changed);
    }
}

#[test]
fn work_that_should_stop_stops() {
    let (folder, _) = folder();
    let progress = Progress::default();
    progress.stop();
    assert_eq!(
        collect(folder.path(), Open::Live, Caching::Off, &progress).err().unwrap().kind,
        ErrorKind::Interrupted
    );
    assert_eq!(rebuild(folder.path(), &progress).err().unwrap().kind, ErrorKind::Interrupted);
}
