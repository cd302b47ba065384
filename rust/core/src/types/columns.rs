//! The columns of a prediction table that a summary reads, whatever Arrow type they come in.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::schema::Type;
use crate::base::clock::parse_time;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::names::float_name;
use crate::types;

/// The score columns, in the order in which everything keeps them.
pub const SCORES: [&str; 3] = ["val_score", "test_score", "train_score"];
/// All columns that a summary reads.
pub const COLUMNS: [&str; 16] = [
    "val_score",
    "test_score",
    "train_score",
    "id",
    "run_id",
    "dataset_name",
    "model_name",
    "config_name",
    "fold_id",
    "partition",
    "preprocessings",
    "metric",
    "task_type",
    "created_at",
    "branch_id",
    "branch_name",
];

/// The code of null.
pub const NULL: u32 = u32::MAX;

/// The columns of a batch that a summary reads, by their meaning.
pub fn by_meaning(batch: &RecordBatch) -> Result<RecordBatch> {
    let (schema, mut fields, mut arrays) = (batch.schema(), Vec::new(), Vec::new());
    for name in COLUMNS {
        if let Some((place, field)) = schema.column_with_name(name) {
            let array = types::by_meaning(field, batch.column(place))?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Error::new(ErrorKind::Argument, error.to_string()))
}

fn unfit(column: &str, data_type: &DataType, expected: &str) -> Error {
    Error::new(ErrorKind::Schema, format!("column {column:?} has type {data_type}, expected {expected}"))
}

/// A column of numbers, as 64-bit floats.
pub enum Numbers<'a> {
    /// There is no such column, or it is null throughout.
    Absent,
    /// As it lies in the batch.
    Borrowed(&'a [f64], Option<&'a NullBuffer>),
    /// Converted from another numeric type.
    Owned(Vec<f64>, Option<NullBuffer>),
}

impl<'a> Numbers<'a> {
    /// The column of that name; for 64-bit integers the nearest floats.
    #[allow(clippy::cast_lossless, reason = "one macro for all types")]
    pub fn of(batch: &'a RecordBatch, column: &str) -> Result<Self> {
        let Some(array) = batch.column_by_name(column) else { return Ok(Self::Absent) };
        macro_rules! convert {
            ($type:ty) => {
                Self::Owned(
                    array.as_primitive::<$type>().values().iter().map(|&value| value as f64).collect(),
                    array.nulls().cloned(),
                )
            };
        }
        Ok(match array.data_type() {
            DataType::Null => Self::Absent,
            DataType::Float64 => Self::Borrowed(array.as_primitive::<Float64Type>().values(), array.nulls()),
            DataType::Float32 => convert!(Float32Type),
            DataType::Float16 => Self::Owned(
                array.as_primitive::<Float16Type>().values().iter().map(|value| value.to_f64()).collect(),
                array.nulls().cloned(),
            ),
            DataType::Int8 => convert!(Int8Type),
            DataType::Int16 => convert!(Int16Type),
            DataType::Int32 => convert!(Int32Type),
            DataType::Int64 => convert!(Int64Type),
            DataType::UInt8 => convert!(UInt8Type),
            DataType::UInt16 => convert!(UInt16Type),
            DataType::UInt32 => convert!(UInt32Type),
            DataType::UInt64 => convert!(UInt64Type),
            other if types::accepts(Type::Float, other) => {
                let floats = types::known_column(Type::Float, array)?.array;
                let floats = floats.as_primitive::<Float64Type>();
                Self::Owned(floats.values().to_vec(), floats.nulls().cloned())
            }
            other => return Err(unfit(column, other, "a number")),
        })
    }

    fn parts(&self) -> (&[f64], Option<&NullBuffer>) {
        match self {
            Self::Absent => (&[], None),
            Self::Borrowed(values, nulls) => (values, *nulls),
            Self::Owned(values, nulls) => (values, nulls.as_ref()),
        }
    }

