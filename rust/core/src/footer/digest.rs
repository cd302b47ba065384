//! A digest in a footer: proof that no byte of it changed since it was written.
//!
//! It stands at the end of a text in the footer, and can be found from the footer's end: a mark, the length
//! of the text before it, and a hash of all bytes of the footer but the hash itself, both in hexadecimal.
//! Where it is right, what the writer knew of the footer is still so, and Thrift need not be walked.

use twox_hash::XxHash3_64;

/// No base64, and nothing that a footer holds by chance; should it, the hash is wrong there.
const MARK: &[u8] = b".seal:";
const LENGTH: usize = 8;
const HASH: usize = 16;

/// A text with room for the digest, which `fill` writes once it is part of a footer.
pub fn reserve(text: &str) -> String {
    format!("{text}.seal:{:08x}{:016x}", text.len(), 0)
}

/// The text before a digest, right or not; all of it where there is none.
pub fn text_of(value: &str) -> &str {
    value.split_once(".seal:").map_or(value, |(text, _)| text)
}

/// Writes the digest of a footer that has room for it ([`reserve`]).
pub(super) fn fill(footer: &mut [u8]) {
    if let Some(at) = hash_at(footer)
        && footer[at..at + HASH].iter().all(|&digit| digit == b'0')
    {
        let hash = format!("{:016x}", hash_around(footer, at));
        footer[at..at + HASH].copy_from_slice(hash.as_bytes());
    }
}

/// The text before the digest of a footer, where the digest is right.
pub fn verified(footer: &[u8]) -> Option<&[u8]> {
    let at = hash_at(footer)?;
    let length = usize::try_from(hexadecimal(&footer[at - LENGTH..at])?).ok()?;
    if hexadecimal(&footer[at..at + HASH])? != hash_around(footer, at) {
        return None;
    }
    let end = at - LENGTH - MARK.len();
    footer.get(end.checked_sub(length)?..end)
}

/// Whether a footer has a digest, right or not.
pub fn is_there(footer: &[u8]) -> bool {
    hash_at(footer).is_some()
}

/// Where the hash of the last digest stands.
fn hash_at(footer: &[u8]) -> Option<usize> {
    // Its last byte is rare in what stands after it.
    let ends_mark = |&end: &usize| footer[end - 1] == MARK[MARK.len() - 1] && footer[..end].ends_with(MARK);
    let at = (1..=footer.len()).rev().find(ends_mark)? + LENGTH;
    (at + HASH <= footer.len()).then_some(at)
}

fn hash_around(footer: &[u8], at: usize) -> u64 {
    let before = XxHash3_64::oneshot(&footer[..at]);
    XxHash3_64::oneshot_with_seed(before, &footer[at + HASH..])
}

/// Lower case alone, so that no other digits give the same number.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}
