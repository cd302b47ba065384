//! Lines of lists of results as trees, those that this package writes without the parser's own tree between.

use super::tree::Tree;

/// What a line of JSON says; whatever is unusual in it is left to [`serde_json`].
pub fn parse(text: &str) -> serde_json::Result<Tree> {
    match plain(text) {
        Some(tree) => Ok(tree),
        None => serde_json::from_str(text).map(of_json),
    }
}

fn of_json(value: serde_json::Value) -> Tree {
    match value {
        serde_json::Value::Null => Tree::Null,
        serde_json::Value::Bool(value) => Tree::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), _, _) => Tree::Int(value),
            (None, Some(value), _) => Tree::Digits(value.to_string()),
            (None, None, value) => value.map_or(Tree::Null, Tree::Float),
        },
        serde_json::Value::String(text) => Tree::Text(text),
        serde_json::Value::Array(items) => items.into_iter().map(of_json).collect(),
        serde_json::Value::Object(entries) => {
            Tree::Map(entries.into_iter().map(|(key, value)| (key.into(), of_json(value))).collect())
        }
    }
}

/// Deeper values, and objects with more keys, are left to the parser.
const DEEPEST: usize = 16;
const MOST_KEYS: usize = 64;

/// What a line says that has no escapes, no repeated keys, and whole numbers of 64 bits.
fn plain(text: &str) -> Option<Tree> {
    let mut line = Line { text, at: 0 };
    let tree = line.value(DEEPEST)?;
    line.skip_spaces();
    (line.at == text.len()).then_some(tree)
}

struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Takes a byte, with the spaces before it.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn takes_word(&mut self, word: &str, tree: Tree) -> Option<Tree> {
        let is_there = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is_there { word.len() } else { 0 };
        is_there.then_some(tree)
    }

    fn value(&mut self, depth: usize) -> Option<Tree> {
        self.skip_spaces();
        match self.peek()? {
            b'"' => self.string().map(Tree::from),
            b'{' if depth > 0 => self.object(depth - 1),
            b'[' if depth > 0 => self.array(depth - 1),
            b'n' => self.takes_word("null", Tree::Null),
            b't' => self.takes_word("true", Tree::Bool(true)),
            b'f' => self.takes_word("false", Tree::Bool(false)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        if !self.takes(b'"') {
            return None;
        }
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let length = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')?;
        self.at += length + 1;
        (rest[length] == b'"').then(|| &self.text[start..start + length])
    }

    fn object(&mut self, depth: usize) -> Option<Tree> {
        self.at += 1;
        let mut entries: Vec<(Tree, Tree)> = Vec::new();
        if self.takes(b'}') {
            return Some(Tree::Map(entries));
        }
        loop {
            self.skip_spaces();
            let key = self.string()?;
            if entries.len() == MOST_KEYS || entries.iter().any(|(known, _)| known.as_str() == Some(key)) {
                return None;
            }
            if !self.takes(b':') {
                return None;
            }
            entries.push((key.into(), self.value(depth)?));
            if self.takes(b'}') {
                return Some(Tree::Map(entries));
            }
            if !self.takes(b',') {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Tree> {
        self.at += 1;
        let mut items = Vec::new();
        if self.takes(b']') {
            return Some(Tree::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.takes(b']') {
                return Some(Tree::List(items));
            }
            if !self.takes(b',') {
                return None;
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Option<Tree> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first = self.peek()?;
        let digits = self.digits();
        if digits == 0 || (first == b'0' && digits > 1) {
            return None;
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return None;
            }
        }
        let text = &self.text[start..self.at];
        if is_whole {
            // "-0" is a float there.
            return text.parse().ok().filter(|_| text != "-0").map(Tree::Int);
        }
        text.parse().ok().filter(|value: &f64| value.is_finite()).map(Tree::Float)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{of_json, plain};

    fn agrees(text: &str) -> Result<bool, TestCaseError> {
        let Some(tree) = plain(text) else { return Ok(false) };
        let parsed = serde_json::from_str(text).map(of_json);
        prop_assert!(parsed.is_ok(), "{text:?}");
        // NaN is in no JSON; -0.0 is not 0.0.
        prop_assert_eq!(format!("{tree:?}"), format!("{:?}", parsed.unwrap_or(super::Tree::Null)));
        Ok(true)
    }

    fn json() -> impl Strategy<Value = String> {
        let number = prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| format!("{number:?}")),
            "-?[0-9]{1,3}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{0,3})?",
        ];
        let leaf = prop_oneof![
            number,
            prop::sample::select(vec!["null", "true", "false", "nul", "NaN", "\"\"", "-0", "00", "1e999"])
                .prop_map(str::to_owned),
            "\"[a-c\u{fc}\\\\\"\n ]{0,4}\"",
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let pair = ("[ab]{1,2}", inner.clone()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(pair, 0..4).prop_map(|items| format!("{{{}}}", items.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_line_says_what_the_parser_says(text in json(), at in 0usize..64, byte in 0u8..128) {
            agrees(&text)?;
            let mut bytes = text.into_bytes();
            let length = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(at % length) {
                *place = byte;
            }
            if let Ok(text) = String::from_utf8(bytes) {
                agrees(&text)?;
            }
        }
    }

    #[test]
    fn what_is_written_is_plain() {
        let line =
            r#"{"id": "res_1", "error": null, "best_score": 0.017, "choices": [{"_or_": "a"}, {}], "n": -3}"#;
        assert!(matches!(agrees(line), Ok(true)));
        for line in
            [r#"{"a": 1, "a": 2}"#, r#"{"a": "\n"}"#, "1 2", "{\"a\": 1,}", "[1,]", "18446744073709551615"]
        {
            assert_eq!(plain(line), None, "{line}");
        }
    }
}
