//! What a scalar of YAML 1.1 means: `yes` is true, `0x1F` and `1:30` are numbers, `1e5` is a text.

use chrono::NaiveDate;

use super::tree::{Time, Tree};

/// The longest number that Python turns into an int.
const MOST_DIGITS: usize = 4300;

/// What a plain scalar means; an error says why it means nothing.
pub fn resolve(plain: &str) -> Result<Tree, String> {
    let Some(first) = plain.bytes().next() else { return Ok(Tree::Null) };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => number_or_time(plain),
        b'~' if plain == "~" => Ok(Tree::Null),
        b'=' | b'<' if is_special(plain) => {
            Err(format!("'{plain}' has a meaning of its own in YAML 1.1; put it in quotes"))
        }
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => Ok(word(plain)),
        _ => Ok(plain.into()),
    }
}

/// Whether a plain key merges a mapping into this one.
pub fn is_merge(plain: &str) -> bool {
    plain == "<<"
}

fn is_special(plain: &str) -> bool {
    plain == "=" || is_merge(plain)
}

fn word(plain: &str) -> Tree {
    match plain {
        "null" | "Null" | "NULL" => Tree::Null,
        _ => boolean(plain).map_or_else(|| plain.into(), Tree::Bool),
    }
}

/// A truth value, in any of its spellings.
pub fn boolean(plain: &str) -> Option<bool> {
    match plain {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn number_or_time(plain: &str) -> Result<Tree, String> {
    if let Some(value) = float(plain) {
        return Ok(Tree::Float(value));
    }
    if let Some(value) = integer(plain) {
        return value;
    }
    time(plain).unwrap_or_else(|| Ok(plain.into()))
}

fn without_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn all(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_one)
}

fn is_digit_or_underscore(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// `1:30:00`: a first part of digits, then parts below 60.
fn sexagesimal<'a>(first: &str, rest: impl Iterator<Item = &'a str>) -> bool {
    let mut rest = rest.peekable();
    let is_part = |part: &str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [tens, one] => (b'0'..=b'5').contains(tens) && one.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|digit: char| digit.is_ascii_digit())
        && all(first, is_digit_or_underscore)
        && rest.peek().is_some()
        && rest.all(is_part)
}

/// A measured number; `None` where it is none.
pub fn float(plain: &str) -> Option<f64> {
    let (is_negative, text) = without_sign(plain);
    let signed = |value: f64| if is_negative { -value } else { value };
    match text {
        ".inf" | ".Inf" | ".INF" => return Some(signed(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return (text.len() == plain.len()).then_some(f64::NAN),
        _ => {}
    }
    let (whole, rest) = text.split_once('.')?;
    if let Some((first, parts)) = whole.split_once(':') {
        let is_one =
            sexagesimal(first, parts.split(':')) && (rest.is_empty() || all(rest, is_digit_or_underscore));
        let digits = text.replace('_', "");
        return is_one.then(|| {
            signed(digits.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse().unwrap_or(0.0)))
        });
    }
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        exponent.starts_with(['+', '-']) && all(&exponent[1..], |byte| byte.is_ascii_digit())
    });
    let starts_with_digit = |text: &str| text.starts_with(|digit: char| digit.is_ascii_digit());
    let is_mantissa = if whole.is_empty() {
        // A number without a whole part has no sign.
        text.len() == plain.len() && starts_with_digit(fraction) && all(fraction, is_digit_or_underscore)
    } else {
        starts_with_digit(whole)
            && all(whole, is_digit_or_underscore)
            && (fraction.is_empty() || all(fraction, is_digit_or_underscore))
    };
    if !is_exponent || !is_mantissa {
        return None;
    }
    text.replace('_', "").parse().ok().map(signed)
}

