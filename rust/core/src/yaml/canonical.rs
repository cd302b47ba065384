//! Ids made of content: the canonical JSON (RFC 8785) of plain data, of which templates, configurations
//! and results are named. What it has no numbers for are texts that begin with `n4a:`.

use std::fmt::Write;

use super::tree::Tree;
use crate::base::content::blake3_hex;

/// The largest whole number that JSON's readers agree on.
const LARGEST: u64 = (1 << 53) - 1;
/// What begins so has no number, or is a text that begins so itself.
const TAG: &str = "n4a:";

/// `<prefix>_` and 16 hex of the BLAKE3 of the canonical form.
pub fn content_id(prefix: &str, tree: &Tree) -> String {
    format!("{prefix}_{}", blake3_hex(canonical_json(tree).as_bytes(), 16))
}

/// Plain data as canonical JSON: equal data, equal bytes.
pub fn canonical_json(tree: &Tree) -> String {
    let mut out = String::new();
    write(tree, &mut out);
    out
}

fn write(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Int(value) if value.unsigned_abs() <= LARGEST => out.push_str(&value.to_string()),
        Tree::Int(value) => write_text(&format!("{TAG}int:{value}"), out),
        Tree::Digits(digits) => write_text(&format!("{TAG}int:{digits}"), out),
        Tree::Float(value) if value.is_nan() => write_text(&format!("{TAG}NaN"), out),
        Tree::Float(value) if value.is_infinite() => {
            write_text(&format!("{TAG}{}Infinity", if *value < 0.0 { "-" } else { "" }), out);
        }
        Tree::Float(value) => write_float(*value, out),
        Tree::Text(text) if text.starts_with(TAG) => write_text(&format!("{TAG}text:{text}"), out),
        Tree::Text(text) => write_text(text, out),
        Tree::Time(time) => write_text(&time.to_string(), out),
        Tree::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Tree::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone().key(), value)).collect();
            entries.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_text(&key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Writing to a string cannot fail.
            '\0'..='\u{1f}' => drop(write!(out, "\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// The digits that ECMAScript writes: the shortest that give the number back.
fn write_float(value: f64, out: &mut String) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    let count = digits.len() as i32;
    if value < 0.0 {
        out.push('-');
    }
    let zeros = |count: i32| "0".repeat(count.max(0) as usize);
    let text = match point {
        _ if value == 0.0 => "0".to_owned(),
        point if count <= point && point <= 21 => format!("{digits}{}", zeros(point - count)),
        1..=21 => format!("{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => {
            let dot = if count > 1 { "." } else { "" };
            format!("{}{dot}{}e{:+}", &digits[..1], &digits[1..], point - 1)
        }
    };
    out.push_str(&text);
}
