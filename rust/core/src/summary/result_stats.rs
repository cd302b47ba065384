//! What the rows of one result say.

use super::{Accumulator, Group};
use crate::types::columns::SCORES;

/// What a finished result's rows say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultStats {
    /// Rows.
    pub rows: u64,
    /// The metric of most rows.
    pub metric: Option<String>,
    /// The score that ranks: `val_score`, or `test_score` where no row has one.
    pub score_kind: Option<&'static str>,
    /// The best score in the metric's direction.
    pub best_score: Option<f64>,
    /// The model that has it.
    pub best_model: Option<String>,
}

impl ResultStats {
    /// What rows say that were counted with a ranking of one.
    pub fn of(rows: &Accumulator) -> Self {
        let metric = rows.main_metric();
        let group = metric.and_then(|metric| rows.group(metric));
        let ranking = group.map(Group::ranking);
        let best =
            ranking.and_then(|ranking| ranking.top().sorted().first().map(|best| (ranking.score(), *best)));
        Self {
            rows: rows.rows(),
            metric: metric.map(str::to_owned),
            score_kind: best.map(|(score, _)| SCORES[score]),
            best_score: best.and_then(|(score, best)| best.scores()[score]),
            best_model: best.and_then(|(_, best)| best.texts()[3].map(str::to_owned)),
        }
    }
}
