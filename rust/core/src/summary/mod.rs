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

use rayon::prelude::*;

/// What is known of each dataset, by its name.
pub type Datasets = BTreeMap<String, Accumulator>;

/// So many datasets are merged at a time: never the number of threads, which must not change an answer.
const PIECE: usize = 8;

/// What is known of several datasets together; in parallel.
pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Accumulator>) -> Accumulator {
    let parts: Vec<&Accumulator> = parts.into_iter().collect();
    let pieces: Vec<Accumulator> = parts
        .par_chunks(PIECE)
        .map(|parts| {
            let mut piece = Accumulator::default();
            parts.iter().for_each(|part| piece.merge(part));
            piece
        })
        .collect();
    let mut pieces = pieces.into_iter();
    let mut whole = pieces.next().unwrap_or_default();
    pieces.for_each(|piece| whole.merge(&piece));
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