    /// The value of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<f64> {
        let (values, nulls) = self.parts();
        let value = *values.get(row)?;
        nulls.is_none_or(|nulls| nulls.is_valid(row)).then_some(value)
    }

    /// The values of the first rows, NaN where there is none.
    pub fn or_nan(&self, rows: usize) -> Cow<'_, [f64]> {
        match self.dense(0..rows) {
            Some(values) => values.into(),
            None => (0..rows).map(|row| self.get(row).unwrap_or(f64::NAN)).collect(),
        }
    }

    /// The values of a range without nulls, where none is null.
    pub fn dense(&self, range: Range<usize>) -> Option<&[f64]> {
        let (values, nulls) = self.parts();
        nulls.is_none_or(|nulls| nulls.null_count() == 0).then(|| values.get(range)).flatten()
    }
}

/// A column of names.
pub enum Texts<'a> {
    /// There is no such column, or it is null throughout.
    Absent,
    /// 32-bit offsets.
    Utf8(&'a arrow_array::StringArray),
    /// 64-bit offsets.
    Large(&'a arrow_array::LargeStringArray),
    /// Views.
    View(&'a StringViewArray),
    /// Keys into values, which are texts themselves.
    Dictionary {
        /// For each row the index of its value.
        keys: Vec<usize>,
        /// The rows that are null.
        nulls: Option<NullBuffer>,
        /// What the keys point to.
        values: Box<Texts<'a>>,
    },
    /// Numbers and booleans, written out.
    Written(Vec<Option<String>>),
}

impl<'a> Texts<'a> {
    /// The column of that name.
    pub fn of(batch: &'a RecordBatch, column: &str) -> Result<Self> {
        batch.column_by_name(column).map_or(Ok(Self::Absent), |array| Self::from_array(array, column))
    }

    fn from_array(array: &'a ArrayRef, column: &str) -> Result<Self> {
        fn written<T: ArrowPrimitiveType>(array: &dyn Array) -> Texts<'static>
        where
            T::Native: ToString,
        {
            Texts::Written(
                array.as_primitive::<T>().iter().map(|value| value.map(|value| value.to_string())).collect(),
            )
        }
        Ok(match array.data_type() {
            DataType::Null => Self::Absent,
            DataType::Utf8 => Self::Utf8(array.as_string()),
            DataType::LargeUtf8 => Self::Large(array.as_string()),
            DataType::Utf8View => Self::View(array.as_string_view()),
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let keys =
                    if dictionary.values().is_empty() { Vec::new() } else { dictionary.normalized_keys() };
                let values = Box::new(Self::from_array(dictionary.values(), column)?);
                Self::Dictionary { keys, nulls: array.nulls().cloned(), values }
            }
            DataType::Boolean => Self::Written(
                array.as_boolean().iter().map(|value| value.map(|value| value.to_string())).collect(),
            ),
            DataType::Int8 => written::<Int8Type>(array),
            DataType::Int16 => written::<Int16Type>(array),
            DataType::Int32 => written::<Int32Type>(array),
            DataType::Int64 => written::<Int64Type>(array),
            DataType::UInt8 => written::<UInt8Type>(array),
            DataType::UInt16 => written::<UInt16Type>(array),
            DataType::UInt32 => written::<UInt32Type>(array),
            DataType::UInt64 => written::<UInt64Type>(array),
            DataType::Float16 => {
                floats(array.as_primitive::<Float16Type>().iter().map(|value| value.map(f64::from)))
            }
            DataType::Float32 => {
                floats(array.as_primitive::<Float32Type>().iter().map(|value| value.map(f64::from)))
            }
            DataType::Float64 => floats(array.as_primitive::<Float64Type>().iter()),
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
                let texts = types::known_column(Type::Text, array)?.array;
                let texts = texts.as_string::<i32>().iter();
                Self::Written(texts.map(|text| text.map(str::to_owned)).collect())
            }
            other => return Err(unfit(column, other, "text")),
        })
    }

    /// The text of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Dictionary { keys, nulls, values } => {
                let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                values.get(*keys.get(row).filter(|_| valid)?)
            }
            Self::Written(values) => values.get(row)?.as_deref(),
        }
    }

    /// Numbers the texts of some rows: equal texts get equal codes, counted up from 0.
    pub fn codes(&self, rows: Range<usize>) -> Codes<'_> {
        let mut codes = Codes { names: Vec::new(), codes: Vec::new() };
        match self {
            Self::Absent => {}
            Self::Dictionary { keys, nulls, values } => {
                // Equal values may stand twice in a dictionary, and some may not be used: number the
                // values, then those that rows have.
                let inner = values.codes(0..values.len());
                let mut used = vec![NULL; inner.names.len()];
                codes.codes = rows
                    .map(|row| {
                        let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                        let value = keys.get(row).filter(|_| valid).and_then(|&key| inner.codes.get(key));
                        let Some(code) = value.and_then(|&value| used.get_mut(value as usize)) else {
                            return NULL;
                        };
                        if *code == NULL {
                            *code = codes.names.len() as u32;
                            codes.names.push(inner.names[value.map_or(0, |&value| value as usize)]);
                        }
                        *code
                    })
                    .collect();
            }
            _ => {
                let mut interner = Interner::default();
                codes.codes.reserve(rows.len());
                match self {
                    Self::Utf8(array) => {
                        codes.codes.extend(
                            rows.map(|row| interner.code(array.is_valid(row).then(|| array.value(row)))),
                        );
                    }
                    Self::Large(array) => {
                        codes.codes.extend(
                            rows.map(|row| interner.code(array.is_valid(row).then(|| array.value(row)))),
                        );
                    }
                    Self::View(array) => codes.codes.extend(interner.codes_of_views(array, rows)),
                    _ => codes.codes.extend(rows.map(|row| interner.code(self.get(row)))),
                }
                codes.names = interner.names;
            }
        }
        codes
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Utf8(array) => array.len(),
            Self::Large(array) => array.len(),
            Self::View(array) => array.len(),
            Self::Dictionary { keys, .. } => keys.len(),
            Self::Written(values) => values.len(),
        }
    }
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> Texts<'static> {
    Texts::Written(values.map(|value| value.and_then(float_name)).collect())
}

