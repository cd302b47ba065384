//! The one parser of YAML: a file becomes the tree that `PyYAML`'s safe loader would make of it.
//!
//! Syntax is `saphyr_parser`'s; scalars mean what YAML 1.1 says ([`scalars`]). A file can neither nest
//! without bound nor grow by aliases.

use std::collections::HashMap;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::tree::{DEEPEST, Tree, each_key_once};
use super::{block, scalars};
use crate::base::error::{Error, Result, corrupt};
use crate::fs::{File, platform};

/// Aliases may repeat so many values in all.
const MOST_REPEATED: usize = 100_000;
/// A larger file is no record of anything.
const LARGEST: u64 = 64 << 20;
const CORE: &str = "tag:yaml.org,2002:";

/// Reads a file that holds a mapping.
pub fn read(path: &Path) -> Result<Tree> {
    let read = |file: File| {
        let size = file.metadata().map_err(Error::pathless)?.len();
        parse(&bytes_of(&file, size)?)
    };
    platform::open(path).map_err(Error::pathless).and_then(read).map_err(|error| error.at(path))
}

/// The content of an open file that may hold YAML and has this size.
pub fn bytes_of(file: &File, size: u64) -> Result<Vec<u8>> {
    check_size(size)?;
    let mut bytes = vec![0; size as usize];
    let count = platform::read_at(file, &mut bytes, 0).map_err(Error::pathless)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// That a file has no more bytes than are read.
pub(crate) fn check_size(size: u64) -> Result<()> {
    if size > LARGEST { Err(corrupt(format!("has more than {} MiB", LARGEST >> 20))) } else { Ok(()) }
}

/// The mapping that these bytes hold.
pub fn parse(bytes: &[u8]) -> Result<Tree> {
    match parse_any(bytes)? {
        tree @ Tree::Map(_) => Ok(tree),
        _ => Err(corrupt("is not a mapping of keys to values")),
    }
}

fn parse_any(bytes: &[u8]) -> Result<Tree> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| corrupt(format!("is not UTF-8 at byte {}", error.valid_up_to())))?;
    check_characters(text)?;
    if let Some(tree) = block::parse(text) {
        return Ok(tree);
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| bad(error.marker().line(), error.info()))?;
        if let Event::Scalar(scalar, ScalarStyle::Plain, ..) = &event
            && scalar.starts_with('?')
            && is_in_flow(text, span.start.index())
        {
            return Err(bad(span.start.line(), "'?' marks a key here; put the text in quotes"));
        }
        builder.take(event).map_err(|problem| bad(span.start.line(), &problem))?;
    }
    match odd_anchor(text).filter(|_| builder.has_anchors) {
        Some(line) => Err(bad(line, "the name of an anchor has a colon")),
        None => Ok(builder.root.unwrap_or(Tree::Null)),
    }
}

/// Whether what begins at this character is an item of brackets or braces.
fn is_in_flow(text: &str, start: usize) -> bool {
    let before = text.char_indices().nth(start).map_or(text, |(at, _)| &text[..at]);
    before.trim_end().ends_with(['[', '{', ','])
}

/// The line of an anchor or alias that YAML 1.1 and 1.2 would name differently.
fn odd_anchor(text: &str) -> Option<usize> {
    let is_odd = |at: usize| {
        let ends =
            |character: char| character.is_whitespace() || matches!(character, ',' | '[' | ']' | '{' | '}');
        text[at + 1..].split(ends).next().is_some_and(|name| name.contains(':'))
    };
    let at = text.match_indices(['&', '*']).map(|(at, _)| at).find(|at| is_odd(*at))?;
    Some(text[..at].matches('\n').count() + 1)
}

fn bad(line: usize, problem: &str) -> Error {
    corrupt(format!("is no YAML in line {line}: {problem}"))
}

/// Refuses characters that YAML does not have, and those that end lines in YAML 1.1 but not in 1.2.
fn check_characters(text: &str) -> Result<()> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    if text.bytes().all(is_plain) {
        return Ok(());
    }
    let is_allowed = |character: char| {
        matches!(character, ' '..='~' | '\n' | '\r' | '\t' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
            | '\u{10000}'..)
            && !matches!(character, '\u{2028}' | '\u{2029}')
    };
    match text.char_indices().find(|(_, character)| !is_allowed(*character)) {
        None => Ok(()),
        Some((at, character)) => {
            let line = text[..at].matches('\n').count() + 1;
            let problem =
                format!("the character U+{:04X} must be written as an escape", u32::from(character));
            Err(bad(line, &problem))
        }
    }
}

/// Makes a tree of events, without recursion.
#[derive(Default)]
struct Builder {
    root: Option<Tree>,
    open: Vec<Open>,
    anchors: HashMap<usize, Tree>,
    repeated: usize,
    documents: usize,
    has_anchors: bool,
}

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Tree>),
    Map { own: Vec<(Tree, Tree)>, merged: Vec<(Tree, Tree)>, key: Option<Key> },
}

