//! The fields of a result, in the order that answers show them.

use crate::summary::fold_scores::ModelScore;
use crate::summary::result_stats::{Model, ResultStats};
use crate::yaml::tree::Tree;

/// The fields of a result, in the order that answers show them.
pub(super) const FIELDS: [&str; 31] = [
    "id",
    "run_id",
    "template_id",
    "config_id",
    "config_name",
    "generator_choices",
    "dataset_id",
    "dataset_name",
    "status",
    "error",
    "score",
    "score_mean",
    "score_std",
    "n_folds",
    "score_avg",
    "score_basis",
    "score_test",
    "model_name",
    "models",
    "best_score",
    "best_model",
    "metric",
    "score_kind",
    "n_rows",
    "n_samples",
    "n_features",
    "task_type",
    "duration_s",
    "artifacts",
    "completed_at",
    "writer",
];

/// A result with all its fields, in order; then what else was given.
pub(crate) fn complete(given: Vec<(Tree, Tree)>) -> Tree {
    let mut fields: Vec<Option<(Tree, Tree)>> = vec![None; FIELDS.len()];
    let mut others = Vec::new();
    for (number, (key, value)) in given.into_iter().enumerate() {
        let is_of = |field: &str| key.as_str() == Some(field);
        // They come in this order, mostly.
        let place = FIELDS.get(number).filter(|field| is_of(field)).map(|_| number);
        match place.or_else(|| FIELDS.iter().position(|field| is_of(field))) {
            Some(place) => fields[place] = Some((key, value)),
            None => others.push((key, value)),
        }
    }
    let default = |field: &str| if field == "artifacts" { Tree::List(Vec::new()) } else { Tree::Null };
    let fields = FIELDS.iter().zip(fields).map(|(&field, given)| {
        let given = given.filter(|(_, value)| *value != Tree::Null);
        given.unwrap_or_else(|| (field.into(), default(field)))
    });
    Tree::Map(fields.chain(others).collect())
}

/// The names of the fields that say how good a result is.
pub(super) const SCORE_FIELDS: [&str; 9] = [
    "score",
    "score_mean",
    "score_std",
    "n_folds",
    "score_avg",
    COMPUTED,
    "score_test",
    "model_name",
    "models",
];

/// What tells that the score of a result was computed, whatever it is.
pub(crate) const COMPUTED: &str = "score_basis";

/// The fields that say how good a result is.
pub fn score_fields(stats: &ResultStats) -> [(&'static str, Tree); 9] {
    let best = stats.best();
    let [score, mean, std, n_folds, avg, basis, test] =
        best.map_or([const { Tree::Null }; 7], |(_, score)| values(score));
    let model_name = best.and_then(|(model, _)| model.name.clone()).into();
    let models = stats.models.iter().map(about);
    let models = if models.len() > 1 { models.collect() } else { Tree::Null };
    let mut said = [score, mean, std, n_folds, avg, basis, test, model_name, models];
    let mut place = 0;
    SCORE_FIELDS.map(|name| {
        place += 1;
        (name, std::mem::replace(&mut said[place - 1], Tree::Null))
    })
}

fn values(score: &ModelScore) -> [Tree; 7] {
    let number = |value: Option<f64>| value.map_or(Tree::Null, Tree::Float);
    [
        Tree::Float(score.score),
        number(score.mean),
        number(score.std),
        Tree::Int(score.n_folds as i64),
        number(score.avg),
        score.basis.name().into(),
        number(score.test),
    ]
}

/// One of several models.
fn about((model, score): &(Model, ModelScore)) -> Tree {
    let [value, mean, std, n_folds, avg, basis, test] = values(score);
    let [step, branch] = model.places.map(|place| place.map_or(Tree::Null, Tree::Int));
    Tree::map([
        ("model_name", model.name.clone().into()),
        ("config_name", model.config.clone().into()),
        ("step_idx", step),
        ("branch_id", branch),
        ("branch_name", model.branch.clone().into()),
        ("score", value),
        ("score_mean", mean),
        ("score_std", std),
        ("n_folds", n_folds),
        ("score_avg", avg),
        (COMPUTED, basis),
        ("score_test", test),
    ])
}
