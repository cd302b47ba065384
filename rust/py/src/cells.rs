//! Values of mappings on their way into columns. What is not plain is told by `nirs4all_workspace.values`.

use n4w_core::types::schema;
use std::borrow::Cow;

use n4w_core::base::clock::parse_time;
use n4w_core::write::arrays::Values;
use n4w_core::write::mappings::Cell;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

use crate::gate::to_py;

/// A value of a column by its meaning, or why no column can hold it.
pub fn cell_of(value: &Bound<'_, PyAny>, column: &str) -> PyResult<Cell<'static>> {
    static CELL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Some(cell) = plain_cell(value, column)? {
        return Ok(cell);
    }
    let plain = CELL.import(value.py(), "nirs4all_workspace.values.cells", "cell")?.call1((value, column))?;
    if let Some(cell) = plain_cell(&plain, column)? {
        return Ok(cell);
    }
    if let Ok(parts) = plain.cast::<PyTuple>() {
        let micros = parts.get_item(1)?.extract()?;
        let is_time = parts.get_item(0)?.extract::<String>()? == "time";
        return Ok(if is_time { Cell::Time(micros) } else { Cell::Duration(micros) });
    }
    Err(PyTypeError::new_err(format!(
        "column '{column}' has a value of type {}, which no column can hold",
        value.get_type().name()?
    )))
}

/// None, texts, numbers and truth values, as they are.
fn plain_cell(value: &Bound<'_, PyAny>, column: &str) -> PyResult<Option<Cell<'static>>> {
    if value.is_none() {
        return Ok(Some(Cell::Null));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Some(Cell::Text(Cow::Owned(text.to_owned())))),
            Err(_) => {
                text_of(text, &format!("column {column:?}")).map(|text| Some(Cell::Text(Cow::Owned(text))))
            }
        };
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(Some(Cell::Float(number.value())));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Some(Cell::Bool(truth.is_true())));
    }
    if value.is_instance_of::<PyInt>() {
        let too_large = |_| PyValueError::new_err(format!("column '{column}' has a number beyond 64 bits"));
        return value.extract().map(|number| Some(Cell::Int(number))).map_err(too_large);
    }
    if value.is_instance_of::<PyDict>()
        || value.is_instance_of::<PyList>()
        || (value.is_instance_of::<PyTuple>() && !value.is_exact_instance_of::<PyTuple>())
    {
        return json_text(value, column).map(Some);
    }
    Ok(None)
}

fn json_text(value: &Bound<'_, PyAny>, column: &str) -> PyResult<Cell<'static>> {
    let py = value.py();
    if let Some(kind) = schema::known(column).filter(|kind| !matches!(kind, schema::Type::Text)) {
        let what = if value.is_instance_of::<PyDict>() { "a mapping" } else { "a list" };
        return Err(to_py(py, &schema::unfit(column, kind, what)));
    }
    let stored = py.import(intern!(py, "nirs4all_workspace.values.stored"))?;
    let text = stored.call_method1(intern!(py, "cell_text"), (value, column))?;
    Ok(Cell::Text(Cow::Owned(text.extract()?)))
}

/// A text, which may be no Unicode: then it is refused by its name.
pub fn text_of(text: &Bound<'_, PyString>, what: &str) -> PyResult<String> {
    if let Ok(text) = text.to_str() {
        return Ok(text.to_owned());
    }
    let stored = text.py().import(intern!(text.py(), "nirs4all_workspace.values.stored"))?;
    stored.call_method1(intern!(text.py(), "check_text"), (text, what))?.extract()
}

/// A score: a number, a decimal or fraction by the float next to it.
pub fn number_of(value: &Bound<'_, PyAny>, column: &str) -> PyResult<Option<f64>> {
    match cell_of(value, column)? {
        Cell::Null => Ok(None),
        Cell::Float(number) => Ok(Some(number)),
        // The nearest one, as in batches.
        #[allow(clippy::cast_precision_loss, reason = "what is asked for")]
        Cell::Int(number) => Ok(Some(number as f64)),
        _ => {
            Err(PyTypeError::new_err(format!("{column} must be a number or None, not {}", value.get_type())))
        }
    }
}

/// The time that a value of `created_at` says.
pub fn time_of(value: &Bound<'_, PyAny>, column: &str) -> PyResult<Option<i64>> {
    match cell_of(value, column)? {
        Cell::Null => Ok(None),
        Cell::Time(micros) => Ok(Some(micros)),
        Cell::Text(text) => parse_time(&text).map(Some).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            PyValueError::new_err(format!(
                "{column} must be a time, a text in ISO-8601 or None, not the text {shown:?}"
            ))
        }),
        _ => Err(PyTypeError::new_err(format!(
            "{column} must be a time, a text in ISO-8601 or None, not {}",
            value.get_type()
        ))),
    }
}

/// The numbers of an array by their meaning; `None` where all of it is masked.
pub fn array_of(value: &Bound<'_, PyAny>, key: &str) -> PyResult<Option<Values>> {
    let py = value.py();
    if let Some(values) = plain_array(value).or_else(|| plain_list(value)) {
        return Ok(Some(values));
    }
    let values = py.import(intern!(py, "nirs4all_workspace.values.arrays"))?;
    let found = values.call_method1(intern!(py, "array"), (value, key))?;
    if found.is_none() {
        return Ok(None);
    }
    let (flat, shape): (Bound<'_, PyAny>, Vec<usize>) = found.extract()?;
    Ok(Some(Values { data: PyBuffer::<f64>::get(&flat)?.to_vec(py)?, shape }))
}

/// An array of `NumPy` whose elements are 64-bit floats of this machine's byte order.
fn plain_array(value: &Bound<'_, PyAny>) -> Option<Values> {
    static NDARRAY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = value.py();
    let is_array = NDARRAY.import(py, "numpy", "ndarray").is_ok_and(|kind| value.get_type().is(kind));
    let buffer = is_array.then(|| PyBuffer::<f64>::get(value).ok()).flatten()?;
    let is_plain = buffer.dimensions() > 0 && buffer.format().to_bytes() == b"d";
    let data = is_plain.then(|| buffer.to_vec(py).ok()).flatten()?;
    Some(Values { data, shape: buffer.shape().to_vec() })
}

/// A list of floats, and of whole numbers that are floats.
fn plain_list(value: &Bound<'_, PyAny>) -> Option<Values> {
    const EXACT: u64 = 1 << 53;
    let list = value.cast_exact::<PyList>().ok().filter(|list| !list.is_empty())?;
    let number = |item: Bound<'_, PyAny>| {
        if let Ok(number) = item.cast_exact::<PyFloat>() {
            return Some(number.value());
        }
        let whole = item.cast_exact::<PyInt>().ok()?.extract::<i64>().ok()?;
        #[allow(clippy::cast_precision_loss, reason = "it is exact")]
        (whole.unsigned_abs() <= EXACT).then_some(whole as f64)
    };
    let data = list.iter().map(number).collect::<Option<Vec<f64>>>()?;
    Some(Values { shape: vec![data.len()], data })
}
