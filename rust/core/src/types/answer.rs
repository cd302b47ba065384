//! In which type a column is answered: that of a known column, or what the types of its files have in common.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};

use super::schema::{self, Type};
use super::storable::canonical;
use crate::base::error::{Error, ErrorKind, Result};

/// Fails where a file's columns make it an error in every answer: a column stands twice, or a known one has
/// a type that its values cannot be read from.
pub fn check(schema: &Schema) -> Result<()> {
    let mut names = HashSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            let message = format!("column {:?} stands twice in the file", field.name());
            return Err(Error::new(ErrorKind::Schema, message));
        }
        if let Some(kind) = schema::known(field.name())
            && !accepts(kind, field.data_type())
        {
            let (name, found, expected) = (field.name(), field.data_type(), kind.arrow());
            let message =
                format!("column {name:?} has type {found}, expected {expected}; convert it in the file");
            return Err(Error::new(ErrorKind::Schema, message));
        }
    }
    Ok(())
}

/// Whether values of a type can be read as those of a known column.
pub fn accepts(kind: Type, found: &DataType) -> bool {
    let is_number = |found: &DataType| found.is_numeric() && !matches!(found, DataType::Decimal256(..));
    match (kind, found) {
        (_, DataType::Null) => true,
        (_, DataType::Dictionary(_, values)) => accepts(kind, values),
        (Type::Text, found) => is_text(found) || *found == DataType::Boolean || is_number(found),
        (Type::Float | Type::Int, found) => is_number(found),
        (Type::Time, found) => {
            is_text(found) || matches!(found, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
        }
        (Type::Bool, found) => *found == DataType::Boolean,
        (Type::Duration, found) => matches!(found, DataType::Duration(_)),
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The type in which a column of one file is answered: as it would be stored; text where it cannot be stored.
pub fn shown(kind: &DataType) -> DataType {
    canonical(kind).unwrap_or(DataType::Utf8)
}

/// The type in which a column is answered whose files have these two, both as [`shown`] says.
pub fn common(one: &DataType, two: &DataType) -> DataType {
    if one == two {
        return one.clone();
    }
    let nested = |one: &FieldRef, two: &FieldRef| {
        Arc::new(Field::new(one.name(), common(one.data_type(), two.data_type()), true))
    };
    match (one, two) {
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        (one, two) if is_whole(one) && is_whole(two) => whole(one, two),
        (one, two) if is_float(one) && is_float(two) => {
            if [one, two].contains(&&DataType::Float64) {
                DataType::Float64
            } else {
                DataType::Float32
            }
        }
        (DataType::Decimal128(..), DataType::Decimal128(..)) => decimal(one, two),
        (one, two) if is_number(one) && is_number(two) => DataType::Float64,
        (DataType::Timestamp(one, from), DataType::Timestamp(two, to)) => {
            DataType::Timestamp(finer(*one, *two), from.clone().or_else(|| to.clone()))
        }
        (DataType::Date32, DataType::Timestamp(..)) => two.clone(),
        (DataType::Timestamp(..), DataType::Date32) => one.clone(),
        (DataType::Duration(one), DataType::Duration(two)) => DataType::Duration(finer(*one, *two)),
        (one, two) if is_time_of_day(one) && is_time_of_day(two) => DataType::Time64(TimeUnit::Nanosecond),
        (one, two) if is_binary(one) && is_binary(two) => DataType::Binary,
        (one, two) => match (element(one), element(two)) {
            (Some(one), Some(two)) => DataType::List(nested(one, two)),
            (None, None) => match (one, two) {
                (DataType::Struct(one), DataType::Struct(two)) => structs(one, two),
                _ => DataType::Utf8,
            },
            _ => DataType::Utf8,
        },
    }
}

/// Structs of the same fields, in any order, have theirs in common; others are texts.
fn structs(one: &Fields, two: &Fields) -> DataType {
    let both = one.iter().map(|field| {
        let (_, other) = two.find(field.name())?;
        Some(Field::new(field.name(), common(field.data_type(), other.data_type()), true))
    });
    match both.collect::<Option<Vec<_>>>() {
        Some(fields) if one.len() == two.len() => DataType::Struct(fields.into()),
        _ => DataType::Utf8,
    }
}

fn element(kind: &DataType) -> Option<&FieldRef> {
    match kind {
        DataType::List(field) | DataType::FixedSizeList(field, _) => Some(field),
        _ => None,
    }
}

fn is_whole(kind: &DataType) -> bool {
    kind.is_integer() || *kind == DataType::Boolean
}

fn is_float(kind: &DataType) -> bool {
    kind.is_floating()
}

fn is_number(kind: &DataType) -> bool {
    is_whole(kind) || is_float(kind) || matches!(kind, DataType::Decimal128(..))
}

fn is_time_of_day(kind: &DataType) -> bool {
    matches!(kind, DataType::Time32(_) | DataType::Time64(_))
}

fn is_binary(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::FixedSizeBinary(_))
}

/// 64 bits, but for two that are both unsigned.
fn whole(one: &DataType, two: &DataType) -> DataType {
    if one.is_unsigned_integer() && two.is_unsigned_integer() { DataType::UInt64 } else { DataType::Int64 }
}

fn decimal(one: &DataType, two: &DataType) -> DataType {
    match (one, two) {
        (DataType::Decimal128(_, one), DataType::Decimal128(_, two)) => {
            DataType::Decimal128(38, *one.max(two))
        }
        _ => DataType::Float64,
    }
}

fn finer(one: TimeUnit, two: TimeUnit) -> TimeUnit {
    one.max(two)
}

/// Whether a Parquet reader of another library, told nothing else, reads a column of this type as
/// [`shown`] says; else only our own readers may.
pub fn reads_as(kind: &DataType, answer: &DataType) -> bool {
    let is_plain = match kind {
        DataType::Timestamp(unit, zone) => {
            *unit != TimeUnit::Second && zone.as_deref().is_none_or(|zone| zone == "UTC")
        }
        // Small codes overflow where a reader joins dictionaries.
        DataType::Dictionary(codes, values) => {
            matches!(**codes, DataType::Int32 | DataType::UInt32 | DataType::Int64) && is_text(values)
        }
        DataType::Duration(unit) => *unit != TimeUnit::Second,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Map(..) | DataType::Date64 => false,
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            !matches!(field.data_type(), DataType::Dictionary(..))
                && reads_as(field.data_type(), &shown(field.data_type()))
        }
        DataType::Struct(fields) => fields.iter().all(|field| {
            !matches!(field.data_type(), DataType::Dictionary(..))
                && reads_as(field.data_type(), &shown(field.data_type()))
        }),
        _ => true,
    };
    is_plain && canonical(kind).is_ok_and(|shown| shown == *answer)
}
