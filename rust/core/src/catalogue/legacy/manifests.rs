//! Manifests of nirs4all 0.6: one for each configuration on one dataset.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::base::codec::ByteWriter;
use crate::base::content::blake3_hex;
use crate::base::error::{FileError, corrupt};
use crate::catalogue::entry::{Entry, Kind};
use crate::catalogue::unit::{Snapshot, Unit};
use crate::yaml::tree::{Time, Tree};

/// What a configuration is made of.
pub const FILES: [&str; 1] = ["manifest.yaml"];

/// One configuration on one dataset.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its folder, relative to the workspace.
    pub path: String,
    /// The folder of its dataset below `runs`.
    pub folder: String,
    pub dataset: String,
    pub pipeline_id: String,
    pub uid: Option<String>,
    /// Its name without the hash, as it was given or derived from one that was.
    pub name: String,
    pub config_hash: String,
    /// When it was made, µs since 1970; `None` where it does not say.
    pub time: Option<i64>,
    /// Until when it was surely at work, as its artifacts say.
    pub busy_until: Option<i64>,
    /// When it ended, as its execution trace says.
    pub ended: Option<i64>,
    pub choices: Vec<Tree>,
    pub steps: Tree,
}

/// Reads a manifest into a unit: what grouping needs of it.
pub fn read(place: &str, config: &str, [manifest]: [Snapshot; 1], unit: &mut Unit) {
    let end = manifest.bytes.as_ref().map(|bytes| bytes[bytes.len().saturating_sub(32)..].to_vec());
    let end = end.unwrap_or_default();
    let manifest = match manifest.tree() {
        Ok(manifest) => manifest,
        Err(error) => {
            unit.errors.push(FileError::new(&format!("{}/{}", unit.path, FILES[0]), &error));
            return;
        }
    };
    if let Some(what) = cut(&manifest, &end) {
        let error = corrupt(format!("{what}: it was cut off; what it says before that counts"));
        unit.errors.push(FileError::new(&format!("{}/{}", unit.path, FILES[0]), &error));
    }
    let pipeline = manifest.get("pipeline");
    let steps = pipeline.and_then(|pipeline| pipeline.get("steps")).or(pipeline);
    let text = |key| manifest.text(key).filter(|text| !text.is_empty());
    let id = text("pipeline_id").unwrap_or(config);
    let folder = folder_of(&unit.path, id).unwrap_or(place);
    let content = Tree::map([
        ("path", unit.path.as_str().into()),
        ("folder", folder.into()),
        ("dataset", text("dataset").unwrap_or(folder).into()),
        ("pipeline_id", id.into()),
        ("uid", manifest.text("uid").into()),
        ("name", text("name").unwrap_or_else(|| without_number(config).1).into()),
        ("time", manifest.get("created_at").and_then(time_of).into()),
        ("busy_until", busy_until(&manifest).into()),
        ("ended", ended(&manifest).into()),
        ("generator_choices", manifest.get("generator_choices").cloned().unwrap_or(Tree::Null)),
        ("steps", steps.cloned().unwrap_or(Tree::Null)),
    ]);
    unit.entry = Some(Arc::new(Entry::new(Kind::Part, "", content)));
}

/// The folder of its dataset below `runs`, of a manifest's folder: what is before its own name, which like the
/// dataset's may have slashes.
pub fn folder_of<'a>(path: &'a str, pipeline_id: &str) -> Option<&'a str> {
    let below = path.strip_prefix("runs/")?;
    let before = below.strip_suffix(pipeline_id).and_then(|before| before.strip_suffix('/'));
    before.filter(|before| !before.is_empty()).or_else(|| below.rsplit_once('/').map(|(before, _)| before))
}

/// How a manifest shows that its end is missing. nirs4all writes its keys in one order and ends every line.
fn cut(manifest: &Tree, end: &[u8]) -> Option<&'static str> {
    let traces = manifest.get("execution_traces");
    let entries = if let Some(Tree::Map(entries)) = traces { &entries[..] } else { &[] };
    let last = entries.last().map(|(_, trace)| trace);
    let is_cut = last.is_some_and(|trace| match trace {
        // The keys that come first and last of a trace.
        Tree::Map(_) => {
            trace.get("pipeline_uid").is_some()
                && trace.get("steps").is_some()
                && trace.get("metadata").is_none()
        }
        _ => *trace == Tree::Null,
    });
    if is_cut || end.ends_with(b"\nexecution_traces:\n") {
        return Some("ends within its execution trace");
    }
    if !end.ends_with(b"\n") && traces.is_some() {
        return Some("ends within a line");
    }
    let artifacts =
        manifest.get("artifacts").and_then(|artifacts| artifacts.get("items")).and_then(Tree::items);
    let is_cut = artifacts
        .and_then(<[Tree]>::last)
        .is_some_and(|last| last.get("nirs4all_version").is_some() && last.get("version").is_none());
    (is_cut && manifest.get("predictions").is_none()).then_some("ends within its artifacts")
}

