//! What must be known of a file before its rows are ordered.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::file_snapshot::{FileSnapshot, read_journal};
use super::filter::{ColumnBounds, Filter};
use super::handles::open_same;
use super::source::Source;
use crate::base::error::{FileError, Result};
use crate::footer::TailReader;
use crate::summary::Accumulator;
use crate::summary::embedded::{self, Embedded};
use crate::types::columns::Texts;

/// What is known of a file.
#[derive(Clone, Debug)]
pub struct Pruning {
    /// Whether its summary leaves it possible that a row fits.
    pub may_match: bool,
    /// The types of the column that orders.
    pub types: Vec<DataType>,
    /// Its metrics, where the order needs them.
    pub metrics: BTreeSet<String>,
    /// What is damaged in it, after the live rows.
    pub damage: Option<FileError>,
}

impl Pruning {
    /// Looks what a file holds: a column's types, and metrics where they are asked for.
    pub fn of(
        listed: &FileSnapshot,
        filter: &Filter,
        column: &str,
        needs_metrics: bool,
        tails: &mut TailReader,
    ) -> Result<Self> {
        let may_match = listed.run_id().is_none_or(|run_id| filter.allows_run(&run_id));
        let mut pruning = Self { may_match, types: Vec::new(), metrics: BTreeSet::new(), damage: None };
        if !may_match {
            return Ok(pruning);
        }
        let type_in =
            |schema: &SchemaRef| schema.field_with_name(column).map(|field| field.data_type().clone()).ok();
        if listed.is_journal() {
            let damage = read_journal(listed, &mut |_, batch| {
                pruning.types.extend(type_in(&batch.schema()));
                if needs_metrics {
                    pruning.metrics.extend(metrics_of(batch)?);
                }
                Ok(())
            })?;
            pruning.types.dedup();
            pruning.damage = damage.map(|error| FileError::new(&listed.name, &error));
            return Ok(pruning);
        }
        let (mut names, mut source) = (None, None);
        if needs_metrics || !filter.is_empty() {
            let file = open_same(&listed.path, listed.identity)?;
            let tail = tails.read_file(&file).map_err(|error| error.at(&listed.path))?;
            let embedded = embedded::read_bytes(tail.bytes()).map_err(|error| error.at(&listed.path))?;
            if let Embedded::Trusted(sketch) = embedded {
                let datasets = sketch.datasets().map_err(|error| error.at(&listed.path))?;
                pruning.may_match = filter.can_be_in(&datasets);
                if !pruning.may_match {
                    return Ok(pruning);
                }
                let groups = datasets.values().flat_map(Accumulator::groups);
                names = Some(groups.map(|(metric, _)| metric.to_owned()).collect());
            }
            source = Some(Source::of_tail(&listed.path, listed.identity, &tail)?);
        }
        let source = match source {
            Some(source) => source,
            None => Source::open(&listed.path, listed.identity)?,
        };
        pruning.types.extend(type_in(source.schema()));
        if needs_metrics {
            pruning.metrics = match names {
                Some(names) => names,
                None => metrics_in(&source)?,
            };
        }
        Ok(pruning)
    }
}

fn metrics_in(source: &Source) -> Result<BTreeSet<String>> {
    let mut metrics = BTreeSet::new();
    for group in 0..source.groups() {
        match source.known(group, "metric") {
            ColumnBounds::Always(metric) => metrics.extend(metric),
            _ => source.read_group(group, &["metric"], &mut |batch| {
                metrics.extend(metrics_of(batch)?);
                Ok(())
            })?,
        }
    }
    Ok(metrics)
}

fn metrics_of(batch: &RecordBatch) -> Result<Vec<String>> {
    let texts = Texts::of(batch, "metric")?;
    Ok(texts.codes(0..batch.num_rows()).names.into_iter().map(str::to_owned).collect())
}
