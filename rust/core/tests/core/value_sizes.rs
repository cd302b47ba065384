//! Bytes of values against a plain sum, and where rows are cut.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListBuilder, StringBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Float64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, StructArray,
};
use n4w_core::ErrorKind;
use n4w_core::decode::value_sizes::{VALUE_BYTES, bytes_of, check_batch, rows_within};

const TEXTS: [Option<&str>; 6] =
    [Some(""), None, Some("ab"), Some("longer than the twelve bytes of a view"), Some("c"), Some("défg")];

fn length(row: usize) -> usize {
    TEXTS[row].map_or(0, str::len)
}

/// One array of each kind, with the bytes that each of its rows has.
fn kinds() -> Vec<(ArrayRef, Vec<usize>)> {
    let texts: Vec<usize> = (0..TEXTS.len()).map(length).collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    let mut fixed = FixedSizeListBuilder::new(Int32Builder::new(), 3);
    for row in 0..TEXTS.len() {
        (0..row).for_each(|item| lists.values().append_option(TEXTS[item]));
        lists.append(true);
        fixed.values().append_slice(&[1, 2, 3]);
        fixed.append(true);
    }
    let of_lists = (0..TEXTS.len()).map(|row| 4 + (0..row).map(length).sum::<usize>()).collect();
    let coded: DictionaryArray<Int8Type> = TEXTS.into_iter().collect();
    let floats = Arc::new(Float64Array::from(vec![0.5; TEXTS.len()])) as ArrayRef;
    let utf8 = Arc::new(StringArray::from(TEXTS.to_vec())) as ArrayRef;
    let parts = StructArray::try_from(vec![("text", utf8.clone()), ("score", floats.clone())]).unwrap();
    let bytes = TEXTS.map(|text| text.map(str::as_bytes));
    vec![
        (utf8, texts.clone()),
        (Arc::new(LargeStringArray::from(TEXTS.to_vec())), texts.clone()),
        (Arc::new(BinaryArray::from(bytes.to_vec())), texts.clone()),
        (Arc::new(StringViewArray::from(TEXTS.to_vec())), texts.clone()),
        (Arc::new(coded), texts.clone()),
        (Arc::new(lists.finish()), of_lists),
        (Arc::new(fixed.finish()), vec![12; TEXTS.len()]),
        (floats, vec![8; TEXTS.len()]),
        (Arc::new(parts), texts.iter().map(|bytes| bytes + 8).collect()),
    ]
}

#[test]
fn any_rows_of_any_type_and_of_slices() {
    for (array, rows) in kinds() {
        for begin in 0..rows.len() {
            let slice = array.slice(begin, rows.len() - begin);
            for start in 0..slice.len() {
                for length in 0..=slice.len() - start {
                    let from = begin + start;
                    let expected: usize = rows[from..from + length].iter().sum();
                    let found = bytes_of(&slice, start, length);
                    assert_eq!(found, expected, "{} {begin} {start} {length}", array.data_type());
                }
            }
        }
    }
}

#[test]
fn as_many_rows_as_fit() {
    for (array, rows) in kinds() {
        let batch = RecordBatch::try_from_iter([("column", array)]).unwrap();
        for most in 0..80 {
            let found = rows_within(&batch, 1, rows.len() - 1, most);
            let sum = |count: usize| rows[1..=count].iter().sum::<usize>();
            assert!(found == 0 || sum(found) <= most);
            assert!(found == rows.len() - 1 || sum(found + 1) > most);
        }
    }
}

#[test]
fn a_batch_with_one_value_beyond_the_limit_is_refused_and_many_short_ones_are_not() {
    let long = "x".repeat(VALUE_BYTES + 1);
    let array = Arc::new(StringArray::from(vec!["a", &long])) as ArrayRef;
    let error = check_batch(&RecordBatch::try_from_iter([("note", array)]).unwrap()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Argument);
    assert!(error.message.contains("note"));
    let half = &long[..=VALUE_BYTES / 2];
    let array = Arc::new(StringArray::from(vec![half, half])) as ArrayRef;
    check_batch(&RecordBatch::try_from_iter([("note", array)]).unwrap()).unwrap();
}
