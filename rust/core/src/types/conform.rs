//! Rows of a file with the columns and types of an answer.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::answer::{common, shown};
use super::convert::{Converted, convert, known_column};
use super::schema::{self, COLUMNS};
use crate::base::error::{Error, ErrorKind, Result};

/// Values of a column that do not convert to the type of an answer, and are null there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The column.
    pub column: String,
    /// The type of the answer.
    pub kind: DataType,
    /// How many values.
    pub values: usize,
}

impl Lost {
    /// Adds what was lost of the same columns.
    pub fn add(all: &mut Vec<Self>, more: Vec<Self>) {
        for lost in more {
            match all.iter_mut().find(|known| known.column == lost.column) {
                Some(known) => known.values += lost.values,
                None => all.push(lost),
            }
        }
    }

    /// As an error of a file, whose other values are there.
    pub fn error(&self) -> Error {
        let Self { column, kind, values } = self;
        let message = format!(
            "column {column:?}: {values} values do not convert to {kind} exactly and are null in this answer"
        );
        Error::new(ErrorKind::Type, message)
    }
}

/// The column in which an answer has a column of these types; of a known one its own type.
pub fn answer_type<'a>(name: &str, types: impl Iterator<Item = &'a DataType>) -> DataType {
    match schema::known(name) {
        Some(kind) => kind.arrow(),
        // A column without a value in any file is text.
        None => match types.map(shown).reduce(|one, two| common(&one, &two)) {
            None | Some(DataType::Null) => DataType::Utf8,
            Some(kind) => kind,
        },
    }
}

/// The columns of these names over files of these columns, or the first name that no file has.
pub fn answer_schema<'n>(schemas: &[SchemaRef], names: &'n [String]) -> Result<SchemaRef, &'n String> {
    let fields = names.iter().map(|name| {
        let types: Vec<&DataType> =
            schemas.iter().filter_map(|schema| Some(schema.column_with_name(name)?.1.data_type())).collect();
        if types.is_empty() && schema::known(name).is_none() {
            return Err(name);
        }
        Ok(Field::new(name, answer_type(name, types.into_iter()), true))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// The names of all columns: the known ones in their order, then the others as they come.
pub fn all_names(schemas: &[SchemaRef]) -> Vec<String> {
    let mut names: Vec<String> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for field in schemas.iter().flat_map(|schema| schema::extras(schema)) {
        if !names.contains(field.name()) {
            names.push(field.name().clone());
        }
    }
    names
}

/// The columns of an answer, as they are in a batch of a file, converted or null.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<(RecordBatch, Vec<Lost>)> {
    let mut lost = Vec::new();
    let arrays = schema.fields().iter().map(|field| {
        let (name, kind) = (field.name(), field.data_type());
        let Some(array) = batch.column_by_name(name) else {
            return Ok(new_null_array(kind, batch.num_rows()));
        };
        let Converted { array, failed } = column(name, array, kind)?;
        if failed > 0 {
            lost.push(Lost { column: name.clone(), kind: kind.clone(), values: failed });
        }
        Ok(array)
    });
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let rows = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|error| Error::new(ErrorKind::Schema, format!("rows do not fit the answer: {error}")))?;
    Ok((rows, lost))
}

/// One column in the type of an answer, which is that of a known column, or text, or what files have in common.
fn column(name: &str, array: &ArrayRef, kind: &DataType) -> Result<Converted> {
    let named = |error: Error| Error { message: format!("column {name:?} {}", error.message), ..error };
    match schema::known(name) {
        Some(known) if known.arrow() == *kind => known_column(known, array).map_err(named),
        _ => convert(array, kind).map_err(named),
    }
}
