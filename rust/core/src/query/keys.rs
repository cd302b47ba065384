//! What orders rows: a column as keys, a group and a number each, of which smaller ones come first.
//!
//! Keys of texts are places among some texts that were chosen beforehand, see [`Splitters`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, Field};

use super::filter::ColumnBounds;
use super::score_column::ScoreColumn;
use super::splitters::{Near, Splitters};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::metrics::{self, Direction};
use crate::types::columns::{Numbers, SCORES, Texts, times};
use crate::types::schema::{self, Type};
use crate::types::{self, rows};

/// A place in an order: group, then number.
pub type Key = (u32, u64);

/// What comes right after a key.
pub fn after(key: Key) -> Key {
    key.1.checked_add(1).map_or((key.0 + 1, 0), |number| (key.0, number))
}

/// How rows are to be ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// Whether larger values come first; `None`: the best first where it is a score, else the smallest.
    pub descending: Option<bool>,
    /// Which scores are better, whatever their metric; `None`: what the table of metrics says.
    pub direction: Option<Direction>,
}

impl Sort {
    /// Whether metrics say which scores come first.
    pub fn is_best_first(&self) -> bool {
        self.descending.is_none()
            && (SCORES.contains(&self.column.as_str()) || ScoreColumn::of(&self.column).is_some())
    }
}

/// The type in which a column of an answer's type is ordered.
pub fn ordered_as(column: &str, answer: &DataType) -> Result<Type> {
    Ok(match answer {
        DataType::Boolean => Type::Bool,
        other if other.is_integer() => Type::Int,
        other if other.is_floating() => Type::Float,
        DataType::Decimal128(..) => Type::Float,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => Type::Int,
        DataType::Timestamp(..) | DataType::Date32 => Type::Time,
        DataType::Utf8 => Type::Text,
        other => {
            let message = format!(
                "column {column:?} holds values of type {other}, which have no order; sort by another column"
            );
            return Err(Error::new(ErrorKind::Argument, message));
        }
    })
}

/// Metrics by name, with their directions: those that rank, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranks {
    metrics: Vec<(String, Direction)>,
    /// Whether all rows have the one metric, whatever their own is.
    is_of_all: bool,
}

impl Ranks {
    /// Of the metrics of this name whose direction is known.
    pub fn of(names: &BTreeSet<String>, direction: Option<Direction>) -> Self {
        let direction = |name: &str| direction.unwrap_or_else(|| metrics::direction(name));
        let directed = names.iter().map(|name| (name.clone(), direction(name)));
        let metrics = directed.filter(|(_, direction)| *direction != Direction::Unknown).collect();
        Self { metrics, is_of_all: false }
    }

    /// Of one metric that all rows have.
    pub fn of_one(metric: &str, direction: Option<Direction>) -> Self {
        let direction = direction.unwrap_or_else(|| metrics::direction(metric));
        Self { metrics: vec![(metric.to_owned(), direction)], is_of_all: true }
    }

    /// Whether rows of a group have scores that rank: NaN and nulls do not.
    pub fn has_scores(&self, group: u32) -> bool {
        group < self.unranked() && group.is_multiple_of(CLASSES)
    }

    /// The place and direction of a metric; `None` for one that does not rank.
    fn of_metric(&self, name: &str) -> Option<(u32, Direction)> {
        let place = self.metrics.binary_search_by(|(metric, _)| metric.as_str().cmp(name)).ok()?;
        Some((place as u32, self.metrics[place].1))
    }

    /// The group of scores of a metric that a cursor names, though it may be gone by now.
    pub fn group(&self, name: &str, class: u32) -> u32 {
        let place = self.metrics.partition_point(|(metric, _)| metric.as_str() < name);
        place as u32 * CLASSES + class
    }

    /// The metric of a group.
    pub fn metric(&self, group: u32) -> Option<&str> {
        self.metrics.get((group / CLASSES) as usize).map(|(name, _)| name.as_str())
    }

