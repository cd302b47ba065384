//! What the rows of one result say.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;

use super::fold_scores::{FoldRow, FoldScores, ModelScore, compare};
use super::{Accumulator, Group, add_batches};
use crate::base::error::Result;
use crate::base::metrics::{self, Direction};
use crate::types::columns::{Numbers, SCORES, Texts};

/// The columns beside those of a summary by which models are told apart and folds are weighed.
pub const COLUMNS: [&str; 2] = ["step_idx", "n_samples"];

/// What a finished result's rows say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultStats {
    /// Rows.
    pub rows: u64,
    /// The metric of most rows.
    pub metric: Option<String>,
    /// The column of `best_score`: `val_score`, or `test_score` where no row has one.
    pub score_kind: Option<&'static str>,
    /// The best score of a row in the metric's direction.
    pub best_score: Option<f64>,
    /// The model that has it.
    pub best_model: Option<String>,
    /// The models of that metric with their scores, the best first.
    pub models: Vec<(Model, ModelScore)>,
    /// A fold of one of them that several rows have other scores of.
    pub repeated_fold: Option<String>,
    /// Rows without a metric, but for those of training.
    pub without_metric: u64,
    /// Whether it is known which of them is the best.
    pub is_ranked: bool,
}

/// What tells the models of a result apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    metric: String,
    /// Its configuration, whose name says which model of a pipeline it is in nirs4all 1.x.
    pub config: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its step and its branch.
    pub places: [Option<i64>; 2],
    /// The name of its branch.
    pub branch: Option<String>,
}

impl ResultStats {
    /// The model with the best score, and that.
    pub fn best(&self) -> Option<&(Model, ModelScore)> {
        self.models.first().filter(|_| self.is_ranked)
    }
}

/// The rows of one result.
#[derive(Clone, Debug)]
pub struct ResultRows {
    /// All of them.
    pub all: Accumulator,
    models: BTreeMap<Model, FoldScores>,
    without_metric: u64,
}

impl Default for ResultRows {
    fn default() -> Self {
        Self { all: Accumulator::new(1), models: BTreeMap::new(), without_metric: 0 }
    }
}

