//! A digest of a table that its order of rows and columns does not change: two tables with equal digests have the
//! same rows.
//!
//! Each row is hashed: of its columns that are not null, in the order of their names, name and value. A value is what
//! it means, not how it is stored: text of any kind, integers of any width, floats as f64 by their bits (one NaN),
//! instants. The digest is the sum of the hashes.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use rayon::prelude::*;

use crate::base::error::{Error, ErrorKind, Result};

/// Rows that one thread hashes at a time.
const ROWS: usize = 4_096;
/// Nanoseconds of a day.
const DAY: i128 = 86_400 * 1_000_000_000;

/// The sum, modulo 2^128, of the hashes of a batch's rows; of the columns with these names where some are given.
///
/// Fails for a column of a type that has no rule here.
pub fn digest(batch: &RecordBatch, columns: Option<&[String]>) -> Result<u128> {
    let schema = batch.schema_ref();
    let is_asked = |name: &String| columns.is_none_or(|columns| columns.contains(name));
    let fields = schema.fields().iter().zip(batch.columns());
    let mut columns: Vec<(&str, &dyn Array)> = fields
        .filter(|(field, _)| is_asked(field.name()))
        .map(|(field, values)| (field.name().as_str(), values.as_ref()))
        .collect();
    columns.sort_by_key(|(name, _)| *name);
    let starts = (0..batch.num_rows()).into_par_iter().step_by(ROWS);
    let sums = starts.map(|start| {
        let (mut sum, mut bytes) = (0_u128, Vec::new());
        for row in start..batch.num_rows().min(start + ROWS) {
            bytes.clear();
            fields_of(&columns, row, &mut bytes)?;
            sum = sum.wrapping_add(hash(&bytes));
        }
        Ok(sum)
    });
    sums.try_reduce(|| 0, |one, other| Ok(one.wrapping_add(other)))
}

fn hash(bytes: &[u8]) -> u128 {
    let (mut first, hash) = ([0; 16], blake3::hash(bytes));
    first.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(first)
}

/// Writes the names and values of a row's columns that are not null.
fn fields_of(columns: &[(&str, &dyn Array)], row: usize, bytes: &mut Vec<u8>) -> Result<()> {
    for (name, values) in columns {
        let before = bytes.len();
        piece(b'=', name.as_bytes(), bytes);
        let named = bytes.len();
        value(*values, row, bytes)
            .map_err(|error| Error::new(error.kind, format!("column {name:?}: {error}")))?;
        if bytes.len() == named {
            bytes.truncate(before);
        }
    }
    Ok(())
}

