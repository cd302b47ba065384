//! The plain block style in which this package and nirs4all write YAML, line by line.
//!
//! Keys of letters, digits and `_`; values on one line, plain or in single quotes; lists and mappings below
//! their key. That is nearly all of what is listed, and several times faster than YAML in its full generality.
//! Anything else is declined, and the full parser's to judge.

use super::scalars;
use super::tree::{DEEPEST, Tree, each_key_once};

/// The tree of a text in this style; `None` where it is in another one.
pub fn parse(text: &str) -> Option<Tree> {
    let mut lines = Lines { rest: text, line: None };
    lines.advance()?;
    let (indent, line) = lines.line?;
    let tree = if indent == 0 && is_key(line) { lines.map(0, 0)? } else { return None };
    lines.line.is_none().then_some(tree)
}

struct Lines<'a> {
    rest: &'a str,
    /// Indentation and content of the line that comes next.
    line: Option<(usize, &'a str)>,
}

impl Lines<'_> {
    /// Goes to the next line; `None` where that is none of this style.
    fn advance(&mut self) -> Option<()> {
        if self.rest.is_empty() {
            self.line = None;
            return Some(());
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        let content = line.trim_start_matches(' ');
        if matches!(content.as_bytes().first(), None | Some(b'#' | b'%' | b'\t' | b'\r'))
            || line.ends_with('\r')
        {
            return None;
        }
        self.line = Some((line.len() - content.len(), content));
        Some(())
    }

    /// A mapping whose keys are indented by so much.
    fn map(&mut self, indent: usize, depth: usize) -> Option<Tree> {
        let mut entries = Vec::new();
        while let Some((found, line)) = self.line.filter(|(found, _)| *found >= indent) {
            if found > indent {
                return None;
            }
            // A list in the place of a key belongs to none.
            let (key, value) = split_key(line)?;
            let value =
                if value.is_empty() { self.below(indent, depth)? } else { self.scalar(value, indent)? };
            entries.push((Tree::Text(key.to_owned()), value));
        }
        Some(Tree::Map(each_key_once(entries)))
    }

    /// What stands below a key.
    fn below(&mut self, indent: usize, depth: usize) -> Option<Tree> {
        self.advance()?;
        if depth >= DEEPEST - 2 {
            return None;
        }
        match self.line {
            Some((found, line)) if found >= indent && is_item(line) => self.list(found, depth + 1),
            Some((found, line)) if found > indent && is_key(line) => self.map(found, depth + 1),
            Some((found, _)) if found > indent => None,
            _ => Some(Tree::Null),
        }
    }

    /// A list whose dashes are indented by so much.
    fn list(&mut self, indent: usize, depth: usize) -> Option<Tree> {
        if depth >= DEEPEST - 2 {
            return None;
        }
        let mut items = Vec::new();
        while let Some((found, line)) = self.line.filter(|(found, _)| *found >= indent) {
            if found > indent {
                return None;
            }
            if !is_item(line) {
                break; // the next key of the mapping that the list is in
            }
            let item = &line[2..];
            // What stands behind the dash begins a line of its own, two columns further.
            self.line = Some((indent + 2, item));
            items.push(if is_item(item) {
                self.list(indent + 2, depth + 1)?
            } else if is_key(item) {
                self.map(indent + 2, depth + 1)?
            } else {
                self.scalar(item, indent)?
            });
        }
        Some(Tree::List(items))
    }

    /// A value that ends with its line; what follows is not indented further than what it belongs to.
    fn scalar(&mut self, text: &str, indent: usize) -> Option<Tree> {
        let tree = match text.as_bytes()[0] {
            b'\'' => quoted(text)?.into(),
            b'[' if text == "[]" => Tree::List(Vec::new()),
            b'{' if text == "{}" => Tree::Map(Vec::new()),
            _ if is_plain(text) => scalars::resolve(text).ok()?,
            _ => return None,
        };
        self.advance()?;
        self.line.is_none_or(|(found, _)| found <= indent).then_some(tree)
    }
}

fn is_item(line: &str) -> bool {
    line.len() > 2 && line.starts_with("- ") && line.as_bytes()[2] != b' '
}

fn is_key(line: &str) -> bool {
    split_key(line).is_some()
}

/// `key: value`, or `key:` with nothing after it.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let end = line.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))?;
    let (key, rest) = line.split_at(end);
    let is_text = || matches!(scalars::resolve(key), Ok(Tree::Text(_)));
    if key.is_empty() || !is_text() {
        return None;
    }
    match rest.as_bytes() {
        [b':'] => Some((key, "")),
        [b':', b' ', first, ..] if *first != b' ' => Some((key, &rest[2..])),
        _ => None,
    }
}

fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = match bytes {
        [b'-', second, ..] => second.is_ascii_digit() || *second == b'.',
        [first, ..] => {
            first.is_ascii_alphanumeric() || matches!(first, b'_' | b'/' | b'.' | b'+' | b'~' | b'(')
        }
        [] => false,
    };
    let is_safe = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'#';
    begins
        && !text.ends_with([' ', ':'])
        && bytes.iter().all(is_safe)
        && !text.contains(": ")
        && !matches!(bytes, [b'-', b'-', ..] | [b'.', b'.', b'.', ..])
}

/// A text in single quotes that ends with its line.
fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'').filter(|_| text.len() > 1)?;
    if !inner.contains('\'') {
        return Some(inner.to_owned());
    }
    let unescaped = inner.replace("''", "\0");
    (!unescaped.contains('\'')).then(|| unescaped.replace('\0', "'"))
}
