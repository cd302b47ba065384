//! Summaries in footers: when they are trusted, how large they get, what a rebuild does.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use std::path::{Path, PathBuf};

use base64_simd::STANDARD as BASE64;
use common::{METRICS, Prediction, assert_same, footer_of, parquet_of, predictions};
use n4w_core::base::metrics::{self, Direction, Metric};
use n4w_core::footer::{Footer, TailReader, digest, splice};
use n4w_core::summary::embedded::{self, Embedded, SKETCH_KEY, SUMMARY_KEY};
use n4w_core::summary::{Datasets, split_by_dataset};
use n4w_core::upkeep::rebuild::{Outcome, rebuild_file};
use n4w_core::{ErrorKind, Result};
use tempfile::TempDir;
use twox_hash::XxHash3_64;

struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new(rows: &[Prediction]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wheat.meta.parquet");
        std::fs::write(&path, parquet_of(rows)).unwrap();
        Self { _folder: folder, path }
    }

    fn rebuilt(rows: &[Prediction]) -> Self {
        let file = Self::new(rows);
        assert!(matches!(file.rebuild().unwrap(), Outcome::Written(_)));
        file
    }

    fn rebuild(&self) -> Result<Outcome> {
        rebuild_file(&self.path, &mut TailReader::default())
    }

    fn read(&self) -> Result<Embedded> {
        let bytes = std::fs::read(&self.path).unwrap();
        embedded::read(&Footer::parse(footer_of(&bytes)).unwrap())
    }

    fn get(&self, key: &str) -> String {
        let bytes = std::fs::read(&self.path).unwrap();
        Footer::parse(footer_of(&bytes)).unwrap().get(key).unwrap().to_owned()
    }

    fn put(&self, keys: &[(&str, String)]) {
        put(&self.path, keys);
    }

    /// Changes the sketch and makes its checksum and its seal right again.
    fn change_sketch(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = BASE64.decode_to_vec(digest::text_of(&self.get(SKETCH_KEY))).unwrap();
        bytes.truncate(bytes.len() - 8);
        change(&mut bytes);
        let checksum = XxHash3_64::oneshot(&bytes);
        bytes.extend(checksum.to_le_bytes());
        let sketch = digest::reserve(&BASE64.encode_to_string(bytes));
        self.put(&[(SUMMARY_KEY, self.get(SUMMARY_KEY)), (SKETCH_KEY, sketch)]);
    }

    #[track_caller]
    fn trusted(&self) -> Datasets {
        match self.read().unwrap() {
            Embedded::Trusted(sketch) => sketch.datasets().unwrap(),
            Embedded::Untrusted(reason) | Embedded::Newer(reason) => panic!("not trusted: {reason}"),
        }
    }

    #[track_caller]
    fn untrusted(&self) -> String {
        match self.read().unwrap() {
            Embedded::Untrusted(reason) => reason,
            _ => panic!("trusted, or newer"),
        }
    }
}

fn put(path: &Path, keys: &[(&str, String)]) {
    let mut file = std::fs::File::open(path).unwrap();
    let mut tails = TailReader::default();
    let tail = tails.read_file(&file).unwrap();
    splice(path, &mut file, &tail, &tail.footer().unwrap(), keys).unwrap();
}

fn is_ascii_json(text: &str) -> bool {
    text.is_ascii() && serde_json::from_str::<serde_json::Value>(text).is_ok()
}

#[test]
fn what_was_written_is_trusted_and_equal() {
    for count in [0, 1, 500] {
        let rows = predictions(1, count, &METRICS);
        let file = File::rebuilt(&rows);
        let datasets = file.trusted();
        let expected = split_by_dataset(&[common::batch(&rows, common::Encoding::Utf8)], "wheat").unwrap();
        assert_eq!(datasets.keys().collect::<Vec<_>>(), ["wheat"]);
        if let Some(expected) = expected.get("wheat") {
            assert_same(&datasets["wheat"], expected);
        }
        assert!(is_ascii_json(&file.get(SUMMARY_KEY)));
        assert!(file.get(SKETCH_KEY).is_ascii());
        let before = std::fs::read(&file.path).unwrap();
        assert!(matches!(file.rebuild().unwrap(), Outcome::Kept));
        assert_eq!(std::fs::read(&file.path).unwrap(), before);
    }
}

