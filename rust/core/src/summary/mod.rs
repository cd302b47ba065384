//! Mergeable summaries of prediction rows.

mod accumulator;
mod batch;
mod datasets;
pub mod distinct;
pub mod embedded;
pub mod moments;
pub mod names;
pub mod quantiles;
pub mod report;
mod sketch_reader;
mod sketch_writer;
pub mod tally;
pub mod topk;

pub use accumulator::{Accumulator, Group, Row, ScoreStats, TOP_K};
pub use batch::{add_batches, split_by_dataset};
pub use datasets::{Datasets, merge_datasets, merged};
pub use sketch_reader::SketchReader;
