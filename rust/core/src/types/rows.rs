//! Prediction rows on their way to disk: the columns that every row has, and mappings that become
//! columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use rayon::prelude::*;

use super::Converted;
use super::schema::{COLUMNS, Type, known, unfit};
use crate::base::error::{Error, ErrorKind, Result};
use crate::types;

/// So many rows are converted in parallel.
const MANY: usize = 2_048;

/// The columns that every segment has.
pub fn schema() -> Result<SchemaRef> {
    Ok(complete(&RecordBatch::new_empty(Arc::new(Schema::empty())))?.schema())
}

/// A batch with all columns that every segment has, each in its type; other columns stay as they are.
pub fn complete(batch: &RecordBatch) -> Result<RecordBatch> {
    let given = batch.schema();
    let column = |(name, kind): &(&str, Type)| match given.column_with_name(name) {
        Some((place, field)) => fit(name, *kind, &types::by_meaning(field, batch.column(place))?),
        None => Ok(new_null_array(&kind.arrow(), batch.num_rows())),
    };
    let mut arrays: Vec<ArrayRef> = if batch.num_rows() < MANY {
        COLUMNS.iter().map(column).collect::<Result<_>>()?
    } else {
        COLUMNS.par_iter().map(column).collect::<Result<_>>()?
    };
    let mut fields: Vec<Field> =
        COLUMNS.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), true)).collect();
    for (field, array) in given.fields().iter().zip(batch.columns()) {
        if known(field.name()).is_none() && *field.data_type() != DataType::Null {
            if fields.iter().any(|other| other.name() == field.name()) {
                let message = format!("column {:?} is there twice", field.name());
                return Err(Error::new(ErrorKind::Argument, message));
            }
            check_name(field.name())?;
            let array = types::store(field.name(), &types::by_meaning(field, array)?)?;
            fields.push(Field::new(field.name(), array.data_type().clone(), true));
            arrays.push(array);
        }
    }
    batch_of(fields, arrays)
}

/// Fails for a name that no library takes.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if !name.contains('\0') {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, format!("column {name:?} has a zero byte in its name; rename it")))
}

/// A known column in its type; fails where a value does not fit.
fn fit(name: &str, kind: Type, array: &ArrayRef) -> Result<ArrayRef> {
    let found = |what: &str| unfit(name, kind, what);
    if !array.data_type().is_primitive() {
        array.to_data().validate_full().map_err(|error| found(&format!("damaged values ({error})")))?;
    }
    let is_whole = match array.data_type() {
        DataType::Dictionary(_, values) => values.is_integer(),
        other => other.is_integer(),
    };
    if kind == Type::Float && is_whole {
        // Readers take the nearest float from files of others; who writes is told.
        let Converted { failed, .. } = types::convert(array, &DataType::Float64)?;
        if failed > 0 {
            return Err(found(&format!("{failed} whole numbers that no 64-bit float is")));
        }
    }
    match types::known_column(kind, array) {
        Ok(Converted { array, failed: 0 }) => Ok(array),
        Ok(Converted { failed, .. }) => {
            Err(found(&format!("{failed} values of type {} that do not convert", array.data_type())))
        }
        Err(_) => Err(found(&format!("of type {}", array.data_type()))),
    }
}

/// One schema for batches of several: all columns, whole numbers as floats where one of them has those.
pub fn unify(schemas: &[SchemaRef]) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = Vec::new();
    for field in schemas.iter().flat_map(|schema| schema.fields()) {
        match fields.iter_mut().find(|other| other.name() == field.name()) {
            None => fields.push(field.as_ref().clone().with_nullable(true)),
            Some(other) => match common(other.data_type(), field.data_type()) {
                Some(both) => other.set_data_type(both),
                None => {
                    let (one, two) = (other.data_type(), field.data_type());
                    let message =
                        format!("column {:?} has type {one} in some rows and {two} in others", field.name());
                    return Err(Error::new(ErrorKind::Schema, message));
                }
            },
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The type that can hold values of two.
pub(crate) fn common(one: &DataType, two: &DataType) -> Option<DataType> {
    let is_number = |kind: &DataType| matches!(kind, DataType::Int64 | DataType::Float64);
    if one == two {
        Some(one.clone())
    } else {
        (is_number(one) && is_number(two)).then_some(DataType::Float64)
    }
}

/// The batch with the columns of a schema that [`unify`] made.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let arrays = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
        // Whole numbers beside floats. Writers refuse those that no float is; a journal of an older version may
        // have some, and is sealed with the floats next to them.
        Some(array) => cast(array, field.data_type())
            .map_err(|error| Error::new(ErrorKind::Schema, format!("column {:?}: {error}", field.name()))),
    });
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(Arc::clone(schema), arrays)
        .map_err(|error| Error::new(ErrorKind::Schema, error.to_string()))
}

pub(crate) fn batch_of(fields: Vec<Field>, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::new(ErrorKind::Argument, error.to_string()))
}

/// A known text column of a batch that has all of them in their order.
pub fn texts<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    let place = COLUMNS.iter().position(|(name, _)| *name == column).unwrap_or_default();
    batch.column(place).as_string()
}

/// Equal neighbours of a column, each with its first row and their number.
pub fn runs_of(values: &StringArray) -> impl Iterator<Item = (Option<&str>, usize, usize)> {
    let value = |row: usize| values.is_valid(row).then(|| values.value(row));
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == values.len() {
            return None;
        }
        if values.null_count() == values.len() {
            start = values.len();
            return Some((None, 0, start));
        }
        let first = value(start);
        let length = (start..values.len()).take_while(|&row| value(row) == first).count();
        start += length;
        Some((first, start - length, length))
    })
}
