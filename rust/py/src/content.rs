//! Names made of content.

use n4w_core::base::content;
use pyo3::prelude::*;

#[pyfunction]
#[pyo3(signature = (content, digits=64))]
pub fn blake3_hex(content: &[u8], digits: usize) -> String {
    content::blake3_hex(content, digits)
}
