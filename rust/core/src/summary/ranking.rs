//! The best candidates of a metric.

use super::topk::TopK;
use crate::base::metrics::Direction;
use crate::types::columns::SCORES;

/// The best candidates of a metric.
///
/// Candidates are the rows of partition "val" where there are any, else all rows; they are ranked by
/// `val_score` where any row has one, else by `test_score`. Both conditions only ever turn true, and
/// a row counted before such a turn is no candidate after it, so one heap is enough.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub(super) has_val_rows: bool,
    pub(super) has_val_scores: bool,
    pub(super) top: TopK,
}

impl Ranking {
    /// The score column that ranks, by its place in [`SCORES`].
    pub fn score(&self) -> usize {
        usize::from(!self.has_val_scores)
    }

    /// Whether only rows of partition "val" are candidates.
    pub fn is_of_val_rows(&self) -> bool {
        self.has_val_rows
    }

    /// The candidates kept.
    pub fn top(&self) -> &TopK {
        &self.top
    }

    /// Takes note of a row before it is offered.
    #[inline]
    pub fn note(&mut self, is_val: bool, has_val_score: bool) {
        if self.changes_with(is_val, has_val_score) {
            self.has_val_rows |= is_val;
            self.has_val_scores |= has_val_score;
            self.top.clear();
        }
    }

    /// Whether such a row makes others the candidates.
    pub(super) fn changes_with(&self, is_val: bool, has_val_score: bool) -> bool {
        (is_val && !self.has_val_rows) || (has_val_score && !self.has_val_scores)
    }

    /// How good a row is, where it is a candidate that could get in.
    #[inline]
    pub fn goodness(
        &self,
        is_val: bool,
        scores: [Option<f64>; SCORES.len()],
        direction: Direction,
    ) -> Option<f64> {
        if self.has_val_rows && !is_val {
            return None;
        }
        direction.goodness(scores[self.score()]?).filter(|&goodness| self.top.admits(goodness))
    }

    pub(super) fn merge(&mut self, other: &Self, direction: Direction) {
        self.note(other.has_val_rows, other.has_val_scores);
        let of_same_kind =
            (self.has_val_rows, self.has_val_scores) == (other.has_val_rows, other.has_val_scores);
        if of_same_kind && direction != Direction::Unknown {
            self.top.merge(&other.top);
        }
    }
}
