//! The closed list of types that extra columns are stored in. docs/format.md has it as a table.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, TimeUnit};

use super::cast::recast;
use super::exact;
use super::nesting::{DEEPEST, depth};
use super::ranges::{self, Within};
use crate::base::error::{Error, ErrorKind, Result};

/// The type in which values of a type are stored, or why they cannot be.
pub fn canonical(kind: &DataType) -> Result<DataType, String> {
    if depth(kind) > DEEPEST {
        return Err(format!("values nested deeper than {DEEPEST} levels"));
    }
    of_any_depth(kind)
}

fn of_any_depth(kind: &DataType) -> Result<DataType, String> {
    let other = || Err(format!("type {kind}"));
    Ok(match kind {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Time64(_) => kind.clone(),
        DataType::Time32(unit) => DataType::Time32(at_least_ms(*unit)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::FixedSizeBinary(width) if *width > 0 => kind.clone(),
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(unit, zone) => {
            DataType::Timestamp(at_least_ms(*unit), zone.as_ref().map(|_| "UTC".into()))
        }
        DataType::Duration(unit) => DataType::Duration(at_least_ms(*unit)),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if *precision > 0 && (0..=*precision as i8).contains(scale) =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Dictionary(_, values) => of_any_depth(values)?,
        DataType::List(field) | DataType::LargeList(field) => DataType::List(inner("item", field)?),
        DataType::FixedSizeList(field, length) if *length > 0 => {
            DataType::FixedSizeList(inner("item", field)?, *length)
        }
        DataType::Struct(fields) => {
            let mut names = HashSet::new();
            if let Some(twice) = fields.iter().find(|field| !names.insert(field.name())) {
                return Err(format!("a struct with two fields of the name {:?}", twice.name()));
            }
            if fields.is_empty() {
                return Err("a struct without fields".to_owned());
            }
            DataType::Struct(fields.iter().map(|field| inner(field.name(), field)).collect::<Result<_, _>>()?)
        }
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let key = of_any_depth(fields[0].data_type())?;
                if key.is_nested() {
                    return Err(format!("a map whose keys are of type {key}, which no dict has as keys"));
                }
                let value = of_any_depth(fields[1].data_type())?;
                let pair = vec![Field::new("key", key, false), Field::new("value", value, true)];
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair.into()), false)), *sorted)
            }
            _ => return other(),
        },
        _ => return other(),
    })
}

/// What a list or struct holds: anything in it may be null, and a list's elements have Arrow's own name, so
/// that two files do not differ by what no reader looks at.
fn inner(name: &str, field: &FieldRef) -> Result<FieldRef, String> {
    Ok(Arc::new(Field::new(name, of_any_depth(field.data_type())?, true)))
}

fn at_least_ms(unit: TimeUnit) -> TimeUnit {
    if unit == TimeUnit::Second { TimeUnit::Millisecond } else { unit }
}

/// A column in the type that is stored; fails where its type or a value of it has no place on disk.
pub fn store(name: &str, array: &ArrayRef) -> Result<ArrayRef> {
    let kind = array.data_type();
    let refuse = |what: &str| {
        let message = format!("column {name:?} has {what}, which cannot be stored; cast it, or leave it out");
        Error::new(ErrorKind::Type, message)
    };
    let to = canonical(kind).map_err(|what| refuse(&what))?;
    if !kind.is_primitive() && *kind != DataType::Boolean {
        // What came from another library may hold texts that are no UTF-8, or codes beyond its dictionary.
        array.to_data().validate_full().map_err(|error| refuse(&format!("damaged values ({error})")))?;
    }
    let failed = |error: ArrowError| refuse(&format!("values that do not convert ({error})"));
    let Within { array, what, .. } = ranges::within(Arc::clone(array)).map_err(failed)?;
    what.map_or(Ok(()), |what| Err(refuse(&what)))?;
    exact::check(&array).map_err(|what| refuse(&what))?;
    let stored = if *array.data_type() == to {
        Arc::clone(&array)
    } else {
        recast(&array, &to, false).map_err(failed)?
    };
    if stored.logical_null_count() != array.logical_null_count() {
        return Err(refuse(&format!("values beyond what {to} can hold")));
    }
    Ok(stored)
}
