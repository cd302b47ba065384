//! Which of several checkpoints of one result wins: writers that checkpointed it went on in copies.

use std::collections::HashMap;

/// What decides between the checkpoints of one result: the smallest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank<'a> {
    /// A result that is done comes before a failed one.
    pub is_failed: bool,
    /// When it was checkpointed, as the checkpoint says it.
    pub completed_at: &'a str,
    /// The writer that checkpointed it.
    pub writer: &'a str,
}

impl<'a> Rank<'a> {
    /// The rank of a checkpoint by its `status` and `completed_at`; what is not failed is done.
    pub fn new(status: Option<&str>, completed_at: Option<&'a str>, writer: &'a str) -> Self {
        Self { is_failed: status == Some("failed"), completed_at: completed_at.unwrap_or_default(), writer }
    }
}

/// Which of some checkpoints, each with the id of its result, win: one of each result.
pub fn winners<'a>(checkpoints: impl IntoIterator<Item = (&'a str, Rank<'a>)>) -> Vec<bool> {
    let mut best = HashMap::<&str, (Rank<'_>, usize)>::new();
    let mut count = 0;
    for (place, (id, rank)) in checkpoints.into_iter().enumerate() {
        let known = best.entry(id).or_insert((rank, place));
        if rank < known.0 {
            *known = (rank, place);
        }
        count = place + 1;
    }
    let mut wins = vec![false; count];
    best.into_values().for_each(|(_, place)| wins[place] = true);
    wins
}
