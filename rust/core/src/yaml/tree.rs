//! What a YAML file says, as a tree, and the bytes by which a cache keeps it.

use std::collections::{HashMap, HashSet};

use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Result, corrupt};

/// A value as YAML 1.1 has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that fits nothing else, in decimal digits.
    Digits(String),
    /// A measured number.
    Float(f64),
    /// A text.
    Text(String),
    /// A day, or a time.
    Time(Time),
    /// A list.
    List(Vec<Tree>),
    /// Keys with values, in order, each key once.
    Map(Vec<(Tree, Tree)>),
}

/// A day, or a time of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Year, month, day.
    pub day: (i32, u32, u32),
    /// Hour, minute, second, µs.
    pub clock: Option<(u32, u32, u32, u32)>,
    /// Minutes east of UTC; `None` where that was not said.
    pub offset: Option<i32>,
}

impl std::fmt::Display for Time {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = self.day;
        write!(out, "{year:04}-{month:02}-{day:02}")?;
        let Some((hour, minute, second, micro)) = self.clock else { return Ok(()) };
        write!(out, "T{hour:02}:{minute:02}:{second:02}")?;
        if micro > 0 {
            write!(out, ".{micro:06}")?;
        }
        let Some(offset) = self.offset else { return Ok(()) };
        let sign = if offset < 0 { '-' } else { '+' };
        write!(out, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
    }
}

impl Tree {
    /// A map of fixed keys.
    pub fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The text of a key of a map, if it is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The items, if it is a list.
    pub fn items(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The tree as JSON can say it: times and keys are texts.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Time(time) => Self::Text(time.to_string()),
            Self::List(items) => items.into_iter().map(Self::plain).collect(),
            Self::Map(entries) => {
                let entry = |(key, value): (Self, Self)| (key.key().into(), value.plain());
                Self::Map(entries.into_iter().map(entry).collect())
            }
            other => other,
        }
    }

    /// A key as JSON can say it.
    pub fn key(self) -> String {
        match self {
            Self::Text(text) | Self::Digits(text) => text,
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Time(time) => time.to_string(),
            Self::Null | Self::List(_) | Self::Map(_) => "null".to_owned(),
        }
    }

    /// Writes it down.
    pub fn encode(&self, out: &mut ByteWriter) {
        match self {
            Self::Null => out.bytes.push(0),
            Self::Bool(value) => out.bytes.push(1 + u8::from(*value)),
            Self::Int(value) => {
                out.bytes.push(3);
                out.int(((value << 1) ^ (value >> 63)) as u64);
            }
            Self::Digits(digits) => {
                out.bytes.push(4);
                out.text(digits);
            }
            Self::Float(value) => {
                out.bytes.push(5);
                out.u64(value.to_bits());
            }
            Self::Text(text) => {
                out.bytes.push(6);
                out.text(text);
            }
            Self::Time(time) => {
                out.bytes.push(7 + u8::from(time.clock.is_some()) + u8::from(time.offset.is_some()));
                let (year, month, day) = time.day;
                let (hour, minute, second, micro) = time.clock.unwrap_or_default();
                for number in [year as u32, month, day, hour, minute, second, micro] {
                    out.int(u64::from(number));
                }
                out.int((time.offset.unwrap_or_default() + MINUTES) as u64);
            }
            Self::List(items) => Self::encode_list(items, out),
            Self::Map(entries) => {
                out.bytes.push(11);
                out.int(entries.len() as u64);
                for (key, value) in entries {
                    key.encode(out);
                    value.encode(out);
                }
            }
        }
    }

    /// Writes a list of these down.
    pub fn encode_list(items: &[Self], out: &mut ByteWriter) {
        out.bytes.push(10);
        out.int(items.len() as u64);
        items.iter().for_each(|item| item.encode(out));
    }

    /// Reads what was written down.
    pub fn decode(reader: &mut ByteReader<'_>) -> Result<Self> {
        Ok(match Part::next(reader)? {
            Part::Null => Self::Null,
            Part::Bool(value) => Self::Bool(value),
            Part::Int(value) => Self::Int(value),
            Part::Digits(digits) => Self::Digits(digits.to_owned()),
            Part::Float(value) => Self::Float(value),
            Part::Text(text) => Self::Text(text.to_owned()),
            Part::Time(time) => Self::Time(time),
            Part::List(count) => Self::List((0..count).map(|_| Self::decode(reader)).collect::<Result<_>>()?),
            Part::Map(count) => {
                let entry = |_| Ok((Self::decode(reader)?, Self::decode(reader)?));
                Self::Map((0..count).map(entry).collect::<Result<_>>()?)
            }
        })
    }
}