/// Small numbers for the texts of some rows.
pub struct Codes<'a> {
    /// The text of each code.
    pub names: Vec<&'a str>,
    /// The code of each row, [`NULL`] where it has none; empty where the column is absent.
    pub codes: Vec<u32>,
}

impl<'a> Codes<'a> {
    /// The code of a row, counted from the first of the range.
    #[inline]
    pub fn at(&self, row: usize) -> u32 {
        self.codes.get(row).copied().unwrap_or(NULL)
    }

    /// The text of a code.
    pub fn name(&self, code: u32) -> Option<&'a str> {
        self.names.get(code as usize).copied()
    }
}

/// Numbers texts in the order of their first appearance.
#[derive(Default)]
struct Interner<'a> {
    names: Vec<&'a str>,
    /// The code of the text before: columns hold long runs of the same name.
    last: u32,
    /// Recently seen texts, by a cheap hash: most columns hold a handful of names.
    recent: Vec<u32>,
    all: HashMap<&'a str, u32, FixedState>,
}

const RECENT: usize = 256;

impl<'a> Interner<'a> {
    #[inline]
    fn code(&mut self, text: Option<&'a str>) -> u32 {
        let Some(text) = text else { return NULL };
        if self.names.get(self.last as usize).is_some_and(|&name| name == text) {
            return self.last;
        }
        self.last = self.code_of_other(text);
        self.last
    }

