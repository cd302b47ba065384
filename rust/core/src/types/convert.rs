//! Values of one type as those of another: exactly, or null and counted.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, FieldRef, TimeUnit};

use super::answer::{accepts, shown};
use super::cast::recast;
use super::ranges::{self, Within};
use super::schema::Type;
use super::text;
use crate::base::clock::parse_time;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::names::float_name;

/// A column in another type.
#[derive(Clone, Debug)]
pub struct Converted {
    /// Its values; null where one does not convert.
    pub array: ArrayRef,
    /// How many do not.
    pub failed: usize,
}

impl Converted {
    fn all(array: ArrayRef) -> Self {
        Self { array, failed: 0 }
    }

    /// What was lost on the way, where nulls came that were not there.
    fn since(before: &ArrayRef, array: ArrayRef) -> Self {
        let failed = array.logical_null_count().saturating_sub(before.logical_null_count());
        Self { array, failed }
    }
}

/// An extra column in the type that [`super::common`] says.
pub fn convert(array: &ArrayRef, to: &DataType) -> Result<Converted> {
    let found = array.data_type().clone();
    let convert = || {
        // First of all: kernels panic, write errors as texts, or make other times of what no reader knows.
        let Within { array, outside, .. } = ranges::within(Arc::clone(array))?;
        let converted = flat_or_nested(&array, to)?;
        Ok(Converted { failed: converted.failed + outside, ..converted })
    };
    convert().map_err(|error: ArrowError| {
        Error::new(ErrorKind::Schema, format!("values of type {found} cannot be read as {to}: {error}"))
    })
}

fn flat_or_nested(array: &ArrayRef, to: &DataType) -> Result<Converted, ArrowError> {
    let from = array.data_type();
    if *from == DataType::Null {
        return Ok(Converted::all(new_null_array(to, array.len())));
    }
    if let DataType::Dictionary(_, values) = from {
        return flat_or_nested(&cast(array, values)?, to);
    }
    if *from != shown(from) && *to != DataType::Utf8 {
        // As it would have been stored; then from there.
        let stored = loosely(array, &shown(from))?;
        let converted = flat_or_nested(&stored.array, to)?;
        return Ok(Converted { failed: converted.failed + stored.failed, ..converted });
    }
    if from == to {
        return Ok(Converted::all(Arc::clone(array)));
    }
    match (from, to) {
        (_, DataType::Utf8) if from.is_string() => loosely(array, to),
        (_, DataType::Utf8) => Ok(Converted::since(array, Arc::new(text::texts(array)?))),
        (DataType::Boolean, DataType::Int64 | DataType::Float64) => Ok(Converted::all(cast(array, to)?)),
        (_, DataType::Float64) if from.is_integer() => Ok(as_floats(array)?),
        (DataType::Decimal128(_, scale), DataType::Float64) => Ok(decimals_as_floats(array, *scale)),
        (DataType::List(_), DataType::List(field)) => lists(array.as_list::<i32>(), field),
        (DataType::FixedSizeList(inner, _), DataType::List(_)) => {
            let list = cast(array, &DataType::List(Arc::clone(inner)))?;
            flat_or_nested(&list, to)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let (mut columns, mut failed) = (Vec::with_capacity(fields.len()), 0);
            for field in fields {
                let column = array.as_struct().column_by_name(field.name());
                let column =
                    column.ok_or_else(|| ArrowError::SchemaError(format!("no {:?}", field.name())))?;
                let converted = flat_or_nested(column, field.data_type())?;
                failed += converted.failed;
                columns.push(converted.array);
            }
            let nulls = array.nulls().cloned();
            Ok(Converted { array: Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?), failed })
        }
        _ => loosely(array, to),
    }
}

/// What Arrow's own cast makes of values, null where it cannot.
fn loosely(array: &ArrayRef, to: &DataType) -> Result<Converted, ArrowError> {
    Ok(Converted::since(array, recast(array, to, true)?))
}

fn lists(list: &ListArray, field: &FieldRef) -> Result<Converted, ArrowError> {
    let inner = flat_or_nested(list.values(), field.data_type())?;
    let offsets = list.offsets().clone();
    let array = ListArray::try_new(Arc::clone(field), offsets, inner.array, list.nulls().cloned())?;
    Ok(Converted { array: Arc::new(array), failed: inner.failed })
}

/// Whole numbers as floats; null where no float is that number.
fn as_floats(array: &ArrayRef) -> Result<Converted, ArrowError> {
    let exact = |value: i128| Some(value as f64).filter(|float| *float as i128 == value);
    let floats: Float64Array = if *array.data_type() == DataType::UInt64 {
        let whole = array.as_primitive::<UInt64Type>().iter();
        whole.map(|value| value.and_then(|value| exact(value.into()))).collect()
    } else {
        let whole = cast(array, &DataType::Int64)?;
        let whole = whole.as_primitive::<Int64Type>().iter();
        whole.map(|value| value.and_then(|value| exact(value.into()))).collect()
    };
    Ok(Converted::since(array, Arc::new(floats)))
}

/// Decimals as the floats next to them; null where a float does not have their digits.
fn decimals_as_floats(array: &ArrayRef, scale: i8) -> Converted {
    let decimals = array.as_primitive::<Decimal128Type>();
    let places = usize::try_from(scale).unwrap_or_default();
    let float = |value: i128| {
        let float = decimal_as_float(value, scale)?;
        // Fifteen digits always come back; more are looked at.
        let is_exact = value.unsigned_abs() < 1_000_000_000_000_000
            || format!("{float:.places$}") == decimal_text(value, scale);
        is_exact.then_some(float)
    };
    let floats: Float64Array = decimals.iter().map(|value| value.and_then(float)).collect();
    Converted::since(array, Arc::new(floats))
}

