//! The best predictions of a metric.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::types::columns::SCORES;

/// The text columns that a ranked prediction carries, in the order in which they are stored.
pub const TEXTS: [&str; 8] =
    ["id", "run_id", "dataset_name", "model_name", "config_name", "fold_id", "partition", "preprocessings"];

/// One ranked prediction.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Larger is better.
    pub(super) goodness: f64,
    /// `val_score`, `test_score`, `train_score`.
    pub(super) scores: [Option<f64>; SCORES.len()],
    /// The columns of [`TEXTS`], one after the other.
    texts: Box<str>,
    /// Where each of them ends.
    ends: [u32; TEXTS.len()],
    /// Bit n: column n has no text.
    nulls: u8,
}

impl Ranked {
    /// Packs a prediction.
    pub fn new<'a>(
        goodness: f64,
        scores: [Option<f64>; 3],
        texts: impl Iterator<Item = Option<&'a str>> + Clone,
    ) -> Self {
        let mut packed = String::with_capacity(texts.clone().flatten().map(str::len).sum());
        let (mut ends, mut nulls) = ([0; TEXTS.len()], 0);
        for (at, (end, text)) in ends.iter_mut().zip(texts).enumerate() {
            packed.push_str(text.unwrap_or_default());
            nulls |= u8::from(text.is_none()) << at;
            *end = packed.len() as u32;
        }
        Self { goodness, scores, texts: packed.into(), ends, nulls }
    }

    /// How good it is: larger is better.
    pub fn goodness(&self) -> f64 {
        self.goodness
    }

    /// The scores, in the order of [`SCORES`].
    pub fn scores(&self) -> [Option<f64>; 3] {
        self.scores
    }

    /// The texts, in the order of [`TEXTS`].
    pub fn texts(&self) -> [Option<&str>; TEXTS.len()] {
        let mut start = 0;
        std::array::from_fn(|at| {
            let end = self.ends[at] as usize;
            let text = &self.texts[std::mem::replace(&mut start, end)..end];
            (self.nulls >> at & 1 == 0).then_some(text)
        })
    }

    fn id(&self) -> &str {
        &self.texts[..self.ends[0] as usize]
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    /// Better first; ties by id, then by all the rest, so that no order of adding matters.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .goodness
            .total_cmp(&self.goodness)
            .then_with(|| self.id().cmp(other.id()))
            .then_with(|| (self.ends, self.nulls, &self.texts).cmp(&(other.ends, other.nulls, &other.texts)))
            .then_with(|| {
                let bits = |ranked: &Self| ranked.scores.map(|score| score.map(f64::to_bits));
                bits(self).cmp(&bits(other))
            })
    }
}

/// The best `k` predictions that were offered.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    /// All of them, in any order, while there are fewer than `k`.
    few: Vec<Ranked>,
    /// The worst of them on top, once there are `k`.
    heap: BinaryHeap<Ranked>,
}

impl TopK {
    /// An empty ranking of up to `k`.
    pub fn new(k: usize) -> Self {
        Self { k, few: Vec::new(), heap: BinaryHeap::new() }
    }

    /// Whether a prediction of this goodness could get in.
    #[inline]
    pub fn admits(&self, goodness: f64) -> bool {
        match self.heap.peek() {
            Some(worst) => goodness >= worst.goodness,
            None => self.k > 0,
        }
    }

    /// Offers a prediction.
    pub fn offer(&mut self, ranked: Ranked) {
        if let Some(mut worst) = self.heap.peek_mut() {
            if ranked < *worst {
                *worst = ranked;
            }
        } else if self.k > 0 {
            self.few.push(ranked);
            if self.few.len() == self.k {
                self.heap = std::mem::take(&mut self.few).into();
            }
        }
    }

    /// Offers all that another ranking kept.
    pub fn merge(&mut self, other: &Self) {
        for ranked in other.retained() {
            if self.admits(ranked.goodness) {
                self.offer(ranked.clone());
            }
        }
    }

    fn retained(&self) -> impl Iterator<Item = &Ranked> {
        self.few.iter().chain(&self.heap)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.few.clear();
        self.heap.clear();
    }

    /// How many predictions are kept at most.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The predictions, best first.
    pub fn sorted(&self) -> Vec<&Ranked> {
        let mut sorted: Vec<_> = self.retained().collect();
        sorted.sort_unstable();
        sorted
    }
}
