//! The values of one score column.

use std::ops::RangeInclusive;

use super::moments::Moments;
use super::quantiles::Quantiles;

/// The values of one score column.
#[derive(Clone, Debug, Default)]
pub struct ScoreStats {
    pub(super) nulls: u64,
    pub(super) nans: u64,
    pub(super) infs: u64,
    /// Smallest and largest finite value.
    pub(super) range: Option<(f64, f64)>,
    pub(super) moments: Moments,
    pub(super) quantiles: Quantiles,
}

impl ScoreStats {
    #[inline]
    pub(super) fn add(&mut self, value: Option<f64>) {
        let Some(value) = value else {
            self.nulls += 1;
            return;
        };
        if value.is_finite() {
            self.moments.add(value);
            self.quantiles.add(value);
            self.widen(value, value);
        } else {
            self.add_odd(value);
        }
    }

    pub(super) fn add_odd(&mut self, value: f64) {
        if value.is_nan() {
            self.nans += 1;
        } else {
            self.infs += 1;
        }
    }

    #[inline]
    pub(super) fn widen(&mut self, low: f64, high: f64) {
        let (min, max) = self.range.unwrap_or((low, high));
        self.range = Some((min.min(low), max.max(high)));
    }

    pub(super) fn merge_outline(&mut self, other: &Self) {
        self.nulls += other.nulls;
        self.nans += other.nans;
        self.infs += other.infs;
        self.moments.merge(&other.moments);
        if let Some((low, high)) = other.range {
            self.widen(low, high);
        }
    }

    /// Count, mean and deviation of the finite values.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Whether some value may lie in a range.
    pub fn may_lie_in(&self, wanted: &RangeInclusive<f64>) -> bool {
        self.infs > 0 || self.range.is_some_and(|(low, high)| low <= *wanted.end() && high >= *wanted.start())
    }

    /// Whether another count of the same values agrees, but for rounding.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let close = |ours: Option<f64>, theirs: Option<f64>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 1e-9 * ours.abs().max(theirs.abs()),
            (ours, theirs) => ours == theirs,
        };
        (self.nulls, self.nans, self.infs, self.range) == (other.nulls, other.nans, other.infs, other.range)
            && self.moments.count() == other.moments.count()
            && close(self.moments.mean(), other.moments.mean())
            && close(self.moments.std(), other.moments.std())
    }
}
