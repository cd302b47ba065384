//! What is asked of prediction rows, and which files, row groups and rows fit.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use arrow_array::RecordBatch;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::names::{nfc, same_name};
use crate::summary::json_scores::ScorePath;
use crate::summary::{Accumulator, Datasets, Group};
use crate::types::columns::{Numbers, SCORES, Texts};

/// The columns that can be asked to equal a text.
pub const EQUAL: [&str; 8] =
    ["dataset_name", "model_name", "partition", "run_id", "result_id", "fold_id", "task_type", "metric"];

const DATASET: &str = "dataset_name";

/// What rows must have.
#[derive(Clone, Default, PartialEq)]
pub struct Filter {
    /// Columns of [`EQUAL`] with exactly this text; names of datasets in any normal form, see [`Filter::add_equal`].
    pub equal: Vec<(&'static str, String)>,
    /// Score columns that lie in a range, by their place in [`SCORES`]; null and NaN lie in none.
    pub ranges: Vec<(usize, RangeInclusive<f64>)>,
    /// A text that `preprocessings` contains.
    pub preprocessings_contains: Option<String>,
    /// Runs, by id, of which rows name one.
    pub runs: Option<BTreeSet<String>>,
    /// Of rows that name no run: what a session of nirs4all 0.6 made.
    pub members: Option<BTreeSet<Member>>,
    /// Columns made of `scores` that lie in a range; null and NaN lie in none.
    pub scores: Vec<(String, RangeInclusive<f64>)>,
}

/// A filter that asks nothing of `scores` has the text that it always had, by which cursors know their query.
impl fmt::Debug for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Filter");
        shown.field("equal", &self.equal).field("ranges", &self.ranges);
        shown.field("preprocessings_contains", &self.preprocessings_contains);
        shown.field("runs", &self.runs).field("members", &self.members);
        if !self.scores.is_empty() {
            shown.field("scores", &self.scores);
        }
        shown.finish()
    }
}

/// The dataset that a file is named after, and dataset and configuration that its rows name.
pub type Member = (String, String, Option<String>);

/// What a filter of some name asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// That this column equals a text.
    Equal(&'static str),
    /// That a score is at least a number.
    AtLeast(usize),
    /// That a score is at most a number.
    AtMost(usize),
    /// That `preprocessings` contains a text.
    Contains,
    /// That the run is one of these.
    Runs,
    /// That file, dataset and configuration are one of these.
    Members,
    /// That numbers of `scores` are at least these.
    ScoresAtLeast,
    /// That numbers of `scores` are at most these.
    ScoresAtMost,
}

impl Asks {
    /// What the filter of that name asks: `dataset`, `model`, `min_val_score`, ...
    pub fn of(name: &str) -> Result<Self> {
        let short = |column: &'static str| {
            column.strip_suffix("_name").or(column.strip_suffix("_id")).unwrap_or(column)
        };
        if let Some(column) = EQUAL.iter().find(|column| short(column) == name) {
            return Ok(Self::Equal(column));
        }
        let bound = name
            .split_once('_')
            .and_then(|(bound, score)| Some((bound, SCORES.iter().position(|column| *column == score)?)));
        match (name, bound) {
            ("preprocessings_contains", _) => Ok(Self::Contains),
            ("runs", _) => Ok(Self::Runs),
            ("members", _) => Ok(Self::Members),
            ("min_scores", _) => Ok(Self::ScoresAtLeast),
            ("max_scores", _) => Ok(Self::ScoresAtMost),
            (_, Some(("min", score))) => Ok(Self::AtLeast(score)),
            (_, Some(("max", score))) => Ok(Self::AtMost(score)),
            _ => Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "unknown filter '{name}'; known are dataset, model, partition, run, result, fold, task_type, \
                     metric, min_ and max_ of {} and of scores, and preprocessings_contains",
                    SCORES.join(", ")
                ),
            )),
        }
    }
}

/// What is known of a column in a row group before it is read.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnBounds {
    /// Nothing.
    Nothing,
    /// All rows have this text, or none has one.
    Always(Option<String>),
    /// Texts lie between these; whether there are nulls too.
    Texts(String, String, bool),
    /// Numbers lie between these.
    Numbers(f64, f64),
}

