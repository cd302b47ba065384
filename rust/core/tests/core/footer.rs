//! Footers: what they say against the `parquet` crate, what damage does, what a splice keeps.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, ListArray, RecordBatch, StringArray, StructArray,
    types::Float64Type,
};
use arrow_schema::{DataType, Field};
use common::{Encoding, Rng, footer_of, parquet, parquet_of, predictions, text_array};
use n4w_core::ErrorKind;
use n4w_core::footer::{Footer, MAGIC, TailReader, digest, splice};
use n4w_core::summary::embedded::KEYS;
use parquet::basic::Compression;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;
use twox_hash::XxHash3_64;

fn by_parquet(file: &[u8]) -> ParquetMetaData {
    ParquetMetaDataReader::decode_metadata(footer_of(file)).unwrap()
}

fn key_values(metadata: &ParquetMetaData) -> Vec<KeyValue> {
    metadata.file_metadata().key_value_metadata().cloned().unwrap_or_default()
}

fn column(kind: usize, rows: usize, rng: &mut Rng) -> ArrayRef {
    let names = ["PLS", "SNV", "véraison", ""];
    match kind {
        0 => Arc::new((0..rows).map(|_| (rng.below(9) > 0).then(|| rng.unit())).collect::<Float64Array>()),
        1 => Arc::new((0..rows).map(|_| rng.next() as i32).collect::<Int32Array>()),
        2 => text_array((0..rows).map(|_| Some(*rng.pick(&names))), Encoding::Dictionary),
        3 => Arc::new((0..rows).map(|_| Some(rng.below(2) == 0)).collect::<BooleanArray>()),
        4 => Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(
            (0..rows).map(|_| Some((0..rng.below(4)).map(|_| Some(0.5)).collect::<Vec<_>>())),
        )),
        5 => {
            let inner: ArrayRef =
                Arc::new((0..rows).map(|_| Some(*rng.pick(&names))).collect::<StringArray>());
            Arc::new(StructArray::from(vec![(Arc::new(Field::new("inner", DataType::Utf8, true)), inner)]))
        }
        _ => text_array((0..rows).map(|_| Some(*rng.pick(&names))), Encoding::View),
    }
}

