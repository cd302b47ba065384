//! One number of the JSON text `scores`: a metric of a partition.

use arrow_array::RecordBatch;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::fold_scores::{AVG, FINAL, W_AVG};
use crate::base::error::{Error, ErrorKind, Result};
use crate::types::columns::{SCORES, Texts};

/// The partitions that `scores` has numbers of, in the order of [`SCORES`].
pub const PARTS: [&str; 3] = ["val", "test", "train"];
/// What the names of such columns begin with.
pub const PREFIX: &str = "scores.";
/// The columns that a value is made of.
pub const READ: [&str; 3] = ["scores", "fold_id", "metric"];
/// A longer text has no value: in memory it would be many times as much.
const LONGEST: usize = 16 << 20;
/// Rows that one thread looks at, one after another.
const RUN: usize = 1024;

/// No value: the row has none, or it is no number.
pub const NONE: f64 = f64::from_bits(0x7ff8_0000_4e34_4101);
/// No value of validation: the row is an average over folds, or a final model, and the value is of samples that
/// models behind it were trained on.
pub const NOT_HELD_OUT: f64 = f64::from_bits(0x7ff8_0000_4e34_4102);

/// Folds whose rows are of no single one.
const NO_SINGLE_FOLD: [&str; 3] = [AVG, W_AVG, FINAL];

/// A metric of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScorePath {
    /// The partition, by its place in [`PARTS`].
    pub part: usize,
    /// The metric, by its name in `scores`.
    pub metric: String,
}

impl ScorePath {
    /// `val.r2`, or `scores.val.r2`.
    pub fn parse(text: &str) -> Result<Self> {
        let path = text.strip_prefix(PREFIX).unwrap_or(text);
        let found = path.split_once('.').and_then(|(part, metric)| {
            let part = PARTS.iter().position(|known| *known == part)?;
            (!metric.is_empty()).then(|| Self { part, metric: metric.to_owned() })
        });
        found.ok_or_else(|| {
            let message = format!(
                "{text:?} is no metric of a partition; expected a name such as 'val.r2': one of {}, a point and a metric",
                PARTS.join(", ")
            );
            Error::new(ErrorKind::Argument, message)
        })
    }

    /// That of a column whose name says that it is one.
    pub fn of_column(name: &str) -> Option<Result<Self>> {
        name.starts_with(PREFIX).then(|| Self::parse(name))
    }

    /// The name of its column.
    pub fn column(&self) -> String {
        format!("{PREFIX}{}.{}", PARTS[self.part], self.metric)
    }

    /// The score column of rows that have this metric as their own.
    pub fn own_column(&self) -> &'static str {
        SCORES[self.part]
    }

    /// The number that a text has: [`NONE`] where it has none, or is no JSON.
    pub fn value(&self, text: &str) -> f64 {
        let Some(map) = parsed(text) else { return NONE };
        let number = map.get(PARTS[self.part]).and_then(|part| part.get(&self.metric)).and_then(number);
        number.unwrap_or(NONE)
    }

    /// Whether what such a row calls validation is none: its main metric alone is an average of held-out scores.
    fn is_held_out(&self, fold: Option<&str>, metric: Option<&str>) -> bool {
        self.part != 0
            || !fold.is_some_and(|fold| NO_SINGLE_FOLD.contains(&fold))
            || metric == Some(self.metric.as_str())
    }

    /// The values of all rows of a batch that has the columns of [`READ`], as far as there are such.
    pub fn values(&self, batch: &RecordBatch) -> Result<Vec<f64>> {
        let mut values = values_of(std::slice::from_ref(self), batch)?;
        Ok(values.swap_remove(0))
    }
}

