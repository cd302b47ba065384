//! States as bytes: they come back as they were, and damage is found.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use common::{METRICS, added, assert_same, batched, predictions};
use n4w_core::ErrorKind;
use n4w_core::base::codec::{ByteReader, ByteWriter};
use n4w_core::summary::{Accumulator, Datasets, SketchReader, embedded, merge_datasets};
use proptest::prelude::*;
use twox_hash::XxHash3_64;

/// The bytes before the checksum, with one that fits.
fn sealed(content: &[u8]) -> Vec<u8> {
    [content, &XxHash3_64::oneshot(content).to_le_bytes()].concat()
}

proptest! {
    #![proptest_config(common::cases(64))]

    #[test]
    fn states_come_back(seed: u64, rows in 0usize..3000, in_batches: bool) {
        let rows = predictions(seed, rows, &METRICS);
        let state = if in_batches { batched(&rows, 500, common::Encoding::Utf8) } else { added(&rows) };
        let bytes = embedded::to_bytes(&state);
        let again = embedded::from_bytes(&bytes).unwrap();
        prop_assert_eq!(embedded::to_bytes(&again), bytes);
        assert_same(&again, &state);
        let text = embedded::to_text(&state);
        prop_assert_eq!(embedded::to_text(&embedded::from_text(&text).unwrap()), text);
    }

    /// Going on after a round trip is the same as going on without.
    #[test]
    fn a_state_that_came_back_goes_on(seed: u64, first in 0usize..2000, second in 0usize..2000) {
        let rows = predictions(seed, first + second, &METRICS);
        let mut state = added(&rows[..first]);
        let mut again = embedded::from_bytes(&embedded::to_bytes(&state)).unwrap();
        for row in &rows[first..] {
            state.add(&row.row());
            again.add(&row.row());
        }
        prop_assert_eq!(embedded::to_bytes(&again), embedded::to_bytes(&state));
    }

    /// Merging while decoding is merging what was decoded.
    #[test]
    fn decoding_onto_what_is_known_is_a_merge(seed: u64, sizes in prop::collection::vec(0usize..3000, 3)) {
        let mut parts = sizes.iter().zip(seed..=u64::MAX).map(|(&size, seed)| added(&predictions(seed, size, &METRICS)));
        let mut known = Datasets::from([("a".to_owned(), parts.next().unwrap())]);
        let others = Datasets::from([("a".to_owned(), parts.next().unwrap()), ("b".to_owned(), parts.next().unwrap())]);
        let mut writer = ByteWriter::default();
        writer.datasets(&others);
        let mut decoded = known.clone();
        let mut reader = SketchReader::new(&writer.bytes);
        reader.merge_datasets(&mut decoded).unwrap();
        prop_assert!(reader.is_at_end() && reader.rest().is_empty());
        merge_datasets(&mut known, others);
        prop_assert_eq!(decoded.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
        for (decoded, known) in decoded.values().zip(known.values()) {
            prop_assert_eq!(embedded::to_bytes(decoded), embedded::to_bytes(known));
        }
    }

    #[test]
    fn random_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = embedded::from_bytes(&content);
        let _ = embedded::from_bytes(&sealed(&[b"N4AK\x01\x01", &content[..]].concat()));
        let _ = SketchReader::new(&content).merge_datasets(&mut Datasets::new());
    }

    #[test]
    fn values_come_back(int: u64, fixed: u64, text in ".{0,50}") {
        let mut writer = ByteWriter::default();
        writer.int(int);
        writer.u64(fixed);
        writer.text(&text);
        let mut reader = ByteReader::new(&writer.bytes);
        prop_assert_eq!((reader.int().unwrap(), reader.u64().unwrap()), (int, fixed));
        prop_assert_eq!(reader.text().unwrap(), text);
        prop_assert!(reader.is_at_end() && reader.byte().is_err());
    }
}

#[test]
fn large_states_come_back() {
    // Beyond every exact limit: values, distinct names.
    let mut rows = predictions(1, 20_000, &[Some("rmse")]);
    for (index, row) in rows.iter_mut().enumerate() {
        row.texts[4] = Some(format!("config{index}"));
    }
    let state = batched(&rows, 20_000, common::Encoding::Utf8);
    let bytes = embedded::to_bytes(&state);
    let again = embedded::from_bytes(&bytes).unwrap();
    assert_eq!(embedded::to_bytes(&again), bytes);
    assert_same(&again, &state);
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let bytes = embedded::to_bytes(&added(&predictions(2, 6, &METRICS)));
    for at in 0..bytes.len() {
        assert!(embedded::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(embedded::from_bytes(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
    let longer = [&bytes[..], b"\0"].concat();
    assert!(embedded::from_bytes(&longer).is_err());
}

#[test]
fn other_versions() {
    let state = Accumulator::default();
    let bytes = embedded::to_bytes(&state);
    let content = &bytes[..bytes.len() - 8];
    let with_version = |version: [u8; 2]| sealed(&[b"N4AK", &version[..], &content[6..]].concat());
    let major = embedded::from_bytes(&with_version([2, 0])).unwrap_err();
    assert_eq!(major.kind, ErrorKind::Version);
    assert!(major.message.contains("2.0"), "{major}");
    // A newer minor version adds at the end.
    assert!(embedded::from_bytes(&with_version([1, 9])).is_ok());
    assert!(embedded::from_bytes(&sealed(&[b"N4AC\x01\x01", &content[6..]].concat())).is_err());
    assert!(embedded::from_text("no base64!").is_err());
}
