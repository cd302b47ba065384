//! The logs of nirs4all 0.6: `logs/R-<YYYYMMDD>-<HHMMSS>-<hex>.log`, opened by each call before all else.
//!
//! The name has the local time of the machine that wrote it. A quiet call leaves an empty file; others say in
//! each line how far local time was from UTC, and which configuration was begun on which dataset:
//!
//! ```text
//! 2026-11-30T13:30:11+0530 [INFO ] Run 1/2: pipeline 'Talk_85e8ff' on dataset 'corn'
//! 2026-11-30T13:30:11+0530 [ERROR] Pipeline Talk_73e75b on dataset wheat failed: ...
//! ```

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDateTime;
use rayon::prelude::*;

use crate::base::error::FileError;
use crate::catalogue::entry::{Entry, Kind};
use crate::catalogue::unit::{Snapshot, Unit, UnitReader};
use crate::fs::folders;
use crate::yaml::tree::Tree;

const FOLDER: &str = "logs";
/// Of a longer log the rest is not read: names of what was begun come early, and errors are seen in results.
const LARGEST: usize = 4 << 20;

/// One log.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// When it was opened, in local time: seconds since 1970 as if that were UTC.
    pub local: i64,
    /// By how many seconds local time was ahead of UTC, where it says so.
    pub offset: Option<i64>,
    /// What was begun: name with hash, and dataset. Empty where it does not say.
    pub begun: Vec<(String, String)>,
    /// Whether it says that something was announced or begun and did not come to its end.
    pub is_broken: bool,
}

/// The logs of a folder, by their names, and how many of them were read now.
pub(crate) fn list(
    root: &Path,
    reader: &UnitReader<'_>,
    errors: &mut Vec<FileError>,
) -> (Vec<Arc<Unit>>, usize) {
    let mut names = folders::list(root, FOLDER, |name| opened_at(name).is_some()).into_names(errors);
    names.retain(|name| opened_at(name).is_some());
    let read =
        |name: &String| reader.unit(&format!("{FOLDER}/{name}"), [""], |files, unit| read(name, files, unit));
    let found: Vec<_> = names.par_iter().with_min_len(16).filter_map(read).collect();
    let count = found.iter().filter(|(_, is_new)| *is_new).count();
    (found.into_iter().map(|(unit, _)| unit).collect(), count)
}

fn read(name: &str, [file]: [Snapshot; 1], unit: &mut Unit) {
    let Some(local) = opened_at(name) else { return };
    // One that cannot be read says as much as its name does.
    let is_text = name.strip_suffix(".log").is_some();
    let bytes = match file.bytes {
        Ok(bytes) if is_text => bytes,
        Err(error) if is_text => {
            unit.errors.push(FileError::new(&unit.path, &error));
            Vec::new()
        }
        _ => Vec::new(),
    };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LARGEST)]);
    let said = Log::of(local, &text);
    let begun = said
        .begun
        .iter()
        .map(|(name, dataset)| Tree::List(vec![name.as_str().into(), dataset.as_str().into()]));
    let content = Tree::map([
        ("local", said.local.into()),
        ("offset", said.offset.into()),
        ("begun", begun.collect()),
        ("is_broken", Tree::Bool(said.is_broken)),
    ]);
    unit.entry = Some(Arc::new(Entry::new(Kind::Part, "", content)));
}

/// When a log was opened, as its name says; `None` where it is none.
fn opened_at(name: &str) -> Option<i64> {
    let rest = name.strip_prefix("R-")?;
    let rest = rest.strip_suffix(".log").or_else(|| rest.strip_suffix(".log.gz"))?;
    let (time, hex) = (rest.get(..15)?, rest.get(15..)?);
    let is_named = hex
        .strip_prefix('-')
        .is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let time = NaiveDateTime::parse_from_str(time, "%Y%m%d-%H%M%S").ok().filter(|_| is_named)?;
    Some(time.and_utc().timestamp())
}