/// A whole number; `None` where it is none.
pub fn integer(plain: &str) -> Option<Result<Tree, String>> {
    let (is_negative, text) = without_sign(plain);
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'b', ..] => (&text[2..], 2),
        [b'0', b'x', ..] => (&text[2..], 16),
        [b'0'] | [b'1'..=b'9', ..] => (text, 10),
        [b'0', ..] => (&text[1..], 8),
        _ => return None,
    };
    if let Some((first, rest)) = digits.split_once(':') {
        if radix != 10 || !sexagesimal(first, rest.split(':')) {
            return None;
        }
        let digits = digits.replace('_', "");
        let sum = digits
            .split(':')
            .try_fold(0i64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?));
        let sum = sum.map(|sum| Tree::Int(if is_negative { -sum } else { sum }));
        return Some(sum.ok_or_else(|| format!("{plain} is too large")));
    }
    if !all(digits, |byte| byte == b'_' || char::from(byte).is_digit(radix)) {
        return None;
    }
    let digits = digits.replace('_', "");
    // `0_` is a zero, `0x_` is a number without digits.
    let digits = if digits.is_empty() && radix == 8 { "0".to_owned() } else { digits };
    if digits.is_empty() {
        return Some(Err(format!("{plain} is a number without digits")));
    }
    let signed = if is_negative { format!("-{digits}") } else { digits.clone() };
    if let Ok(value) = i64::from_str_radix(&signed, radix) {
        return Some(Ok(Tree::Int(value)));
    }
    let decimal = match u128::from_str_radix(&digits, radix) {
        Ok(value) => Some(value.to_string()),
        Err(_) => (radix == 10).then_some(digits),
    };
    let sign = if is_negative { "-" } else { "" };
    let decimal = decimal.filter(|digits| digits.len() <= MOST_DIGITS);
    let decimal = decimal.map(|digits| Tree::Digits(format!("{sign}{digits}")));
    Some(decimal.ok_or_else(|| "has a number that is too large".to_owned()))
}

fn skip(text: &str, rest: &mut &str) -> Option<()> {
    *rest = rest.strip_prefix(text)?;
    Some(())
}

/// A day or a time; `None` where it is none.
pub fn time(plain: &str) -> Option<Result<Tree, String>> {
    let mut rest = plain;
    let digits = |least: usize, most: usize, rest: &mut &str| -> Option<u32> {
        let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(count);
        *rest = after;
        if count >= least { number.parse().ok() } else { None }
    };
    let year = digits(4, 4, &mut rest)?;
    skip("-", &mut rest)?;
    let month_and_day = rest;
    let month = digits(1, 2, &mut rest)?;
    skip("-", &mut rest)?;
    let day = digits(1, 2, &mut rest)?;
    let bad = || format!("{plain} is no day or time that exists");
    let day = (year as i32, month, day);
    let exists = year > 0 && NaiveDate::from_ymd_opt(day.0, day.1, day.2).is_some();
    if rest.is_empty() {
        // A day alone has two digits each.
        return (month_and_day.len() == 5 && month_and_day.as_bytes()[2] == b'-').then(|| {
            if exists { Ok(Tree::Time(Time { day, clock: None, offset: None })) } else { Err(bad()) }
        });
    }
    let after = rest.trim_start_matches([' ', '\t']);
    rest = if after.len() < rest.len() { after } else { rest.strip_prefix(['t', 'T'])? };
    let hour = digits(1, 2, &mut rest)?;
    skip(":", &mut rest)?;
    let minute = digits(2, 2, &mut rest)?;
    skip(":", &mut rest)?;
    let second = digits(2, 2, &mut rest)?;
    let mut micro = 0;
    if skip(".", &mut rest).is_some() {
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (fraction, after) = rest.split_at(count);
        micro = format!("{:0<6}", &fraction[..count.min(6)]).parse().ok()?;
        rest = after;
    }
    let mut offset = None;
    if !rest.is_empty() {
        rest = rest.trim_start_matches([' ', '\t']);
        if skip("Z", &mut rest).is_some() {
            offset = Some(0);
        } else {
            let sign = if skip("-", &mut rest).is_some() { -1 } else { skip("+", &mut rest).map(|()| 1)? };
            let hours = digits(1, 2, &mut rest)?;
            let minutes = if skip(":", &mut rest).is_some() { digits(2, 2, &mut rest)? } else { 0 };
            offset = Some(sign * (hours * 60 + minutes) as i32);
        }
        if !rest.is_empty() {
            return None;
        }
    }
    let is_time = hour < 24 && minute < 60 && second < 60;
    let is_offset = offset.is_none_or(|offset: i32| offset.abs() < 24 * 60);
    Some(if exists && is_time && is_offset {
        Ok(Tree::Time(Time { day, clock: Some((hour, minute, second, micro)), offset }))
    } else {
        Err(bad())
    })
}