/// A file of random columns, written in a random manner.
fn any_file(seed: u64) -> Vec<u8> {
    let mut rng = Rng(seed);
    let rows = *rng.pick(&[0, 1, 7, 100, 1000]);
    let most = if rng.below(10) == 0 { 80 } else { 8 };
    let columns = 1 + rng.below(most);
    let columns = (0..columns).map(|index| {
        let kind = rng.below(7);
        (format!("column{index}"), column(kind, rows, &mut rng), true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap();
    let keys = ["a", "b", "n4a_summary", "n4a_sketch", "clé", ""];
    let pairs = (0..rng.below(20)).map(|_| {
        let value = (rng.below(6) > 0).then(|| "x".repeat(rng.below(300)));
        KeyValue { key: (*rng.pick(&keys)).to_owned(), value }
    });
    let mut properties = WriterProperties::builder()
        .set_key_value_metadata(Some(pairs.collect()))
        .set_max_row_group_row_count(Some(*rng.pick(&[13, 100, 5000])))
        .set_bloom_filter_enabled(rng.below(4) == 0)
        .set_offset_index_disabled(false)
        .set_statistics_enabled(*rng.pick(&[
            EnabledStatistics::None,
            EnabledStatistics::Chunk,
            EnabledStatistics::Page,
        ]))
        .set_writer_version(*rng.pick(&[WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]))
        .set_compression(*rng.pick(&[Compression::UNCOMPRESSED, Compression::SNAPPY]));
    if rng.below(2) == 0 {
        properties = properties.set_created_by("another wrîter 1.0".to_owned());
    }
    parquet(&batch, properties.build())
}

proptest! {
    #![proptest_config(common::cases(128))]

    #[test]
    fn the_outline_is_what_parquet_reads(seed: u64) {
        let file = any_file(seed);
        let known = by_parquet(&file);
        let footer = Footer::parse(footer_of(&file)).unwrap();
        prop_assert_eq!(footer.num_rows as i64, known.file_metadata().num_rows());
        prop_assert_eq!(footer.num_row_groups as usize, known.num_row_groups());
        prop_assert_eq!(footer.created_by, known.file_metadata().created_by());
        let expected = key_values(&known);
        let pairs = expected.iter().filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?)));
        prop_assert_eq!(footer.pairs().collect::<Vec<_>>(), pairs.collect::<Vec<_>>());
        for key in ["a", "b", "n4a_summary", "n4a_sketch", "clé", "", "ARROW:schema", "none"] {
            let last = expected.iter().rev().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
            prop_assert_eq!(footer.get(key), last);
        }
    }

    #[test]
    fn a_splice_keeps_all_but_the_keys(seed: u64, size in 0usize..40_000) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wheat.meta.parquet");
        let old = any_file(seed);
        std::fs::write(&path, &old).unwrap();
        let keys = [("n4a_summary", "s".repeat(size)), ("n4a_sketch", "k".repeat(size / 3))];
        let published = put(&path, &keys).unwrap();
        let new = std::fs::read(&path).unwrap();

        let pages = old.len() - footer_of(&old).len() - 8;
        prop_assert_eq!(published.copied as usize, pages);
        prop_assert_eq!(published.footer as usize, footer_of(&new).len());
        prop_assert_eq!(&new[..pages], &old[..pages]);
        let (before, after) = (by_parquet(&old), by_parquet(&new));
        prop_assert_eq!(before.row_groups(), after.row_groups());
        prop_assert_eq!(before.file_metadata().schema(), after.file_metadata().schema());
        prop_assert_eq!(before.file_metadata().created_by(), after.file_metadata().created_by());
        prop_assert_eq!(before.file_metadata().column_orders(), after.file_metadata().column_orders());
        let mut expected = key_values(&before);
        expected.retain(|pair| !KEYS.contains(&pair.key.as_str()));
        expected.extend(keys.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())));
        prop_assert_eq!(key_values(&after), expected);

        let [before, after] = [&old, &new].map(|file| Footer::parse(footer_of(file)).unwrap());
        prop_assert_eq!(before.schema_fingerprint(), after.schema_fingerprint());
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        poke(&bytes);
    }

    #[test]
    fn edited_footers_never_panic(seed: u64) {
        let mut rng = Rng(seed);
        let mut bytes = footer_of(&any_file(seed % 16)).to_vec();
        for _ in 0..=rng.below(6) {
            let at = rng.below(bytes.len());
            match rng.below(4) {
                0 => bytes[at] = rng.next() as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, rng.next() as u8),
                _ => bytes[at] = *rng.pick(&[0x00, 0x7F, 0x80, 0xFF, 0x19, 0x1C]),
            }
        }
        poke(&bytes);
    }
}

/// Everything that reads a footer.
fn poke(bytes: &[u8]) {
    if let Ok(footer) = Footer::parse(bytes) {
        footer.get("n4a_summary");
        footer.pairs().count();
        footer.schema_fingerprint();
        let _ = n4w_core::summary::embedded::read(&footer);
    }
}

fn put(path: &Path, keys: &[(&str, String)]) -> n4w_core::Result<n4w_core::footer::Published> {
    let mut file = File::open(path).unwrap();
    let mut tails = TailReader::default();
    let tail = tails.read_file(&file)?;
    splice(path, &mut file, &tail, &tail.footer()?, keys)
}

/// A small file with both keys, a foreign one before and one after.
fn small_file(summary: &str, sketch: &str) -> Vec<u8> {
    let pairs =
        [("before", "foreign"), ("n4a_summary", summary), ("n4a_sketch", sketch), ("after", "foreign")];
    let pairs = pairs.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let score: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
    let batch = RecordBatch::try_from_iter([("val_score", score)]).unwrap();
    parquet(&batch, WriterProperties::builder().set_key_value_metadata(Some(pairs.into())).build())
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).position(|window| window == needle).unwrap()
}

