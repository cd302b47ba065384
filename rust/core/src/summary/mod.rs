//! Mergeable summaries of prediction rows.

mod accumulator;
mod batch;
mod datasets;
pub mod distinct;
pub mod embedded;
pub mod fold_scores;
mod group;
pub mod json_scores;
pub mod moments;
pub mod names;
pub mod other_metric;
pub mod quantiles;
mod ranking;
pub mod report;
pub mod result_stats;
mod score_stats;
mod sketch_reader;
mod sketch_writer;
pub mod topk;

pub use self::group::Group;
pub use self::score_stats::ScoreStats;
pub use accumulator::{Accumulator, Row, TOP_K};
pub use batch::{add_batches, split_by_dataset};
pub use datasets::{Datasets, merge_datasets, merged};
pub use sketch_reader::SketchReader;