    /// The group of rows without a metric that ranks.
    pub fn unranked(&self) -> u32 {
        self.metrics.len() as u32 * CLASSES
    }
}

/// Values, then NaN, then nulls.
pub const CLASSES: u32 = 3;
const NAN: u32 = 1;
const NULL: u32 = 2;
/// Stands for the places of rows where a column would; no column has a zero byte in its name.
pub const PLACES: &str = "\0";
/// The columns that order rows of equal values.
pub const TIES: [&str; 3] = ["id", "run_id", "dataset_name"];

/// Makes keys of a column.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The column.
    pub column: String,
    /// In what type it is compared.
    pub kind: Type,
    /// In what type answers have it, which that of a file is converted to.
    pub answer: DataType,
    /// Whether larger values come first.
    pub descending: bool,
    /// Where metrics say which scores come first: which metrics there are.
    pub ranks: Option<Ranks>,
    /// For texts.
    pub splitters: Arc<Splitters>,
    /// Of other texts only whether they come before or after these matters.
    near: Near,
}

impl Keys {
    /// Keys of a column, texts not divided yet.
    pub fn new(column: String, kind: Type, descending: bool, ranks: Option<Ranks>) -> Self {
        let (splitters, near) = (Arc::default(), Near::default());
        Self { column, kind, answer: kind.arrow(), descending, ranks, splitters, near }
    }

    /// These keys where only those from one up to another matter: those of others lie before or after them.
    #[must_use]
    pub fn between(&self, low: Key, high: Option<Key>) -> Self {
        let mut keys = self.clone();
        if self.kind == Type::Text && low.0 == 0 {
            let high = high.filter(|high| high.0 == 0).map(|high| self.forward(high.1));
            let low = self.forward(low.1);
            keys.near = if self.descending {
                self.splitters.near_numbers(high.unwrap_or(0), low)
            } else {
                self.splitters.near_numbers(low, high.unwrap_or(u64::MAX))
            };
        }
        keys
    }

    /// What orders rows of equal values in these columns: the next column of [`TIES`], or else their places.
    pub fn after(columns: &[&str]) -> Self {
        let next = TIES.iter().find(|column| !columns.contains(column));
        let kind = next.map_or(Type::Int, |_| Type::Text);
        let column = next.map_or(PLACES, |column| column).to_owned();
        Self::new(column, kind, false, None)
    }

    /// Whether places order, which no two rows share.
    pub fn are_places(&self) -> bool {
        self.column == PLACES
    }

    /// Whether rows with this key have equal values.
    pub fn is_exact(&self, key: Key) -> bool {
        self.kind != Type::Text || key.0 != 0 || Splitters::is_exact(self.forward(key.1))
    }

    /// Keys between which all lie but those of nulls, which come after them.
    pub fn range(&self) -> (Key, Key) {
        match &self.ranks {
            Some(ranks) => ((0, 0), (ranks.unranked() + 1, 0)),
            None if self.kind == Type::Text && self.descending => ((0, !self.splitters.last()), (NULL, 0)),
            None if self.kind == Type::Text => ((0, 0), (0, self.splitters.last() + 1)),
            None => ((0, 0), (NULL, 0)),
        }
    }

    /// The key that the row at a place of so many rows has, about; `None` where nothing was sampled.
    pub fn near(&self, place: u64, total: u64) -> Option<Key> {
        let number = self.splitters.near(place, total, self.descending)?;
        Some(number.map_or((NULL, 0), |number| (0, self.forward(number))))
    }

    /// How many of so many rows come before a key, and how many have it, about.
    pub fn share(&self, key: Key, total: u64) -> (u64, u64) {
        match key.0 {
            0 => self.splitters.share(self.forward(key.1), total, self.descending),
            _ => self.splitters.nulls(total),
        }
    }

