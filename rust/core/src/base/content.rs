//! Names made of content, and names that are unique.

use super::error::{Error, ErrorKind, Result};

/// The first `digits` hexadecimal digits of the BLAKE3 of some bytes, up to 64.
pub fn blake3_hex(bytes: &[u8], digits: usize) -> String {
    let mut text = blake3::hash(bytes).to_hex().to_string();
    text.truncate(digits);
    text
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// So many random hexadecimal digits, up to 64.
pub fn random_hex(digits: usize) -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Io, format!("the system gives no random numbers: {error}")))?;
    let mut text = hex(&bytes);
    text.truncate(digits);
    Ok(text)
}
