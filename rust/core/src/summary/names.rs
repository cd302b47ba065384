//! What is counted by name: models, runs, partitions, folds.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::moments::overflows;
use crate::base::metrics::Direction;

/// So many names are kept apart in memory; later ones are counted together.
pub const RETAINED: usize = 65_536;
/// So many names are kept apart in a file's footer: the most frequent.
pub const STORED: usize = 1_024;

/// Something that is counted for a name and can be added up.
pub trait Count: Clone + Default {
    /// Adds what another part has counted; `direction` tells which score is better.
    fn merge(&mut self, other: &Self, direction: Direction);
    /// Rows.
    fn rows(&self) -> u64;
}

impl Count for u64 {
    fn merge(&mut self, other: &Self, _direction: Direction) {
        *self += other;
    }

    fn rows(&self) -> u64 {
        *self
    }
}

/// Rows, mean and best of the finite validation scores of a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreTotals {
    pub(super) rows: u64,
    pub(super) scores: u64,
    pub(super) sum: f64,
    /// What the sum lost to rounding (Neumaier, 1974).
    pub(super) lost: f64,
    pub(super) best: Option<f64>,
    /// Whether a score is so large that there is no mean, whatever the sum is.
    pub(super) has_overflow: bool,
}

impl ScoreTotals {
    /// Counts a row and its validation score.
    #[inline]
    pub fn add(&mut self, score: Option<f64>, direction: Direction) {
        self.rows += 1;
        if let Some(score) = score.filter(|score| score.is_finite()) {
            self.scores += 1;
            self.has_overflow |= overflows(score);
            self.add_to_sum(score);
            self.offer(score, direction);
        }
    }

    /// Counts rows and their validation scores, NaN for none.
    pub fn add_slice(&mut self, scores: &[f64], direction: Direction) {
        let mut all = self.clone();
        scores.iter().for_each(|&score| all.add(Some(score), direction));
        *self = all;
    }

    fn add_to_sum(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    #[inline]
    fn offer(&mut self, score: f64, direction: Direction) {
        let Some(goodness) = direction.goodness(score) else { return };
        let better = match self.best.and_then(|best| direction.goodness(best)) {
            // Of two equally good ones (bias of +1 and -1) the larger, whatever the order.
            Some(best) => (goodness, Some(score)) > (best, self.best),
            None => true,
        };
        if better {
            self.best = Some(score);
        }
    }

    /// Mean of the finite validation scores; `None` without one or on overflow.
    pub fn mean(&self) -> Option<f64> {
        self.sum().filter(|_| self.scores > 0).map(|sum| sum / self.scores as f64)
    }

    /// How many finite validation scores there are.
    pub fn scores(&self) -> u64 {
        self.scores
    }

    /// Sum of the finite validation scores; `None` on overflow.
    pub fn sum(&self) -> Option<f64> {
        (!self.has_overflow).then_some(self.sum + self.lost).filter(|sum| sum.is_finite())
    }

    /// Whether a score is so large that there is no mean.
    pub fn has_overflow(&self) -> bool {
        self.has_overflow
    }

    /// Best finite validation score.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

impl Count for ScoreTotals {
    fn merge(&mut self, other: &Self, direction: Direction) {
        self.rows += other.rows;
        self.scores += other.scores;
        self.add_to_sum(other.sum);
        self.lost += other.lost;
        self.has_overflow |= other.has_overflow;
        if let Some(best) = other.best {
            self.offer(best, direction);
        }
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}

/// Counts by name, with one for rows whose name is null and one for names beyond the limit.
#[derive(Clone, Debug, Default)]
pub struct Names<T> {
    pub(super) named: Table<T>,
    pub(super) null: Option<T>,
    pub(super) other: Option<T>,
    /// The place of the name that was counted last, which often is the next one.
    last: usize,
}

/// So few names are found faster one by one than by their hash.
const FEW: usize = 8;

/// Values by name, in the order of their first appearance.
#[derive(Clone, Debug)]
pub struct Table<T> {
    entries: Vec<(String, T)>,
    /// Places in `entries` by hash, once there are more than a few.
    places: HashTable<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: HashTable::new() }
    }
}

impl<T: Default> Table<T> {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.place(name).map(|place| &self.entries[place].1)
    }

