//! Rows and arrays on their way into a writer: checked, given what they lack, and kept until a flush.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use twox_hash::XxHash3_64;

use super::arrays::{self, ROLES, Values};
use super::mappings::{Cell, Cells};
use super::writer::{Waiting, Writer};
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::names::same_name;
use crate::decode::value_sizes;
use crate::summary::add_batches;
use crate::types::rows::{runs_of, texts};
use crate::types::{rows, schema};

/// Bytes of mappings or arrays that become a batch, whatever waits longer.
const STAGED_BYTES: usize = 512 << 20;

impl Writer {
    /// Adds one row, with arrays by their place in [`ROLES`], and says whether it is time to flush; a row
    /// that does not fit changes nothing.
    pub fn write(&mut self, row: Vec<(Cow<'_, str>, Cell<'_>)>, found: Vec<(usize, Values)>) -> Result<bool> {
        self.check()?;
        for (name, cell) in &row {
            if let Cell::Text(text) = cell {
                value_sizes::check_value(name, text.len())?;
            }
        }
        for (role, values) in &found {
            value_sizes::check_value(ROLES[*role].0, values.bytes())?;
        }
        if self.table.bytes().max(self.waiting.arrays.bytes()) >= STAGED_BYTES {
            self.stage()?;
        }
        let mut cells = row;
        self.planned.fill_row(&mut cells);
        for (name, cell) in &mut cells {
            if ["id", "run_id", "dataset_name", "result_id"].contains(&&**name) {
                *cell = std::mem::replace(cell, Cell::Null).as_text(name)?;
            }
        }
        let text = |cells: &[(Cow<'_, str>, Cell<'_>)], column: &str| {
            cells.iter().find_map(|(name, cell)| match cell {
                Cell::Text(text) if name == column => Some(text.clone().into_owned()),
                _ => None,
            })
        };
        if let Some((_, Cell::Text(name))) = cells.iter_mut().find(|(column, _)| column == "dataset_name")
            && same_name(name, &self.dataset)
        {
            *name = Cow::Owned(self.dataset.clone());
        }
        for (column, expected) in [("run_id", self.name.run_id.as_str()), ("dataset_name", &self.dataset)] {
            match text(&cells, column) {
                Some(given) if given != expected => return Err(of_another(column, &given, expected)),
                Some(_) => {}
                None => cells.push((Cow::Borrowed(column), Cell::Text(Cow::Owned(expected.to_owned())))),
            }
        }
        if let Some(result) = text(&cells, "result_id") {
            self.check_unfinished(&result)?;
        }
        let given = text(&cells, "id");
        let id = given.clone().unwrap_or_else(|| self.next_id());
        if given.is_some() && !self.ids.insert(hash(&id)) {
            return Err(repeated(&id));
        }
        cells.retain(|(name, cell)| !(name == "id" || name == "created_at" && matches!(cell, Cell::Null)));
        cells.push((Cow::Borrowed("id"), Cell::Text(Cow::Borrowed(&id))));
        if !cells.iter().any(|(name, _)| name == "created_at") {
            cells.push((Cow::Borrowed("created_at"), Cell::Time(now_ns() / 1_000)));
        }
        let found: Vec<_> = found.into_iter().map(|(role, values)| (role, values.hash(), values)).collect();
        for (role, hash, _) in &found {
            // An array says more than an id that a row of elsewhere carries beside it.
            cells.retain(|(name, _)| *name != ROLES[*role].1);
            cells.push((Cow::Borrowed(ROLES[*role].1), Cell::Text(Cow::Owned(arrays::id_of(hash)))));
        }
        let shapes = self.shapes(&cells, &found);
        if let Err(error) = self.table.push(cells.into_iter()) {
            if given.is_some() {
                self.ids.remove(&hash(&id));
            }
            return Err(error);
        }
        if let Some([one, other]) = shapes {
            self.table.seen.add_lengths(&one, &other);
        }
        for (role, hash, values) in &found {
            self.add_array(hash, values, ROLES[*role].2);
        }
        Ok(self.is_due())
    }

