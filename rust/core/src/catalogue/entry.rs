//! One run, session or group of files.

use bytes::Bytes;

use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::Result;
use crate::yaml::tree::Tree;

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A run of format 2.
    Run,
    /// What one call of nirs4all 0.6 made.
    Session,
    /// Prediction files that no run and no session claims.
    Files,
    /// A part of a session.
    Part,
}

impl Kind {
    /// As answers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Session => "session",
            Self::Files => "files",
            Self::Part => "part",
        }
    }
}

/// One run, session or group of files.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it stands for.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its state; `None` of files.
    pub status: Option<String>,
    /// When it was created, ISO-8601; empty where that is unknown.
    pub created_at: String,
    /// All that is known of it, as [`Tree::encode`] writes a map.
    pub content: Bytes,
}

impl Entry {
    pub(crate) fn new(kind: Kind, id: &str, content: Tree) -> Self {
        let content = content.plain();
        let mut writer = ByteWriter::default();
        content.encode(&mut writer);
        let text = |key: &str| content.text(key).unwrap_or_default().to_owned();
        Self {
            kind,
            id: id.to_owned(),
            name: text("name"),
            status: content.text("status").map(str::to_owned),
            created_at: text("created_at"),
            content: writer.bytes.into(),
        }
    }

    /// All that is known of it.
    pub fn tree(&self) -> Result<Tree> {
        Tree::decode(&mut ByteReader::new(&self.content))
    }
}
