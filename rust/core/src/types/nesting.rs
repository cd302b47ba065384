//! How deep values may be nested.

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
