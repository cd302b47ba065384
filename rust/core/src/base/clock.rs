//! The time now, and times as texts.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, ns since 1970: what the stat of a file is compared with.
pub fn now_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as i64)
}

/// Parses an ISO-8601 time into µs since 1970 UTC; one without an offset is taken as UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    if let Some(time) =
        formats.iter().find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok())
    {
        return Some(time.and_utc().timestamp_micros());
    }
    if text.len() == "2026-01-02".len() {
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        return Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros());
    }
    let zoned =
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"];
    let time = zoned.iter().find_map(|format| chrono::DateTime::parse_from_str(text, format).ok())?;
    Some(time.timestamp_micros())
}

/// Writes µs since 1970 as ISO-8601 with offset; `None` outside of the calendar.
pub fn format_time(micros: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, false))
}

/// The time now, as ISO-8601 with offset.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, false)
}
