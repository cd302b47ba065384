//! Manifests of nirs4all 0.6, grouped into what one call made.
//!
//! One call leaves a folder for each dataset and configuration, one after another, all with one name and,
//! but for what generators chose, the same steps.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use unicode_normalization::UnicodeNormalization;

use super::canonical::content_id;
use super::tree::{Time, Tree};
use super::{Entry, Kind, Snapshot, Unit, native, template};
use crate::content::blake3_hex;
use crate::files::FileError;
use crate::summary::Writer;

/// What a configuration is made of.
pub const FILES: [&str; 1] = ["manifest.yaml"];
/// A longer pause separates calls of which generators say nothing.
const PAUSE: i64 = 10 * 60 * 1_000_000;
const LONGEST_SLUG: usize = 40;

/// One configuration on one dataset.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its folder, relative to the workspace.
    path: String,
    /// The name of the folder's folder.
    folder: String,
    dataset: String,
    pipeline_id: String,
    uid: Option<String>,
    name: String,
    config_hash: String,
    /// µs since 1970; `None` where it does not say.
    time: Option<i64>,
    choices: Vec<Tree>,
    steps: Tree,
}

/// Reads a manifest into a unit: what grouping needs of it.
pub fn read(dataset: &str, config: &str, [manifest]: [Snapshot; 1], unit: &mut Unit) {
    let manifest = match manifest.tree() {
        Ok(manifest) => manifest,
        Err(error) => {
            unit.errors.push(FileError::new(&format!("{}/{}", unit.path, FILES[0]), &error));
            return;
        }
    };
    let pipeline = manifest.get("pipeline");
    let steps = pipeline.and_then(|pipeline| pipeline.get("steps")).or(pipeline);
    let text = |key| manifest.text(key).filter(|text| !text.is_empty());
    let content = Tree::map([
        ("path", unit.path.as_str().into()),
        ("folder", dataset.into()),
        ("dataset", text("dataset").unwrap_or(dataset).into()),
        ("pipeline_id", text("pipeline_id").unwrap_or(config).into()),
        ("uid", manifest.text("uid").into()),
        ("name", text("name").unwrap_or_else(|| without_number(config).1).into()),
        ("time", manifest.get("created_at").and_then(time_of).into()),
        ("generator_choices", manifest.get("generator_choices").cloned().unwrap_or(Tree::Null)),
        ("steps", steps.cloned().unwrap_or(Tree::Null)),
    ]);
    unit.entry = Some(Arc::new(Entry::new(Kind::Part, "", content)));
}

