//! What is known of each dataset, merged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::accumulator::Accumulator;

/// What is known of each dataset, by its name.
pub type Datasets = BTreeMap<String, Accumulator>;

/// What is known of several datasets together, but for single configurations; finalized. In parallel.
pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Accumulator>) -> Accumulator {
    const FEW: usize = 8;
    let parts: Vec<&Accumulator> = parts.into_iter().collect();
    let few = |parts: &[&Accumulator]| {
        let mut whole = Accumulator::default();
        parts.iter().for_each(|part| whole.merge_outline(part));
        whole
    };
    let mut whole = in_halves(&parts, FEW, &few, &|mut left, right| {
        left.merge_outline(&right);
        left
    });
    whole.finalize_over(&parts);
    whole
}

/// What few parts make, merged with what the others make; in parallel.
///
/// The halves depend on the parts alone: the number of threads must not change an answer.
pub(crate) fn in_halves<T: Sync, M: Send>(
    parts: &[T],
    few: usize,
    make: &(impl Fn(&[T]) -> M + Sync),
    merge: &(impl Fn(M, M) -> M + Sync),
) -> M {
    if parts.len() <= few {
        return make(parts);
    }
    let (left, right) = parts.split_at(parts.len() / 2);
    let half = |parts| in_halves(parts, few, make, merge);
    let (left, right) = rayon::join(|| half(left), || half(right));
    merge(left, right)
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