impl Log {
    /// What [`read`] kept of it.
    pub fn of_entry(entry: &Entry) -> Option<Self> {
        let tree = entry.tree().ok()?;
        let number = |key| if let Some(Tree::Int(number)) = tree.get(key) { Some(*number) } else { None };
        let begun = tree.get("begun").and_then(Tree::items).unwrap_or_default().iter().filter_map(|pair| {
            let [name, dataset] = pair.items()? else { return None };
            Some((name.as_str()?.to_owned(), dataset.as_str()?.to_owned()))
        });
        Some(Self {
            local: number("local")?,
            offset: number("offset"),
            begun: begun.collect(),
            is_broken: tree.get("is_broken") == Some(&Tree::Bool(true)),
        })
    }

    fn of(local: i64, text: &str) -> Self {
        let mut log = Self { local, offset: None, begun: Vec::new(), is_broken: false };
        let mut goes_on = false;
        for line in text.lines() {
            let Some((time, said)) = line.split_once(' ').filter(|(time, _)| time.len() == 24) else {
                continue;
            };
            let Some((level, said)) = said.strip_prefix('[').and_then(|said| said.split_once("] ")) else {
                continue;
            };
            log.offset = log.offset.or_else(|| offset_of(time));
            if let Some((numbers, name, dataset)) = begun(said) {
                log.begun.push((name.to_owned(), dataset.to_owned()));
                goes_on = numbers.split_once('/').is_some_and(|(number, all)| number != all);
            } else if level.trim() == "ERROR" && said.starts_with("Pipeline ") && said.contains(" failed: ") {
                log.is_broken = true;
            }
        }
        log.is_broken |= goes_on;
        log
    }
}

/// `Run 1/2: pipeline 'Talk_85e8ff' on dataset 'corn'`: the numbers, the name and the dataset.
fn begun(said: &str) -> Option<(&str, &str, &str)> {
    let (numbers, rest) = said.strip_prefix("Run ")?.split_once(": pipeline '")?;
    let (name, dataset) = rest.strip_suffix('\'')?.rsplit_once("' on dataset '")?;
    Some((numbers, name, dataset))
}

/// The seconds that a time like `2026-11-30T13:30:11+0530` is ahead of UTC.
fn offset_of(time: &str) -> Option<i64> {
    let zone = time.get(19..)?;
    let number = |from: usize| zone.get(from..from + 2)?.parse::<i64>().ok();
    let seconds = number(1)? * 3_600 + number(3)? * 60;
    match zone.as_bytes().first()? {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, opened_at};

    #[test]
    fn names_say_when_a_log_was_opened() {
        assert_eq!(opened_at("R-20261130-010038-a45a.log"), Some(1_796_000_438));
        assert_eq!(opened_at("R-20261130-010038-a45a.log"), opened_at("R-20261130-010038-0b.log.gz"));
        for other in
            ["R-20261330-010038-a45a.log", "R-20261130-010038.log", "R-20261130-010038-a45a.jsonl", "x.log"]
        {
            assert_eq!(opened_at(other), None, "{other}");
        }
    }

    #[test]
    fn lines_say_what_was_begun_and_what_failed() {
        let text = "2026-11-30T13:30:11-0330 [INFO ] Run 1/2: pipeline 'It's ' on dataset 'x_85e8ff' on dataset 'a/b'\n\
                    | a table | \n\
                    2026-11-30T13:30:11-0330 [DEBUG] Run 2/2: pipeline 'B_aaaaaa' on dataset 'c'\n";
        let log = Log::of(7, text);
        assert_eq!((log.local, log.offset, log.is_broken), (7, Some(-12_600), false));
        let begun = [("It's ' on dataset 'x_85e8ff", "a/b"), ("B_aaaaaa", "c")];
        assert_eq!(log.begun, begun.map(|(name, dataset)| (name.to_owned(), dataset.to_owned())));
        let failed =
            "2026-11-30T13:30:11+0000 [ERROR] Pipeline B on dataset c failed: Pipeline step 3 failed";
        assert!(Log::of(7, failed).is_broken);
        assert!(Log::of(7, &text.lines().take(1).collect::<String>()).is_broken);
        let warned = "2026-11-30T13:30:11+0000 [WARN ] Step 3 failed but continuing: Pipeline failed: no";
        assert!(!Log::of(7, warned).is_broken);
        assert_eq!(Log::of(7, "").begun, []);
    }
}