#[test]
fn what_others_changed_is_not_trusted() {
    let rows = predictions(2, 50, &METRICS);
    let file = File::new(&rows);
    assert_eq!(file.untrusted(), "no summary in the footer");
    file.put(&[(SUMMARY_KEY, "{}".to_owned())]);
    assert!(file.untrusted().contains("1.0"));

    let file = File::rebuilt(&rows);
    file.put(&[("another key", "added by another tool".to_owned())]);
    assert!(file.untrusted().contains("rewritten"));

    let file = File::rebuilt(&rows);
    file.put(&[(
        SUMMARY_KEY,
        file.get(SUMMARY_KEY).replace("\"total_predictions\": 50", "\"total_predictions\": 51"),
    )]);
    assert!(file.untrusted().contains("edited"));

    let file = File::rebuilt(&rows);
    let sketch = file.get(SKETCH_KEY);
    for at in [0, 7, 100, sketch.len() - 5] {
        let mut changed = sketch.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        file.put(&[(SKETCH_KEY, String::from_utf8(changed).unwrap())]);
        file.untrusted();
    }
    file.put(&[(SKETCH_KEY, sketch[..sketch.len() / 2].to_owned())]);
    file.untrusted();
    file.put(&[(SKETCH_KEY, "é".to_owned())]);
    file.untrusted();
    // All of it back: trusted again, as if nothing had been.
    file.put(&[(SKETCH_KEY, sketch)]);
    file.trusted();
}

/// Another tool wrote other rows and carried the keys along.
#[test]
fn a_summary_of_other_rows_is_not_trusted() {
    let file = File::rebuilt(&predictions(3, 50, &METRICS));
    let other = File::new(&predictions(4, 50, &METRICS));
    other.put(&[SUMMARY_KEY, SKETCH_KEY].map(|key| (key, file.get(key))));
    assert!(other.untrusted().contains("rewritten"));
    assert!(matches!(other.rebuild().unwrap(), Outcome::Written(_)));
    other.trusted();
}

/// A reader that trusts a seal does not compare the rows again.
#[test]
fn a_summary_of_more_or_fewer_rows_is_not_written() {
    let rows = predictions(3, 20, &METRICS);
    let bytes = parquet_of(&rows);
    let footer = Footer::parse(footer_of(&bytes)).unwrap();
    for count in [0, 19, 20] {
        let part = [common::batch(&rows[..count], common::Encoding::Utf8)];
        let written = embedded::write(&split_by_dataset(&part, "wheat").unwrap(), &footer);
        assert_eq!(written.map_err(|error| error.kind).err(), (count < 20).then_some(ErrorKind::Corrupt));
    }
}

/// A sketch whose checksum is right and whose header is cut off is as bad as one with a wrong checksum.
#[test]
fn a_sketch_without_a_header_is_not_trusted_and_no_error() {
    let file = File::rebuilt(&predictions(3, 20, &METRICS));
    let sketch = file.get(SKETCH_KEY);
    for length in [0, 3, 4, 5, 6, 10, 14, 20, 22, 23, 30] {
        file.put(&[(SKETCH_KEY, sketch.clone())]);
        file.change_sketch(|bytes| bytes.truncate(length));
        let read = file.read();
        assert!(matches!(read, Ok(Embedded::Untrusted(_))), "{length} bytes: {:?}", read.err());
    }
}

/// Nobody writes such a one; should it be there, rebuilding is how a user gets rid of it.
#[test]
fn a_sketch_that_cannot_be_decoded_is_an_error_until_it_is_rebuilt() {
    let file = File::rebuilt(&predictions(3, 20, &METRICS));
    file.change_sketch(|bytes| bytes.truncate(bytes.len() - 100));
    let Embedded::Trusted(sketch) = file.read().unwrap() else { panic!("not trusted") };
    assert_eq!(sketch.datasets().unwrap_err().kind, ErrorKind::Corrupt);
    assert!(matches!(file.rebuild().unwrap(), Outcome::Written(_)));
    assert_eq!(file.trusted()["wheat"].rows(), 20);
}

#[test]
fn a_newer_sketch_is_reported_and_never_overwritten() {
    let file = File::rebuilt(&predictions(5, 50, &METRICS));
    file.change_sketch(|bytes| bytes[4] = 2);
    assert!(matches!(file.read().unwrap(), Embedded::Newer(_)));
    let before = std::fs::read(&file.path).unwrap();
    let error = file.rebuild().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Schema);
    assert_eq!(std::fs::read(&file.path).unwrap(), before);
}

