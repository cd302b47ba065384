//! Prediction rows on their way to disk: the columns that every row has, and mappings that become
//! columns.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use rayon::prelude::*;

use super::Converted;
use crate::base::error::{Error, ErrorKind, Result};
use crate::types;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// 64-bit integers.
    Int,
    /// 64-bit floats.
    Float,
    /// Text.
    Text,
    /// µs since 1970, UTC.
    Time,
    /// µs between two times.
    Duration,
}

impl Type {
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        [Self::Bool, Self::Int, Self::Float, Self::Text, Self::Time, Self::Duration]
            .into_iter()
            .find(|kind| kind.arrow() == *data_type)
    }

    pub(crate) fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Duration => DataType::Duration(TimeUnit::Microsecond),
        }
    }

    /// One word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Time => "time",
            Self::Duration => "duration",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Text => "a text",
            Self::Time => "a time in ISO-8601",
            Self::Duration => "a duration",
        }
    }
}

/// The columns that every segment has, in their order.
pub const COLUMNS: [(&str, Type); 39] = [
    ("id", Type::Text),
    ("dataset_name", Type::Text),
    ("dataset_path", Type::Text),
    ("config_name", Type::Text),
    ("config_path", Type::Text),
    ("pipeline_uid", Type::Text),
    ("step_idx", Type::Int),
    ("op_counter", Type::Int),
    ("model_name", Type::Text),
    ("model_classname", Type::Text),
    ("model_path", Type::Text),
    ("model_artifact_id", Type::Text),
    ("trace_id", Type::Text),
    ("fold_id", Type::Text),
    ("partition", Type::Text),
    ("val_score", Type::Float),
    ("test_score", Type::Float),
    ("train_score", Type::Float),
    ("metric", Type::Text),
    ("task_type", Type::Text),
    ("n_samples", Type::Int),
    ("n_features", Type::Int),
    ("preprocessings", Type::Text),
    ("best_params", Type::Text),
    ("metadata", Type::Text),
    ("scores", Type::Text),
    ("branch_id", Type::Int),
    ("branch_name", Type::Text),
    ("exclusion_count", Type::Int),
    ("exclusion_rate", Type::Float),
    ("y_true_id", Type::Text),
    ("y_pred_id", Type::Text),
    ("y_proba_id", Type::Text),
    ("sample_indices_id", Type::Text),
    ("weights_id", Type::Text),
    ("run_id", Type::Text),
    ("result_id", Type::Text),
    ("template_id", Type::Text),
    ("created_at", Type::Time),
];

pub(crate) fn extras(schema: &Schema) -> impl Iterator<Item = &FieldRef> {
    schema.fields().iter().filter(|field| known(field.name()).is_none())
}

/// The type of a column that every segment has; `None` of others.
pub fn known(name: &str) -> Option<Type> {
    COLUMNS.iter().find(|(column, _)| *column == name).map(|(_, kind)| *kind)
}

/// So many rows are converted in parallel.
const MANY: usize = 2_048;

pub(crate) fn whole(value: f64) -> Option<i64> {
    // 2^63 is the first float beyond; its negative is the first within.
    let limit = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && value >= -limit && value < limit).then_some(value as i64)
}

/// The error of a value that a column of a known type cannot hold.
pub fn unfit(column: &str, kind: Type, found: &str) -> Error {
    Error::new(ErrorKind::Type, format!("column {column:?} must be {} or null, not {found}", kind.name()))
}

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