/// The footer of a small file after a splice that seals it, and where its hash stands.
fn sealed_footer(text: &str) -> (Vec<u8>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wheat.meta.parquet");
    std::fs::write(&path, small_file("{}", "")).unwrap();
    put(&path, &[("n4a_summary", "{}".to_owned()), ("n4a_sketch", digest::reserve(text))]).unwrap();
    let footer = footer_of(&std::fs::read(&path).unwrap()).to_vec();
    let mark = find(&footer, b".seal:");
    (footer, mark + 6 + 8)
}

#[test]
fn a_seal_hashes_all_but_itself() {
    for text in ["c2tldGNo", "", &*"A".repeat(70_000)] {
        let (footer, at) = sealed_footer(text);
        assert_eq!(digest::verified(&footer), Some(text.as_bytes()));
        let hash = XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(&footer[..at]), &footer[at + 16..]);
        assert_eq!(std::str::from_utf8(&footer[at..at + 16]).unwrap(), format!("{hash:016x}"));
        assert_eq!(&footer[at - 8..at], format!("{:08x}", text.len()).as_bytes());
        let value = Footer::parse(&footer).unwrap().get("n4a_sketch").unwrap();
        assert_eq!(digest::text_of(value), text);
    }
}

#[test]
fn every_changed_byte_breaks_the_seal() {
    let (footer, _) = sealed_footer("c2tldGNo");
    for at in 0..footer.len() {
        for bit in 0..8 {
            let mut changed = footer.clone();
            changed[at] ^= 1 << bit;
            assert_eq!(digest::verified(&changed), None, "bit {bit} of byte {at}");
        }
        assert_eq!(digest::verified(&[&footer[..at], &footer[at + 1..]].concat()), None, "without byte {at}");
        assert_eq!(
            digest::verified(&[&footer[..at], b"0", &footer[at..]].concat()),
            None,
            "one more at {at}"
        );
        assert_eq!(digest::verified(&footer[..at]), None, "cut at {at}");
    }
}

/// A seal of other bytes is nothing that a splice would make right.
#[test]
fn a_splice_seals_what_is_new_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wheat.meta.parquet");
    std::fs::write(&path, small_file("{}", "")).unwrap();
    put(&path, &[("n4a_sketch", digest::reserve("c2tldGNo"))]).unwrap();
    let before = std::fs::read(&path).unwrap();
    put(&path, &[("another", "x".to_owned())]).unwrap();
    assert_eq!(digest::verified(footer_of(&std::fs::read(&path).unwrap())), None);
    let value = Footer::parse(footer_of(&before)).unwrap().get("n4a_sketch").unwrap().to_owned();
    put(&path, &[("n4a_sketch", value)]).unwrap();
    assert_eq!(digest::verified(footer_of(&std::fs::read(&path).unwrap())), None);
}

#[test]
fn made_up_seals_are_none() {
    for bytes in
        ["", ".seal:", ".seal:00000000", ".seal:000000000000000000000000", "x.seal:ffffffff0123456789abcdef"]
    {
        assert_eq!(digest::verified(bytes.as_bytes()), None, "{bytes}");
    }
    // The hash is right and the length is not.
    let mut bytes = b"text.seal:0000000500000000000000000".to_vec();
    bytes.truncate(10 + 8 + 16);
    let hash = XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(&bytes[..18]), b"");
    bytes.splice(18.., format!("{hash:016x}").bytes());
    assert_eq!(digest::verified(&bytes), None);
}

#[test]
fn damage_of_a_small_footer_never_panics() {
    let file = small_file("{}", "c2tldGNo");
    let bytes = footer_of(&file);
    for length in 0..bytes.len() {
        assert!(Footer::parse(&bytes[..length]).is_err(), "cut at {length}");
    }
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            poke(&changed);
        }
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert_eq!(Footer::parse(&longer).err().unwrap().kind, ErrorKind::Corrupt);
}

/// Only a whole zero byte ends a struct: one with an id and no type is damage.
#[test]
fn a_field_without_a_type_is_damage() {
    let file = small_file("{}", "c2s=");
    let mut bytes = footer_of(&file).to_vec();
    let end = bytes.len() - 1;
    for header in [0x10, 0x20, 0xF0] {
        bytes[end] = header;
        assert!(Footer::parse(&bytes).is_err(), "{header:#x}");
    }
}