impl Manifest {
    /// What [`read`] kept of it.
    pub fn of(entry: &Entry) -> Option<Self> {
        let tree = entry.tree().ok()?;
        let text = |key: &str| tree.text(key).map(str::to_owned);
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
            time: if let Some(Tree::Int(time)) = tree.get("time") { Some(*time) } else { None },
            choices: tree.get("generator_choices")?.items().unwrap_or_default().to_vec(),
            steps,
        })
    }

    /// The names of the datasets whose prediction file it may have rows in.
    pub fn claims(&self) -> [&str; 2] {
        [&self.folder, &self.dataset]
    }

    fn to_tree(&self, config_id: &str) -> Tree {
        Tree::map([
            ("config_id", config_id.into()),
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
    let mut writer = Writer::default();
    steps.encode(&mut writer);
    blake3_hex(&writer.bytes, 6)
}

/// `0012_config_abcdef`: the number by which nirs4all counts, and the rest.
fn without_number(folder: &str) -> (u64, &str) {
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

fn iso(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
}

/// Groups manifests into sessions.
pub fn group(manifests: Vec<Manifest>) -> Vec<Entry> {
    let mut sessions: Vec<Session> = Vec::new();
    for (time, manifest) in in_order(manifests) {
        match sessions.last_mut() {
            Some(session) if session.takes(&manifest, time) => session.add(manifest, time),
            _ => sessions.push(Session::new(manifest, time)),
        }
    }
    sessions.iter().map(Session::entry).collect()
}

/// One after another, as they were made; a manifest that does not say when comes after the one before it in
/// its folder. Of copies of one the first counts.
fn in_order(manifests: Vec<Manifest>) -> Vec<(Option<i64>, Manifest)> {
    let mut folders = BTreeMap::<String, Vec<Manifest>>::new();
    for manifest in manifests {
        folders.entry(manifest.folder.clone()).or_default().push(manifest);
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for (_, mut manifests) in folders {
        let last = |manifest: &Manifest| manifest.path.rsplit('/').next().unwrap_or_default().to_owned();
        manifests.sort_by_cached_key(|manifest| {
            let name = last(manifest);
            (without_number(&name).0, name)
        });
        let mut before = None;
        for manifest in manifests {
            before = manifest.time.or(before);
            let own = (manifest.uid.clone(), manifest.dataset.clone(), manifest.pipeline_id.clone());
            if manifest.uid.is_none() || seen.insert(own) {
                found.push((before, manifest));
            }
        }
    }
    // Stable: within a folder the numbers decide between equal times.
    found.sort_by_key(|(time, _)| *time);
    found
}

/// What one call made.
struct Session {
    manifests: Vec<Manifest>,
    seen: HashSet<(String, String)>,
    last: Option<i64>,
}

impl Session {
    fn new(first: Manifest, time: Option<i64>) -> Self {
        let mut session = Self { manifests: Vec::new(), seen: HashSet::new(), last: None };
        session.add(first, time);
        session
    }

    fn add(&mut self, manifest: Manifest, time: Option<i64>) {
        self.seen.insert((manifest.dataset.clone(), manifest.config_hash.clone()));
        self.manifests.push(manifest);
        self.last = time;
    }

    /// Whether the same call may have made this one too.
    fn takes(&self, next: &Manifest, time: Option<i64>) -> bool {
        let Some(first) = self.manifests.first() else { return true };
        let paused = || self.last.zip(time).is_some_and(|(last, time)| time - last > PAUSE);
        first.name == next.name
            && !self.seen.contains(&(next.dataset.clone(), next.config_hash.clone()))
            && !(next.choices.is_empty() && paused())
            && template::is_of_one(&[(&first.steps, &first.choices), (&next.steps, &next.choices)])
    }

    fn entry(&self) -> Entry {
        let Some(first) = self.manifests.first() else { return Entry::new(Kind::Session, "", Tree::Null) };
        let created_at = self.manifests.iter().find_map(|manifest| manifest.time).and_then(iso);
        let day = created_at.as_deref().map_or("undated", |time| &time[..10]);
        let named = first.uid.as_deref().unwrap_or(&first.path);
        let id = format!("{day}_{}_{}", capital(&slug(&first.name)), blake3_hex(named.as_bytes(), 12));
        let mut hashes = HashSet::new();
        let configs: Vec<_> =
            self.manifests.iter().filter(|manifest| hashes.insert(&manifest.config_hash)).collect();
        let mut names = HashSet::new();
        let datasets = self.manifests.iter().map(|manifest| manifest.dataset.as_str());
        let datasets = datasets.filter(|name| names.insert(*name)).map(dataset).collect();
        let steps: Vec<_> =
            configs.iter().map(|manifest| (&manifest.steps, manifest.choices.as_slice())).collect();
        let steps = template::of(&steps);
        let template = Tree::map([
            ("id", content_id("tpl", &steps).into()),
            ("name", first.name.as_str().into()),
            ("description", Tree::Null),
            ("expansion_count", Tree::Int(configs.len() as i64)),
        ]);
        let created_at = created_at.unwrap_or_default();
        let templates = Tree::List(vec![template]);
        let mut entries =
            blank(Kind::Session, &id, &first.name, &created_at, "completed".into(), templates, datasets);
        entries.push(("n_configs".into(), Tree::Int(configs.len() as i64)));
        let ids: HashMap<&str, String> = configs
            .iter()
            .map(|manifest| (manifest.config_hash.as_str(), content_id("cfg", &manifest.steps)))
            .collect();
        let manifest = |manifest: &Manifest| manifest.to_tree(&ids[manifest.config_hash.as_str()]);
        entries.push(("manifests".into(), self.manifests.iter().map(manifest).collect()));
        entries.push(("steps".into(), steps));
        Entry::new(Kind::Session, &id, Tree::Map(entries))
    }
}

/// The keys that every entry has, of what has no `run.yaml`.
pub fn blank(
    kind: Kind,
    id: &str,
    name: &str,
    created_at: &str,
    status: Tree,
    templates: Tree,
    datasets: Tree,
) -> Vec<(Tree, Tree)> {
    let mut entries = vec![("kind".into(), kind.name().into())];
    entries.extend(native::defaults(id).map(|(key, default)| {
        let value = match key {
            "name" => name.into(),
            "created_at" => created_at.into(),
            _ => default,
        };
        (key.into(), value)
    }));
    entries.extend([
        ("status".into(), status),
        ("templates".into(), templates),
        ("datasets".into(), datasets),
        ("summary".into(), Tree::Null),
    ]);
    entries
}

/// A dataset of which nothing but its name is known.
pub fn dataset(name: &str) -> Tree {
    Tree::map([
        ("id", Tree::Null),
        ("name", name.into()),
        ("hash", Tree::Null),
        ("file_size", Tree::Null),
        ("quick_hash", Tree::Null),
        ("path", Tree::Null),
    ])
}

/// A short name in ASCII letters, digits and `_`, lowercase; the one that Python makes for folders.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.nfkd().filter(char::is_ascii) {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.truncate(LONGEST_SLUG);
    slug.trim_end_matches('_').to_owned()
}

/// The slug as ids of runs have it.
fn capital(slug: &str) -> String {
    let slug = if slug.is_empty() { "run".to_owned() } else { slug.replace('_', "-") };
    slug[..1].to_ascii_uppercase() + &slug[1..]
}
