//! Cursors: the last row of a page, by what orders it and not by its place.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::entry::Tie;
use super::keys::{Key, Keys};
use crate::base::error::{Error, ErrorKind, Result};
use crate::types::schema::Type;

/// 1 named the file that held the row, which compaction replaces.
const VERSION: u64 = 2;

/// A row of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// Where metrics say which scores come first: its metric; `None` where that does not rank.
    metric: Option<String>,
    /// What its column was compared as.
    kind: String,
    /// Value, NaN or null, and the key of a number.
    key: Key,
    /// What orders it among rows of equal keys.
    pub tie: Tie,
}

impl Cursor {
    /// Of a row with a key.
    pub fn new(keys: &Keys, key: Key, tie: Tie) -> Self {
        let metric = keys.ranks.as_ref().and_then(|ranks| ranks.metric(key.0)).map(str::to_owned);
        let class = if keys.ranks.is_some() { key.0 % super::keys::CLASSES } else { key.0 };
        Self { metric, kind: keys.label().to_owned(), key: (class, key.1), tie }
    }

    /// The key that its row has, or would have, among others.
    pub fn key(&self, keys: &Keys) -> Key {
        if let Some(ranks) = &keys.ranks {
            return self
                .metric
                .as_ref()
                .map_or((ranks.unranked(), 0), |metric| (ranks.group(metric, self.key.0), self.key.1));
        }
        if keys.kind == Type::Text {
            let text = match keys.column.as_str() {
                "id" => &self.tie.id,
                "run_id" => &self.tie.run_id,
                "dataset_name" => &self.tie.dataset_name,
                _ => &self.tie.text,
            };
            return keys.of_text(text.as_deref());
        }
        if self.key.0 == 0 {
            return (0, keys.recast(self.key.1, &self.kind));
        }
        self.key
    }

    /// The cursor as ASCII, by which the next page of the same query is asked for.
    pub fn encode(&self, query: &str) -> String {
        let tie = &self.tie;
        let json = json!([
            VERSION,
            query,
            self.metric,
            self.kind,
            self.key.0,
            self.key.1,
            tie.text,
            tie.id,
            tie.run_id,
            tie.dataset_name,
            tie.stem,
            tie.row
        ]);
        URL_SAFE_NO_PAD.encode_to_string(json.to_string())
    }

    /// What [`Cursor::encode`] made, for the same query.
    pub fn decode(text: &str, query: &str) -> Result<Self> {
        let refuse = |message: &str| Error::new(ErrorKind::Argument, message.to_owned());
        let damaged = || refuse("the cursor is none that a page gave; ask again without it");
        let json = URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| damaged())?;
        let json: Value = serde_json::from_slice(&json).map_err(|_| damaged())?;
        let parts = json.as_array().ok_or_else(damaged)?;
        if parts.first().and_then(Value::as_u64) != Some(VERSION) {
            return Err(refuse("the cursor is of another version of this package; ask again without it"));
        }
        if parts.get(1).and_then(Value::as_str) != Some(query) {
            return Err(refuse(
                "the cursor is of another query: filters, sort_by, descending and live must be the same",
            ));
        }
        Self::of(parts).ok_or_else(damaged)
    }

    fn of(parts: &[Value]) -> Option<Self> {
        let text = |place: usize| match parts.get(place)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            _ => None,
        };
        let number = |place: usize| parts.get(place)?.as_u64();
        Some(Self {
            metric: text(2)?,
            kind: text(3)??,
            key: (u32::try_from(number(4)?).ok()?, number(5)?),
            tie: Tie {
                text: text(6)?,
                id: text(7)?,
                run_id: text(8)?,
                dataset_name: text(9)?,
                stem: text(10)??,
                row: u32::try_from(number(11)?).ok()?,
            },
        })
    }
}
