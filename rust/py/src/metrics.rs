//! The table of metrics.

use n4w_core::base::metrics::{self, Direction, Metric, Pooling};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

use crate::gate::to_py;

/// One row of the table of metrics.
#[pyclass(frozen, get_all, eq, module = "nirs4all_workspace")]
#[derive(PartialEq)]
pub struct MetricInfo {
    name: String,
    aliases: Vec<String>,
    direction: &'static str,
    optimum: Option<f64>,
    range: (f64, f64),
    pooling: &'static str,
}

#[pymethods]
impl MetricInfo {
    /// Reads like a row: `info["direction"]` is `info.direction`.
    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        if ["name", "aliases", "direction", "optimum", "range", "pooling"].contains(&key) {
            slf.getattr(key)
        } else {
            Err(PyKeyError::new_err(key.to_owned()))
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let info = py.import("nirs4all_workspace._native")?.getattr("metric_info")?;
        Ok((info, (self.name.clone(),)))
    }

    fn __repr__(&self) -> String {
        format!("MetricInfo(name={:?}, direction={:?}, range={:?})", self.name, self.direction, self.range)
    }
}

fn find(py: Python<'_>, name: &str) -> PyResult<Metric> {
    metrics::find(name).ok_or_else(|| to_py(py, &metrics::unknown(name)))
}

#[pyfunction]
pub fn metric_info(py: Python<'_>, name: &str) -> PyResult<MetricInfo> {
    let Metric { name, aliases, direction, optimum, range, pooling } = find(py, name)?;
    Ok(MetricInfo { name, aliases, direction: direction.name(), optimum, range, pooling: pooling.name() })
}

#[pyfunction]
pub fn metric_names() -> Vec<String> {
    metrics::all().into_iter().flat_map(|metric| std::iter::once(metric.name).chain(metric.aliases)).collect()
}

#[pyfunction]
pub fn is_better(py: Python<'_>, a: f64, b: f64, metric: &str) -> PyResult<bool> {
    let direction = find(py, metric)?.direction;
    Ok(match (direction.goodness(a), direction.goodness(b)) {
        (Some(a), Some(b)) => a > b,
        (a, b) => a.is_some() && b.is_none(),
    })
}

#[pyfunction]
#[pyo3(signature = (name, direction, *, aliases=vec![], optimum=None, range=(f64::NEG_INFINITY, f64::INFINITY)))]
pub fn register_metric(
    py: Python<'_>,
    name: String,
    direction: &str,
    aliases: Vec<String>,
    optimum: Option<f64>,
    range: (f64, f64),
) -> PyResult<()> {
    Direction::ranking(direction)
        .and_then(|direction| {
            let pooling = Pooling::Mean;
            metrics::register(&Metric { name, aliases, direction, optimum, range, pooling })
        })
        .map_err(|error| to_py(py, &error))
}