#[test]
fn another_direction_than_the_tables_is_an_error_to_settle() {
    let file = File::rebuilt(&predictions(6, 50, &[Some("mse")]));
    let name_at = |bytes: &[u8]| bytes.windows(4).position(|window| window == b"\x03mse").unwrap() + 1;
    file.change_sketch(|bytes| {
        let at = name_at(bytes);
        bytes[at..at + 3].copy_from_slice(b"mcc");
    });
    let error = file.read().err().unwrap();
    assert_eq!(error.kind, ErrorKind::Metric);
    assert!(
        error.message.contains("mcc")
            && error.message.contains("minimize")
            && error.message.contains("maximize")
    );
    // Rebuilding settles it in favour of the table.
    assert!(matches!(file.rebuild().unwrap(), Outcome::Written(_)));
    file.trusted();
}

#[test]
fn a_metric_that_became_known_is_scanned_again() {
    let file = File::rebuilt(&predictions(7, 50, &[Some("known_later")]));
    assert_eq!(file.trusted()["wheat"].group("known_later").unwrap().direction(), Direction::Unknown);
    let metric = Metric {
        name: "known_later".to_owned(),
        aliases: vec![],
        direction: Direction::Maximize,
        optimum: None,
        range: (f64::NEG_INFINITY, f64::INFINITY),
        pooling: metrics::Pooling::Mean,
    };
    metrics::register(&metric).unwrap();
    assert!(file.untrusted().contains("unknown"));
    assert!(matches!(file.rebuild().unwrap(), Outcome::Written(_)));
    assert_eq!(file.trusted()["wheat"].group("known_later").unwrap().direction(), Direction::Maximize);
}

fn size(file: &File) -> usize {
    file.get(SUMMARY_KEY).len() + file.get(SKETCH_KEY).len()
}

#[test]
fn names_beyond_the_limit_are_counted_together() {
    let mut rows = predictions(8, 30_000, &[Some("rmse")]);
    for (index, row) in rows.iter_mut().enumerate() {
        row.texts[1] = None;
        row.texts[3] = Some(format!("Régression à {} variables latentes", index % 5000));
        row.texts[4] = Some(format!("config{index}"));
    }
    let file = File::rebuilt(&rows);
    assert!(size(&file) <= 256 * 1024, "{}", size(&file));
    let datasets = file.trusted();
    let models = datasets["wheat"].group("rmse").unwrap().models();
    assert!(models.sorted().len() <= 1024);
    assert!(models.may_have("any"));
    let summary: serde_json::Value = serde_json::from_str(&file.get(SUMMARY_KEY)).unwrap();
    let listed = summary["facets"]["models"].as_array().unwrap();
    assert_eq!(listed.iter().map(|model| model["count"].as_u64().unwrap()).sum::<u64>(), 30_000);
    assert_eq!(listed.last().unwrap()["is_other"], true);
    // 2 %: beyond 4,096 the count is approximate, and says so.
    let configs = summary["facets"]["n_configs"].as_f64().unwrap();
    assert!((configs / 30_000.0 - 1.0).abs() < 0.02);
    assert_eq!(summary["facets"]["approximate"], serde_json::json!(["n_configs"]));
}

#[test]
fn many_metrics_compact_their_sketches() {
    let names: Vec<String> = (0..12).map(|index| format!("metric_of_mine_{index}")).collect();
    let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
    let file = File::rebuilt(&predictions(9, 60_000, &names));
    assert!(size(&file) <= 256 * 1024, "{}", size(&file));
    assert_eq!(file.trusted()["wheat"].rows(), 60_000);
}

#[test]
fn a_summary_that_cannot_fit_leaves_the_file_as_it_was() {
    let names: Vec<String> = (0..3000).map(|index| format!("metric_of_mine_{index}")).collect();
    let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
    let file = File::new(&predictions(10, 6000, &names));
    let before = std::fs::read(&file.path).unwrap();
    assert_eq!(file.rebuild().unwrap_err().kind, ErrorKind::Argument);
    assert_eq!(std::fs::read(&file.path).unwrap(), before);
    assert_eq!(std::fs::read_dir(file.path.parent().unwrap()).unwrap().count(), 1);
}
