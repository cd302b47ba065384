//! How content is hashed in full, and what comes of it.

use std::fmt;
use std::str::FromStr;

use crate::base::content::hex;
use crate::base::error::{Error, ErrorKind, Result};

/// How content is hashed in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The default of new records: a tree, hashed on all cores.
    Blake3,
    /// What others may have used.
    Sha256,
}

impl Algorithm {
    /// The name that a hash begins with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "blake3" => Ok(Self::Blake3),
            "sha256" => Ok(Self::Sha256),
            _ => {
                let message = format!("unknown hash algorithm '{name}'; known are blake3 and sha256");
                Err(Error::new(ErrorKind::Argument, message))
            }
        }
    }
}

/// A full hash: `blake3:<64 hex>` or `sha256:<64 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// Its value.
    pub bytes: [u8; 32],
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), hex(&self.bytes))
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, digits) = text.split_once(':').unwrap_or(("", text));
        let algorithm = name.parse()?;
        let mut bytes = [0; 32];
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let message = format!("'{text}' is no hash: 64 hexadecimal digits must follow '{name}:'");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let value = |digit: u8| (digit as char).to_digit(16).unwrap_or_default() as u8;
            *byte = value(pair[0]) << 4 | value(pair[1]);
        }
        Ok(Self { algorithm, bytes })
    }
}
