//! Answers as trees, on their way to strict JSON or to Python objects.

use std::fmt::Write;
use std::sync::Arc;

/// A JSON value whose numbers may be NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A count.
    Int(u64),
    /// A whole number.
    Whole(i64),
    /// A measured number.
    Float(f64),
    /// A text.
    Text(String),
    /// A path, in which bytes that are no UTF-8 are as [`crate::fs::folders::shown`] shows them.
    Name(String),
    /// A list.
    List(Vec<Value>),
    /// Keys with values, in this order.
    Map(Vec<(Key, Value)>),
    /// What stands in several places of one answer.
    Shared(Arc<Value>),
}

/// A key: nearly always one that the code names.
pub type Key = std::borrow::Cow<'static, str>;

impl Value {
    /// A map of fixed keys.
    pub fn map<const N: usize>(entries: [(&'static str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self.entry(key)? {
            Self::Shared(value) => Some(value),
            value => Some(value),
        }
    }

    /// A copy of the value of a key of a map, of which what is shared stays shared; null where it has none.
    #[must_use]
    pub fn again(&self, key: &str) -> Self {
        self.entry(key).cloned().unwrap_or(Self::Null)
    }

    fn entry(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Shared(value) => value.entry(key),
            _ => None,
        }
    }

    /// A value that may stand in several places.
    #[must_use]
    pub fn shared(self) -> Self {
        Self::Shared(Arc::new(self))
    }

    /// Strict JSON in ASCII: NaN and infinities become texts, other characters become escapes.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Whole(value) => out.push_str(&value.to_string()),
            Self::Float(value) if value.is_finite() => write_number(out, *value),
            Self::Float(value) if value.is_nan() => out.push_str("\"NaN\""),
            Self::Float(value) => out.push_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
            Self::Text(text) | Self::Name(text) => write_text(out, text),
            Self::List(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    value.write(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    write_text(out, key);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
            Self::Shared(value) => value.write(out),
        }
    }
}

/// The shortest digits that give the same number back. (Writing to a string cannot fail.)
fn write_number(out: &mut String, number: f64) {
    let _ = write!(out, "{number:?}");
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
