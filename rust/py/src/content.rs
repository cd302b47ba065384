//! Names made of content, and names of things as those of files and folders.

use n4w_core::base::{content, file_names, names};
use pyo3::prelude::*;
use pyo3::types::PyString;

#[pyfunction]
#[pyo3(signature = (content, digits=64))]
pub fn blake3_hex(content: &[u8], digits: usize) -> String {
    content::blake3_hex(content, digits)
}

#[pyfunction]
pub fn slug(name: &Bound<'_, PyString>) -> String {
    names::slug(&name.to_string_lossy())
}

#[pyfunction]
pub fn dataset_folder(name: &str) -> String {
    names::dataset_folder(name)
}

#[pyfunction]
pub fn run_of(file: &str) -> Option<&str> {
    file_names::run_of(file)
}
