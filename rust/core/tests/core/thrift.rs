//! The compact protocol against bytes made by hand and values made at random.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use common::Rng;
use n4w_core::base::codec::write_varint;
use n4w_core::footer::thrift::{Reader, write_binary, write_field, write_list};
use proptest::prelude::*;

const KINDS: [u8; 10] = [1, 3, 4, 5, 6, 7, 8, 9, 11, 12];

#[test]
fn numbers_as_the_specification_writes_them() {
    for (value, bytes) in [
        (0, &[0x00][..]),
        (-1, &[0x01]),
        (1, &[0x02]),
        (63, &[0x7E]),
        (-64, &[0x7F]),
        (64, &[0x80, 0x01]),
        (i64::MAX, &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
        (i64::MIN, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
    ] {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.int().unwrap(), value);
        assert_eq!(reader.position(), bytes.len());
    }
    assert!(Reader::new(&[0x80; 11]).int().is_err());
    assert!(Reader::new(&[0x80]).int().is_err());
}

#[test]
fn fields_with_small_and_large_steps() {
    // Field 1: i32 = 1; field 17 in the long form: binary "ab"; field 18: true; stop.
    let bytes = [0x15, 0x02, 0x08, 0x22, 0x02, b'a', b'b', 0x11, 0x00];
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.field(0).unwrap(), (1, 5));
    assert_eq!(reader.int().unwrap(), 1);
    assert_eq!(reader.field(1).unwrap(), (17, 8));
    assert_eq!(reader.binary().unwrap(), b"ab");
    assert_eq!(reader.field(17).unwrap(), (18, 1));
    reader.skip(1).unwrap();
    assert_eq!(reader.field(18).unwrap().1, 0);
    assert_eq!(reader.position(), bytes.len());

    let mut written = Vec::new();
    write_field(&mut written, 0, 1, 5);
    written.push(0x02);
    write_field(&mut written, 1, 17, 8);
    write_binary(&mut written, b"ab");
    write_field(&mut written, 17, 18, 1);
    written.push(0);
    assert_eq!(written, bytes);
}

#[test]
fn lists_with_short_and_long_headers() {
    for length in [0, 1, 14, 15, 127, 128, 100_000] {
        let mut bytes = Vec::new();
        write_list(&mut bytes, length, 3);
        assert_eq!(
            bytes.len(),
            match length {
                0..=14 => 1,
                15..=127 => 2,
                128..=16_383 => 3,
                _ => 4,
            }
        );
        assert_eq!(Reader::new(&bytes).list().unwrap(), (length as u64, 3));
    }
}

#[test]
fn a_field_id_out_of_range_is_an_error() {
    assert!(Reader::new(&[0x15]).field(i16::MAX).is_err());
    assert!(Reader::new(&[0x05, 0x80, 0x80, 0x04]).field(0).is_err()); // id 32768
    assert_eq!(Reader::new(&[0x05, 0xFE, 0xFF, 0x03]).field(0).unwrap(), (i16::MAX, 5));
}

/// Some writers give an empty list no element type; arrow-rs and Thrift's own readers accept it.
#[test]
fn an_empty_list_may_have_no_element_type() {
    let mut reader = Reader::new(&[0x00]);
    reader.skip(9).unwrap();
    assert_eq!(reader.position(), 1);
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    for byte in [0x19, 0x1C, 0x1B] {
        assert!(Reader::new(&vec![byte; 1 << 20]).skip(9).is_err());
        assert!(Reader::new(&vec![byte; 1 << 20]).skip(12).is_err());
    }
    assert!(Reader::new(&[0x01, 0xBB].repeat(1 << 19)).skip(11).is_err());
    // What Parquet's own schema needs and more is followed.
    let mut nested = vec![0x19; 20];
    nested.extend([0x13, 0x01]);
    let mut reader = Reader::new(&nested);
    reader.skip(9).unwrap();
    assert_eq!(reader.position(), nested.len());
}

