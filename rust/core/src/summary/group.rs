//! The rows of one metric.

use super::names::{Names, ScoreTotals};
use super::ranking::Ranking;
use super::score_stats::ScoreStats;
use super::topk::TopK;
use crate::base::metrics::Direction;
use crate::types::columns::SCORES;

/// The rows of one metric.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) direction: Direction,
    pub(super) rows: u64,
    pub(super) scores: [ScoreStats; SCORES.len()],
    pub(super) models: Names<ScoreTotals>,
    pub(super) runs: Names<ScoreTotals>,
    /// Configurations of rows without a run, as nirs4all 0.6 wrote them.
    pub(super) configs: Names<ScoreTotals>,
    pub(super) ranking: Ranking,
}

impl Group {
    pub(super) fn new(direction: Direction, top_k: usize) -> Self {
        Self {
            direction,
            rows: 0,
            scores: Default::default(),
            models: Names::default(),
            runs: Names::default(),
            configs: Names::default(),
            ranking: Ranking { has_val_rows: false, has_val_scores: false, top: TopK::new(top_k) },
        }
    }

    /// Becomes unranked where rows that are added are ranked otherwise: neither is chosen in silence.
    pub(super) fn settle(&mut self, direction: Direction) {
        if self.direction != direction {
            self.direction = Direction::Unknown;
            self.ranking.top.clear();
        }
    }

    pub(super) fn merge_outline(&mut self, other: &Self) {
        self.rows += other.rows;
        for (ours, theirs) in self.scores.iter_mut().zip(&other.scores) {
            ours.merge_outline(theirs);
        }
        self.models.merge(&other.models, self.direction);
        self.runs.merge(&other.runs, self.direction);
        self.ranking.merge(&other.ranking, self.direction);
    }

    /// Which scores are better.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether any row has a validation or a test score.
    pub fn has_scores(&self) -> bool {
        self.scores[..2].iter().any(|scores| scores.nulls < self.rows)
    }

    /// Rows of this metric.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The values of a score column, by its place in [`SCORES`].
    pub fn scores(&self) -> &[ScoreStats; SCORES.len()] {
        &self.scores
    }

    /// Models by name.
    pub fn models(&self) -> &Names<ScoreTotals> {
        &self.models
    }

    /// Runs by id.
    pub fn runs(&self) -> &Names<ScoreTotals> {
        &self.runs
    }

    /// The best candidates.
    pub fn ranking(&self) -> &Ranking {
        &self.ranking
    }
}