/// The float next to a decimal.
fn decimal_as_float(value: i128, scale: i8) -> Option<f64> {
    format!("{value}e{}", -i32::from(scale)).parse().ok()
}

/// A decimal with all its digits, `1.50`.
fn decimal_text(value: i128, scale: i8) -> String {
    let places = usize::try_from(scale).unwrap_or_default();
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if value < 0 { "-" } else { "" };
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A known column in its type.
pub fn known_column(kind: Type, array: &ArrayRef) -> Result<Converted> {
    let found = array.data_type();
    if !accepts(kind, found) {
        let message = format!("has type {found}, expected {}", kind.arrow());
        return Err(Error::new(ErrorKind::Schema, message));
    }
    let failed = |error: ArrowError| {
        Error::new(ErrorKind::Schema, format!("values of type {found} cannot be read: {error}"))
    };
    let convert = || {
        let Within { array, outside, .. } = ranges::within(Arc::clone(array))?;
        let converted = known_values(kind, &array)?;
        Ok(Converted { failed: converted.failed + outside, ..converted })
    };
    convert().map_err(failed)
}

fn known_values(kind: Type, array: &ArrayRef) -> Result<Converted, ArrowError> {
    let found = array.data_type();
    if *found == kind.arrow() {
        return Ok(Converted::all(Arc::clone(array)));
    }
    if let DataType::Dictionary(_, values) = found {
        return known_values(kind, &cast(array, values)?);
    }
    if *found == DataType::Null {
        return Ok(Converted::all(new_null_array(&kind.arrow(), array.len())));
    }
    Ok(match kind {
        Type::Text if found.is_string() || *found == DataType::Boolean => loosely(array, &DataType::Utf8)?,
        // A number is a name without a point where it is whole; the NaN of a gap is none.
        Type::Text if found.is_floating() => {
            let floats = cast(array, &DataType::Float64)?;
            let floats = floats.as_primitive::<arrow_array::types::Float64Type>().iter();
            Converted::all(Arc::new(floats.map(|value| value.and_then(float_name)).collect::<StringArray>()))
        }
        Type::Text => {
            let texts = text::texts(array)?;
            let short = |text: &str| match text.split_once('.') {
                Some((whole, rest)) if rest.bytes().all(|byte| byte == b'0') => whole.to_owned(),
                Some(_) => text.trim_end_matches('0').to_owned(),
                None => text.to_owned(),
            };
            Converted::all(Arc::new(texts.iter().map(|text| text.map(short)).collect::<StringArray>()))
        }
        Type::Float => match shown(found) {
            DataType::Decimal128(_, scale) => {
                let decimals = cast(array, &shown(found))?;
                let decimals = decimals.as_primitive::<Decimal128Type>().iter();
                let floats = decimals.map(|value| value.and_then(|value| decimal_as_float(value, scale)));
                Converted::all(Arc::new(floats.collect::<Float64Array>()))
            }
            _ => loosely(array, &DataType::Float64)?,
        },
        Type::Int => whole(array)?,
        Type::Time => times(array)?,
        Type::Bool | Type::Duration => loosely(array, &kind.arrow())?,
    })
}

/// Numbers as whole ones; null where one is none, and for the NaN of a gap.
fn whole(array: &ArrayRef) -> Result<Converted, ArrowError> {
    let found = array.data_type();
    if found.is_integer() {
        return loosely(array, &DataType::Int64);
    }
    if found.is_floating() {
        let floats = cast(array, &DataType::Float64)?;
        let floats = floats.as_primitive::<arrow_array::types::Float64Type>();
        let gaps = floats.iter().flatten().filter(|value| value.is_nan()).count();
        let whole: Int64Array = floats.iter().map(|value| value.and_then(super::schema::whole)).collect();
        let failed = whole.null_count() - floats.null_count() - gaps;
        return Ok(Converted { array: Arc::new(whole), failed });
    }
    let floats = flat_or_nested(array, &DataType::Float64)?;
    let whole = whole(&floats.array)?;
    Ok(Converted { failed: whole.failed + floats.failed, ..whole })
}

/// Times in µs UTC: those without a zone are UTC, days begin at midnight, texts are ISO-8601.
fn times(array: &ArrayRef) -> Result<Converted, ArrowError> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    if array.data_type().is_string() {
        let texts = cast(array, &DataType::Utf8)?;
        let times: TimestampMicrosecondArray =
            texts.as_string::<i32>().iter().map(|text| text.and_then(parse_time)).collect();
        return Ok(Converted::since(array, ranges::within(Arc::new(times.with_timezone("UTC")))?.array));
    }
    let micros = match array.data_type() {
        // Parts of a µs are cut off, downwards: Arrow's cast would cut towards 1970.
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<arrow_array::types::TimestampNanosecondType>().iter();
            let micros = nanos.map(|value| value.map(|value| value.div_euclid(1_000)));
            Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC")) as ArrayRef
        }
        DataType::Timestamp(unit, _) => {
            cast(&cast(array, &DataType::Int64)?, &DataType::Timestamp(*unit, Some("UTC".into())))
                .and_then(|times| cast(&times, &utc))?
        }
        _ => {
            let naive = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            Arc::new(naive.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
        }
    };
    Ok(Converted::since(array, micros))
}