/// When the last of its artifacts was made.
fn busy_until(manifest: &Tree) -> Option<i64> {
    let artifacts = manifest.get("artifacts")?;
    let items = artifacts.get("items").unwrap_or(artifacts).items()?;
    items.iter().filter_map(|item| time_of(item.get("created_at")?)).max()
}

/// When the last step of its traces ended: steps follow each other from when the trace was begun.
fn ended(manifest: &Tree) -> Option<i64> {
    let traces: Vec<&Tree> = match manifest.get("execution_traces")? {
        Tree::Map(entries) => entries.iter().map(|(_, trace)| trace).collect(),
        Tree::List(items) => items.iter().collect(),
        _ => return None,
    };
    let of_trace = |trace: &Tree| {
        let began = time_of(trace.get("created_at")?)?;
        let spent = |step: &Tree| match step.get("duration_ms") {
            Some(Tree::Float(spent)) if spent.is_finite() && *spent > 0.0 => *spent,
            Some(Tree::Int(spent)) if *spent > 0 => *spent as f64,
            _ => 0.0,
        };
        let spent: f64 = trace.get("steps").and_then(Tree::items).unwrap_or_default().iter().map(spent).sum();
        Some(began.saturating_add((spent * 1_000.0) as i64))
    };
    traces.into_iter().filter_map(of_trace).max()
}

impl Manifest {
    /// What [`read`] kept of it.
    pub fn of(entry: &Entry) -> Option<Self> {
        let tree = entry.tree().ok()?;
        let text = |key: &str| tree.text(key).map(str::to_owned);
        let time = |key: &str| if let Some(Tree::Int(time)) = tree.get(key) { Some(*time) } else { None };
        let steps = tree.get("steps")?.clone();
        let full = text("name")?;
        let (name, config_hash) = match full.rsplit_once('_') {
            Some((name, hash)) if is_hash(hash) => (name.to_owned(), hash.to_owned()),
            _ => (full, hash_of(&steps)),
        };
        Some(Self {
            path: text("path")?,
            folder: text("folder")?,
            dataset: text("dataset")?,
            pipeline_id: text("pipeline_id")?,
            uid: text("uid"),
            name,
            config_hash,
            time: time("time"),
            busy_until: time("busy_until"),
            ended: time("ended"),
            choices: tree.get("generator_choices")?.items().unwrap_or_default().to_vec(),
            steps,
        })
    }

    /// The names of the datasets whose prediction file it may have rows in.
    pub fn claims(&self) -> [&str; 2] {
        [&self.folder, &self.dataset]
    }

    /// Name and hash, as logs have them.
    pub fn full_name(&self) -> String {
        format!("{}_{}", self.name, self.config_hash)
    }

    /// The name that it shares with others of a list of pipelines, and its place in the list: nirs4all calls
    /// the pipelines of a list `<name>_p<i>`, and `pipeline_<i>` where it was given no name.
    pub fn place_in_list(&self) -> Option<(&str, u32)> {
        let (base, digits) = self.name.rsplit_once('_')?;
        let digits = if base == "pipeline" { digits } else { digits.strip_prefix('p')? };
        let is_number = digits == "0" || digits.starts_with(|first: char| matches!(first, '1'..='9'));
        let place = digits.parse().ok().filter(|_| is_number)?;
        (!base.is_empty()).then_some((base, place))
    }

    /// What an entry says of it.
    pub fn to_tree(&self, config_id: &str, template_id: &str) -> Tree {
        Tree::map([
            ("config_id", config_id.into()),
            ("template_id", template_id.into()),
            ("path", self.path.as_str().into()),
            ("dataset", self.dataset.as_str().into()),
            ("pipeline_id", self.pipeline_id.as_str().into()),
            ("uid", self.uid.clone().into()),
            ("name", self.name.as_str().into()),
            ("config_hash", self.config_hash.as_str().into()),
            ("created_at", self.time.and_then(iso).into()),
            ("generator_choices", self.choices.iter().cloned().collect()),
        ])
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash_of(steps: &Tree) -> String {
    let mut writer = ByteWriter::default();
    steps.encode(&mut writer);
    blake3_hex(&writer.bytes, 6)
}

/// `0012_config_abcdef`: the number by which nirs4all counts, and the rest.
pub fn without_number(folder: &str) -> (u64, &str) {
    let number = folder.split_once('_').and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
    number.unwrap_or((u64::MAX, folder))
}

/// When something was made, µs since 1970; a time without offset is one of UTC.
fn time_of(tree: &Tree) -> Option<i64> {
    let text = match tree {
        Tree::Text(text) => text.trim().to_owned(),
        Tree::Time(Time { clock: None, .. }) => format!("{}T00:00:00", shown(tree)?),
        Tree::Time(_) => shown(tree)?,
        _ => return None,
    };
    if let Ok(time) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(time.timestamp_micros());
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let naive = naive.iter().find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let day = || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    naive.or_else(day).map(|time| time.and_utc().timestamp_micros())
}

fn shown(tree: &Tree) -> Option<String> {
    if let Tree::Time(time) = tree { Some(time.to_string()) } else { None }
}

/// A time as entries have it.
pub fn iso(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
}
