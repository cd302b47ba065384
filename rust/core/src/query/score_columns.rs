//! Columns that no file has: numbers of the JSON text `scores`, which a query filters, orders or shows.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};

use super::entry::Entry;
use super::file_snapshot::{FileFailure, FileSnapshot};
use super::filter::ColumnBounds;
use super::score_column::ScoreColumn;
use super::score_tables::ScoreTable;
use super::take::{Taken, schema_of, take};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::summary::json_scores::{PARTS, READ, ScorePath, is_none};
use crate::types::columns::{Numbers, Texts};

/// The columns that it is made of, where the numbers of `scores` are known.
fn needs(column: &ScoreColumn, metric: &ColumnBounds) -> &'static [&'static str] {
    const OWN: [[&str; 2]; 3] =
        [["metric", "val_score"], ["metric", "test_score"], ["metric", "train_score"]];
    let is_none_own =
        matches!(metric, ColumnBounds::Always(name) if name.as_deref() != Some(column.path.metric.as_str()));
    if column.takes_own && !is_none_own { &OWN[column.path.part] } else { &[] }
}

/// The values of a batch's rows, which has what it needs, in place of what `scores` has.
fn of_rows(
    column: &ScoreColumn,
    batch: &RecordBatch,
    metric: &ColumnBounds,
    values: ScalarBuffer<f64>,
) -> Result<Float64Array> {
    let array = array_of(values);
    if needs(column, metric).is_empty() {
        return Ok(array);
    }
    let always = if let ColumnBounds::Always(name) = metric { Some(name.as_deref()) } else { None };
    let (metrics, own) = (Texts::of(batch, "metric")?, Numbers::of(batch, column.path.own_column())?);
    let is_own = |row| always.unwrap_or_else(|| metrics.get(row)) == Some(column.path.metric.as_str());
    let rows = array.iter().enumerate();
    Ok(rows.map(|(row, value)| if is_own(row) { own.get(row) } else { value }).collect())
}

/// Those of one query, by name, each with what files have.
#[derive(Clone, Debug, Default)]
pub struct ScoreColumns {
    columns: HashMap<String, (ScoreColumn, Arc<ScoreTable>)>,
}

impl ScoreColumns {
    /// Reads what some files have, for those of some names that are such columns.
    pub fn of<'a>(
        names: impl Iterator<Item = &'a str>,
        root: &Path,
        listed: &[FileSnapshot],
        wanted: &[usize],
        progress: &Progress,
    ) -> Result<Self, FileFailure> {
        let mut columns = HashMap::new();
        for name in names {
            let Some(column) = ScoreColumn::of(name).transpose()? else { continue };
            let table = ScoreTable::of(root, &column.path, listed, wanted, progress)?;
            if column.takes_own && table.is_of_few() {
                // A ranking shows the other partitions, too, which were read together.
                for part in 0..PARTS.len() {
                    let column =
                        ScoreColumn { path: ScorePath { part, ..column.path.clone() }, ..column.clone() };
                    let table = ScoreTable::of(root, &column.path, listed, wanted, progress)?;
                    columns.insert(ScoreColumn::ranking(&column.path), (column, table));
                }
            }
            columns.insert(name.to_owned(), (column, table));
        }
        Ok(Self { columns })
    }

    /// All of them.
    pub fn columns(&self) -> impl Iterator<Item = &ScoreColumn> {
        self.columns.values().map(|(column, _)| column)
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&ScoreColumn> {
        self.columns.get(name).map(|(column, _)| column)
    }

    /// The numbers of the rows at some places, where all are known.
    fn values_at(&self, name: &str, files: &[FileSnapshot], entries: &[Entry]) -> Option<Vec<f64>> {
        let (_, table) = self.columns.get(name)?;
        let value =
            |entry: &Entry| table.of_file(&files[entry.file as usize])?.get(entry.row as usize).copied();
        entries.iter().map(value).collect()
    }

    /// Their names.
    pub fn names(&self) -> BTreeSet<&str> {
        self.columns.keys().map(String::as_str).collect()
    }

    /// The columns that are read of a file for some names.
    pub fn stored<'a>(
        &'a self,
        names: &BTreeSet<&'a str>,
        metric: &ColumnBounds,
        file: &FileSnapshot,
    ) -> Vec<&'a str> {
        let mut stored = BTreeSet::new();
        for name in names {
            match self.columns.get(*name) {
                None => {
                    stored.insert(*name);
                }
                Some((column, table)) => {
                    stored.extend(needs(column, metric));
                    if table.of_file(file).is_none() {
                        stored.extend(READ);
                    }
                }
            }
        }
        stored.into_iter().collect()
    }

    /// A batch of a file with those of these names, its first row at a place.
    pub fn attach<'b>(
        &self,
        names: &BTreeSet<&str>,
        batch: &'b RecordBatch,
        metric: &ColumnBounds,
        file: &FileSnapshot,
        first: u32,
    ) -> Result<Cow<'b, RecordBatch>> {
        let wanted: Vec<_> = names.iter().filter_map(|name| self.columns.get_key_value(*name)).collect();
        if wanted.is_empty() {
            return Ok(Cow::Borrowed(batch));
        }
        let (mut fields, mut arrays) = (batch.schema().fields().to_vec(), batch.columns().to_vec());
        for (name, (column, table)) in wanted {
            let values = match table.of_file(file) {
                Some(values) if values.len() >= first as usize + batch.num_rows() => {
                    values.slice(first as usize, batch.num_rows())
                }
                _ => column.path.values(batch)?.into(),
            };
            let array = of_rows(column, batch, metric, values)?;
            fields.push(Arc::new(Field::new(name, DataType::Float64, true)));
            arrays.push(Arc::new(array));
        }
        batch_of(fields, arrays, batch.num_rows()).map(Cow::Owned)
    }
}

