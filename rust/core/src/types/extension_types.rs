//! What extension types mean: columns whose field says more than how they are stored.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{Array, ArrayRef, BooleanArray, FixedSizeListArray, ListArray, StringArray, StructArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef};

use crate::base::error::{Error, ErrorKind, Result};

/// The key of a field that names its extension type.
const EXTENSION: &str = "ARROW:extension:name";
/// Set by Polars on columns of Python objects.
const OBJECTS: &str = "POLARS_PYTHON_OBJECT";

/// A column by its meaning: that of its extension type where it has one with a type that is stored; fails for
/// all other extension types, nested ones included.
pub fn by_meaning(field: &Field, array: &ArrayRef) -> Result<ArrayRef> {
    if !has_extension(field) {
        return Ok(Arc::clone(array));
    }
    converted(field, array).map_err(|what| {
        let message =
            format!("column {:?} has {what}, which cannot be stored; cast it, or leave it out", field.name());
        Error::new(ErrorKind::Type, message)
    })
}

/// Whether a field or one within it has an extension type.
fn has_extension(field: &Field) -> bool {
    let is_special = |field: &Field| {
        field.metadata().contains_key(EXTENSION)
            || field.metadata().values().any(|value| value.contains(OBJECTS))
    };
    is_special(field) || children(field.data_type()).iter().any(|child| has_extension(child))
}

fn children(kind: &DataType) -> Vec<&FieldRef> {
    match kind {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _)
        | DataType::RunEndEncoded(_, field) => vec![field],
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field).collect(),
        _ => Vec::new(),
    }
}

fn converted(field: &Field, array: &ArrayRef) -> Result<ArrayRef, String> {
    if field.metadata().values().any(|value| value.contains(OBJECTS)) {
        return Err("Python objects".to_owned());
    }
    let refuse = |name: &str| format!("extension type {name} of {}", array.data_type());
    if let Some(name) = field.metadata().get(EXTENSION) {
        return match (name.as_str(), array.data_type()) {
            // Any number but zero is true.
            ("arrow.bool8", DataType::Int8) => {
                let truths = array.as_primitive::<Int8Type>().iter();
                Ok(Arc::new(truths.map(|value| value.map(|value| value != 0)).collect::<BooleanArray>()))
            }
            ("arrow.uuid", DataType::FixedSizeBinary(16)) => {
                let ids = array.as_fixed_size_binary().iter();
                Ok(Arc::new(ids.map(|id| id.map(uuid_text)).collect::<StringArray>()))
            }
            ("arrow.json", DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
                cast(array, &DataType::Utf8).map_err(|error| error.to_string())
            }
            _ => Err(refuse(name)),
        };
    }
    nested(array).map_err(|error| format!("values {error}"))?
}

/// What holds extension types, with their values by their meaning.
fn nested(array: &ArrayRef) -> Result<Result<ArrayRef, String>, arrow_schema::ArrowError> {
    let again = |field: &FieldRef, values: &ArrayRef| {
        let values = if has_extension(field) { converted(field, values)? } else { Arc::clone(values) };
        let kind = values.data_type().clone();
        Ok::<_, String>((Arc::new(Field::new(field.name(), kind, true)), values))
    };
    macro_rules! or_refuse {
        ($converted:expr) => {
            match $converted {
                Ok(converted) => converted,
                Err(what) => return Ok(Err(what)),
            }
        };
    }
    Ok(Ok(match array.data_type() {
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let (field, values) = or_refuse!(again(field, list.values()));
            Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?)
        }
        DataType::LargeList(field) => {
            let list = cast(array, &DataType::List(Arc::clone(field)))?;
            return nested(&list);
        }
        DataType::FixedSizeList(field, length) => {
            let list = array.as_fixed_size_list();
            let (field, values) = or_refuse!(again(field, list.values()));
            Arc::new(FixedSizeListArray::try_new(field, *length, values, list.nulls().cloned())?)
        }
        DataType::Struct(fields) => {
            let rows = array.as_struct();
            let mut parts = Vec::with_capacity(fields.len());
            for (field, values) in fields.iter().zip(rows.columns()) {
                parts.push(or_refuse!(again(field, values)));
            }
            let (fields, values): (Vec<FieldRef>, Vec<ArrayRef>) = parts.into_iter().unzip();
            Arc::new(StructArray::try_new(fields.into(), values, rows.nulls().cloned())?)
        }
        other => return Ok(Err(format!("extension types within type {other}"))),
    }))
}

/// The 16 bytes of an RFC 9562 UUID as people write them.
fn uuid_text(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let digits = format!("{number:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
