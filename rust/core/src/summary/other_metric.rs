//! Rows as if another metric than their own had scored them: `scores`, a JSON text, has further ones by partition.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema};

use crate::base::error::{Error, ErrorKind, Result};
use crate::types::columns::{Numbers, SCORES, Texts};

/// The column that has scores by other metrics.
pub const OTHERS: &str = "scores";

/// Rows with their scores by a metric. Those of an average over folds that are no test scores are left out: nirs4all
/// 0.6 computed them of samples that the averaged models were trained on.
pub fn scored_by(batch: &RecordBatch, metric: &str) -> Result<RecordBatch> {
    let texts = |name| Texts::of(batch, name);
    let (own, others, fold) = (texts("metric")?, texts(OTHERS)?, texts("fold_id")?);
    let (val, test) = (Numbers::of(batch, SCORES[0])?, Numbers::of(batch, SCORES[1])?);
    let scores = (0..batch.num_rows()).map(|row| {
        if own.get(row) == Some(metric) {
            return (val.get(row), test.get(row));
        }
        let [val, test] = others.get(row).map_or([None; 2], |text| of_text(text, metric));
        let is_average = matches!(fold.get(row), Some("avg" | "w_avg"));
        (val.filter(|_| !is_average), test)
    });
    let (val, test): (Vec<_>, Vec<_>) = scores.unzip();
    let made: [(&str, ArrayRef); 3] = [
        ("metric", Arc::new(StringArray::from(vec![metric; batch.num_rows()]))),
        (SCORES[0], Arc::new(Float64Array::from(val))),
        (SCORES[1], Arc::new(Float64Array::from(test))),
    ];
    let schema = batch.schema();
    let is_kept = |name: &str| name != OTHERS && name != "metric" && !SCORES.contains(&name);
    let kept = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| is_kept(field.name()));
    let (mut fields, mut arrays): (Vec<_>, Vec<_>) =
        kept.map(|(field, array)| (field.clone(), array.clone())).unzip();
    for (name, array) in made {
        fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Error::new(ErrorKind::Corrupt, error.to_string()))
}

/// The scores of validation and test by a metric; none where the text is no such JSON.
fn of_text(text: &str, metric: &str) -> [Option<f64>; 2] {
    let mut found = [None; 2];
    let mut scanner = Scanner { rest: text.as_bytes() };
    let is_read = scanner.members(&mut |scanner, partition| {
        let place = ["val", "test"].iter().position(|name| *name == partition);
        match place.filter(|_| scanner.peek() == Some(b'{')) {
            None => scanner.skip(),
            Some(place) => scanner.members(&mut |scanner, name| {
                if name == metric { scanner.number(&mut found[place]) } else { scanner.skip() }
            }),
        }
    });
    if is_read.is_some() { found } else { [None; 2] }
}

/// Reads JSON in which numbers may be `NaN`, `Infinity` and `-Infinity`, as Python writes them.
struct Scanner<'a> {
    rest: &'a [u8],
}

/// What takes the value of a member, whose name it is told.
type Take<'a, 'b> = &'b mut dyn FnMut(&mut Scanner<'a>, &str) -> Option<()>;

impl<'a> Scanner<'a> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        let found = self.peek()?;
        self.rest = &self.rest[usize::from(found == wanted)..];
        (found == wanted).then_some(())
    }

    /// An object, whose members' values are taken one by one.
    fn members(&mut self, take: Take<'a, '_>) -> Option<()> {
        self.byte(b'{')?;
        if self.byte(b'}').is_some() {
            return Some(());
        }
        loop {
            let name: String = serde_json::from_slice(self.text()?).ok()?;
            self.byte(b':')?;
            take(self, &name)?;
            if self.byte(b',').is_none() {
                return self.byte(b'}');
            }
        }
    }

    /// A text with its quotes.
    fn text(&mut self) -> Option<&'a [u8]> {
        if self.peek()? != b'"' {
            return None;
        }
        let mut is_escaped = false;
        let end = self.rest.iter().skip(1).position(|byte| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        })?;
        let (text, rest) = self.rest.split_at(end + 2);
        self.rest = rest;
        Some(text)
    }

    /// A number or a word.
    fn word(&mut self) -> Option<&'a str> {
        self.peek()?;
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
        let end = self.rest.iter().position(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        std::str::from_utf8(word).ok().filter(|word| !word.is_empty())
    }

    /// A number, or what is none.
    fn number(&mut self, found: &mut Option<f64>) -> Option<()> {
        let word = match self.peek()? {
            b'{' | b'[' => return self.skip(),
            // As strict JSON has NaN and infinities.
            b'"' => std::str::from_utf8(self.text()?).ok()?.trim_matches('"'),
            _ => self.word()?,
        };
        *found = match word {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => word.parse().ok().filter(|_| word.ends_with(|last: char| last.is_ascii_digit())),
        };
        Some(())
    }

    /// Passes over any value.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.text()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.rest = &self.rest[1..];
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.rest = &self.rest[1..];
                }
                b',' | b':' if depth > 0 => {
                    self.rest = &self.rest[1..];
                    continue;
                }
                _ if depth > 0 => {
                    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':');
                    let end = self.rest.iter().position(is_end)?;
                    self.rest = &self.rest[end..];
                }
                _ => drop(self.word()?),
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of_text;

    #[test]
    fn the_wanted_score_is_found_among_others() {
        let text = r#" {"train": {"r2": 9}, "a": [1, {"r2": "}"}, null], "val" :{"rm\"se": 1, "x": {"r2": 8}, "r2": -0.5e1},
            "test": {"r2": NaN, "mae": Infinity}}"#;
        let [val, test] = of_text(text, "r2");
        assert_eq!((val, test.map(f64::is_nan)), (Some(-5.0), Some(true)));
        assert_eq!(of_text(text, "mae"), [None, Some(f64::INFINITY)]);
        assert_eq!(of_text(text, "rm\"se"), [Some(1.0), None]);
        assert_eq!(of_text(r#"{"val": {"r2": "-Infinity"}}"#, "r2"), [Some(f64::NEG_INFINITY), None]);
        for other in
            ["", "{}", "null", "[1]", r#"{"val": null}"#, r#"{"val": {"r2": null}}"#, r#"{"val": {"r2": 1}"#]
        {
            assert_eq!(of_text(other, "r2"), [None, None], "{other}");
        }
    }
}
