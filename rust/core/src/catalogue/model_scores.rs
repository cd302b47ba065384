//! The best score that each model reached, by dataset and metric.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::packed_results::{PackedResult, field, unpack};
use super::ranking;
use super::result_query::{FAILED, Standing, score_of};
use super::run_results::Wanted;
use crate::base::codec::ByteReader;
use crate::base::error::{Error, FileError, Result};
use crate::base::metrics;
use crate::base::progress::Progress;
use crate::yaml::tree::Tree;

/// Dataset, metric and model.
pub type Model = [Option<String>; 3];

/// The best score of each model among the results that did not fail, a test score where none was validated, and what
/// could not be read, within the current thread pool.
pub fn best_by_model(root: &Path, progress: &Progress) -> Result<(BTreeMap<Model, f64>, Vec<FileError>)> {
    let mut ranking = ranking::list(root, &Wanted { is_of_run: &|_, _| true, by_records: false }, progress)?;
    let all: Vec<usize> = (0..ranking.runs.len()).collect();
    ranking.add_open(root, &all)?;
    let mut errors = std::mem::take(&mut ranking.folder_errors);
    errors.append(&mut ranking.old_errors);
    for run in &ranking.runs {
        errors.extend(run.result_errors()?);
    }
    let [score, dataset, metric, model] = ["score", "dataset_name", "metric", "model_name"].map(field);
    let [status, basis, models] = ["status", "score_basis", "models"].map(field);
    let places = [dataset, metric, model];
    let of_run = |mut best: Best, run: &super::run_results::RunResults| {
        progress.check()?;
        unpack(&mut run.results(), &mut |_, result: &PackedResult<'_>| {
            let text = |place: Option<usize>| place.and_then(|place| result.text(place)).map(str::to_owned);
            if status.and_then(|status| result.text(status)) == Some(FAILED) {
                return Ok(());
            }
            let [dataset, metric, model] = places.map(text);
            if let Some(found) = score.map(|score| score_of(result, score)).transpose()?.flatten() {
                let standing = Standing::of_basis(basis.and_then(|basis| result.text(basis)));
                keep(&mut best, [dataset.clone(), metric.clone(), model], (standing, found));
            }
            // Where there are several, all of them.
            let several =
                models.map(|models| Tree::decode(&mut ByteReader::new(result.bytes(models)))).transpose()?;
            for model in several.as_ref().and_then(Tree::items).unwrap_or_default() {
                if let Some(Tree::Float(found)) = model.get("score") {
                    let standing = Standing::of_basis(model.text("score_basis"));
                    let model = model.text("model_name").map(str::to_owned);
                    keep(&mut best, [dataset.clone(), metric.clone(), model], (standing, *found));
                }
            }
            Ok(())
        })?;
        Ok::<_, Error>(best)
    };
    let merged = |mut one: Best, other: Best| {
        other.into_iter().for_each(|(model, score)| keep(&mut one, model, score));
        Ok(one)
    };
    let best = ranking.runs.par_iter().with_min_len(64).try_fold(Best::new, of_run);
    let best = best.try_reduce(Best::new, merged)?;
    Ok((best.into_iter().map(|(model, (_, score))| (model, score)).collect(), errors))
}

/// The best score of each model so far, and what it is worth.
type Best = BTreeMap<Model, (Standing, f64)>;

fn keep(best: &mut Best, model: Model, (standing, score): (Standing, f64)) {
    let direction = metrics::direction(model[1].as_deref().unwrap_or_default());
    let Some(goodness) = direction.goodness(score).filter(|_| score.is_finite()) else { return };
    let known = best.entry(model).or_insert((standing, score));
    if standing < known.0 || standing == known.0 && direction.goodness(known.1) < Some(goodness) {
        *known = (standing, score);
    }
}