enum Key {
    Of(Tree),
    Merge,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 { Err("a second document begins".to_owned()) } else { Ok(()) }
            }
            Event::Alias(id) => {
                let tree = self.anchors.get(&id).ok_or("an alias stands within what it names")?;
                self.repeated += size(tree);
                if self.repeated > MOST_REPEATED {
                    return Err(format!("aliases repeat more than {MOST_REPEATED} values"));
                }
                self.put(tree.clone(), 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                if is_plain && tag.is_none() && anchor == 0 && scalars::is_merge(&text) && self.awaits_key() {
                    return self.put_key(Key::Merge);
                }
                if is_plain && tag.is_none() && text.is_empty() && self.awaits_key() {
                    return Err("a key is empty; write null or ''".to_owned());
                }
                let tree = if is_plain && tag.is_none() && text == "=" && self.awaits_key() {
                    "=".into()
                } else {
                    scalar(&text, is_plain, tag.as_deref())?
                };
                self.put(tree, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Kind::List(Vec::new()), anchor, tag.as_deref(), "seq")
            }
            Event::MappingStart(anchor, tag) => {
                let kind = Kind::Map { own: Vec::new(), merged: Vec::new(), key: None };
                self.begin(kind, anchor, tag.as_deref(), "map")
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin(&mut self, kind: Kind, anchor: usize, tag: Option<&Tag>, name: &str) -> Result<(), String> {
        match tag.map(name_of).as_deref() {
            None => {}
            Some(given) if given == name || given == "!" => {}
            Some(given) => return Err(unknown(given)),
        }
        if self.open.len() == DEEPEST {
            return Err(format!("is nested deeper than {DEEPEST} levels"));
        }
        self.open.push(Open { anchor, kind });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(Open { anchor, kind }) = self.open.pop() else {
            return Err("an end without begin".to_owned());
        };
        let tree = match kind {
            Kind::List(items) => Tree::List(items),
            Kind::Map { own, mut merged, .. } => {
                merged.extend(own);
                Tree::Map(each_key_once(merged))
            }
        };
        self.put(tree, anchor)
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. }))
    }

    fn put_key(&mut self, new: Key) -> Result<(), String> {
        if let Key::Of(Tree::List(_) | Tree::Map(_)) = new {
            return Err("a list or mapping is a key".to_owned());
        }
        if let Some(Open { kind: Kind::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(new);
        }
        Ok(())
    }

    fn put(&mut self, tree: Tree, anchor: usize) -> Result<(), String> {
        if anchor > 0 {
            self.has_anchors = true;
            self.repeated += size(&tree);
            if self.repeated > MOST_REPEATED {
                return Err(format!("anchors name more than {MOST_REPEATED} values"));
            }
            self.anchors.insert(anchor, tree.clone());
        }
        if self.awaits_key() {
            return self.put_key(Key::Of(tree));
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(tree),
            Some(Kind::List(items)) => items.push(tree),
            Some(Kind::Map { own, merged, key }) => match key.take() {
                Some(Key::Of(key)) => own.push((key, tree)),
                _ => merged.extend(to_merge(tree)?),
            },
        }
        Ok(())
    }
}

/// How many values a tree holds.
fn size(tree: &Tree) -> usize {
    match tree {
        Tree::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Tree::Map(entries) => 1 + entries.iter().map(|(key, value)| size(key) + size(value)).sum::<usize>(),
        _ => 1,
    }
}

/// What the value of a key `<<` adds: of several mappings the first one wins.
fn to_merge(tree: Tree) -> Result<Vec<(Tree, Tree)>, String> {
    match tree {
        Tree::Map(entries) => Ok(entries),
        Tree::List(items) => {
            let mut merged = Vec::new();
            for item in items.into_iter().rev() {
                match item {
                    Tree::Map(entries) => merged.extend(entries),
                    _ => return Err("'<<' merges what is no mapping".to_owned()),
                }
            }
            Ok(merged)
        }
        _ => Err("'<<' merges what is no mapping".to_owned()),
    }
}

fn name_of(tag: &Tag) -> String {
    let full = format!("{}{}", tag.handle, tag.suffix);
    full.strip_prefix(CORE).map_or(full.clone(), str::to_owned)
}

fn unknown(tag: &str) -> String {
    format!("the tag {tag} names nothing that a record can hold")
}

fn scalar(text: &str, is_plain: bool, tag: Option<&Tag>) -> Result<Tree, String> {
    let Some(tag) = tag else {
        return if is_plain { scalars::resolve(text) } else { Ok(text.into()) };
    };
    let no = |what: &str| format!("'{text}' is no {what}");
    match name_of(tag).as_str() {
        "str" => Ok(text.into()),
        // To the non-specific tag, quotes mean nothing (as libyaml has it).
        "!" => scalars::resolve(text),
        "null" => Ok(Tree::Null),
        "bool" => {
            scalars::boolean(&text.to_ascii_lowercase()).map(Tree::Bool).ok_or_else(|| no("truth value"))
        }
        "int" => scalars::integer(text).unwrap_or_else(|| Err(no("whole number"))),
        "float" => scalars::float(text)
            .or_else(|| text.parse().ok().filter(|_| !text.contains(char::is_alphabetic)))
            .map(Tree::Float)
            .ok_or_else(|| no("number")),
        "timestamp" => scalars::time(text).unwrap_or_else(|| Err(no("time"))),
        given => Err(unknown(given)),
    }
}