/// Fields in an order that Thrift allows and nobody writes.
#[test]
fn a_splice_keeps_fields_in_any_order() {
    let file = small_file("{}", "c2s=");
    let footer = footer_of(&file);
    // version (2 bytes: header, value) moves to the end, with the long form of the header.
    let mut moved = vec![0x29];
    moved.extend(&footer[3..footer.len() - 1]);
    moved.extend([0x05, 0x02, footer[1], 0x00]);
    assert_eq!((footer[0], footer[2]), (0x15, 0x19));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.meta.parquet");
    let mut odd = file[..file.len() - footer.len() - 8].to_vec();
    odd.extend(&moved);
    odd.extend((moved.len() as u32).to_le_bytes());
    odd.extend(MAGIC);
    std::fs::write(&path, &odd).unwrap();
    put(&path, &[("n4a_summary", "x".to_owned())]).unwrap();
    let new = std::fs::read(&path).unwrap();
    let [before, after] = [&odd, &new].map(|file| by_parquet(file));
    assert_eq!(before.row_groups(), after.row_groups());
    assert_eq!(before.file_metadata().schema(), after.file_metadata().schema());
    assert_eq!(before.file_metadata().version(), after.file_metadata().version());
}

#[test]
fn a_splice_of_a_file_that_was_replaced_meanwhile_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wheat.meta.parquet");
    std::fs::write(&path, parquet_of(&predictions(1, 10, &[Some("rmse")]))).unwrap();
    let mut file = File::open(&path).unwrap();
    let mut tails = TailReader::default();
    let tail = tails.read_file(&file).unwrap();
    let other = parquet_of(&predictions(2, 20, &[Some("rmse")]));
    n4w_core::fs::atomic::replace(&path, &other).unwrap();
    let footer = tail.footer().unwrap();
    let error = splice(&path, &mut file, &tail, &footer, &[("n4a_summary", "x".to_owned())]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(std::fs::read(&path).unwrap(), other);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_splice_keeps_the_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wheat.meta.parquet");
    std::fs::write(&path, small_file("", "")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    put(&path, &[("n4a_summary", "x".to_owned())]).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn tails_of_all_lengths_through_one_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut tails = TailReader::default();
    for size in [10, 100_000, 20, 16_300, 16_400, 3, 1_000_000, 1] {
        let file = small_file(&"s".repeat(size), "");
        std::fs::write(&path, &file).unwrap();
        let tail = tails.read(&path).unwrap();
        assert_eq!(tail.bytes(), footer_of(&file));
        assert_eq!(tail.identity.size as usize, file.len());
    }
}

#[test]
fn files_that_are_no_parquet_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let good = small_file("", "");
    let with_end = |end: &[u8]| [&good[..good.len() - 8], end].concat();
    let huge = [&u32::MAX.to_le_bytes()[..], MAGIC].concat();
    for (content, kind) in [
        (Vec::new(), ErrorKind::Truncated),
        (b"PAR1".to_vec(), ErrorKind::NotParquet),
        (good[..good.len() - 1].to_vec(), ErrorKind::NotParquet),
        (with_end(b"\x05\0\0\0PARE"), ErrorKind::Encrypted),
        (with_end(&huge), ErrorKind::Truncated),
        (with_end(b"\0\0\0\0PAR1"), ErrorKind::Corrupt),
        (b"\0\0\0\0PAR1".to_vec(), ErrorKind::Truncated),
    ] {
        std::fs::write(&path, &content).unwrap();
        let mut tails = TailReader::default();
        let error = tails.read(&path).and_then(|tail| tail.footer().map(drop)).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
    let error = TailReader::default().read(folder.path()).err().unwrap();
    assert_eq!((error.kind, error.path.as_deref()), (ErrorKind::Io, Some(folder.path())));
    assert_eq!(TailReader::default().read(&folder.path().join("none")).err().unwrap().kind, ErrorKind::Io);
}