    #[inline]
    fn code_of_other(&mut self, text: &'a str) -> u32 {
        if self.recent.is_empty() {
            self.recent.resize(RECENT, NULL);
        }
        let slot = cheap_hash(text.as_bytes()) % RECENT;
        let guess = self.recent[slot];
        if self.names.get(guess as usize).is_some_and(|&name| name == text) {
            return guess;
        }
        let next = self.names.len() as u32;
        let code = *self.all.entry(text).or_insert(next);
        if code == next {
            self.names.push(text);
        }
        self.recent[slot] = code;
        code
    }

    /// Equal views are equal texts: only views that were not seen lately are followed to their text.
    fn codes_of_views(
        &mut self,
        array: &'a StringViewArray,
        rows: Range<usize>,
    ) -> impl Iterator<Item = u32> {
        let mut recent = [(0u128, NULL); RECENT];
        rows.map(move |row| {
            if array.is_null(row) {
                return NULL;
            }
            let view = array.views()[row];
            let mixed = (view as u64 ^ ((view >> 64) as u64).rotate_left(32)).wrapping_mul(SPREAD);
            let (seen, code) = &mut recent[(mixed >> 56) as usize];
            if *seen != view || *code == NULL {
                (*seen, *code) = (view, self.code(Some(array.value(row))));
            }
            *code
        })
    }
}

/// An odd multiplier that spreads bits upwards: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes the first and the last eight bytes and the length.
#[inline]
fn cheap_hash(bytes: &[u8]) -> usize {
    let word = |part: &[u8; 8]| u64::from_le_bytes(*part);
    let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (word(first), word(last)),
        _ => bytes.iter().fold((0, 0), |(value, _), &byte| (value << 8 | u64::from(byte), 0)),
    };
    let mixed = (first ^ last.rotate_left(32) ^ bytes.len() as u64).wrapping_mul(SPREAD);
    (mixed >> 56) as usize
}

/// The earliest and the latest time of a column, in µs since 1970 UTC; what is no time counts as none.
pub fn time_range(batch: &RecordBatch, column: &str) -> Result<Option<(i64, i64)>> {
    let Some(array) = batch.column_by_name(column) else { return Ok(None) };
    Ok(match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            text_time_range(&Texts::from_array(array, column)?)
        }
        _ => extremes(times(batch, column)?.into_iter().flatten()),
    })
}

/// The time of each row, in µs since 1970 UTC; none where a value is no time.
pub fn times(batch: &RecordBatch, column: &str) -> Result<Vec<Option<i64>>> {
    let Some(array) = batch.column_by_name(column) else { return Ok(vec![None; batch.num_rows()]) };
    if !types::accepts(Type::Time, array.data_type()) {
        return Err(unfit(column, array.data_type(), "a time"));
    }
    let times = types::known_column(Type::Time, array)?.array;
    Ok(times.as_primitive::<TimestampMicrosecondType>().iter().collect())
}

/// Times of one shape in UTC are ordered as texts, so that only the outermost two are parsed.
fn text_time_range(texts: &Texts<'_>) -> Option<(i64, i64)> {
    let all = || (0..texts.len()).filter_map(|row| texts.get(row));
    let first = all().next()?;
    let alike = |text: &str| {
        text.len() == first.len()
            && text.ends_with("+00:00")
            && text.as_bytes().get(10) == first.as_bytes().get(10)
    };
    if let (true, Some(low), Some(high)) = (all().all(alike), all().min(), all().max())
        && let (Some(low), Some(high)) = (known_time(low), known_time(high))
    {
        return Some((low, high));
    }
    extremes(all().filter_map(known_time))
}

/// The time that answers have of a text.
fn known_time(text: &str) -> Option<i64> {
    parse_time(text).filter(|micros| types::is_time(*micros))
}

fn extremes(times: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    times.fold(None, |range, time| match range {
        None => Some((time, time)),
        Some((low, high)) => Some((time.min(low), time.max(high))),
    })
}