/// Writes a value; nothing where it is null.
fn value(values: &dyn Array, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
    use DataType as T;
    if values.is_null(row) {
        return Ok(());
    }
    macro_rules! at {
        ($kind:ty) => {
            values.as_primitive::<$kind>().value(row)
        };
    }
    match values.data_type() {
        T::Null => {}
        T::Boolean => bytes.extend([b'b', u8::from(values.as_boolean().value(row))]),
        T::Int8 => integer(i128::from(at!(Int8Type)), bytes),
        T::Int16 => integer(i128::from(at!(Int16Type)), bytes),
        T::Int32 => integer(i128::from(at!(Int32Type)), bytes),
        T::Int64 => integer(i128::from(at!(Int64Type)), bytes),
        T::UInt8 => integer(i128::from(at!(UInt8Type)), bytes),
        T::UInt16 => integer(i128::from(at!(UInt16Type)), bytes),
        T::UInt32 => integer(i128::from(at!(UInt32Type)), bytes),
        T::UInt64 => integer(i128::from(at!(UInt64Type)), bytes),
        T::Float16 => float(at!(Float16Type).to_f64(), bytes),
        T::Float32 => float(f64::from(at!(Float32Type)), bytes),
        T::Float64 => float(at!(Float64Type), bytes),
        T::Utf8 => piece(b't', values.as_string::<i32>().value(row).as_bytes(), bytes),
        T::LargeUtf8 => piece(b't', values.as_string::<i64>().value(row).as_bytes(), bytes),
        T::Utf8View => piece(b't', values.as_string_view().value(row).as_bytes(), bytes),
        T::Binary => piece(b'x', values.as_binary::<i32>().value(row), bytes),
        T::LargeBinary => piece(b'x', values.as_binary::<i64>().value(row), bytes),
        T::BinaryView => piece(b'x', values.as_binary_view().value(row), bytes),
        T::FixedSizeBinary(_) => piece(b'x', values.as_fixed_size_binary().value(row), bytes),
        T::Date32 => ticks(b'm', i128::from(at!(Date32Type)), DAY, bytes),
        T::Date64 => ticks(b'm', i128::from(at!(Date64Type)), 1_000_000, bytes),
        T::Timestamp(unit, _) => {
            let (count, nanoseconds) = match unit {
                TimeUnit::Second => (at!(TimestampSecondType), 1_000_000_000),
                TimeUnit::Millisecond => (at!(TimestampMillisecondType), 1_000_000),
                TimeUnit::Microsecond => (at!(TimestampMicrosecondType), 1_000),
                TimeUnit::Nanosecond => (at!(TimestampNanosecondType), 1),
            };
            ticks(b'm', i128::from(count), nanoseconds, bytes);
        }
        T::Duration(unit) => {
            let (count, nanoseconds) = match unit {
                TimeUnit::Second => (at!(DurationSecondType), 1_000_000_000),
                TimeUnit::Millisecond => (at!(DurationMillisecondType), 1_000_000),
                TimeUnit::Microsecond => (at!(DurationMicrosecondType), 1_000),
                TimeUnit::Nanosecond => (at!(DurationNanosecondType), 1),
            };
            ticks(b'd', i128::from(count), nanoseconds, bytes);
        }
        T::List(_) => list(values.as_list::<i32>().value(row).as_ref(), bytes)?,
        T::LargeList(_) => list(values.as_list::<i64>().value(row).as_ref(), bytes)?,
        T::ListView(_) => list(values.as_list_view::<i32>().value(row).as_ref(), bytes)?,
        T::LargeListView(_) => list(values.as_list_view::<i64>().value(row).as_ref(), bytes)?,
        T::FixedSizeList(_, _) => list(values.as_fixed_size_list().value(row).as_ref(), bytes)?,
        T::Struct(fields) => {
            let parts = fields.iter().zip(values.as_struct().columns());
            let mut parts: Vec<(&str, &dyn Array)> =
                parts.map(|(field, values)| (field.name().as_str(), values.as_ref())).collect();
            parts.sort_by_key(|(name, _)| *name);
            bytes.push(b'{');
            fields_of(&parts, row, bytes)?;
            bytes.push(b'}');
        }
        T::Dictionary(_, _) => {
            let dictionary = values.as_any_dictionary();
            let mut key = Vec::with_capacity(17);
            value(dictionary.keys(), row, &mut key)?;
            let mut number = [0; 16];
            number.copy_from_slice(&key[1..]);
            value(dictionary.values().as_ref(), i128::from_le_bytes(number) as usize, bytes)?;
        }
        other => {
            let message =
                format!("a digest of rows has no rule for values of type {other}; leave the column out");
            return Err(Error::new(ErrorKind::Type, message));
        }
    }
    Ok(())
}

fn piece(kind: u8, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(kind);
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    bytes.extend_from_slice(content);
}

