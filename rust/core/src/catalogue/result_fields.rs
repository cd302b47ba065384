//! The fields of a result, in the order that answers show them.

use crate::yaml::tree::Tree;

/// The fields of a result, in the order that answers show them.
pub(super) const FIELDS: [&str; 22] = [
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
