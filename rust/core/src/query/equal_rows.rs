//! Which rows of a ranking are one: what was computed twice is shown once, with how often it is there.

use std::collections::{BTreeSet, HashMap};

use arrow_array::RecordBatch;

use super::file_snapshot::FileSnapshot;
use crate::base::codec::ByteWriter;
use crate::base::content::blake3_hex;
use crate::base::error::Result;
use crate::base::names::nfc;
use crate::reading::scan;
use crate::summary::topk::Ranked;
use crate::types::columns::{Numbers, SCORES, Texts};

/// Gives the configurations of the results of some runs, by run and result.
pub type Configurations<'a> = dyn Fn(&BTreeSet<String>) -> Result<HashMap<ResultKey, String>> + Sync + 'a;
/// A run and a result.
pub type ResultKey = (String, String);

/// Columns in which equal rows are equal, beside scores, dataset and configuration.
const EQUAL: [&str; 7] = ["model_name", "step_idx", "branch_id", "fold_id", "partition", "metric", "scores"];
/// The columns that are looked at, beside scores.
pub const READ: [&str; 13] = [
    "dataset_name",
    "model_name",
    "step_idx",
    "branch_id",
    "fold_id",
    "partition",
    "metric",
    "scores",
    "config_path",
    "config_name",
    "template_id",
    "run_id",
    "result_id",
];

/// What tells how a row was made.
#[derive(Clone, Debug, PartialEq)]
enum Config {
    /// In a folder of nirs4all 0.6: the hash of its steps.
    Hash(String),
    /// The result that it belongs to.
    OfResult(ResultKey),
    /// What it is called, and its template.
    Named(Option<String>, Option<String>),
}

impl Config {
    fn of(
        path: Option<&str>,
        result: Option<&str>,
        run: Option<&str>,
        name: Option<&str>,
        template: Option<&str>,
    ) -> Self {
        if let Some(hash) = path.and_then(hash_in) {
            return Self::Hash(hash.to_owned());
        }
        match (run, result) {
            (Some(run), Some(result)) => Self::OfResult((run.to_owned(), result.to_owned())),
            _ => Self::Named(name.map(str::to_owned), template.map(str::to_owned)),
        }
    }
}

/// `66307d` of `wheat/0001_config_66307d`.
fn hash_in(path: &str) -> Option<&str> {
    let folder = path.trim_end_matches('/').rsplit('/').next()?;
    let (number, _) = folder.split_once('_')?;
    let (_, hash) = folder.rsplit_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_hash =
        hash.len() == 6 && hash.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    (is_number && is_hash && number.len() + hash.len() < folder.len()).then_some(hash)
}

/// The rows that a ranking shows, by what they are equal in.
pub struct EqualRows<'a> {
    configurations: &'a Configurations<'a>,
    /// Of each row that is shown: how it was made, and its place.
    shown: HashMap<String, Vec<(Config, usize)>>,
    known_runs: BTreeSet<String>,
    known: HashMap<ResultKey, String>,
}

impl<'a> EqualRows<'a> {
    /// None yet.
    pub fn new(configurations: &'a Configurations<'a>) -> Self {
        Self { configurations, shown: HashMap::new(), known_runs: BTreeSet::new(), known: HashMap::new() }
    }

    /// The place of the row that a row is equal to; else it is remembered for this place, if that is one.
    pub fn find(&mut self, row: &Row, place: Option<usize>) -> Result<Option<usize>> {
        if let Some(shown) = self.shown.get(&row.equal) {
            if let Some((_, place)) = shown.iter().find(|(config, _)| *config == row.config) {
                return Ok(Some(*place));
            }
            let configs: Vec<_> = shown.iter().map(|(config, place)| (config.clone(), *place)).collect();
            if let Config::OfResult(own) = &row.config {
                let others = configs.iter().filter_map(|(config, place)| match config {
                    Config::OfResult(result) => Some((result.clone(), *place)),
                    _ => None,
                });
                let others: Vec<_> = others.collect();
                self.load(others.iter().map(|(result, _)| &result.0).chain([&own.0]))?;
                if let Some(config) = self.known.get(own)
                    && let Some((_, place)) =
                        others.iter().find(|(result, _)| self.known.get(result) == Some(config))
                {
                    return Ok(Some(*place));
                }
            }
        }
        if let Some(place) = place {
            self.shown.entry(row.equal.clone()).or_default().push((row.config.clone(), place));
        }
        Ok(None)
    }

    fn load<'r>(&mut self, runs: impl Iterator<Item = &'r String>) -> Result<()> {
        let unknown: BTreeSet<String> = runs.filter(|run| !self.known_runs.contains(*run)).cloned().collect();
        if !unknown.is_empty() {
            self.known.extend((self.configurations)(&unknown)?);
            self.known_runs.extend(unknown);
        }
        Ok(())
    }
}

/// What a row is equal in to others.
pub struct Row {
    equal: String,
    config: Config,
}

/// Those of the rows of a batch that has the columns of [`READ`] and scores, each of one of these files.
pub fn rows_of(batch: &RecordBatch, files: &[&FileSnapshot]) -> Result<Vec<Row>> {
    let text = |name: &str| Texts::of(batch, name);
    let (dataset, path, name) = (text("dataset_name")?, text("config_path")?, text("config_name")?);
    let (template, run, result) = (text("template_id")?, text("run_id")?, text("result_id")?);
    let equal = EQUAL.iter().map(|name| text(name)).collect::<Result<Vec<_>>>()?;
    let scores = SCORES.iter().map(|name| Numbers::of(batch, name)).collect::<Result<Vec<_>>>()?;
    let row_of = |(row, file): (usize, &&FileSnapshot)| {
        let mut out = ByteWriter::default();
        match dataset.get(row) {
            Some(dataset) => out.text(&nfc(dataset)),
            None => out.text(&nfc(&scan::dataset_of(&file.path))),
        }
        for texts in &equal {
            out.maybe(texts.get(row), ByteWriter::text);
        }
        for numbers in &scores {
            out.maybe(numbers.get(row), |out, number| out.u64(number.to_bits()));
        }
        let config =
            Config::of(path.get(row), result.get(row), run.get(row), name.get(row), template.get(row));
        Row { equal: blake3_hex(&out.bytes, 32), config }
    };
    Ok(files.iter().enumerate().map(row_of).collect())
}

/// Whether no two of some ranked rows can be equal, as far as footers tell.
pub fn are_different(ranked: &[&Ranked]) -> bool {
    let mut seen = BTreeSet::new();
    ranked.iter().all(|ranked| {
        let [_, _, dataset, model, _, fold, partition, _] = ranked.texts();
        let scores = ranked.scores().map(|score| score.map(f64::to_bits));
        seen.insert((dataset.map(nfc), model, fold, partition, scores))
    })
}

#[cfg(test)]
mod tests {
    use super::hash_in;

    #[test]
    fn hashes_of_configurations() {
        assert_eq!(hash_in("a01_csv/0001_config_66307d"), Some("66307d"));
        assert_eq!(hash_in("0012_a b_c_00ff00/"), Some("00ff00"));
        assert_eq!(hash_in("a/b/1_66307d"), Some("66307d"));
        for other in
            ["", "/", "66307d", "a/config_66307d", "0001_config_66307", "0001_config_66307D", "0001_x_66307g"]
        {
            assert_eq!(hash_in(other), None, "{other}");
        }
    }
}