/// One thing that is asked of a row.
#[derive(Clone, Copy, Debug)]
pub enum Predicate<'a> {
    /// A column equals a text.
    Equal(&'static str, &'a str),
    /// A score lies in a range.
    Lies(usize, &'a RangeInclusive<f64>),
    /// `preprocessings` contains a text.
    Contains(&'a str),
    /// The run is among these.
    Runs(&'a BTreeSet<String>),
    /// File, dataset and configuration are among these.
    Members(&'a BTreeSet<Member>),
    /// A column made of `scores` lies in a range.
    Scores(&'a str, &'a RangeInclusive<f64>),
}

impl Filter {
    /// Asks that a column equals a text.
    pub fn add_equal(&mut self, column: &'static str, value: String) {
        let value = if column == DATASET { nfc(&value).into_owned() } else { value };
        self.equal.push((column, value));
    }

    /// Asks that a number of `scores` lies in a range, by its name: `val.r2`.
    pub fn add_scores(&mut self, name: &str, range: RangeInclusive<f64>) -> Result<()> {
        self.scores.push((ScorePath::parse(name)?.column(), range));
        Ok(())
    }

    /// The text that a column must equal, if any.
    pub fn value(&self, column: &str) -> Option<&str> {
        self.equal.iter().find(|(asked, _)| *asked == column).map(|(_, value)| value.as_str())
    }

    /// Whether every row fits.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All that is asked.
    pub fn predicates(&self) -> Vec<Predicate<'_>> {
        let equal = self.equal.iter().map(|(column, value)| Predicate::Equal(column, value));
        let ranges = self.ranges.iter().map(|(score, range)| Predicate::Lies(*score, range));
        let contains = self.preprocessings_contains.as_deref().map(Predicate::Contains);
        let runs = self.runs.as_ref().map(Predicate::Runs);
        let members = self.members.as_ref().map(Predicate::Members);
        let scores = self.scores.iter().map(|(column, range)| Predicate::Scores(column, range));
        equal.chain(ranges).chain(contains).chain(runs).chain(members).chain(scores).collect()
    }

    /// Whether rows of this run can fit.
    pub fn allows_run(&self, run_id: &str) -> bool {
        self.value("run_id").is_none_or(|wanted| wanted == run_id)
            && self.runs.as_ref().is_none_or(|runs| runs.contains(run_id))
    }

    /// Whether a file with this summary can hold a row that fits.
    pub fn can_be_in(&self, datasets: &Datasets) -> bool {
        datasets.iter().any(|(name, accumulator)| {
            self.value(DATASET).is_none_or(|wanted| same_name(wanted, name))
                && self.members.as_ref().is_none_or(|members| members.iter().any(|(_, of, _)| of == name))
                && accumulator.groups().any(|(metric, group)| {
                    self.value("metric").is_none_or(|wanted| wanted == metric)
                        && self.can_be_in_group(accumulator, group)
                })
        })
    }

    fn can_be_in_group(&self, accumulator: &Accumulator, group: &Group) -> bool {
        self.equal.iter().all(|(column, value)| match *column {
            "model_name" => group.models().may_have(value),
            "run_id" => group.runs().may_have(value),
            "partition" => accumulator.partitions().may_have(value),
            "fold_id" => accumulator.folds().may_have(value),
            "task_type" => accumulator.task_types().may_have(value),
            _ => true,
        }) && self.runs.as_ref().is_none_or(|runs| runs.iter().any(|run| group.runs().may_have(run)))
            && self.ranges.iter().all(|(score, wanted)| group.scores()[*score].may_lie_in(wanted))
    }
}

impl<'a> Predicate<'a> {
    /// The columns that it reads.
    pub fn columns(&self) -> Vec<&'a str> {
        match self {
            Self::Equal(column, _) => vec![column],
            Self::Scores(column, _) => vec![*column],
            Self::Lies(score, _) => vec![SCORES[*score]],
            Self::Contains(_) => vec!["preprocessings"],
            Self::Runs(_) => vec!["run_id"],
            Self::Members(_) => vec!["dataset_name", "config_name"],
        }
    }

    /// Whether rows of which this much is known all fit, or none does; `None` where they must be read.
    pub fn decided_by(&self, known: &dyn Fn(&str) -> ColumnBounds, unnamed: &str) -> Option<bool> {
        match (self, known(self.columns()[0])) {
            (Self::Equal(column, value), ColumnBounds::Always(text)) => {
                Some(is_equal(column, or_default(column, text.as_deref(), unnamed), value))
            }
            // Where a name stands in another normal form, it lies elsewhere in the order of bytes.
            (Self::Equal(column, value), ColumnBounds::Texts(..))
                if *column == DATASET && !value.is_ascii() =>
            {
                None
            }
            (Self::Equal(column, value), ColumnBounds::Texts(low, high, nulls)) => {
                let is_outside = *value < low.as_str() || *value > high.as_str();
                let null_fits = nulls && or_default(column, None, unnamed) == Some(value);
                (is_outside && !null_fits).then_some(false)
            }
            (Self::Runs(runs), ColumnBounds::Always(run)) => Some(run.is_some_and(|run| runs.contains(&run))),
            (Self::Runs(runs), ColumnBounds::Texts(low, high, _)) => {
                runs.range(low..=high).next().is_none().then_some(false)
            }
            (Self::Lies(_, range), ColumnBounds::Numbers(low, high)) => {
                (low > *range.end() || high < *range.start()).then_some(false)
            }
            (Self::Lies(..) | Self::Contains(_), ColumnBounds::Always(None)) => Some(false),
            (Self::Contains(wanted), ColumnBounds::Always(Some(text))) => Some(text.contains(wanted)),
            _ => None,
        }
    }

    /// Keeps the rows that fit, of those given or else of all.
    pub fn keep(&self, batch: &RecordBatch, unnamed: &str, rows: Option<Vec<u32>>) -> Result<Vec<u32>> {
        let all = batch.num_rows();
        match self {
            Self::Equal(column, value) => {
                let texts = Texts::of(batch, column)?;
                let fits = |text: Option<&str>| is_equal(column, or_default(column, text, unnamed), value);
                Ok(keep_texts(&texts, all, rows, fits))
            }
            Self::Contains(wanted) => {
                let texts = Texts::of(batch, "preprocessings")?;
                Ok(keep_texts(&texts, all, rows, |text| text.is_some_and(|text| text.contains(wanted))))
            }
            Self::Lies(score, range) => {
                let numbers = Numbers::of(batch, SCORES[*score])?;
                Ok(keep_rows(all, rows, |row| numbers.get(row).is_some_and(|number| range.contains(&number))))
            }
            Self::Scores(column, range) => {
                let numbers = Numbers::of(batch, column)?;
                Ok(keep_rows(all, rows, |row| numbers.get(row).is_some_and(|number| range.contains(&number))))
            }
            Self::Runs(runs) => {
                let texts = Texts::of(batch, "run_id")?;
                Ok(keep_texts(&texts, all, rows, |text| text.is_some_and(|text| runs.contains(text))))
            }
            Self::Members(members) => {
                let (datasets, configs) =
                    (Texts::of(batch, "dataset_name")?, Texts::of(batch, "config_name")?);
                let wanted: BTreeSet<(&str, Option<&str>)> = members
                    .iter()
                    .filter(|(file, ..)| file == unnamed)
                    .map(|(_, dataset, config)| (dataset.as_str(), config.as_deref()))
                    .collect();
                Ok(keep_rows(all, rows, |row| {
                    wanted.contains(&(datasets.get(row).unwrap_or(unnamed), configs.get(row)))
                }))
            }
        }
    }
}

fn is_equal(column: &str, text: Option<&str>, value: &str) -> bool {
    text.is_some_and(|text| text == value || column == DATASET && same_name(text, value))
}

/// Rows that name no dataset belong to the one that their file is named after, those without a metric to "".
fn or_default<'a>(column: &str, text: Option<&'a str>, unnamed: &'a str) -> Option<&'a str> {
    text.or(match column {
        DATASET => Some(unnamed),
        "metric" => Some(""),
        _ => None,
    })
}

fn keep_rows(all: usize, rows: Option<Vec<u32>>, fits: impl Fn(usize) -> bool) -> Vec<u32> {
    match rows {
        None => (0..all as u32).filter(|row| fits(*row as usize)).collect(),
        Some(mut rows) => {
            rows.retain(|row| fits(*row as usize));
            rows
        }
    }
}

/// Asks each value of a dictionary once.
fn keep_texts(
    texts: &Texts<'_>,
    all: usize,
    rows: Option<Vec<u32>>,
    fits: impl Fn(Option<&str>) -> bool,
) -> Vec<u32> {
    let Texts::Dictionary { keys, nulls, values } = texts else {
        return keep_rows(all, rows, |row| fits(texts.get(row)));
    };
    let null_fits = fits(None);
    let each: Vec<bool> = (0..values.len()).map(|value| fits(values.get(value))).collect();
    let fits_at = |row: usize| each[keys[row]];
    if each.is_empty() {
        return keep_rows(all, rows, |_| null_fits);
    }
    match nulls {
        None => keep_rows(all, rows, fits_at),
        Some(nulls) => keep_rows(all, rows, |row| if nulls.is_valid(row) { fits_at(row) } else { null_fits }),
    }
}

/// The rows of a batch that satisfy all of some predicates; `None` where there are none to satisfy.
pub fn fitting(predicates: &[Predicate<'_>], batch: &RecordBatch, unnamed: &str) -> Result<Option<Vec<u32>>> {
    predicates.iter().try_fold(None, |rows, predicate| predicate.keep(batch, unnamed, rows).map(Some))
}
