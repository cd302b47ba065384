//! Predictions in order.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use n4w_core::base::clock::format_time;
use n4w_core::base::metrics::Direction;
use n4w_core::base::value::Value;
use n4w_core::catalogue::result_configs;
use n4w_core::query::filter::{Asks, Filter, Member};
use n4w_core::query::find;
use n4w_core::query::keys::Sort;
use n4w_core::query::page::{Ask, page};
use n4w_core::query::top::{Query, top};
use n4w_core::summary::report;
use n4w_core::types::columns::SCORES;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use crate::convert::{Converter, errors_value};
use crate::gate::{enter, to_py};
use crate::scan::Rows;
use crate::workspace::{caching, open};

#[pyfunction]
#[pyo3(signature = (
    root, k, metric, score, direction, filters, *, distinct=true, live=true, use_cache=true, threads=0
))]
#[allow(clippy::too_many_arguments)]
pub fn top_predictions<'py>(
    py: Python<'py>,
    root: PathBuf,
    k: usize,
    metric: Option<String>,
    score: Option<String>,
    direction: Option<&str>,
    filters: &Bound<'py, PyDict>,
    distinct: bool,
    live: bool,
    use_cache: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let direction = direction.map(Direction::ranking).transpose().map_err(|error| to_py(py, &error))?;
    let query = Query { k, metric, score, direction, filter: filter(filters)?, distinct };
    let answer = enter(py, threads, None, |progress| {
        let configurations = |runs: &_| result_configs::of_runs(&root, runs, progress);
        top(&root, &query, &configurations, open(live), caching(&root, use_cache), progress)
    })?;
    let records = answer.best.iter().map(|best| report::ranked(&best.ranked, best.n_equal));
    let value = Value::map([
        ("metric", answer.metric.as_str().into()),
        ("direction", answer.direction.name().into()),
        ("ranked_by", SCORES[answer.score].into()),
        ("records", records.collect()),
        ("files_read", (answer.files_read as u64).into()),
        ("errors", errors_value(&answer.errors)),
    ]);
    Converter::new(py).object(&value)
}

/// What a page is asked for by, as keywords.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked<'py> {
    offset: u64,
    limit: usize,
    sort_by: String,
    descending: Option<bool>,
    cursor: Option<String>,
    columns: Option<Vec<String>>,
    live: bool,
    named: String,
    filters: Bound<'py, PyDict>,
}

impl Asked<'_> {
    fn ask(self) -> PyResult<Ask> {
        Ok(Ask {
            filter: filter(&self.filters)?,
            named: self.named,
            sort: Sort { column: self.sort_by, descending: self.descending, direction: None },
            offset: self.offset,
            limit: self.limit,
            cursor: self.cursor,
            columns: self.columns,
            open: open(self.live),
        })
    }
}

#[pyfunction]
#[pyo3(signature = (root, asked, *, as_batch=false, threads=0))]
pub fn page_predictions<'py>(
    py: Python<'py>,
    root: PathBuf,
    asked: Asked<'py>,
    as_batch: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let ask = asked.ask()?;
    let answer = enter(py, threads, None, |progress| page(&root, &ask, progress))?;
    let records = if as_batch { None } else { records(&answer.rows) };
    let batch = records.is_none().then(|| Rows { batch: answer.rows.clone() });
    let value = Value::map([
        ("records", records.unwrap_or(Value::Null)),
        ("total", answer.total.into()),
        ("offset", answer.offset.into()),
        ("has_more", answer.has_more().into()),
        ("next_cursor", answer.next_cursor.as_deref().into()),
        ("errors", errors_value(&answer.errors)),
    ]);
    let dict = Converter::new(py).object(&value)?.cast_into::<PyDict>()?;
    dict.set_item("batch", batch)?;
    Ok(dict)
}

#[pyfunction]
#[pyo3(signature = (root, id, filters, *, threads=0))]
pub fn find_predictions<'py>(
    py: Python<'py>,
    root: PathBuf,
    id: &str,
    filters: &Bound<'py, PyDict>,
    threads: usize,
) -> PyResult<(Vec<Rows>, Bound<'py, PyAny>)> {
    let filter = filter(filters)?;
    let (rows, errors) = enter(py, threads, None, |progress| find::with_id(&root, id, &filter, progress))?;
    let rows = rows.into_iter().map(|batch| Rows { batch }).collect();
    Ok((rows, Converter::new(py).object(&errors_value(&errors))?))
}