    #[inline]
    fn place(&self, name: &str) -> Option<usize> {
        if self.entries.len() <= FEW {
            return self.entries.iter().position(|entry| entry.0 == name);
        }
        self.places
            .find(hash(name), |&place| self.entries[place as usize].0 == name)
            .map(|&place| place as usize)
    }

    fn insert(&mut self, name: &str) -> usize {
        let place = self.entries.len();
        self.entries.push((name.to_owned(), T::default()));
        if place >= FEW {
            // The first time all of them, later the new one.
            for new in self.places.len()..=place {
                let entries = &self.entries;
                self.places
                    .insert_unique(hash(&entries[new].0), new as u32, |&old| hash(&entries[old as usize].0));
            }
        }
        place
    }
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

impl<T: Count> Names<T> {
    /// The count of a name, made if it is new.
    #[inline]
    pub fn entry(&mut self, name: Option<&str>) -> &mut T {
        let Some(name) = name else { return self.null.get_or_insert_default() };
        if self.named.entries.get(self.last).is_none_or(|last| last.0 != name) {
            self.last = match self.named.place(name) {
                Some(place) => place,
                None if self.named.len() >= RETAINED => return self.other.get_or_insert_default(),
                None => self.named.insert(name),
            };
        }
        &mut self.named.entries[self.last].1
    }

    /// Whether a name may be among them: names that were counted together prove nothing.
    pub fn may_have(&self, name: &str) -> bool {
        self.other.is_some() || self.named.get(name).is_some()
    }

    /// Whether another count of the same rows names them alike, as far as names are kept apart.
    pub fn has_rows_of(&self, other: &Self) -> bool {
        let is_known =
            |(name, count): (&str, &T)| other.named.get(name).is_some_and(|own| own.rows() == count.rows());
        self.named.iter().all(is_known)
            && self.null.as_ref().map(T::rows) == other.null.as_ref().map(T::rows)
            && (self.other.is_some() || self.named.len() == other.named.len())
    }

    /// Adds what another part has counted.
    pub fn merge(&mut self, other: &Self, direction: Direction) {
        for (name, count) in other.named.iter() {
            self.entry(Some(name)).merge(count, direction);
        }
        if let Some(count) = &other.null {
            self.null.get_or_insert_default().merge(count, direction);
        }
        if let Some(count) = &other.other {
            self.other.get_or_insert_default().merge(count, direction);
        }
    }

    /// Names with their counts: most rows first, then by name; null last.
    pub fn sorted(&self) -> Vec<(Option<&str>, &T)> {
        let mut sorted: Vec<_> = self.named.iter().map(|(name, count)| (Some(name), count)).collect();
        sorted.sort_unstable_by(|a, b| b.1.rows().cmp(&a.1.rows()).then_with(|| a.0.cmp(&b.0)));
        sorted.extend(self.null.iter().map(|count| (None, count)));
        sorted
    }

    /// Keeps the `limit` most frequent names apart and counts the rest together.
    pub fn limit(&mut self, limit: usize, direction: Direction) {
        if self.named.len() <= limit {
            return;
        }
        let mut names = std::mem::take(&mut self.named.entries);
        self.named = Table::default();
        names.sort_unstable_by(|a, b| b.1.rows().cmp(&a.1.rows()).then_with(|| a.0.cmp(&b.0)));
        for (rank, (name, count)) in names.iter().enumerate() {
            let kept = if rank < limit { self.entry(Some(name)) } else { self.other.get_or_insert_default() };
            kept.merge(count, direction);
        }
    }
}

impl Names<ScoreTotals> {
    /// The same names with their rows alone.
    #[must_use]
    pub fn without_scores(&self) -> Self {
        let mut bare = self.clone();
        let totals_by_name = bare.named.entries.iter_mut().map(|(_, totals)| totals);
        for totals in totals_by_name.chain(&mut bare.null).chain(&mut bare.other) {
            *totals = ScoreTotals { rows: totals.rows, ..ScoreTotals::default() };
        }
        bare
    }
}

impl Names<u64> {
    /// Counts a row and says whether its name may be a new one.
    #[inline]
    pub fn count(&mut self, name: Option<&str>) -> bool {
        let is_beyond = self.other.is_some();
        let count = self.entry(name);
        *count += 1;
        name.is_some() && (*count == 1 || is_beyond)
    }
}