#[test]
fn announced_lengths_beyond_the_end_fail_at_once() {
    let mut huge = vec![];
    write_varint(&mut huge, u64::MAX);
    assert!(Reader::new(&huge).binary().is_err());
    for kind in KINDS {
        let mut list = vec![0xF0 | kind];
        write_varint(&mut list, u64::MAX);
        assert!(Reader::new(&list).skip(9).is_err());
        let mut map = vec![];
        write_varint(&mut map, u64::MAX);
        map.push(kind << 4 | kind);
        assert!(Reader::new(&map).skip(11).is_err());
    }
}

/// Appends a random value of a kind; as an element, where booleans take a byte.
fn write_value(rng: &mut Rng, kind: u8, depth: u32, out: &mut Vec<u8>) {
    let pick = |rng: &mut Rng| if depth == 0 { KINDS[rng.below(7)] } else { *rng.pick(&KINDS) };
    match kind {
        1 | 2 => out.push(1 + rng.below(2) as u8),
        3 => out.push(rng.next() as u8),
        4..=6 => {
            let bits = rng.below(64);
            write_varint(out, rng.next() >> bits);
        }
        7 => out.extend(rng.next().to_le_bytes()),
        8 => {
            let length = rng.below(40);
            write_binary(out, &vec![0xAA; length]);
        }
        9 => {
            let (kind, length) = (pick(rng), rng.below(20));
            write_list(out, length, kind);
            (0..length).for_each(|_| write_value(rng, kind, depth.saturating_sub(1), out));
        }
        11 => {
            let (key, value, length) = (pick(rng), pick(rng), rng.below(4));
            write_varint(out, length as u64);
            if length > 0 {
                out.push(key << 4 | value);
            }
            for _ in 0..length {
                write_value(rng, key, depth.saturating_sub(1), out);
                write_value(rng, value, depth.saturating_sub(1), out);
            }
        }
        _ => {
            let mut id = 0;
            for _ in 0..rng.below(6) {
                let kind = pick(rng);
                let next =
                    if rng.below(3) == 0 { rng.below(30_000) as i16 } else { id + 1 + rng.below(20) as i16 };
                write_field(out, id, next, kind);
                if kind != 1 {
                    write_value(rng, kind, depth.saturating_sub(1), out);
                }
                id = next;
            }
            out.push(0);
        }
    }
}

proptest! {
    #![proptest_config(common::cases(512))]

    #[test]
    fn every_value_is_skipped_to_its_last_byte(seed: u64) {
        let mut rng = Rng(seed);
        let kind = KINDS[1 + rng.below(9)];
        let mut bytes = Vec::new();
        write_value(&mut rng, kind, 4, &mut bytes);
        let length = bytes.len();
        let mut reader = Reader::new(&bytes);
        reader.skip(kind).unwrap();
        prop_assert_eq!(reader.position(), length);
        // Cut anywhere, it is an error.
        let cut = rng.below(length);
        prop_assert!(Reader::new(&bytes[..cut]).skip(kind).is_err());
    }

    #[test]
    fn numbers_and_binaries_come_back(number: i64, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut out = Vec::new();
        write_varint(&mut out, ((number << 1) ^ (number >> 63)) as u64);
        write_binary(&mut out, &bytes);
        let mut reader = Reader::new(&out);
        prop_assert_eq!(reader.int().unwrap(), number);
        prop_assert_eq!(reader.binary().unwrap(), &bytes[..]);
        prop_assert_eq!(reader.position(), out.len());
    }

    #[test]
    fn field_headers_come_back(previous: i16, id: i16, nibble in 1u8..13) {
        let mut out = Vec::new();
        write_field(&mut out, previous, id, nibble);
        prop_assert_eq!(Reader::new(&out).field(previous).unwrap(), (id, nibble));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), nibble in 0u8..16) {
        let _ = Reader::new(&bytes).skip(nibble);
        let _ = Reader::new(&bytes).skip_element(nibble);
    }
}