/// The values of all rows of a batch for some paths, of which each text is parsed once.
pub fn values_of(paths: &[ScorePath], batch: &RecordBatch) -> Result<Vec<Vec<f64>>> {
    let [scores, fold, metric] = READ.map(|column| Texts::of(batch, column));
    let (scores, fold, metric) = (scores?, fold?, metric?);
    let rows = batch.num_rows();
    if matches!(scores, Texts::Absent) {
        return Ok(vec![vec![NONE; rows]; paths.len()]);
    }
    let wanted: Vec<&ScorePath> = paths.iter().collect();
    let of_run = |run: usize| {
        let mut values = vec![Vec::with_capacity(RUN); paths.len()];
        // The rows of one fold have one text, and stand together.
        let mut last: Option<(&str, Option<Vec<Option<f64>>>)> = None;
        for row in run * RUN..rows.min((run + 1) * RUN) {
            let text = scores.get(row);
            if let Some(text) = text.filter(|text| last.as_ref().is_none_or(|(known, _)| known != text)) {
                last = Some((text, numbers_in(text, &wanted).map(|(_, numbers)| numbers)));
            }
            let numbers = text.and(last.as_ref()).and_then(|(_, numbers)| numbers.as_ref());
            for (at, path) in paths.iter().enumerate() {
                let value = match numbers.and_then(|numbers| numbers[at]) {
                    None => NONE,
                    Some(number) if path.is_held_out(fold.get(row), metric.get(row)) => number,
                    Some(_) => NOT_HELD_OUT,
                };
                values[at].push(value);
            }
        }
        values
    };
    let runs: Vec<Vec<Vec<f64>>> = (0..rows.div_ceil(RUN)).into_par_iter().map(of_run).collect();
    Ok((0..paths.len()).map(|at| runs.iter().flat_map(|run| &run[at]).copied().collect()).collect())
}

/// Whether a value stands for that there is none.
pub fn is_none(value: f64) -> bool {
    [NONE, NOT_HELD_OUT].iter().any(|none| none.to_bits() == value.to_bits())
}

/// Whether a row lacks a number, held out or not.
pub fn is_missing(value: f64) -> bool {
    value.to_bits() == NONE.to_bits()
}

/// Whether a text is a JSON object, and not too long to be looked at.
pub fn is_readable(text: &str) -> bool {
    parsed(text).is_some()
}

/// The paths of all numbers that a text has.
pub fn paths_in(text: &str) -> Vec<ScorePath> {
    let Some(map) = parsed(text) else { return Vec::new() };
    let of_part = |part: usize| {
        let metrics = map.get(PARTS[part]).and_then(Value::as_object);
        let metrics: Vec<_> = metrics.into_iter().flatten().collect();
        let numbers = metrics.into_iter().filter(|(_, value)| number(value).is_some());
        numbers.map(move |(metric, _)| ScorePath { part, metric: metric.clone() }).collect::<Vec<_>>()
    };
    (0..PARTS.len()).flat_map(of_part).collect()
}

/// The numbers of these paths that a text has, and which partitions it has at all; `None` where it is no JSON object.
#[allow(clippy::type_complexity, reason = "two parts of one answer")]
pub fn numbers_in(text: &str, paths: &[&ScorePath]) -> Option<([bool; 3], Vec<Option<f64>>)> {
    let map = parsed(text)?;
    let parts = PARTS.map(|part| map.get(part).and_then(Value::as_object));
    let value = |path: &&ScorePath| parts[path.part]?.get(&path.metric).and_then(number);
    Some((parts.map(|part| part.is_some()), paths.iter().map(value).collect()))
}

fn parsed(text: &str) -> Option<Map<String, Value>> {
    if text.len() > LONGEST || !text.trim_start().starts_with('{') {
        return None;
    }
    let parsed = serde_json::from_str(text).or_else(|error| match strict(text) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    });
    if let Ok(Value::Object(map)) = parsed { Some(map) } else { None }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        // The nearest float of integers beyond 2^53.
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return None,
        },
        _ => return None,
    };
    Some(number)
}

