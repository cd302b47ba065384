//! Counting distinct names: exact up to [`EXACT`], beyond that `HyperLogLog`.
//!
//! Registers as in Flajolet, Fusy, Gandouet and Meunier (2007), with 2^15 of them: a standard error
//! of 1.04 / sqrt(2^15) = 0.57 %. The estimate is Ertl's, which has no bias at any count
//! ("New cardinality estimation algorithms for `HyperLogLog` sketches", arXiv:1702.01284, algorithm 6).

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use twox_hash::XxHash3_64;

/// Up to so many names the count is exact.
pub const EXACT: usize = 4096;
const PRECISION: u32 = 15;
pub(super) const REGISTERS: usize = 1 << PRECISION;
/// The largest value of a register: 64 - 15 hash bits without a one, and one.
pub(super) const MAX_RANK: u8 = (64 - PRECISION + 1) as u8;

/// A set of names, as hashes or as registers.
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// The XXH3 hashes of all names.
    Exact(HashSet<u64, FixedState>),
    /// One rank for each of 2^15 parts of the hash space.
    Registers(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(HashSet::default())
    }
}

impl Distinct {
    /// Adds a name.
    pub fn add(&mut self, name: &str) {
        self.add_hash(XxHash3_64::oneshot(name.as_bytes()));
    }

    pub(super) fn add_hash(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    hashes.iter().for_each(|&hash| record(&mut registers, hash));
                    *self = Self::Registers(registers);
                }
            }
            Self::Registers(registers) => record(registers, hash),
        }
    }

    /// Adds another set.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(hashes)) => hashes.iter().for_each(|&hash| self.add_hash(hash)),
            (Self::Registers(ours), Self::Registers(theirs)) => {
                for (our, their) in ours.iter_mut().zip(theirs) {
                    *our = (*our).max(*their);
                }
            }
            (Self::Exact(_), Self::Registers(_)) => {
                let ours = std::mem::replace(self, other.clone());
                self.merge(&ours);
            }
        }
    }

    /// Whether the count is exact.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// How many names there are, or about how many.
    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => estimate(registers),
        }
    }
}

fn record(registers: &mut [u8], hash: u64) {
    let rest = hash << PRECISION | 1 << (PRECISION - 1); // the one bounds the rank at MAX_RANK
    let rank = rest.leading_zeros() as u8 + 1;
    let register = &mut registers[(hash >> (64 - PRECISION)) as usize];
    *register = (*register).max(rank);
}

fn estimate(registers: &[u8]) -> u64 {
    let mut counts = [0u32; MAX_RANK as usize + 1];
    for &rank in registers {
        counts[usize::from(rank.min(MAX_RANK))] += 1;
    }
    let size = REGISTERS as f64;
    let mut z = size * tau(1.0 - f64::from(counts[MAX_RANK as usize]) / size);
    for &count in counts[1..MAX_RANK as usize].iter().rev() {
        z = 0.5 * (z + f64::from(count));
    }
    z += size * sigma(f64::from(counts[0]) / size);
    (size * size / (2.0 * std::f64::consts::LN_2) / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}
