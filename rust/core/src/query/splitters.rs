//! Texts among which others have a place: a number for every text, smaller or equal for a smaller text.
//!
//! The number of a splitter is its own, and odd above [`FINE`] bits; a text between two splitters has theirs
//! in common and below that the first bytes in which such texts differ. Splitters come from a sample of rows,
//! which also says about how many rows lie before each.

use std::collections::BTreeMap;

/// Bits of a number for the bytes in which texts between the same two splitters differ.
const FINE: u32 = 40;

/// Some texts.
#[derive(Debug, Default)]
pub struct Splitters {
    /// In their order, each once.
    texts: Vec<String>,
    /// What all of them begin with, in bytes.
    common: usize,
    /// The eight bytes of each after that: what most comparisons need.
    heads: Vec<u64>,
    /// How many first bytes all texts have between two neighbours: before the first text, between the first
    /// and the second, ..., after the last.
    shared: Vec<usize>,
    /// Rows of the sample with texts before each, and of all texts.
    before: Vec<u64>,
    /// Rows of the sample without a text.
    nulls: u64,
}

impl Splitters {
    /// These texts, each with how many rows have it about, and how many have none.
    pub fn of(texts: BTreeMap<String, u64>, nulls: u64) -> Self {
        let mut before = vec![0];
        let mut sum = 0;
        before.extend(texts.values().map(|rows| {
            sum += rows;
            sum
        }));
        let texts: Vec<String> = texts.into_keys().collect();
        let common = match (texts.first(), texts.last()) {
            (Some(first), Some(last)) => alike(first, last),
            _ => 0,
        };
        let heads = texts.iter().map(|text| head(&text.as_bytes()[common..])).collect();
        let between = texts.windows(2).map(|pair| alike(&pair[0], &pair[1]));
        let shared = std::iter::once(0).chain(between).chain([0]).collect();
        Self { texts, common, heads, shared, before, nulls }
    }

    /// The number of a text.
    pub fn number(&self, text: &str) -> u64 {
        self.number_near(text, &Near::default())
    }

    /// The key of texts near others; of one that surely comes before or after these, the least or the last.
    pub fn number_near(&self, text: &str, near: &Near) -> u64 {
        let bytes = text.as_bytes();
        let common = self.texts.first().map_or(&[][..], |first| &first.as_bytes()[..self.common]);
        let place = match bytes.strip_prefix(common) {
            None if bytes < common => 0,
            None => self.texts.len(),
            Some(rest) => {
                let head = head(rest);
                if head < near.low {
                    return 0;
                }
                if head > near.high {
                    return self.last();
                }
                let first = self.heads.partition_point(|other| *other < head);
                let alike = self.heads[first..].partition_point(|other| *other == head);
                let found =
                    self.texts[first..first + alike].binary_search_by(|splitter| splitter.as_str().cmp(text));
                match found {
                    Ok(place) => return Self::exact(first + place),
                    Err(place) => first + place,
                }
            }
        };
        let shared = self.shared.get(place).copied().unwrap_or(0);
        (2 * place as u64) << FINE | head(bytes.get(shared..).unwrap_or_default()) >> (64 - FINE)
    }

    /// What tells texts with numbers from `low` up to `high` from most others.
    pub fn near_numbers(&self, low: u64, high: u64) -> Near {
        let place = |number: u64| (number >> (FINE + 1)) as usize;
        let below = place(low).checked_sub(1).and_then(|place| self.heads.get(place));
        let above = self.heads.get(place(high));
        Near { low: below.copied().unwrap_or(0), high: above.copied().unwrap_or(u64::MAX) }
    }

    /// Whether no row was sampled.
    pub fn is_empty(&self) -> bool {
        self.sampled() == 0
    }

    fn exact(place: usize) -> u64 {
        (2 * place as u64 + 1) << FINE
    }

    /// Whether texts with this number are equal.
    pub fn is_exact(number: u64) -> bool {
        (number >> FINE) % 2 == 1
    }

    /// The largest number that a text can have.
    pub fn last(&self) -> u64 {
        ((2 * self.texts.len() as u64 + 1) << FINE) - 1
    }

    fn sampled(&self) -> u64 {
        self.before.last().copied().unwrap_or(0) + self.nulls
    }

    /// The number of the text that the row at a place of so many rows has, about, `Some(None)` where it has
    /// no text; `None` where no row was sampled.
    pub fn near(&self, place: u64, total: u64, descending: bool) -> Option<Option<u64>> {
        let sampled = self.sampled();
        if sampled == 0 || total == 0 {
            return None;
        }
        let rank = scaled(place, sampled, total);
        let texts = sampled - self.nulls;
        if rank >= texts {
            return Some(None);
        }
        let rank = if descending { texts - 1 - rank } else { rank };
        Some(Some(Self::exact(self.before.partition_point(|before| *before <= rank) - 1)))
    }

