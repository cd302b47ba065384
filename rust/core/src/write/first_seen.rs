//! What the rows of a writer hold for the first time: its caller may know it for a typing error.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};

use crate::summary::json_scores;

/// The places of `partition`, `metric` and `scores` among the columns of every segment.
const PARTITION: usize = 14;
const METRIC: usize = 18;
const SCORES: usize = 25;

/// The places of `y_true_id` and `y_pred_id`.
const ARRAYS: [usize; 2] = [30, 31];

/// Values of one kind that are told apart at most; a column with more of them holds no names.
const MOST: usize = 64;

/// Texts of `scores` that are looked at: a mistake is mostly in every row.
const MOST_SCORES: usize = 16;

/// Arrays whose shape is known at most: the first ones, since a mistake is mostly in every row.
const MOST_ARRAYS: usize = 4_096;

/// Partitions, metrics and other things that the rows of a writer had until now, each told once.
#[derive(Default)]
pub struct FirstSeen {
    partitions: Vec<String>,
    metrics: Vec<String>,
    n_scores: usize,
    has_unequal_lengths: bool,
    /// Of arrays that rows name by their ids.
    shapes: HashMap<String, Vec<usize>>,
    fresh: Vec<(&'static str, String)>,
}

impl FirstSeen {
    /// Takes note of an extra column that no earlier row had.
    pub(super) fn add_column(&mut self, name: String) {
        self.fresh.push(("column", name));
    }

    /// Takes note of a value in the column at a place, if it is one of those that are looked at.
    #[inline]
    pub(super) fn add_value(&mut self, place: usize, value: &str) {
        let (kind, known) = match place {
            METRIC => ("metric", &mut self.metrics),
            PARTITION => ("partition", &mut self.partitions),
            SCORES => return self.add_scores(value),
            _ => return,
        };
        if !known.iter().any(|one| one == value) && known.len() < MOST {
            known.push(value.to_owned());
            self.fresh.push((kind, value.to_owned()));
        }
    }

    fn add_scores(&mut self, text: &str) {
        if self.n_scores < MOST_SCORES {
            self.n_scores += 1;
            if !json_scores::is_readable(text) {
                self.n_scores = MOST_SCORES;
                self.fresh.push(("scores", text.to_owned()));
            }
        }
    }

    /// Takes note of the values in the columns of a batch that has those of every segment first.
    pub(super) fn add_values(&mut self, batch: &RecordBatch) {
        for place in [PARTITION, METRIC, SCORES] {
            let values: &StringArray = batch.column(place).as_string();
            if values.null_count() < values.len() {
                values.iter().flatten().for_each(|value| self.add_value(place, value));
            }
        }
        self.add_named(batch);
    }

    /// Takes note of an array that rows may name.
    pub(super) fn add_array(&mut self, id: &str, shape: &[usize]) {
        if self.shapes.len() < MOST_ARRAYS && !self.has_unequal_lengths {
            self.shapes.insert(id.to_owned(), shape.to_vec());
        }
    }

    /// Whether the shapes of arrays are known that rows name by their ids.
    pub(super) fn has_shapes(&self) -> bool {
        !self.shapes.is_empty()
    }

    /// The shape of an array that rows name by its id, if it is known.
    pub(super) fn shape(&self, id: &str) -> Option<&[usize]> {
        self.shapes.get(id).map(Vec::as_slice)
    }

    /// Takes note of the arrays that the rows of a batch name.
    fn add_named(&mut self, batch: &RecordBatch) {
        let [one, other]: [&StringArray; 2] = ARRAYS.map(|place| batch.column(place).as_string());
        if self.shapes.is_empty() || one.null_count() == one.len() || other.null_count() == other.len() {
            return;
        }
        for (one, other) in one.iter().zip(other) {
            let shape = |id: Option<&str>| id.and_then(|id| self.shapes.get(id));
            if let (Some(one), Some(other)) = (shape(one).cloned(), shape(other).cloned()) {
                self.add_lengths(&one, &other);
            }
        }
    }

    /// Takes note of two arrays of one row, given by their shapes, that have another number of samples.
    pub(super) fn add_lengths(&mut self, one: &[usize], other: &[usize]) {
        let is_equal =
            one.first() == other.first() || one.iter().product::<usize>() == other.iter().product::<usize>();
        if !is_equal && !self.has_unequal_lengths {
            self.has_unequal_lengths = true;
            self.shapes = HashMap::new();
            let [one, other] = [one, other].map(|shape| shape.first().copied().unwrap_or(1));
            self.fresh.push(("lengths", format!("{one} and {other}")));
        }
    }

    /// Whether something was not told yet.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// What was not told yet: pairs of a kind (column, partition, metric, scores, lengths) and a text.
    pub fn take_fresh(&mut self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::schema::COLUMNS;

    #[test]
    fn the_places_are_those_of_the_columns() {
        let names = [PARTITION, METRIC, SCORES].map(|place| COLUMNS[place].0);
        assert_eq!(names, ["partition", "metric", "scores"]);
        assert_eq!(ARRAYS.map(|place| COLUMNS[place].0), ["y_true_id", "y_pred_id"]);
    }

    #[test]
    fn each_thing_is_told_once() {
        let mut seen = FirstSeen::default();
        for value in ["rmse", "rmes", "rmse"] {
            seen.add_value(METRIC, value);
        }
        seen.add_value(METRIC + 1, "regression");
        ["val", "val"].iter().for_each(|value| seen.add_value(PARTITION, value));
        assert!(seen.has_fresh());
        let expected = [("metric", "rmse"), ("metric", "rmes"), ("partition", "val")];
        assert_eq!(seen.take_fresh(), expected.map(|(kind, text)| (kind, text.to_owned())));
        assert!(!seen.has_fresh());
    }

    #[test]
    fn a_column_of_numbers_is_not_a_column_of_samples() {
        let mut seen = FirstSeen::default();
        seen.add_lengths(&[97], &[97, 1]);
        seen.add_lengths(&[1, 97], &[97]);
        seen.add_lengths(&[97], &[97, 3]);
        assert!(!seen.has_fresh());
        seen.add_lengths(&[97], &[96]);
        seen.add_lengths(&[97], &[95]);
        assert_eq!(seen.take_fresh(), [("lengths", "97 and 96".to_owned())]);
    }

    #[test]
    fn a_column_of_ids_does_not_grow_what_is_known() {
        let mut seen = FirstSeen::default();
        (0..1_000).for_each(|number| seen.add_value(METRIC, &number.to_string()));
        assert_eq!(seen.take_fresh().len(), MOST);
    }
}
