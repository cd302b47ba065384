//! The least and the greatest number of column chunks, as the statistics of a footer say.

use super::thrift::{BINARY, Fault, Reader, each_field};

/// What is known of the numbers of a column or of a chunk of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bounds {
    /// Nothing: its writer kept no statistics.
    #[default]
    Unknown,
    /// It has no value but nulls.
    Nulls,
    /// The least and the greatest number, of which each fits the type.
    Numbers(i64, i64),
}

impl Bounds {
    /// What is known of the numbers of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Nulls, known) | (known, Self::Nulls) => known,
            (Self::Numbers(low, high), Self::Numbers(least, most)) => {
                Self::Numbers(low.min(least), high.max(most))
            }
        }
    }
}

/// What the statistics of a column chunk say.
#[derive(Default)]
pub(super) struct Statistics {
    low: Option<i64>,
    high: Option<i64>,
    nulls: Option<i64>,
}

impl Statistics {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut found = Self::default();
        each_field(reader, |reader, id, kind| {
            match (id, kind) {
                (3, 4..=6) => found.nulls = Some(reader.int()?),
                // The numbers of older writers stand in other fields, and are as good: they have a sign.
                (1 | 5, BINARY) => found.high = found.high.max(number(reader.binary()?)),
                (2 | 6, BINARY) => {
                    let low = number(reader.binary()?);
                    found.low = found.low.map_or(low, |known| low.map(|low| low.min(known)));
                }
                _ => reader.skip(kind)?,
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The bounds of a chunk of so many values, nulls among them.
    pub(super) fn bounds(&self, values: i64) -> Bounds {
        match (self.low, self.high) {
            _ if values == 0 || self.nulls == Some(values) => Bounds::Nulls,
            (Some(low), Some(high)) if low <= high => Bounds::Numbers(low, high),
            _ => Bounds::Unknown,
        }
    }
}

/// A number as Parquet writes it plainly.
fn number(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => Some(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        8 => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}
