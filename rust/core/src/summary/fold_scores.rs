//! The score of one model: what the predictions of its held-out folds come to.
//!
//! Each fold counts once, by its number of samples, so that the root mean square error of all folds is that of
//! all held-out samples (RMSECV). An average that the source computed stands in where no fold is known.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::base::metrics::{Direction, Pooling};

/// What a score rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Validation rows of single folds.
    Folds,
    /// The validation row of the average that the source computed.
    Avg,
    /// The one validation row that there is.
    Single,
    /// A test score: there is no validation.
    Test,
}

impl Basis {
    /// The name that files and answers carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folds => "folds",
            Self::Avg => "avg",
            Self::Single => "single",
            Self::Test => "test",
        }
    }
}

/// The score of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScore {
    /// What ranks it; NaN where a fold has none.
    pub score: f64,
    /// What that rests on.
    pub basis: Basis,
    /// The plain mean of its folds.
    pub mean: Option<f64>,
    /// Their standard deviation, of which one less than their number divides.
    pub std: Option<f64>,
    /// How many folds there are.
    pub n_folds: u64,
    /// What the source calls its average.
    pub avg: Option<f64>,
    /// Its score on the test set.
    pub test: Option<f64>,
}

/// A row of a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct FoldRow<'a> {
    /// Its fold; a null is `None`.
    pub fold: Option<&'a str>,
    /// Its partition.
    pub partition: Option<&'a str>,
    /// Its `val_score`.
    pub val: Option<f64>,
    /// Its `test_score`.
    pub test: Option<f64>,
    /// Its `n_samples`.
    pub samples: Option<f64>,
}

/// A score with the samples that it is of, each as bits, so that equal rows are one.
type Held = (String, Option<u64>, Option<u64>);

/// The rows of one model and metric that its score rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoldScores {
    folds: BTreeSet<Held>,
    /// Of rows that name no fold, which may be equal and are not the same.
    unnamed: Vec<Held>,
    avg: BTreeSet<u64>,
    tests: BTreeSet<Held>,
    avg_tests: BTreeSet<u64>,
    final_tests: BTreeSet<u64>,
    /// Of the final model's validation rows, which stand in where it has no test row.
    final_vals: BTreeSet<u64>,
}

/// The folds of averages over models of single folds.
pub const AVERAGES: [&str; 2] = [AVG, W_AVG];
pub(super) const AVG: &str = "avg";
pub(super) const W_AVG: &str = "w_avg";
/// The fold of a model that was fitted again to all samples.
pub(super) const FINAL: &str = "final";

impl FoldScores {
    /// Adds a row.
    pub fn add(&mut self, row: FoldRow<'_>) {
        let fold = row.fold.unwrap_or_default();
        let partition = row.partition.unwrap_or_default();
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        let held = |score| (fold.to_owned(), bits(score), bits(row.samples));
        let is_val = partition == "val" || partition.is_empty() && row.val.is_some();
        // Where there is no test set, nirs4all 0.6 says 0 of its samples and of its error.
        let is_test = (partition == "test" || partition.is_empty()) && row.samples != Some(0.0);
        match fold {
            W_AVG => {}
            AVG => {
                self.avg.extend(bits(row.val).filter(|_| is_val));
                self.avg_tests.extend(bits(row.test).filter(|_| is_test));
            }
            FINAL if partition == "val" => self.final_vals.extend(bits(row.test)),
            FINAL => self.final_tests.extend(bits(row.test).filter(|_| partition != "train")),
            _ => {
                if is_val {
                    let held = held(row.val);
                    if fold.is_empty() {
                        self.unnamed.push(held);
                    } else {
                        self.folds.insert(held);
                    }
                }
                if is_test && row.test.is_some() {
                    self.tests.insert(held(row.test));
                }
            }
        }
    }

    /// Adds the rows of another file.
    pub fn merge(&mut self, other: &Self) {
        self.folds.extend(other.folds.iter().cloned());
        self.unnamed.extend(other.unnamed.iter().cloned());
        self.avg.extend(&other.avg);
        self.tests.extend(other.tests.iter().cloned());
        self.avg_tests.extend(&other.avg_tests);
        self.final_tests.extend(&other.final_tests);
        self.final_vals.extend(&other.final_vals);
    }

    /// Whether all rows are of a model that was fitted again to all samples.
    pub fn is_refit(&self) -> bool {
        let (final_tests, final_vals) = (self.final_tests.clone(), self.final_vals.clone());
        *self == Self { final_tests, final_vals, ..Self::default() }
    }

    /// A fold that several rows have other scores of.
    pub fn repeated_fold(&self) -> Option<&str> {
        let mut folds = self.scored_folds().map(|held| held.0.as_str()).peekable();
        std::iter::from_fn(|| Some((folds.next()?, folds.peek().copied())))
            .find_map(|(fold, next)| (next == Some(fold)).then_some(fold))
    }

    /// The rows of named folds, but for those without a score beside one that has it.
    fn scored_folds(&self) -> impl Iterator<Item = &Held> {
        let has_score = |held: &Held| {
            let least = (held.0.clone(), Some(0), None);
            self.folds.range(least..).next().is_some_and(|next| next.0 == held.0)
        };
        self.folds.iter().filter(move |held| held.1.is_some() || !has_score(held))
    }

