//! The columns that every row has, and their types.

use arrow_schema::{DataType, FieldRef, Schema, TimeUnit};

use crate::base::error::{Error, ErrorKind};

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

/// The type of a column that every segment has; `None` of others.
pub fn known(name: &str) -> Option<Type> {
    COLUMNS.iter().find(|(column, _)| *column == name).map(|(_, kind)| *kind)
}

pub(crate) fn extras(schema: &Schema) -> impl Iterator<Item = &FieldRef> {
    schema.fields().iter().filter(|field| known(field.name()).is_none())
}

pub(crate) fn whole(value: f64) -> Option<i64> {
    // 2^63 is the first float beyond; its negative is the first within.
    let limit = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && value >= -limit && value < limit).then_some(value as i64)
}

/// The error of a value that a column of a known type cannot hold.
pub fn unfit(column: &str, kind: Type, found: &str) -> Error {
    Error::new(ErrorKind::Type, format!("column {column:?} must be {} or null, not {found}", kind.name()))
}
