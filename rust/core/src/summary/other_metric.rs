//! Rows as if another metric than their own had scored them: `scores`, a JSON text, has further ones by partition.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema};

use super::json_scores::{ScorePath, is_none, values_of};
use crate::base::error::{Error, ErrorKind, Result};
use crate::types::columns::{Numbers, SCORES, Texts};

/// The column that has scores by other metrics.
pub const OTHERS: &str = "scores";

/// Rows with their scores by a metric. Those of an average over folds that are no test scores are left out: nirs4all
/// 0.6 computed them of samples that the averaged models were trained on.
pub fn scored_by(batch: &RecordBatch, metric: &str) -> Result<RecordBatch> {
    let own = Texts::of(batch, "metric")?;
    let (val, test) = (Numbers::of(batch, SCORES[0])?, Numbers::of(batch, SCORES[1])?);
    let paths = [0, 1].map(|part| ScorePath { part, metric: metric.to_owned() });
    let others = values_of(&paths, batch)?;
    let other = |part: usize, row: usize| Some(others[part][row]).filter(|&score| !is_none(score));
    let scores = (0..batch.num_rows()).map(|row| {
        let is_own = own.get(row) == Some(metric);
        if is_own { (val.get(row), test.get(row)) } else { (other(0, row), other(1, row)) }
    });
    let (val, test): (Vec<_>, Vec<_>) = scores.unzip();
    let made: [(&str, ArrayRef); 3] = [
        ("metric", Arc::new(StringArray::from(vec![metric; batch.num_rows()]))),
        (SCORES[0], Arc::new(Float64Array::from(val))),
        (SCORES[1], Arc::new(Float64Array::from(test))),
    ];
    let schema = batch.schema();
    let is_kept = |name: &str| name != OTHERS && name != "metric" && !SCORES.contains(&name);
    let kept = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| is_kept(field.name()));
    let (mut fields, mut arrays): (Vec<_>, Vec<_>) =
        kept.map(|(field, array)| (field.clone(), array.clone())).unzip();
    for (name, array) in made {
        fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Error::new(ErrorKind::Corrupt, error.to_string()))
}