    /// The score; `None` where no row tells of one.
    pub fn score(&self, pooling: Pooling) -> Option<ModelScore> {
        let avg = one_of(&self.avg);
        let of_final = one_of(&self.final_tests).or_else(|| one_of(&self.final_vals));
        let test = of_final.or_else(|| one_of(&self.avg_tests));
        let bare = |score, basis| ModelScore { score, basis, mean: None, std: None, n_folds: 0, avg, test };
        let mut singles: Vec<&Held> = self.scored_folds().chain(&self.unnamed).collect();
        // Sums do not depend on the order in which rows came.
        singles.sort_unstable();
        // A fold without a score is one that failed; rows that name none may be of another kind.
        if self.folds.is_empty() && singles.iter().all(|held| held.1.is_none()) {
            singles.clear();
        }
        let scores = weights_of(&singles);
        if !self.folds.is_empty() || scores.len() > 1 {
            let (mean, std) = mean_and_std(&scores);
            let (score, n_folds) = (pooled(pooling, &scores), scores.len() as u64);
            return Some(ModelScore { score, basis: Basis::Folds, mean, std, n_folds, avg, test });
        }
        let pooled_of = |scores: &[(f64, f64)]| (!scores.is_empty()).then(|| pooled(pooling, scores));
        let tests = weights_of(&self.tests.iter().collect::<Vec<_>>());
        avg.map(|avg| bare(avg, Basis::Avg))
            .or_else(|| Some(bare(pooled_of(&scores)?, Basis::Single)))
            .or_else(|| Some(bare(test.or_else(|| pooled_of(&tests))?, Basis::Test)))
    }
}

/// The one score; of several, of rows that ought to be one, their mean.
fn one_of(scores: &BTreeSet<u64>) -> Option<f64> {
    let scores: Vec<(f64, f64)> = scores.iter().map(|bits| (f64::from_bits(*bits), 1.0)).collect();
    (!scores.is_empty()).then(|| weighted(&scores, |score| score))
}

/// Scores with their weights: the samples of each, or 1 where any does not say how many it has. A row without a
/// score is NaN.
fn weights_of(held: &[&Held]) -> Vec<(f64, f64)> {
    let samples =
        |held: &Held| held.2.map(f64::from_bits).filter(|samples| *samples > 0.0 && samples.is_finite());
    let counts = held.iter().all(|held| samples(held).is_some());
    let scores = held.iter().map(|held| {
        let weight = if counts { samples(held).unwrap_or(1.0) } else { 1.0 };
        (held.1.map_or(f64::NAN, f64::from_bits), weight)
    });
    scores.collect()
}

fn pooled(pooling: Pooling, scores: &[(f64, f64)]) -> f64 {
    match pooling {
        Pooling::Mean => {
            weighted(&scores.iter().map(|(score, _)| (*score, 1.0)).collect::<Vec<_>>(), |score| score)
        }
        Pooling::WeightedMean => weighted(scores, |score| score),
        Pooling::Magnitude => weighted(scores, f64::abs),
        Pooling::RootMeanSquare => {
            // By the largest, so that no square overflows.
            let largest = scores.iter().fold(0.0, |largest: f64, (score, _)| largest.max(score.abs()));
            let sign = if scores.iter().all(|(score, _)| *score <= 0.0) { -1.0 } else { 1.0 };
            if scores.iter().any(|(score, _)| score.is_nan()) {
                return f64::NAN;
            }
            if largest == 0.0 || largest.is_infinite() {
                return (sign * largest) + 0.0;
            }
            sign * largest * weighted(scores, |score| (score / largest).powi(2)).sqrt()
        }
    }
}

fn weighted(scores: &[(f64, f64)], value: impl Fn(f64) -> f64) -> f64 {
    let all = sum(scores.iter().map(|(_, weight)| *weight));
    let mean = sum(scores.iter().map(|(score, weight)| value(*score) * weight)) / all;
    if mean.is_finite() {
        return mean;
    }
    // Of large scores the sum has no bound, and the mean has.
    scores.iter().map(|(score, weight)| value(*score) * (weight / all)).sum()
}

/// A sum without the rounding of its steps (Neumaier), so that the mean of equal scores is that score.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        rest += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + rest
}

fn mean_and_std(scores: &[(f64, f64)]) -> (Option<f64>, Option<f64>) {
    let count = scores.len() as f64;
    let mean = weighted(&scores.iter().map(|(score, _)| (*score, 1.0)).collect::<Vec<_>>(), |score| score);
    let squares = scores.iter().map(|(score, _)| (score - mean).powi(2)).sum::<f64>();
    (Some(mean), (scores.len() > 1).then(|| (squares / (count - 1.0)).sqrt()))
}

/// The order of scores, the best first: validation before test, then by direction; what ranks nowhere comes last.
pub fn compare(one: &ModelScore, other: &ModelScore, direction: Direction) -> Ordering {
    let rank = |score: &ModelScore| {
        let goodness = direction.goodness(score.score);
        (goodness.is_none(), score.basis == Basis::Test, -goodness.unwrap_or_default())
    };
    rank(one).partial_cmp(&rank(other)).unwrap_or(Ordering::Equal)
}