    /// The shapes of what a row has as `y_true` and `y_pred`, given or by their ids; None unless both are known.
    fn shapes(&self, cells: &Cells<'_>, found: &[(usize, blake3::Hash, Values)]) -> Option<[Vec<usize>; 2]> {
        if found.len() < 2 && !self.table.seen.has_shapes() {
            return None;
        }
        let shape = |wanted: usize| {
            if let Some((_, _, values)) = found.iter().find(|(role, _, _)| *role == wanted) {
                return Some(values.shape.clone());
            }
            let id = cells.iter().find_map(|(name, cell)| match cell {
                Cell::Text(id) if name == ROLES[wanted].1 => Some(id),
                _ => None,
            });
            self.table.seen.shape(id?).map(<[usize]>::to_vec)
        };
        Some([shape(0)?, shape(1)?])
    }

    fn next_id(&mut self) -> String {
        self.made_ids += 1;
        format!("{}{:08x}", self.name.writer, self.made_ids - 1)
    }

    fn add_array(&mut self, hash: &blake3::Hash, values: &Values, array_type: &str) {
        let key = key_of(hash);
        let is_stored = self.current.as_ref().is_some_and(|open| open.arrays.contains(&key));
        if !is_stored && self.waiting.new_arrays.insert(key) {
            self.waiting.arrays.push(hash, values, array_type);
        }
    }

    /// Stores arrays, each once per content, and returns their ids.
    pub fn write_arrays(&mut self, batches: &[RecordBatch]) -> Result<Vec<String>> {
        self.check()?;
        let mut ids = Vec::new();
        let found = arrays::of_batches(batches)?;
        found.iter().try_for_each(|(values, _)| value_sizes::check_value("array_data", values.bytes()))?;
        for (values, array_type) in found {
            let hash = values.hash();
            self.add_array(&hash, &values, &array_type);
            ids.push(arrays::id_of(&hash));
            self.table.seen.add_array(&ids[ids.len() - 1], &values.shape);
            if self.waiting.arrays.bytes() >= self.options.bytes.min(STAGED_BYTES) {
                self.commit(&[])?;
            }
        }
        Ok(ids)
    }