#[pyfunction]
pub fn find_arrays(py: Python<'_>, path: PathBuf, ids: Vec<String>) -> PyResult<Vec<Rows>> {
    let found = enter(py, 0, None, |_| find::arrays(&path, &ids))?;
    Ok(found.into_iter().map(|batch| Rows { batch }).collect())
}

/// Rows as dicts, times as texts; `None` where a column has values that only Arrow can tell.
fn records(rows: &RecordBatch) -> Option<Value> {
    let schema = rows.schema();
    let mut columns = Vec::with_capacity(rows.num_columns());
    for (field, array) in schema.fields().iter().zip(rows.columns()) {
        // Of times Python makes one itself, that of when a row was made; others come as Arrow has them.
        let is_other_time = field.data_type().is_temporal() && field.name() != "created_at";
        columns.push((field.name().clone(), values(array).filter(|_| !is_other_time)?));
    }
    let mut columns: Vec<_> = columns.into_iter().map(|(name, values)| (name, values.into_iter())).collect();
    let row = |_| {
        let entries =
            columns.iter_mut().filter_map(|(name, values)| Some((name.clone().into(), values.next()?)));
        Value::Map(entries.collect())
    };
    Some(Value::List((0..rows.num_rows()).map(row).collect()))
}

fn values(array: &ArrayRef) -> Option<Vec<Value>> {
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(Value::from).collect(),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().map(Value::from).collect(),
        DataType::Utf8 => array.as_string::<i32>().iter().map(Value::from).collect(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let times = array.as_primitive::<TimestampMicrosecondType>().iter();
            times.map(|time| time.and_then(format_time).as_deref().into()).collect()
        }
        _ => return None,
    })
}

/// A text, or a whole number, such as that of a fold, as one.
fn text(name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let number = || Some(value).filter(|value| !value.is_instance_of::<PyBool>())?.extract::<i64>().ok();
    match value.extract::<String>() {
        Ok(text) => Ok(text),
        Err(_) => number().map(|number| number.to_string()).ok_or_else(|| {
            PyTypeError::new_err(format!("filter {name} is {}; it must be one text", repr(value)))
        }),
    }
}

fn repr(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| "of another type".to_owned(), |text| text.to_string())
}

/// Filters by name; those of None do not filter.
fn filter(filters: &Bound<'_, PyDict>) -> PyResult<Filter> {
    let mut filter = Filter::default();
    for (name, value) in filters.iter().filter(|(_, value)| !value.is_none()) {
        let asks = Asks::of(&name.extract::<String>()?).map_err(|error| to_py(filters.py(), &error))?;
        match asks {
            Asks::Equal(column) => filter.add_equal(column, text(&name, &value)?),
            Asks::AtLeast(score) => filter.ranges.push((score, value.extract()?..=f64::INFINITY)),
            Asks::AtMost(score) => filter.ranges.push((score, f64::NEG_INFINITY..=value.extract()?)),
            Asks::Contains => filter.preprocessings_contains = Some(value.extract()?),
            Asks::ScoresAtLeast => add_scores(&mut filter, &value, |bound| bound..=f64::INFINITY)?,
            Asks::ScoresAtMost => add_scores(&mut filter, &value, |bound| f64::NEG_INFINITY..=bound)?,
            Asks::Runs => filter.runs = Some(value.extract::<Vec<String>>()?.into_iter().collect()),
            Asks::Members => {
                filter.members = Some(value.extract::<Vec<Member>>()?.into_iter().collect());
            }
        }
    }
    Ok(filter)
}

/// Bounds of numbers of `scores`, by their names.
fn add_scores(
    filter: &mut Filter,
    bounds: &Bound<'_, PyAny>,
    range: impl Fn(f64) -> RangeInclusive<f64>,
) -> PyResult<()> {
    for (name, bound) in bounds.cast::<PyDict>()?.iter().filter(|(_, bound)| !bound.is_none()) {
        let added = filter.add_scores(&name.extract::<String>()?, range(bound.extract()?));
        added.map_err(|error| to_py(bounds.py(), &error))?;
    }
    Ok(())
}