/// The floats that JSON lacks, as Python writes them.
const BARE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// A text in which those stand as strings; `None` where there are none.
fn strict(text: &str) -> Option<String> {
    if !BARE.iter().any(|word| text.contains(word)) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 64);
    let (mut rest, mut is_within) = (text, false);
    while let Some(first) = rest.chars().next() {
        let bare = BARE.iter().find(|word| !is_within && rest.starts_with(**word));
        let length = match (first, bare) {
            (_, Some(word)) => {
                out.extend(["\"", word, "\""]);
                rest = &rest[word.len()..];
                continue;
            }
            ('\\', _) if is_within => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            ('"', _) => {
                is_within = !is_within;
                1
            }
            _ => first.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{NONE, ScorePath, paths_in};

    fn value(text: &str) -> Option<f64> {
        let value = ScorePath { part: 0, metric: "r2".to_owned() }.value(text);
        (value.to_bits() != NONE.to_bits()).then_some(value)
    }

    #[test]
    fn numbers_of_texts() {
        assert_eq!(value(r#"{"val": {"r2": 0.25, "rmse": 3}, "test": {"r2": 1}}"#), Some(0.25));
        assert_eq!(value(r#" {"val": {"r2": -9007199254740993}}"#), Some(-9_007_199_254_740_992.0));
        assert_eq!(value(r#"{"val": {"r2": 123456789012345678901}}"#), Some(123_456_789_012_345_680_000.0));
        assert_eq!(value(r#"{"val": {"r2": 1}, "val": {"r2": 2, "r2": 3}}"#), Some(3.0));
        assert_eq!(
            value(r#"{"val": {"rmse": NaN, "a\"NaN": "Infinity", "r2": -Infinity}}"#),
            Some(f64::NEG_INFINITY)
        );
        assert_eq!(value(r#"{"val": {"NaN": NaN, "é\\": NaN, "r2": 4}}"#), Some(4.0));
        assert!(value(r#"{"val": {"r2": NaN}}"#).is_some_and(f64::is_nan));
        assert!(value(r#"{"val": {"r2": "NaN"}}"#).is_some_and(f64::is_nan));
    }

    #[test]
    fn texts_without_the_number() {
        let nested = format!(r#"{{"val": {{"r2": 1}}, "x": {}1{}}}"#, "[".repeat(999), "]".repeat(999));
        let long = format!(r#"{{"val": {{"r2": 1}}, "x": "{}"}}"#, "x".repeat(super::LONGEST));
        for text in [
            "",
            " ",
            "{",
            "null",
            "7",
            "[1]",
            "\"val\"",
            "NaN",
            r#"{"val": 1}"#,
            r#"{"val": {"r2": null}}"#,
            r#"{"val": {"r2": true}}"#,
            r#"{"val": {"r2": "0.5"}}"#,
            r#"{"val": {"r2": [1]}}"#,
            r#"{"val": {"r2": {"r2": 1}}}"#,
            r#"{"val": {"R2": 1}}"#,
            r#"{"val": {"r2": 1}} x"#,
            r#"{"val": {"r2": 1}"#,
            r#"{"test": {"r2": 1}}"#,
            r#"{"val": {"r2": NaNa}}"#,
            r"{'val': {'r2': 1}}",
            &nested,
            &long,
        ] {
            assert_eq!(value(text), None, "{}", &text[..text.len().min(60)]);
        }
    }

    #[test]
    fn names_of_paths() {
        let path = ScorePath { part: 1, metric: "f1.macro".to_owned() };
        for name in ["scores.test.f1.macro", "test.f1.macro"] {
            assert_eq!(ScorePath::parse(name).ok().as_ref(), Some(&path));
        }
        assert_eq!(path.column(), "scores.test.f1.macro");
        for wrong in ["r2", "scores.r2", "valid.r2", "val.", "val", ""] {
            assert!(ScorePath::parse(wrong).is_err(), "{wrong}");
        }
        let found = paths_in(r#"{"train": {"r2": 1, "x": "y"}, "val": {"mae": NaN}, "other": {"r2": 1}}"#);
        assert_eq!(
            found.iter().map(ScorePath::column).collect::<Vec<_>>(),
            ["scores.val.mae", "scores.train.r2"]
        );
    }
}