    /// Rows of a result come before its checkpoint.
    pub(super) fn check_unfinished(&self, result: &str) -> Result<()> {
        let all = self.failed.iter().chain(&self.current);
        if all.into_iter().any(|open| open.finished.contains(result)) {
            let message =
                format!("result {result:?} was checkpointed already; its rows come before its checkpoint");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        Ok(())
    }

    /// Adds the rows of batches with one schema, all or none, and says whether it is time to flush.
    pub fn write_batches(&mut self, batches: &[RecordBatch]) -> Result<bool> {
        self.check()?;
        batches.iter().try_for_each(value_sizes::check_batch)?;
        let pieces =
            batches.iter().filter(|batch| batch.num_rows() > 0).flat_map(value_sizes::pieces_to_convert);
        let batches = pieces.map(|batch| rows::complete(&batch));
        let batches = batches.collect::<Result<Vec<_>>>()?;
        batches.iter().try_for_each(|batch| self.check_batch(batch))?;
        if batches.is_empty() {
            return Ok(false);
        }
        batches.iter().try_for_each(|batch| self.table.check(batch))?;
        self.take_ids(&batches)?;
        batches.iter().for_each(|batch| self.table.admit(batch));
        batches.iter().for_each(|batch| self.table.seen.add_values(batch));
        self.stage()?;
        for batch in batches {
            let batch = self.filled(&batch)?;
            self.count(&batch)?;
            self.waiting.bytes += batch.get_array_memory_size();
            self.waiting.rows += batch.num_rows();
            self.waiting.batches.push(batch);
        }
        Ok(self.is_due())
    }

    fn check_batch(&self, batch: &RecordBatch) -> Result<()> {
        for (column, expected) in [("run_id", self.name.run_id.as_str()), ("dataset_name", &self.dataset)] {
            let values = texts(batch, column);
            let is_other =
                |value: &&str| *value != expected && (column == "run_id" || !same_name(value, expected));
            if let Some(other) = values.iter().flatten().find(is_other) {
                return Err(of_another(column, other, expected));
            }
        }
        for result in runs_of(texts(batch, "result_id")).filter_map(|(result, _, _)| result) {
            self.check_unfinished(result)?;
        }
        Ok(())
    }

    /// Takes note of the ids of batches, or of none where one is repeated.
    fn take_ids(&mut self, batches: &[RecordBatch]) -> Result<()> {
        let ids = || batches.iter().flat_map(|batch| texts(batch, "id").iter().flatten());
        for (place, id) in ids().enumerate() {
            if !self.ids.insert(hash(id)) {
                for id in ids().take(place) {
                    self.ids.remove(&hash(id));
                }
                return Err(repeated(id));
            }
        }
        Ok(())
    }

    /// The batch with ids, times, run and dataset where they are missing.
    fn filled(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        self.planned.fill_columns(batch, &mut columns);
        let now = now_ns() / 1_000;
        for (place, (column, _)) in schema::COLUMNS.iter().enumerate() {
            if *column == "dataset_name" && !self.dataset.is_ascii() {
                // Also where it is there, but in another normal form.
                columns[place] = Arc::new(StringArray::from(vec![self.dataset.as_str(); batch.num_rows()]));
            }
            if columns[place].null_count() == 0 {
                continue;
            }
            let fill = |value: &str| -> ArrayRef {
                Arc::new(
                    texts(batch, column)
                        .iter()
                        .map(|text| Some(text.unwrap_or(value)))
                        .collect::<StringArray>(),
                )
            };
            match *column {
                "run_id" => columns[place] = fill(&self.name.run_id),
                "dataset_name" => columns[place] = fill(&self.dataset),
                "id" => {
                    let ids = texts(batch, column).iter();
                    let ids: Vec<String> =
                        ids.map(|id| id.map_or_else(|| self.next_id(), str::to_owned)).collect();
                    columns[place] = Arc::new(StringArray::from(ids));
                }
                "created_at" => {
                    let times = columns[place].as_primitive::<TimestampMicrosecondType>();
                    let filled: TimestampMicrosecondArray =
                        times.iter().map(|time| time.or(Some(now))).collect();
                    columns[place] = Arc::new(filled.with_timezone("UTC"));
                }
                _ => {}
            }
        }
        RecordBatch::try_new(batch.schema(), columns)
            .map_err(|error| Error::new(ErrorKind::Argument, error.to_string()))
    }

    /// Makes a batch of the mappings that wait.
    pub(super) fn stage(&mut self) -> Result<()> {
        if let Some(batch) = self.table.take()? {
            self.count(&batch)?;
            self.waiting.bytes += batch.get_array_memory_size();
            self.waiting.rows += batch.num_rows();
            self.waiting.batches.push(batch);
        }
        self.waiting.bytes += self.waiting.arrays.bytes();
        self.waiting.array_batches.extend(self.waiting.arrays.take()?);
        Ok(())
    }

    fn count(&mut self, batch: &RecordBatch) -> Result<()> {
        add_batches(&mut self.waiting.summary, std::slice::from_ref(batch))?;
        for (result, start, length) in runs_of(texts(batch, "result_id")) {
            if let Some(result) = result {
                self.unfinished.entry(result.to_owned()).or_default().add(&batch.slice(start, length))?;
            }
        }
        Ok(())
    }

    fn is_due(&mut self) -> bool {
        let since = *self.waiting.since.get_or_insert_with(Instant::now);
        let Waiting { rows, bytes, arrays, .. } = &self.waiting;
        rows + self.table.rows() >= self.options.rows
            || bytes + self.table.bytes() + arrays.bytes() >= self.options.bytes
            || since.elapsed() >= self.options.age
    }
}

/// The results that the rows of batches name, sorted; an error where the column holds no texts.
pub fn results_of(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut found = BTreeSet::new();
    for batch in batches {
        let Some(place) = batch.schema().column_with_name("result_id").map(|(place, _)| place) else {
            continue;
        };
        let column =
            batch.project(&[place]).map_err(|error| Error::new(ErrorKind::Argument, error.to_string()))?;
        let column = rows::complete(&column)?;
        found.extend(
            runs_of(texts(&column, "result_id")).filter_map(|(result, _, _)| Some(result?.to_owned())),
        );
    }
    Ok(found.into_iter().collect())
}

fn key_of(hash: &blake3::Hash) -> u128 {
    let bytes = hash.as_bytes();
    bytes[..12].iter().fold(0, |key, &byte| key << 8 | u128::from(byte))
}

fn hash(id: &str) -> u64 {
    XxHash3_64::oneshot(id.as_bytes())
}

fn of_another(column: &str, given: &str, expected: &str) -> Error {
    let message = format!("{column} is {given:?}, and this writer writes {expected:?}; open a writer for it");
    Error::new(ErrorKind::Argument, message)
}

fn repeated(id: &str) -> Error {
    let message =
        format!("id {id:?} was written already; ids are unique within a run, leave it out to have one made");
    Error::new(ErrorKind::Argument, message)
}
