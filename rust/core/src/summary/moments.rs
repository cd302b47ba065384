//! Mean and standard deviation that stay right at a mean of 1e9 with a spread of 1e-3.
//!
//! Values are kept relative to the first one; parts are merged by Chan, Golub and `LeVeque`,
//! "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).

/// Count, mean and sum of squared deviations of finite values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    pub(super) count: u64,
    /// The first value: what the mean is relative to.
    pub(super) origin: f64,
    /// Mean of value - origin.
    pub(super) mean: f64,
    /// Sum of squared deviations from the mean.
    pub(super) m2: f64,
}

impl Moments {
    /// Adds one finite value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        if self.count == 0 {
            self.origin = value;
        }
        self.count += 1;
        let shifted = value - self.origin;
        let delta = shifted - self.mean;
        self.mean += delta / self.count as f64;
        self.m2 += delta * (shifted - self.mean);
    }

    /// Adds finite values in two passes, which is both faster and more accurate than one by one.
    pub fn add_slice(&mut self, values: &[f64]) {
        let Some(&origin) = values.first() else { return };
        let count = values.len() as f64;
        let mean = values.iter().map(|value| value - origin).sum::<f64>() / count;
        let (mut squares, mut rest) = (0.0, 0.0);
        for value in values {
            let deviation = value - origin - mean;
            squares += deviation * deviation;
            rest += deviation;
        }
        let m2 = squares - rest * rest / count;
        self.merge(&Self { count: values.len() as u64, origin, mean: mean + rest / count, m2 });
    }

    /// Adds what another part has counted.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let total = ours + theirs;
        let delta = (other.origin - self.origin) + (other.mean - self.mean);
        self.mean += delta * (theirs / total);
        self.m2 += other.m2 + delta * delta * (ours * theirs / total);
        self.count += other.count;
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` without values or where it overflows.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.origin + self.mean).filter(|mean| mean.is_finite())
    }

    /// The standard deviation with one degree of freedom less; `None` below two values or on overflow.
    pub fn std(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.m2 / (self.count - 1) as f64).sqrt()).filter(|std| std.is_finite())
    }
}
