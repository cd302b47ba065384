//! Replays the fuzzers' seed corpus, and changes of it, on stable Rust. See `rust/fuzz`.
//!
//! `cargo test -p n4w-core --test corpus -- --ignored` writes the seeds that Rust makes; `rust/fuzz/seeds.py` those of
//! other writers.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use std::fs;
use std::path::PathBuf;

use common::{Encoding, METRICS, Rng, added, batched, footer_of, parquet_of, predictions};
use n4w_core::footer::{Footer, MAGIC, TailReader, splice};
use n4w_core::summary::embedded::{self, Embedded};
use n4w_core::summary::{Accumulator, Datasets, merged, report};
use n4w_core::upkeep::rebuild::rebuild_file;
use parquet::file::metadata::ParquetMetaDataReader;
use twox_hash::XxHash3_64;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../fuzz/corpus", target].iter().collect()
}

/// Names and contents, in name order.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<(String, Vec<u8>)> = fs::read_dir(folder(target))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 3, "the corpus of {target} is missing");
    seeds
}

/// What `fuzz_targets/footer.rs` does.
fn footer(bytes: &[u8]) {
    let read = embedded::read_bytes(bytes);
    let Ok(footer) = Footer::parse(bytes) else { return };
    assert_eq!(read.is_ok(), embedded::read(&footer).is_ok());
    for (key, _) in footer.pairs() {
        assert!(footer.get(key).is_none_or(|value| value.len() < bytes.len()));
    }
    footer.schema_fingerprint();
    if let Ok(Embedded::Trusted(sketch)) = embedded::read(&footer)
        && let Ok(datasets) = sketch.datasets()
    {
        report::workspace_summary(&datasets, &merged(datasets.values()), "now").to_json();
    }
}

/// What `fuzz_targets/sketch.rs` does.
fn sketch(bytes: &[u8]) {
    let Some(content) = bytes.get(6..bytes.len().saturating_sub(8)) else { return };
    let mut fixed = [b"N4AK\x01\x01", content].concat();
    let checksum = XxHash3_64::oneshot(&fixed);
    fixed.extend(checksum.to_le_bytes());
    let Ok(mut state) = embedded::from_bytes(&fixed) else { return };
    report::summary(&state, None, "now").to_json();
    let stored = embedded::to_bytes(&state);
    let again = embedded::from_bytes(&stored).unwrap();
    assert_eq!(embedded::to_bytes(&again), stored);
    state.merge(&again);
    report::summary(&state, None, "now").to_json();
}

/// Some changes of each seed, always the same ones: cuts, flipped bits, other bytes, pieces moved and doubled.
fn changed(seed: &[u8], count: usize, mut visit: impl FnMut(&[u8])) {
    let mut rng = Rng(seed.len() as u64);
    for _ in 0..count {
        let mut bytes = seed.to_vec();
        for _ in 0..=rng.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = rng.below(bytes.len());
            match rng.below(6) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << rng.below(8),
                2 => bytes[at] = *rng.pick(&[0, 1, 0x19, 0x1C, 0x7F, 0x80, 0xFF]),
                3 => drop(bytes.drain(at..(at + 1 + rng.below(8)).min(bytes.len()))),
                4 => bytes.insert(at, rng.next() as u8),
                _ => {
                    let piece = bytes[at..(at + 1 + rng.below(16)).min(bytes.len())].to_vec();
                    let to = rng.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        visit(&bytes);
    }
}

#[test]
fn footers() {
    for (name, bytes) in seeds("footer") {
        let outline = Footer::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let known = ParquetMetaDataReader::decode_metadata(&bytes).unwrap();
        assert_eq!(outline.num_rows as i64, known.file_metadata().num_rows(), "{name}");
        assert_eq!(outline.num_row_groups as usize, known.num_row_groups(), "{name}");
        assert_eq!(outline.created_by, known.file_metadata().created_by(), "{name}");
        let pairs = known.file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let pairs: Vec<_> =
            pairs.iter().filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?))).collect();
        assert_eq!(outline.pairs().collect::<Vec<_>>(), pairs, "{name}");
        let is_trusted = matches!(embedded::read(&outline), Ok(Embedded::Trusted(_)));
        assert_eq!(is_trusted, name.contains("summary"), "{name}");
        footer(&bytes);
        changed(&bytes, 400, footer);
    }
}

#[test]
fn sketches() {
    for (name, bytes) in seeds("sketch") {
        let state = embedded::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(embedded::to_bytes(&state), bytes, "{name}: the format changed without its version");
        sketch(&bytes);
        changed(&bytes, if bytes.len() > 10_000 { 30 } else { 300 }, sketch);
    }
}

/// A file that has a footer and no pages.
fn with_summary(footer: &[u8], datasets: &Datasets) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let length = (footer.len() as u32).to_le_bytes();
    fs::write(&path, [&MAGIC[..], footer, &length, MAGIC].concat()).unwrap();
    let mut file = fs::File::open(&path).unwrap();
    let mut tails = TailReader::default();
    let tail = tails.read_file(&file).unwrap();
    let outline = tail.footer().unwrap();
    splice(&path, &mut file, &tail, &outline, &embedded::write(datasets, &outline).unwrap()).unwrap();
    footer_of(&fs::read(&path).unwrap()).to_vec()
}

#[test]
#[ignore = "writes the corpus"]
fn regenerate() {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(folder(target).join(name), bytes).unwrap();
    };
    for (name, bytes) in seeds("footer") {
        let rows = Footer::parse(&bytes).unwrap().num_rows as usize;
        if name.starts_with("arrow_rs") || name.contains("summary") || rows > 100 {
            continue;
        }
        let datasets = Datasets::from([("wheat".to_owned(), added(&predictions(1, rows, &METRICS)))]);
        put("footer", &format!("{name}_summary"), &with_summary(&bytes, &datasets));
    }
    for (name, rows) in [("arrow_rs_empty", 0), ("arrow_rs", 20)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wheat.meta.parquet");
        fs::write(&path, parquet_of(&predictions(2, rows, &METRICS))).unwrap();
        put("footer", name, footer_of(&fs::read(&path).unwrap()));
        rebuild_file(&path, &mut TailReader::default()).unwrap();
        put("footer", &format!("{name}_summary"), footer_of(&fs::read(&path).unwrap()));
    }
    let mut many_names = predictions(5, 5000, &[Some("rmse")]);
    for (index, row) in many_names.iter_mut().enumerate() {
        row.scores = [Some(0.5), None, None];
        row.texts = Default::default();
        row.texts[4] = Some(format!("{index}"));
        row.texts[1] = Some("one".to_owned());
    }
    for (name, state) in [
        ("empty", Accumulator::default()),
        ("one_row", added(&predictions(1, 1, &[Some("rmse")]))),
        ("every_metric", added(&predictions(2, 40, &METRICS))),
        ("beyond_exact", batched(&predictions(3, 2500, &[Some("r2")]), 2500, Encoding::Utf8)),
        ("many_configs", added(&many_names)),
        ("no_ranking", Accumulator::new(0)),
    ] {
        put("sketch", name, &embedded::to_bytes(&state));
    }
}
