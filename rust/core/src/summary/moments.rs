//! Mean and standard deviation that stay right at a mean of 1e9 with a spread of 1e-3.
//!
//! Values are kept relative to the first one; parts are merged by Chan, Golub and `LeVeque`,
//! "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
//!
//! Values of [`OVERFLOW`] or more have no mean: whether their sum is finite would depend on their order. Below it no
//! sum of 2^48 values overflows. Squares do so earlier: those of values from [`LARGE`] on are kept in units of 2^1024.

/// 2^960: from this magnitude on a value leaves no mean.
pub const OVERFLOW: f64 = f64::from_bits((1023 + 960) << 52);
/// 2^480: from this magnitude on squares are kept in other units, as they are in files too.
pub(super) const LARGE: f64 = f64::from_bits((1023 + 480) << 52);
/// 2^-512, the root of the unit of large squares.
const UNIT: f64 = f64::from_bits((1023 - 512) << 52);

/// Whether a value is one that leaves no mean.
#[inline]
pub fn overflows(value: f64) -> bool {
    value.abs() >= OVERFLOW
}

/// Count, mean and sum of squared deviations of finite values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    pub(super) count: u64,
    /// The first value: what the mean is relative to.
    origin: f64,
    /// Mean of value - origin.
    pub(super) mean: f64,
    /// Sum of squared deviations from the mean, in units of 2^1024 where a value is large.
    pub(super) m2: f64,
    /// Largest magnitude of a value.
    pub(super) largest: f64,
}

impl Moments {
    /// Adds one finite value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        if self.count == 0 {
            self.origin = value;
        }
        self.reach(value.abs());
        self.count += 1;
        let shifted = value - self.origin;
        let delta = shifted - self.mean;
        self.mean += delta / self.count as f64;
        let unit = self.unit();
        self.m2 += (delta * unit) * ((shifted - self.mean) * unit);
    }

    /// Adds finite values in two passes, which is both faster and more accurate than one by one.
    pub fn add_slice(&mut self, values: &[f64]) {
        let Some(&origin) = values.first() else { return };
        let count = values.len() as f64;
        let (sum, largest) = values.iter().fold((0.0, 0.0), |(sum, largest): (f64, f64), value| {
            (sum + (value - origin), largest.max(value.abs()))
        });
        let mean = sum / count;
        let mut part = Self { count: values.len() as u64, origin, mean, m2: 0.0, largest };
        let unit = part.unit();
        let (mut squares, mut rest) = (0.0, 0.0);
        for value in values {
            let deviation = (value - origin - mean) * unit;
            squares += deviation * deviation;
            rest += deviation;
        }
        part.m2 = squares - rest * rest / count;
        part.mean += rest / count / unit;
        self.merge(&part);
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
        self.reach(other.largest);
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let total = ours + theirs;
        let delta = (other.origin - self.origin) + (other.mean - self.mean);
        self.mean += delta * (theirs / total);
        let scaled = delta * self.unit();
        self.m2 += other.m2_in(self.unit()) + scaled * scaled * (ours * theirs / total);
        self.count += other.count;
    }

    /// Takes note of a magnitude, before it is added.
    #[inline]
    fn reach(&mut self, magnitude: f64) {
        if magnitude > self.largest {
            let before = self.unit();
            self.largest = magnitude;
            let ratio = self.unit() / before;
            self.m2 *= ratio;
            self.m2 *= ratio;
        }
    }

    #[inline]
    fn unit(&self) -> f64 {
        if self.largest < LARGE { 1.0 } else { UNIT }
    }

    fn m2_in(&self, unit: f64) -> f64 {
        let ratio = unit / self.unit();
        self.m2 * ratio * ratio
    }

    /// Origin, mean - origin and squares as files have them: what no float holds is infinite, and so are mean and
    /// squares on overflow, for readers that do not look at magnitudes.
    pub(super) fn stored(&self) -> [f64; 3] {
        if self.has_overflow() {
            return [0.0, f64::INFINITY, f64::INFINITY];
        }
        [self.origin, self.mean, self.m2_in(1.0)]
    }

    /// Whether no float holds the sum of squared deviations as such, while there is a mean.
    pub(super) fn has_large_squares(&self) -> bool {
        !self.has_overflow() && self.m2_in(1.0).is_infinite()
    }

    /// What [`Self::stored`] gave, and whether its squares are left out because no float holds them as such.
    pub(super) fn from_stored(count: u64, stored: [f64; 3], largest: f64) -> (Self, bool) {
        let [origin, mean, squares] = stored;
        let mut moments = Self { count, origin, mean, m2: 0.0, largest };
        let is_large = largest >= LARGE && !moments.has_overflow() && squares.is_infinite();
        if !is_large {
            moments.m2 = squares * moments.unit() * moments.unit();
        }
        (moments, is_large)
    }

    /// Whether a value is so large that there is no mean.
    pub fn has_overflow(&self) -> bool {
        overflows(self.largest)
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` without values or on overflow.
    pub fn mean(&self) -> Option<f64> {
        let mean = (self.count > 0 && !self.has_overflow()).then_some(self.origin + self.mean);
        mean.filter(|mean| mean.is_finite())
    }

    /// The standard deviation with one degree of freedom less; `None` below two values or on overflow.
    pub fn std(&self) -> Option<f64> {
        let std = (self.count > 1 && !self.has_overflow())
            .then(|| (self.m2 / (self.count - 1) as f64).max(0.0).sqrt() / self.unit());
        std.filter(|std| std.is_finite())
    }
}