fn array_of(values: ScalarBuffer<f64>) -> Float64Array {
    let nulls = values.iter().map(|value| !is_none(*value)).collect::<NullBuffer>();
    Float64Array::new(values, Some(nulls).filter(|nulls| nulls.null_count() > 0))
}

fn batch_of(fields: Vec<Arc<Field>>, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Error::new(ErrorKind::Schema, error.to_string()))
}

/// The rows at some places, these columns of them, of which some may be made of `scores`: as far as that is known,
/// it is not read again.
pub fn take_with_scores(
    files: &[FileSnapshot],
    entries: &[Entry],
    names: &[String],
    known: &ScoreColumns,
) -> Result<Taken, FileFailure> {
    let made: Vec<_> = names.iter().map(|name| ScoreColumn::of(name).transpose()).collect::<Result<_>>()?;
    if made.iter().all(Option::is_none) {
        return take(files, entries, &schema_of(files, names)?);
    }
    let mut stored: Vec<String> =
        names.iter().zip(&made).filter(|(_, made)| made.is_none()).map(|(name, _)| name.clone()).collect();
    let values: Vec<_> = names.iter().map(|name| known.values_at(name, files, entries)).collect();
    let needed = made.iter().zip(&values).filter_map(|(column, values)| Some((column.as_ref()?, values)));
    let needed = needed.flat_map(|(column, values)| {
        let texts = if values.is_none() { &READ[..] } else { &[] };
        needs(column, &ColumnBounds::Nothing).iter().chain(texts).map(|name| (*name).to_owned())
    });
    for name in needed {
        if !stored.contains(&name) {
            stored.push(name);
        }
    }
    let Taken { rows, lost } = take(files, entries, &schema_of(files, &stored)?)?;
    let (schema, mut fields, mut arrays) = (rows.schema(), Vec::new(), Vec::<ArrayRef>::new());
    for ((name, made), values) in names.iter().zip(&made).zip(values) {
        if let Some(column) = made {
            let values = values.map_or_else(|| column.path.values(&rows), Ok)?.into();
            fields.push(Arc::new(Field::new(name, DataType::Float64, true)));
            arrays.push(Arc::new(of_rows(column, &rows, &ColumnBounds::Nothing, values)?));
        } else if let Some((place, field)) = schema.column_with_name(name) {
            fields.push(Arc::new(field.clone()));
            arrays.push(Arc::clone(rows.column(place)));
        }
    }
    Ok(Taken { rows: batch_of(fields, arrays, rows.num_rows())?, lost })
}
