//! How many rows have each key, where a column has few values: then any place in the order is found without
//! reading it again.

use std::collections::BTreeMap;

use super::keys::Key;

/// Keys that are counted of a file, at most.
const OF_A_FILE: usize = 256;
/// And of all files together.
const OF_ALL: usize = 131_072;

/// Rows of a file, or of some of its rows, by key, in the order of keys; `None` where there are too many keys.
#[derive(Clone, Debug)]
pub struct Groups(Option<Vec<(Key, u64)>>);

impl Default for Groups {
    fn default() -> Self {
        Self(Some(Vec::new()))
    }
}

impl Groups {
    /// Those of some rows.
    pub fn of(rows: &[(u32, Key)]) -> Self {
        let mut groups: Vec<(Key, u64)> = Vec::new();
        let mut last = 0;
        for (_, key) in rows {
            if groups.get(last).is_none_or(|(known, _)| known != key) {
                last = match groups.binary_search_by(|(known, _)| known.cmp(key)) {
                    Ok(place) => place,
                    Err(_) if groups.len() == OF_A_FILE => return Self(None),
                    Err(place) => {
                        groups.insert(place, (*key, 0));
                        place
                    }
                };
            }
            groups[last].1 += 1;
        }
        Self(Some(groups))
    }

    /// Too many to be counted.
    pub fn unknown() -> Self {
        Self(None)
    }

    /// Adds those of other rows.
    pub fn add(&mut self, other: Self) {
        let (Some(own), Some(others)) = (&mut self.0, other.0) else {
            self.0 = None;
            return;
        };
        for (key, count) in others {
            match own.binary_search_by(|(known, _)| known.cmp(&key)) {
                Ok(place) => own[place].1 += count,
                Err(place) => own.insert(place, (key, count)),
            }
        }
        if own.len() > OF_A_FILE {
            self.0 = None;
        }
    }

    /// Rows of smaller keys, and with this key.
    pub fn around(&self, key: Key) -> (u64, u64) {
        let groups = self.0.as_deref().unwrap_or_default();
        let place = groups.partition_point(|(known, _)| *known < key);
        let below = groups[..place].iter().map(|(_, count)| count).sum();
        (below, groups.get(place).filter(|(known, _)| *known == key).map_or(0, |(_, count)| *count))
    }

    /// Those of several files together.
    pub fn sum<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = BTreeMap::new();
        let mut pairs = 0;
        for groups in all {
            let Some(groups) = &groups.0 else { return Self(None) };
            pairs += groups.len();
            if pairs > OF_ALL {
                return Self(None);
            }
            groups.iter().for_each(|(key, count)| *sum.entry(*key).or_default() += count);
        }
        Self(Some(sum.into_iter().collect()))
    }

    /// Whether they are known.
    pub fn are_known(&self) -> bool {
        self.0.is_some()
    }

    /// A key from which on rows are to be read so that those at a place are among the first `rows`: that of
    /// the place, or an earlier one where no group up to there has more than `ties` rows.
    pub fn begin(&self, place: u64, rows: u64, ties: u64) -> Option<Key> {
        let groups = self.0.as_deref()?;
        let mut below = 0;
        let at = groups.iter().position(|(_, count)| {
            below += count;
            below > place
        })?;
        let (mut first, mut before) = (at, 0);
        while first > 0 && groups[at].1 <= ties && groups[first - 1].1 <= ties {
            before += groups[first - 1].1;
            if before > rows / 2 {
                break;
            }
            first -= 1;
        }
        Some(groups[first].0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Groups, OF_A_FILE};

    fn of(keys: &[u64]) -> Groups {
        Groups::of(&keys.iter().map(|key| (0, (0, *key))).collect::<Vec<_>>())
    }

    #[test]
    fn rows_before_and_with_a_key() {
        let mut groups = of(&[3, 1, 3, 7]);
        groups.add(of(&[9, 1]));
        assert_eq!(groups.around((0, 3)), (2, 2));
        assert_eq!(groups.around((0, 4)), (4, 0));
        assert_eq!(groups.around((1, 0)), (6, 0));
        let sum = Groups::sum([&groups, &of(&[0]), &Groups::default()].into_iter());
        assert_eq!(sum.around((0, 3)), (3, 2));
        assert_eq!(Groups::default().around((0, 0)), (0, 0));
    }

    #[test]
    fn a_window_begins_at_a_large_group_or_before_small_ones() {
        let groups = of(&[1, 2, 2, 2, 3, 4, 4, 5, 5, 5, 5]);
        let begin = |place, rows, ties| groups.begin(place, rows, ties).map(|key| key.1);
        assert_eq!([0, 1, 3, 4, 6, 7, 10].map(|place| begin(place, 100, 2)), [1, 2, 2, 3, 3, 5, 5].map(Some));
        assert_eq!([0, 3, 4, 5].map(|place| begin(place, 2, 4)), [1, 1, 3, 3].map(Some));
        assert_eq!(begin(11, 100, 2), None);
    }

    #[test]
    fn many_keys_are_not_counted() {
        let keys: Vec<u64> = (0..=OF_A_FILE as u64).collect();
        assert!(!of(&keys).are_known());
        let mut half = of(&keys[1..]);
        assert!(half.are_known());
        half.add(of(&keys[..1]));
        assert!(!half.are_known());
        half.add(of(&[1]));
        assert!(!half.are_known());
        assert!(!Groups::sum([&of(&[1]), &half].into_iter()).are_known());
        assert_eq!(half.begin(0, 1, 1), None);
    }
}