/// Keeps offsets above zero: none is a day or longer.
const MINUTES: i32 = 24 * 60;

/// What comes next of a tree that was written down: a value, or how many follow.
pub enum Part<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number in decimal digits.
    Digits(&'a str),
    /// A measured number.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// A day, or a time.
    Time(Time),
    /// A list of so many values.
    List(usize),
    /// So many keys, each before its value.
    Map(usize),
}

impl<'a> Part<'a> {
    /// Reads the next part.
    pub fn next(reader: &mut ByteReader<'a>) -> Result<Self> {
        Ok(match reader.byte()? {
            0 => Self::Null,
            kind @ 1..=2 => Self::Bool(kind == 2),
            3 => {
                let value = reader.int()?;
                Self::Int((value >> 1) as i64 ^ -((value & 1) as i64))
            }
            4 => Self::Digits(reader.text()?),
            5 => Self::Float(f64::from_bits(reader.u64()?)),
            6 => Self::Text(reader.text()?),
            kind @ 7..=9 => {
                let mut number = || reader.int().map(|number| number as u32);
                let day = (number()? as i32, number()?, number()?);
                let clock = (number()?, number()?, number()?, number()?);
                let offset = number()? as i32 - MINUTES;
                Self::Time(Time {
                    day,
                    clock: (kind > 7).then_some(clock),
                    offset: (kind > 8).then_some(offset),
                })
            }
            10 => Self::List(reader.count(1)?),
            11 => Self::Map(reader.count(2)?),
            _ => return Err(corrupt("no such kind of value")),
        })
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Tree {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<T: Into<Tree>> From<Option<T>> for Tree {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Tree> for Tree {
    fn from_iter<I: IntoIterator<Item = Tree>>(values: I) -> Self {
        Self::List(values.into_iter().collect())
    }
}

/// Deeper nesting is refused.
pub const DEEPEST: usize = 200;

/// Of a key that comes again, the last value at the first place, as in a Python dict.
pub(crate) fn each_key_once(entries: Vec<(Tree, Tree)>) -> Vec<(Tree, Tree)> {
    let is_short = entries.len() <= 8;
    let has_repeated = if is_short {
        entries
            .iter()
            .enumerate()
            .any(|(at, (key, _))| entries[..at].iter().any(|(other, _)| same(key, other)))
    } else {
        let mut seen = HashSet::new();
        !entries.iter().filter_map(|(key, _)| Hashed::of(key)).all(|key| seen.insert(key))
    };
    if !has_repeated {
        return entries;
    }
    let mut places = HashMap::new();
    let mut kept: Vec<(Tree, Tree)> = Vec::new();
    for (key, value) in entries {
        let place = Hashed::of(&key).map(|hashed| *places.entry(hashed).or_insert(kept.len()));
        match place.and_then(|place| kept.get_mut(place)) {
            Some((_, old)) => *old = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

fn same(one: &Tree, other: &Tree) -> bool {
    match (one, other) {
        (Tree::Text(one), Tree::Text(other)) => one == other,
        _ => Hashed::of(one).is_some_and(|one| Some(one) == Hashed::of(other)),
    }
}

/// A key as a Python dict compares it: `1`, `1.0` and `true` are the same.
#[derive(PartialEq, Eq, Hash)]
enum Hashed {
    Null,
    Text(String),
    Int(i64),
    Digits(String),
    Float(u64),
    Time(Time),
}

impl Hashed {
    /// `None` for a NaN, which equals nothing.
    fn of(key: &Tree) -> Option<Self> {
        Some(match key {
            Tree::Null => Self::Null,
            Tree::Bool(value) => Self::Int(i64::from(*value)),
            Tree::Int(value) => Self::Int(*value),
            Tree::Digits(digits) => Self::Digits(digits.clone()),
            Tree::Float(value) if value.is_nan() => return None,
            Tree::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Self::Int(*value as i64),
            Tree::Float(value) => Self::Float(value.to_bits()),
            Tree::Text(text) => Self::Text(text.clone()),
            Tree::Time(time) => Self::Time(*time),
            Tree::List(_) | Tree::Map(_) => return None,
        })
    }
}