    /// Whether statistics say that all rows have a key, or that none has.
    pub fn decided_by(&self, known: &ColumnBounds, key: Key) -> Option<bool> {
        if self.kind != Type::Text || self.ranks.is_some() {
            return None;
        }
        match known {
            ColumnBounds::Always(text) => Some(self.of_text(text.as_deref()) == key),
            ColumnBounds::Texts(_, _, has_nulls) if key.0 == NULL => (!has_nulls).then_some(false),
            ColumnBounds::Texts(low, high, _) => {
                let (one, other) = (self.of_text(Some(low)), self.of_text(Some(high)));
                (key < one.min(other) || key > one.max(other)).then_some(false)
            }
            ColumnBounds::Nothing | ColumnBounds::Numbers(..) => None,
        }
    }

    /// The columns that are read.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let ranks = self.ranks.as_ref().filter(|ranks| !ranks.is_of_all);
        std::iter::once(self.column.as_str()).chain(ranks.map(|_| "metric"))
    }

    fn forward(&self, number: u64) -> u64 {
        if self.descending { !number } else { number }
    }

    /// The key of a text.
    pub fn of_text(&self, text: Option<&str>) -> Key {
        text.map_or((NULL, 0), |text| (0, self.forward(self.splitters.number_near(text, &self.near))))
    }

    fn of_number(&self, number: Option<f64>) -> Key {
        match number {
            None => (NULL, 0),
            Some(number) if number.is_nan() => (NAN, 0),
            Some(number) => (0, self.forward(ordered(number))),
        }
    }

    fn of_int(&self, number: Option<i64>) -> Key {
        number.map_or((NULL, 0), |number| (0, self.forward(number as u64 ^ SIGN)))
    }

    fn of_unsigned(&self, number: Option<u64>) -> Key {
        number.map_or((NULL, 0), |number| (0, self.forward(number)))
    }

    /// One word for how numbers of keys are made of values.
    pub fn label(&self) -> &'static str {
        if self.answer == DataType::UInt64 { UNSIGNED } else { self.kind.label() }
    }

    /// A number of a key that was made another way, when the column had another type.
    pub fn recast(&self, number: u64, label: &str) -> u64 {
        let value = self.forward(number);
        let (int, unsigned) = (Type::Int.label(), UNSIGNED);
        self.forward(match (label, self.label()) {
            (from, "float") if from == int => ordered((value ^ SIGN) as i64 as f64),
            (from, "float") if from == unsigned => ordered(value as f64),
            (from, to) if from == int && to == unsigned => ((value ^ SIGN) as i64).max(0) as u64,
            (from, to) if from == unsigned && to == int => {
                i64::try_from(value).unwrap_or(i64::MAX) as u64 ^ SIGN
            }
            _ => value,
        })
    }

    /// The keys of some rows, or of all.
    pub fn of_rows(
        &self,
        batch: &RecordBatch,
        metric: &ColumnBounds,
        rows: &mut dyn Iterator<Item = u32>,
        take: &mut dyn FnMut(u32, Key),
    ) -> Result<()> {
        if let Some(ranks) = &self.ranks {
            return self.of_scores(ranks, batch, metric, rows, take);
        }
        let batch = &*self.converted(batch)?;
        match self.kind {
            Type::Text => {
                let texts = Texts::of(batch, &self.column)?;
                if let Texts::Dictionary { keys, nulls, values } = &texts {
                    let each: Vec<Key> =
                        (0..values.len()).map(|value| self.of_text(values.get(value))).collect();
                    let is_valid = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                    rows.for_each(|row| {
                        let key = keys.get(row as usize).filter(|_| is_valid(row as usize));
                        take(row, key.map_or((NULL, 0), |&key| each[key]));
                    });
                } else {
                    rows.for_each(|row| take(row, self.of_text(texts.get(row as usize))));
                }
            }
            Type::Float => {
                let numbers = Numbers::of(batch, &self.column)?;
                rows.for_each(|row| take(row, self.of_number(numbers.get(row as usize))));
            }
            Type::Int if self.answer == DataType::UInt64 => {
                let numbers =
                    batch.column_by_name(&self.column).and_then(|it| it.as_primitive_opt::<UInt64Type>());
                let number = |row: usize| numbers.filter(|it| it.is_valid(row)).map(|it| it.value(row));
                rows.for_each(|row| take(row, self.of_unsigned(number(row as usize))));
            }
            Type::Bool | Type::Int | Type::Time | Type::Duration => {
                let numbers = whole_numbers(batch, &self.column, self.kind)?;
                rows.for_each(|row| take(row, self.of_int(numbers.get(row as usize).copied().flatten())));
            }
        }
        Ok(())
    }

    /// The column as answers have it, where it is none of those that every segment has: a value that does
    /// not convert is null.
    pub fn converted<'b>(&self, batch: &'b RecordBatch) -> Result<Cow<'b, RecordBatch>> {
        let Some(array) = batch.column_by_name(&self.column) else { return Ok(Cow::Borrowed(batch)) };
        let is_coded_text =
            matches!(array.data_type(), DataType::Dictionary(_, values) if **values == self.answer);
        if schema::known(&self.column).is_some() || *array.data_type() == self.answer || is_coded_text {
            return Ok(Cow::Borrowed(batch));
        }
        let field = Field::new(&self.column, self.answer.clone(), true);
        let array = types::convert(array, &self.answer)?.array;
        rows::batch_of(vec![field], vec![array]).map(Cow::Owned)
    }

    fn of_scores(
        &self,
        ranks: &Ranks,
        batch: &RecordBatch,
        metric: &ColumnBounds,
        rows: &mut dyn Iterator<Item = u32>,
        take: &mut dyn FnMut(u32, Key),
    ) -> Result<()> {
        let scores = Numbers::of(batch, &self.column)?;
        let key = |rank: Option<(u32, Direction)>, row: u32| {
            let Some((place, direction)) = rank else { return (ranks.unranked(), 0) };
            let (class, number) = match scores.get(row as usize) {
                None => (NULL, 0),
                Some(score) => match direction.goodness(score) {
                    None => (NAN, 0),
                    Some(goodness) => (0, !ordered(goodness)),
                },
            };
            (place * CLASSES + class, number)
        };
        if ranks.is_of_all {
            let rank = ranks.metrics.first().map(|(_, direction)| (0, *direction));
            rows.for_each(|row| take(row, key(rank, row)));
            return Ok(());
        }
        if let ColumnBounds::Always(name) = metric {
            let rank = ranks.of_metric(name.as_deref().unwrap_or_default());
            rows.for_each(|row| take(row, key(rank, row)));
            return Ok(());
        }
        let texts = Texts::of(batch, "metric")?;
        let codes = texts.codes(0..batch.num_rows());
        let each: Vec<_> = codes.names.iter().map(|name| ranks.of_metric(name)).collect();
        rows.for_each(|row| {
            let rank = each.get(codes.at(row as usize) as usize).copied();
            take(row, key(rank.unwrap_or_else(|| ranks.of_metric("")), row));
        });
        Ok(())
    }
}

const SIGN: u64 = 1 << 63;
/// The label of whole numbers without a sign.
const UNSIGNED: &str = "uint";

/// Numbers of the same order; -0.0 and 0.0 are one.
fn ordered(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// A column of truth values, whole numbers or times as whole numbers.
fn whole_numbers(batch: &RecordBatch, column: &str, kind: Type) -> Result<Vec<Option<i64>>> {
    let Some(array) = batch.column_by_name(column) else { return Ok(Vec::new()) };
    if kind == Type::Time {
        return times(batch, column);
    }
    let failed = |error: arrow_schema::ArrowError| {
        let message = format!("column {column:?} of type {} has no order: {error}", array.data_type());
        Error::new(ErrorKind::Schema, message)
    };
    let whole = match array.data_type() {
        DataType::Time32(_) => cast(&cast(array, &DataType::Int32).map_err(failed)?, &DataType::Int64),
        _ => cast(array, &DataType::Int64),
    };
    Ok(whole.map_err(failed)?.as_primitive::<Int64Type>().iter().collect())
}
