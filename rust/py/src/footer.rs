//! Footers of many files.

use std::path::PathBuf;

use n4w_core::Result;
use n4w_core::base::value::Value;
use n4w_core::footer::TailReader;
use pyo3::prelude::*;
use pyo3::types::PyList;
use rayon::prelude::*;

use crate::convert::Converter;
use crate::gate::{absolute, enter, to_py};

#[pyfunction]
#[pyo3(signature = (paths, keys=None, *, threads=0))]
pub fn read_footers<'py>(
    py: Python<'py>,
    paths: Vec<PathBuf>,
    keys: Option<Vec<String>>,
    threads: usize,
) -> PyResult<Bound<'py, PyList>> {
    let paths = paths.into_iter().map(|path| absolute(py, path)).collect::<PyResult<Vec<_>>>()?;
    let footers = enter(py, threads, None, |progress| {
        let one = |tails: &mut TailReader, path: &PathBuf| {
            progress.check()?;
            Ok(read(tails, path, keys.as_deref()))
        };
        paths.par_iter().map_init(TailReader::default, one).collect::<Result<Vec<_>>>()
    })?;
    let mut converter = Converter::new(py);
    let list = PyList::empty(py);
    for footer in footers {
        match footer {
            Ok(value) => list.append(converter.object(&value)?)?,
            Err(error) => list.append(to_py(py, &error))?,
        }
    }
    Ok(list)
}

fn read(tails: &mut TailReader, path: &std::path::Path, keys: Option<&[String]>) -> Result<Value> {
    let tail = tails.read(path)?;
    let footer = tail.footer().map_err(|error| error.at(path))?;
    let asked =
        footer.pairs().filter(|(key, _)| keys.is_none_or(|keys| keys.iter().any(|asked| asked == key)));
    let pairs = asked.map(|(key, value)| (key.to_owned().into(), value.into())).collect();
    Ok(Value::map([
        ("path", path.to_string_lossy().as_ref().into()),
        ("num_rows", footer.num_rows.into()),
        ("num_row_groups", footer.num_row_groups.into()),
        ("created_by", footer.created_by.into()),
        ("schema_fingerprint", format!("{:016x}", footer.schema_fingerprint()).as_str().into()),
        ("key_values", Value::Map(pairs)),
    ]))
}
