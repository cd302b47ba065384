//! What rows take from the result that they name, where they lack it: it was said when the run was planned.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};

use super::mappings::{Cell, Cells};
use crate::base::error::Result;
use crate::types::rows::{self, runs_of, texts};
use crate::types::schema::{COLUMNS, Type};

/// The columns that a result gives to its rows.
pub const FIELDS: [&str; 5] = ["config_name", "template_id", "task_type", "n_samples", "n_features"];

/// The values of [`FIELDS`] by result.
#[derive(Debug, Default)]
pub struct Planned(HashMap<String, [Cell<'static>; FIELDS.len()]>);

impl Planned {
    /// The result of a row that lacks something, if it was not [planned](Self::insert) yet.
    pub fn unplanned(&self, row: &Cells<'_>) -> Option<String> {
        let result = result_of(row)?;
        (!self.0.contains_key(result) && lacking(row) != 0).then(|| result.to_owned())
    }

    /// The results of batches whose rows lack something, if they were not [planned](Self::insert) yet.
    pub fn unplanned_of_batches(&self, batches: &[RecordBatch]) -> Result<Vec<String>> {
        let mut found = BTreeSet::new();
        let is_given = |batch: &RecordBatch, name: &str| {
            batch.column_by_name(name).is_some_and(|column| column.null_count() == 0)
        };
        for batch in batches.iter().filter(|batch| batch.column_by_name("result_id").is_some()) {
            if FIELDS.iter().all(|field| is_given(batch, field)) {
                continue;
            }
            let named: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            let wanted = |name: &String| FIELDS.contains(&name.as_str()) || name == "result_id";
            let places: Vec<_> = (0..named.len()).filter(|place| wanted(&named[*place])).collect();
            let Ok(batch) = batch.project(&places) else { continue };
            let batch = rows::complete(&batch)?;
            if !FIELDS.iter().any(|field| batch.column(place_of(field)).null_count() > 0) {
                continue;
            }
            let named = runs_of(texts(&batch, "result_id")).filter_map(|(result, _, _)| result);
            let unknown = named.filter(|result| !self.0.contains_key(*result));
            found.extend(unknown.map(str::to_owned));
        }
        Ok(found.into_iter().collect())
    }

    /// Gives the rows of a result, from now on, the values that they lack.
    pub fn insert(&mut self, result: String, values: [Cell<'static>; FIELDS.len()]) {
        self.0.insert(result, values);
    }

    /// Forgets a result, which has no more rows.
    pub(super) fn forget(&mut self, result: &str) {
        self.0.remove(result);
    }

    /// Adds to a row what it lacks and its result has.
    pub(super) fn fill_row(&self, row: &mut Vec<(Cow<'_, str>, Cell<'_>)>) {
        if self.0.is_empty() {
            return;
        }
        let missing = lacking(row);
        let Some(values) = result_of(row).and_then(|result| self.0.get(result)) else { return };
        for (bit, (name, value)) in FIELDS.iter().zip(values).enumerate() {
            if missing & 1 << bit != 0 && !matches!(value, Cell::Null) {
                row.retain(|(column, _)| column != name);
                row.push((Cow::Borrowed(name), value.clone()));
            }
        }
    }

    /// Adds to the columns of a complete batch what they lack and the results of their rows have.
    pub(super) fn fill_columns(&self, batch: &RecordBatch, columns: &mut [ArrayRef]) {
        let results = texts(batch, "result_id");
        if self.0.is_empty() || results.null_count() == results.len() {
            return;
        }
        // Of each stretch of rows with one result what it gives, and their number.
        let planned: Vec<_> = runs_of(results)
            .map(|(result, _, length)| (result.and_then(|result| self.0.get(result)), length))
            .collect();
        let of_rows = |field: usize| {
            let values = planned.iter().map(move |(values, length)| (values.map(|it| &it[field]), *length));
            values.flat_map(|(value, length)| std::iter::repeat_n(value, length))
        };
        for (field, name) in FIELDS.iter().enumerate() {
            let column = &mut columns[place_of(name)];
            if column.null_count() == 0 {
                continue;
            }
            *column = if COLUMNS[place_of(name)].1 == Type::Int {
                let given = column.as_primitive::<Int64Type>().iter().zip(of_rows(field));
                let filled = given.map(|(value, planned)| match (value, planned) {
                    (None, Some(Cell::Int(value))) => Some(*value),
                    (value, _) => value,
                });
                Arc::new(filled.collect::<Int64Array>())
            } else {
                let given = column.as_string::<i32>().iter().zip(of_rows(field));
                let filled = given.map(|(value, planned)| match (value, planned) {
                    (None, Some(Cell::Text(value))) => Some(value.as_ref()),
                    (value, _) => value,
                });
                Arc::new(filled.collect::<StringArray>())
            };
        }
    }
}

fn place_of(name: &str) -> usize {
    COLUMNS.iter().position(|(column, _)| *column == name).unwrap_or_default()
}

fn result_of<'a>(row: &'a Cells<'_>) -> Option<&'a str> {
    row.iter().find_map(|(name, cell)| match cell {
        Cell::Text(text) if name == "result_id" => Some(text.as_ref()),
        _ => None,
    })
}

/// Which of [`FIELDS`] a row lacks, a bit each.
fn lacking(row: &Cells<'_>) -> u8 {
    let mut missing = (1 << FIELDS.len()) - 1;
    for (name, cell) in row {
        if !matches!(cell, Cell::Null)
            && let Some(bit) = FIELDS.iter().position(|field| name == field)
        {
            missing &= !(1 << bit);
        }
    }
    missing
}
