//! What is checked of the column chunks of a Parquet file before a decoder is given them.

pub mod batches;
pub mod chunk_checks;
mod chunk_loading;
pub mod chunk_sums;
pub mod chunks;
mod delta_pages;
pub mod known_values;
pub mod page_limits;
mod pages;
pub mod value_sizes;
