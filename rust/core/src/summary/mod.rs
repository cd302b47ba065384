//! Mergeable summaries of prediction rows.

mod accumulator;
mod batch;
mod codec;
pub mod columns;
pub mod distinct;
pub mod embedded;
pub mod moments;
pub mod names;
pub mod quantiles;
pub mod report;
pub mod topk;

pub use accumulator::{Accumulator, Group, Row, ScoreStats, TOP_K};
pub use batch::{add_batches, split_by_dataset};
pub use codec::{Reader, Writer};

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What is known of each dataset, by its name.
pub type Datasets = BTreeMap<String, Accumulator>;

/// What is known of several datasets together.
pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Accumulator>) -> Accumulator {
    let mut whole = Accumulator::default();
    parts.into_iter().for_each(|part| whole.merge(part));
    whole
}

/// Merges what is known of the same datasets.
pub fn merge_datasets(into: &mut Datasets, from: Datasets) {
    for (name, accumulator) in from {
        match into.entry(name) {
            Entry::Vacant(entry) => drop(entry.insert(accumulator)),
            Entry::Occupied(mut entry) => entry.get_mut().merge(&accumulator),
        }
    }
}