impl ResultRows {
    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        add_batches(&mut self.all, std::slice::from_ref(batch))?;
        let texts = |name| Texts::of(batch, name);
        let (name, metric, config) = (texts("model_name")?, texts("metric")?, texts("config_name")?);
        let branch = texts("branch_name")?;
        let (fold, partition) = (texts("fold_id")?, texts("partition")?);
        let numbers = |name| Numbers::of(batch, name);
        let (val, test, samples) = (numbers(SCORES[0])?, numbers(SCORES[1])?, numbers("n_samples")?);
        let places = [numbers("step_idx")?, numbers("branch_id")?];
        let mut last: Option<(Model, FoldScores)> = None;
        for row in 0..batch.num_rows() {
            if partition.get(row) == Some("train") {
                continue;
            }
            let Some(metric) = metric.get(row) else {
                self.without_metric += 1;
                continue;
            };
            let places = places.each_ref().map(|place| place.get(row).map(|place| place as i64));
            let config = config.get(row).map(before_refit);
            let (name, branch) = (name.get(row), branch.get(row).filter(|branch| !branch.is_empty()));
            let is_of = |(model, _): &(Model, FoldScores)| {
                model.metric == metric
                    && model.config.as_deref() == config
                    && model.name.as_deref() == name
                    && model.places == places
                    && model.branch.as_deref() == branch
            };
            if !last.as_ref().is_some_and(is_of) {
                self.keep(last.take());
                let [config, name, branch] = [config, name, branch].map(|text| text.map(str::to_owned));
                let model = Model { metric: metric.to_owned(), config, name, places, branch };
                last = Some((model, FoldScores::default()));
            }
            let (fold, partition) = (fold.get(row), partition.get(row));
            let (val, test, samples) = (val.get(row), test.get(row), samples.get(row));
            last.iter_mut()
                .for_each(|(_, scores)| scores.add(FoldRow { fold, partition, val, test, samples }));
        }
        self.keep(last);
        Ok(())
    }

    fn keep(&mut self, found: Option<(Model, FoldScores)>) {
        if let Some((model, scores)) = found {
            self.models.entry(model).or_default().merge(&scores);
        }
    }

    /// Adds the rows of another file.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        self.without_metric += other.without_metric;
        for (model, scores) in &other.models {
            self.models.entry(model.clone()).or_default().merge(scores);
        }
    }

    /// Whether any row has a score by a metric.
    pub fn has_scores(&self, metric: &str) -> bool {
        self.all.group(metric).is_some_and(Group::has_scores)
    }

    /// What they say, by the metric of most of them.
    pub fn stats(&self) -> ResultStats {
        self.stats_by(self.all.main_metric())
    }

    /// What they say by a metric.
    pub fn stats_by(&self, metric: Option<&str>) -> ResultStats {
        let ranking = metric.and_then(|metric| self.all.group(metric)).map(Group::ranking);
        let best =
            ranking.and_then(|ranking| ranking.top().sorted().first().map(|best| (ranking.score(), *best)));
        let models = metric.map(|metric| self.models_of(metric)).unwrap_or_default();
        let is_known = metric.is_some_and(|metric| metrics::direction(metric) != Direction::Unknown);
        ResultStats {
            rows: self.all.rows(),
            metric: metric.map(str::to_owned),
            score_kind: best.map(|(score, _)| SCORES[score]),
            best_score: best.and_then(|(score, best)| best.scores()[score]),
            best_model: best.and_then(|(_, best)| best.texts()[3].map(str::to_owned)),
            is_ranked: is_known || models.len() == 1,
            without_metric: self.without_metric,
            repeated_fold: self.models.values().find_map(FoldScores::repeated_fold).map(str::to_owned),
            models,
        }
    }

    /// The models with a score by a metric, the best first; equal ones in the order of their names.
    fn models_of(&self, metric: &str) -> Vec<(Model, ModelScore)> {
        let (direction, pooling) = (metrics::direction(metric), metrics::pooling(metric));
        let of_metric = self.models.iter().filter(|(model, _)| model.metric == metric);
        let (refits, fitted): (Vec<_>, Vec<_>) = of_metric.partition(|(_, folds)| folds.is_refit());
        // Some versions forget the step and the branch of a model that is fitted again.
        let is_of = |refit: &Model, model: &Model| {
            let mut places = refit.places.iter().zip(&model.places);
            refit.name == model.name
                && refit.config == model.config
                && places.all(|(refit, model)| refit.is_none() || refit == model)
                && (refit.branch.is_none() || refit.branch == model.branch)
        };
        let mut scored = Vec::with_capacity(fitted.len());
        for (model, folds) in &fitted {
            let mut folds = (*folds).clone();
            if fitted.iter().filter(|(other, _)| is_of(model, other)).count() == 1 {
                refits
                    .iter()
                    .filter(|(refit, _)| is_of(refit, model))
                    .for_each(|(_, refit)| folds.merge(refit));
            }
            scored.extend(folds.score(pooling).map(|score| ((*model).clone(), score)));
        }
        if fitted.is_empty() {
            // Without a splitter a model is fitted to all samples alone.
            let of_refit =
                |(model, folds): &(&Model, &FoldScores)| Some(((*model).clone(), folds.score(pooling)?));
            scored.extend(refits.iter().filter_map(of_refit));
        }
        scored.sort_by(|(_, one), (_, other)| compare(one, other, direction));
        scored
    }
}

/// The name of a configuration, without what tells that its model was fitted again to all samples.
fn before_refit(config: &str) -> &str {
    config.rfind("_refit").map_or(config, |end| &config[..end])
}