fn integer(number: i128, bytes: &mut Vec<u8>) {
    bytes.push(b'i');
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn float(number: f64, bytes: &mut Vec<u8>) {
    let number = if number.is_nan() { f64::NAN } else { number };
    bytes.push(b'f');
    bytes.extend_from_slice(&number.to_bits().to_le_bytes());
}

/// Writes an instant or a duration in nanoseconds, so that its unit does not matter.
fn ticks(kind: u8, count: i128, nanoseconds: i128, bytes: &mut Vec<u8>) {
    bytes.push(kind);
    bytes.extend_from_slice(&(count * nanoseconds).to_le_bytes());
}

/// Writes the values of a list, each in its place: what is null is a value of its own.
fn list(values: &dyn Array, bytes: &mut Vec<u8>) -> Result<()> {
    bytes.push(b'[');
    bytes.extend_from_slice(&(values.len() as u64).to_le_bytes());
    for row in 0..values.len() {
        let before = bytes.len();
        value(values, row, bytes)?;
        if bytes.len() == before {
            bytes.push(b'0');
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::from_iter_instead_of_collect)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray,
        RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
        TimestampMillisecondArray,
    };
    use arrow_select::concat::concat_batches;
    use arrow_select::take::take_record_batch;

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, values)| (name, values, true)),
        )
        .unwrap()
    }

    fn of(columns: Vec<(&str, ArrayRef)>) -> u128 {
        digest(&batch(columns), None).unwrap()
    }

    fn table(rows: std::ops::Range<i64>) -> RecordBatch {
        let numbers = Int64Array::from_iter(rows.clone().map(|row| (row % 3 != 0).then_some(row)));
        let scores =
            Float64Array::from_iter(rows.clone().map(|row| (row % 5 != 0).then_some(row as f64 / 7.0)));
        let names = StringArray::from_iter(rows.map(|row| (row % 4 != 0).then(|| format!("name {row}"))));
        batch(vec![("number", Arc::new(numbers)), ("score", Arc::new(scores)), ("name", Arc::new(names))])
    }

    #[test]
    fn neither_order_nor_division_matters_and_columns_may_be_chosen() {
        let all = table(0..10_000);
        let whole = digest(&all, None).unwrap();
        let backwards = Int64Array::from_iter_values((0..10_000).rev());
        assert_eq!(digest(&take_record_batch(&all, &backwards).unwrap(), None).unwrap(), whole);
        assert_eq!(digest(&all.project(&[2, 0, 1]).unwrap(), None).unwrap(), whole);
        let parts = [table(0..4_096), table(4_096..4_097), table(4_097..10_000)];
        let sum = parts.iter().fold(0_u128, |sum, part| sum.wrapping_add(digest(part, None).unwrap()));
        assert_eq!(sum, whole);
        let twice = concat_batches(all.schema_ref(), [&all, &all]).unwrap();
        assert_eq!(digest(&twice, None).unwrap(), whole.wrapping_mul(2));
        let two = ["name".to_owned(), "number".to_owned(), "absent".to_owned()];
        let projected = digest(&all.project(&[0, 2]).unwrap(), None).unwrap();
        assert_eq!(digest(&all, Some(&two)).unwrap(), projected);
        assert_ne!(projected, whole);
    }

    #[test]
    fn what_a_value_means_counts_and_not_how_it_is_stored() {
        let texts = of(vec![("a", Arc::new(StringArray::from(vec![Some("x"), None])))]);
        assert_eq!(of(vec![("a", Arc::new(LargeStringArray::from(vec![Some("x"), None])))]), texts);
        assert_eq!(of(vec![("a", Arc::new(StringViewArray::from(vec![Some("x"), None])))]), texts);
        let dictionary: DictionaryArray<Int32Type> = [Some("x"), None].into_iter().collect();
        assert_eq!(of(vec![("a", Arc::new(dictionary))]), texts);
        let one = of(vec![("a", Arc::new(Int64Array::from(vec![-1])))]);
        assert_eq!(of(vec![("a", Arc::new(Int8Array::from(vec![-1])))]), one);
        let half = of(vec![("a", Arc::new(Float64Array::from(vec![0.5])))]);
        assert_eq!(of(vec![("a", Arc::new(Float32Array::from(vec![0.5])))]), half);
        let time =
            of(vec![("a", Arc::new(TimestampMicrosecondArray::from(vec![5_000]).with_timezone("UTC")))]);
        assert_eq!(of(vec![("a", Arc::new(TimestampMillisecondArray::from(vec![5])))]), time);
    }

    #[test]
    fn every_value_counts() {
        let float = |value: f64| of(vec![("a", Arc::new(Float64Array::from(vec![value])))]);
        assert_ne!(float(0.0), float(-0.0));
        assert_ne!(float(0.1), float(0.1_f64.next_up()));
        assert_eq!(float(f64::NAN), float(-f64::NAN));
        assert_ne!(float(1.0), of(vec![("a", Arc::new(Int64Array::from(vec![1])))]));
        assert_ne!(
            of(vec![("a", Arc::new(StringArray::from(vec![""])))]),
            of(vec![("a", Arc::new(StringArray::from(vec![None::<&str>])))])
        );
    }

    #[test]
    fn a_null_is_a_missing_column_and_columns_are_told_apart() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let others: ArrayRef = Arc::new(Int64Array::from(vec![3, 4]));
        let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>; 2]));
        let plain = of(vec![("a", values.clone())]);
        assert_eq!(of(vec![("a", values.clone()), ("b", nulls)]), plain);
        assert_ne!(of(vec![("b", values.clone())]), plain);
        let both = of(vec![("a", values.clone()), ("b", others.clone())]);
        assert_ne!(of(vec![("b", values.clone()), ("a", others)]), both);
        // The same values in each column, but paired otherwise.
        let turned: ArrayRef = Arc::new(Int64Array::from(vec![4, 3]));
        assert_ne!(of(vec![("a", values), ("b", turned)]), both);
    }

    #[test]
    fn nested_values_count() {
        let lists = |rows: &[&[Option<&str>]]| {
            let mut builder = ListBuilder::new(StringBuilder::new());
            rows.iter().for_each(|row| builder.append_value(row.iter().copied()));
            of(vec![("a", Arc::new(builder.finish()))])
        };
        let plain = lists(&[&[Some("x"), None], &[Some("y")]]);
        assert_eq!(lists(&[&[Some("y")], &[Some("x"), None]]), plain);
        assert_ne!(lists(&[&[None, Some("x")], &[Some("y")]]), plain);
        assert_ne!(lists(&[&[Some("x")], &[None, Some("y")]]), plain);
        let structs = |name: &str, value: Option<i64>| {
            let inner = batch(vec![(name, Arc::new(Int64Array::from(vec![value])))]);
            of(vec![("a", Arc::new(StructArray::from(inner)))])
        };
        assert_ne!(structs("b", Some(1)), structs("c", Some(1)));
        assert_ne!(structs("b", Some(1)), structs("b", Some(2)));
        assert_eq!(structs("b", None), structs("c", None));
    }
}