    /// How many of so many rows come before those whose text has a number, and how many have it, about.
    pub fn share(&self, number: u64, total: u64, descending: bool) -> (u64, u64) {
        let sampled = self.sampled();
        let (place, has_own) = ((number >> (FINE + 1)) as usize, Self::is_exact(number));
        let before = |place: usize| self.before.get(place).or(self.before.last()).copied().unwrap_or(0);
        let (smaller, own) = (before(place), if has_own { before(place + 1) - before(place) } else { 0 });
        let earlier = if descending { sampled - self.nulls - smaller - own } else { smaller };
        (scaled(earlier, total, sampled), scaled(own, total, sampled))
    }

    /// How many of so many rows have a text, and how many have none, about.
    pub fn nulls(&self, total: u64) -> (u64, u64) {
        let sampled = self.sampled();
        (scaled(sampled - self.nulls, total, sampled), scaled(self.nulls, total, sampled))
    }
}

/// First bytes of texts, between which those lie that matter.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    low: u64,
    high: u64,
}

impl Default for Near {
    fn default() -> Self {
        Self { low: 0, high: u64::MAX }
    }
}

fn scaled(count: u64, to: u64, of: u64) -> u64 {
    (u128::from(count) * u128::from(to)).checked_div(u128::from(of)).unwrap_or(0) as u64
}

/// How many first bytes two texts have in common.
fn alike(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// The first eight bytes as a number, which is smaller or equal where the bytes are smaller.
fn head(bytes: &[u8]) -> u64 {
    if let Some(head) = bytes.first_chunk() {
        return u64::from_be_bytes(*head);
    }
    let mut head = [0; 8];
    head[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(head)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::Splitters;

    #[test]
    fn numbers_order_texts_and_odd_ones_are_equal_texts() {
        let splitters = ["id_", "id_ab", "id_abcdefgh1", "id_abcdefgh2", "id_b"];
        let splitters = Splitters::of(splitters.map(|text| (text.to_owned(), 1)).into(), 0);
        let mut texts: Vec<String> =
            ["", "i", "id", "id_", "ie", "a", "z", "\u{fc}", "id_\0", "id_a"].map(str::to_owned).into();
        for stem in
            ["id_ab", "id_abcdefgh1", "id_abcdefgh", "id_b", "id_abcdefgh1xyz", "id_abcdefgh1xyzabcdef"]
        {
            texts.extend(["", "a", "b", "\0", "\u{10ffff}"].map(|end| format!("{stem}{end}")));
        }
        for one in &texts {
            for other in &texts {
                let (first, second) = (splitters.number(one), splitters.number(other));
                assert!(one != other || first == second);
                assert!(one > other || first <= second, "{one:?} {other:?}");
                assert!(first != second || one == other || !Splitters::is_exact(first));
                assert!(first <= splitters.last());
            }
        }
        assert!(
            Splitters::is_exact(splitters.number("id_b")) && !Splitters::is_exact(splitters.number("id_c"))
        );
        assert_ne!(splitters.number("id_abcdefgh1a"), splitters.number("id_abcdefgh1b"));
        for low in texts.iter().map(|text| splitters.number(text)) {
            for high in texts.iter().map(|text| splitters.number(text)).filter(|high| low <= *high) {
                let near = splitters.near_numbers(low, high);
                for text in &texts {
                    let (number, found) = (splitters.number(text), splitters.number_near(text, &near));
                    let is_wanted = (low..high).contains(&number);
                    assert!(if is_wanted { number == found } else { !(low..high).contains(&found) });
                    assert_eq!(found < low, number < low, "{text:?} {low:x} {high:x}");
                }
            }
        }
    }

    #[test]
    fn shares_are_those_of_the_sample() {
        let texts = BTreeMap::from([("a".to_owned(), 6), ("b".to_owned(), 2)]);
        let splitters = Splitters::of(texts, 2);
        let near = |place, descending| splitters.near(place, 100, descending).unwrap();
        let (a, b) = (Some(splitters.number("a")), Some(splitters.number("b")));
        assert_eq!([0, 59, 60, 79, 80, 99].map(|place| near(place, false)), [a, a, b, b, None, None]);
        assert_eq!([0, 19, 20, 79, 80].map(|place| near(place, true)), [b, b, a, a, None]);
        assert_eq!(splitters.share(splitters.number("b"), 100, false), (60, 20));
        assert_eq!(splitters.share(splitters.number("a"), 100, true), (20, 60));
        assert_eq!(splitters.share(splitters.number("aa"), 100, false), (60, 0));
        assert_eq!(splitters.share(splitters.number("c"), 100, true), (0, 0));
        assert_eq!(splitters.nulls(100), (80, 20));
        assert_eq!(Splitters::default().near(0, 5, false), None);
        assert_eq!(Splitters::default().share(7, 5, true), (0, 0));
    }
}
