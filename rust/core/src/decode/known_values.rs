//! Whether all values of a file are ones that every reader knows, as its footer says.

use arrow_schema::{DataType, Schema};

use crate::footer::bounds::Bounds;
use crate::footer::layout::Layout;
use crate::types::allowed;

/// Whether no value of a file can be one that no reader knows: its statistics say so, or its types have none such.
pub fn are_known(schema: &Schema, layout: &Layout) -> bool {
    let limits = schema.fields().iter().map(|field| {
        let mut limits = Vec::new();
        of_leaves(field.data_type(), &mut limits);
        (field.name(), limits)
    });
    let mut leaves = layout.leaves.iter().zip(&layout.bounds).peekable();
    for (name, limits) in limits {
        for limit in limits {
            let Some((_, bounds)) = leaves.next_if(|(leaf, _)| *leaf.column == **name) else { return false };
            let is_known = match (limit, bounds) {
                (None, _) | (_, Bounds::Nulls) => true,
                (Some(_), Bounds::Unknown) => false,
                (Some((first, last)), Bounds::Numbers(low, high)) => first <= *low && *high <= last,
            };
            if !is_known {
                return false;
            }
        }
    }
    leaves.next().is_none()
}

/// The first and last number that a reader knows, for each leaf of a type; `None` where it knows all.
fn of_leaves(kind: &DataType, limits: &mut Vec<Option<(i64, i64)>>) {
    match kind {
        DataType::Dictionary(_, values) => of_leaves(values, limits),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => of_leaves(field.data_type(), limits),
        DataType::Struct(fields) => fields.iter().for_each(|field| of_leaves(field.data_type(), limits)),
        kind => limits.push(
            allowed(kind)
                .map(|range| (*range.start(), *range.end()))
                .filter(|range| *range != (i64::MIN, i64::MAX)),
        ),
    }
}
