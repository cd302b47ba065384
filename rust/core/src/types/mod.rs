//! The one rule for columns: which types can be stored, in which type a column of many files is answered,
//! which file is an error, and which values do not convert.
//!
//! Every reader asks here, so that a column has the same type and the same values in all answers.

mod answer;
pub mod columns;
mod conform;
mod convert;
mod meaning;
mod ranges;
pub mod rows;
mod stored;
mod text;

pub use answer::{accepts, check, common, reads_as, shown};
pub use conform::{Lost, all_names, answer_schema, answer_type, conform};
pub use convert::{Converted, convert, known_column};
pub use meaning::by_meaning;
pub use ranges::{is_duration, is_time};
pub use stored::{canonical, store};

use arrow_schema::DataType;

/// The most levels of lists, structs and maps that every reader of Arrow IPC and Parquet follows.
pub const DEEPEST: usize = 60;

/// Levels of nested values in a type; 0 for a flat one.
pub(crate) fn depth(kind: &DataType) -> usize {
    match kind {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => 1 + depth(field.data_type()),
        DataType::Struct(fields) => {
            1 + fields.iter().map(|field| depth(field.data_type())).max().unwrap_or(0)
        }
        DataType::Dictionary(_, values) => depth(values),
        _ => 0,
    }
}
