//! Sessions: what one call of nirs4all 0.6 made.
//!
//! A call leaves a folder for each dataset and configuration, one after another, all with one name and, but for
//! what generators chose, the same steps; for a list of pipelines with a name and steps for each. Where there
//! are logs, they tell calls apart ([`calls`]).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::calls::{self, Start, Step};
use super::logs::Log;
use super::manifests::{Manifest, iso, without_number};
use super::template;
use crate::base::content::blake3_hex;
use crate::base::names::slug;
use crate::catalogue::entry::{Entry, Kind};
use crate::catalogue::native;
use crate::yaml::canonical::content_id;
use crate::yaml::tree::Tree;

/// A longer pause separates calls of which neither logs nor generators say anything, µs.
const PAUSE: i64 = 10 * 60 * 1_000_000;
/// So many calls at most went on side by side.
const BESIDE: usize = 16;

/// Groups manifests into sessions, by logs as far as there are any.
pub fn group(manifests: Vec<Manifest>, logs: &[Log]) -> Vec<Session> {
    let ordered = in_order(manifests);
    let starts = if logs.is_empty() { Vec::new() } else { starts(&ordered, logs) };
    let mut starts = starts.into_iter().peekable();
    let mut sessions: Vec<Session> = Vec::new();
    // Logs of calls that have no manifest yet.
    let mut waiting: Vec<usize> = Vec::new();
    for (place, (time, manifest)) in ordered.into_iter().enumerate() {
        let mut here: Vec<Start> = Vec::new();
        while let Some(start) = starts.next_if(|start| start.before <= place) {
            here.push(start);
        }
        let last = sessions.last_mut().filter(|last| last.takes(&manifest, time));
        // A log that was opened while the call before was at work is of a call beside it.
        let is_new = here.last().is_some_and(|start| {
            last.as_ref().is_none_or(|last| last.busy_until.is_none_or(|busy| busy < start.until))
        });
        if let (Some(start), true) = (here.pop(), is_new) {
            waiting.extend(here.iter().map(|start| start.log));
            sessions.push(Session::new(manifest, time, Some(start.log)));
            continue;
        }
        waiting.extend(here.iter().map(|start| start.log));
        if let Some(last) = last {
            last.add(manifest, time);
        } else if let Some(earlier) = beside(&mut sessions, &manifest, time) {
            earlier.add(manifest, time);
        } else {
            sessions.push(Session::new(manifest, time, waiting.pop()));
        }
    }
    for session in &mut sessions {
        session.is_broken =
            session.log.is_some_and(|log| logs.get(log).is_some_and(|log| session.is_broken_by(log)));
    }
    sessions
}

/// Where the logs' calls begin.
fn starts(ordered: &[(Option<i64>, Manifest)], logs: &[Log]) -> Vec<Start> {
    let names: Vec<String> = ordered.iter().map(|(_, manifest)| manifest.full_name()).collect();
    let mut session: Option<Session> = None;
    let mut steps = Vec::with_capacity(ordered.len());
    for ((time, manifest), name) in ordered.iter().zip(&names) {
        let before = session.as_ref().and_then(|session| session.manifests.last());
        // In the middle of a list of pipelines, or of what generators choose for one dataset, no call begins.
        let goes_on = before.is_some_and(|before| {
            before.name != manifest.name || before.dataset == manifest.dataset && !manifest.choices.is_empty()
        });
        let begins = match &mut session {
            Some(session) if session.takes(manifest, *time) => {
                session.add(manifest.clone(), *time);
                false
            }
            _ => {
                // As one that has a log: pauses tell nothing here.
                session = Some(Session::new(manifest.clone(), *time, Some(0)));
                true
            }
        };
        let time = time.unwrap_or(i64::MIN);
        steps.push(Step { time, name, dataset: &manifest.dataset, begins, goes_on: goes_on && !begins });
    }
    calls::place(logs, &steps)
}

/// A session that goes on beside the last one: the two were at work at one time.
fn beside<'a>(sessions: &'a mut [Session], next: &Manifest, time: Option<i64>) -> Option<&'a mut Session> {
    let (last, earlier) = sessions.split_last_mut()?;
    let is_within = |last: &Session| last.busy_until.zip(time).is_some_and(|(busy, time)| time < busy);
    let last_began = last.began;
    let last_is_at_work = is_within(last);
    earlier.iter_mut().rev().take(BESIDE).find(|session| {
        let overlaps = session.busy_until.zip(last_began).is_some_and(|(busy, began)| began < busy);
        (overlaps || last_is_at_work) && session.takes(next, time)
    })
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
    for (folder, mut manifests) in folders {
        let below = format!("runs/{folder}/");
        manifests.sort_by_cached_key(|manifest| {
            let name = manifest.path.strip_prefix(&below).unwrap_or(&manifest.path).to_owned();
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
#[derive(Debug)]
pub struct Session {
    manifests: Vec<Manifest>,
    /// Dataset, name and hash of each.
    seen: HashSet<(String, String, String)>,
    began: Option<i64>,
    last: Option<i64>,
    /// When the last of them ended, as far as that is known.
    ended: Option<i64>,
    busy_until: Option<i64>,
    /// The log that it was opened with.
    log: Option<usize>,
    /// Whether its log says that it did not come to its end.
    is_broken: bool,
}

impl Session {
    fn new(first: Manifest, time: Option<i64>, log: Option<usize>) -> Self {
        let mut session = Self {
            manifests: Vec::new(),
            seen: HashSet::new(),
            began: time,
            last: None,
            ended: None,
            busy_until: None,
            log,
            is_broken: false,
        };
        session.add(first, time);
        session
    }

    fn add(&mut self, manifest: Manifest, time: Option<i64>) {
        self.seen.insert(key_of(&manifest));
        self.last = time;
        self.ended = manifest.ended.max(manifest.busy_until).max(time);
        self.busy_until = self.busy_until.max(manifest.busy_until);
        self.manifests.push(manifest);
    }

    /// Whether the same call may have made this one too.
    fn takes(&self, next: &Manifest, time: Option<i64>) -> bool {
        let Some(last) = self.manifests.last() else { return true };
        let paused = || self.ended.or(self.last).zip(time).is_some_and(|(last, time)| time - last > PAUSE);
        if self.seen.contains(&key_of(next)) || self.log.is_none() && next.choices.is_empty() && paused() {
            return false;
        }
        if last.name == next.name { self.is_of_template(last, next) } else { self.is_next_in_list(next) }
    }

    fn is_of_template(&self, last: &Manifest, next: &Manifest) -> bool {
        // What generators of every kind do with their choices is not known here; a log knows better.
        let is_known = self.log.is_some() && !last.choices.is_empty() && !next.choices.is_empty();
        let first = self.manifests.iter().find(|manifest| manifest.name == next.name).unwrap_or(last);
        // Generators choose for each configuration, or there are none.
        last.choices.is_empty() == next.choices.is_empty()
            && (is_known
                || template::is_of_one(&[(&first.steps, &first.choices), (&next.steps, &next.choices)]))
    }

    /// Whether it is of a later pipeline of the list that the session is of.
    fn is_next_in_list(&self, next: &Manifest) -> bool {
        let of = |manifest: Option<&Manifest>| {
            manifest.and_then(Manifest::place_in_list).map(|(base, at)| (base.to_owned(), at))
        };
        let (Some((first, zero)), Some((_, last)), Some((base, at))) =
            (of(self.manifests.first()), of(self.manifests.last()), of(Some(next)))
        else {
            return false;
        };
        zero == 0 && first == base && at == last + 1
    }

    /// The name that the call was given, as far as names tell.
    fn name(&self) -> &str {
        let Some(first) = self.manifests.first() else { return "" };
        let is_list = self.manifests.iter().any(|manifest| manifest.name != first.name);
        first.place_in_list().filter(|_| is_list).map_or(&first.name, |(base, _)| base)
    }

    /// Whether its log tells of more than what is there, or of an error.
    fn is_broken_by(&self, log: &Log) -> bool {
        let first = (self.manifests.first()).map(|manifest| (manifest.full_name(), manifest.dataset.clone()));
        log.begun.first().is_some_and(|begun| Some(begun) == first.as_ref())
            && (log.is_broken || log.begun.len() > self.manifests.len() && self.is_whole_of(log))
    }

    /// Whether all that the log says was begun may be of this one call.
    fn is_whole_of(&self, log: &Log) -> bool {
        let names: HashSet<String> = self.manifests.iter().map(Manifest::full_name).collect();
        log.begun.iter().all(|(name, _)| names.contains(name))
    }

    /// What it made, in order.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// How it ended: `completed` unless the last dataset that it came to has no row of it, something after that
    /// is missing, or its log says that it did not come to its end.
    ///
    /// nirs4all writes the rows of a dataset when all configurations are done: without them it was killed, or
    /// raised an error, or made nothing.
    pub fn status(&self, has_rows: &dyn Fn(&Manifest) -> bool) -> &'static str {
        let Some(last) = self.manifests.last() else { return "failed" };
        let is_last = |manifest: &&Manifest| manifest.dataset == last.dataset && manifest.name == last.name;
        let ended = self.manifests.iter().filter(is_last).any(has_rows);
        if ended && !self.is_broken && !self.lacks_its_end() { "completed" } else { "failed" }
    }

    /// Whether it stopped after a dataset: what it made is the beginning of what its pipelines make of its
    /// datasets, and not all of it.
    fn lacks_its_end(&self) -> bool {
        let mut datasets: Vec<&str> = Vec::new();
        let mut pipelines: Vec<(&str, Vec<&str>)> = Vec::new();
        for manifest in &self.manifests {
            if !datasets.contains(&manifest.dataset.as_str()) {
                datasets.push(&manifest.dataset);
            }
            if pipelines.last().is_none_or(|(name, _)| *name != manifest.name) {
                pipelines.push((&manifest.name, Vec::new()));
            }
            if let Some((_, hashes)) = pipelines.last_mut()
                && !hashes.contains(&manifest.config_hash.as_str())
            {
                hashes.push(&manifest.config_hash);
            }
        }
        let whole: usize = pipelines.iter().map(|(_, hashes)| hashes.len() * datasets.len()).sum();
        let expected = pipelines.iter().flat_map(|(name, hashes)| {
            datasets.iter().flat_map(move |dataset| hashes.iter().map(move |hash| (*dataset, *name, *hash)))
        });
        let made =
            self.manifests.iter().map(|it| (it.dataset.as_str(), it.name.as_str(), it.config_hash.as_str()));
        self.manifests.len() < whole && made.zip(expected).all(|(made, expected)| made == expected)
    }

    /// The entry of the catalogue.
    pub fn entry(&self, status: &str) -> Entry {
        let Some(first) = self.manifests.first() else { return Entry::new(Kind::Session, "", Tree::Null) };
        let created_at = self.manifests.iter().find_map(|manifest| manifest.time).and_then(iso);
        let day = created_at.as_deref().map_or("undated", |time| &time[..10]);
        let named = first.uid.as_deref().unwrap_or(&first.path);
        let name = self.name();
        let id = format!("{day}_{}_{}", capital(&slug(name)), blake3_hex(named.as_bytes(), 12));
        let mut names = HashSet::new();
        let datasets = self.manifests.iter().map(|manifest| manifest.dataset.as_str());
        let datasets = datasets.filter(|name| names.insert(*name)).map(dataset).collect();
        let templates = self.templates();
        let created_at = created_at.unwrap_or_default();
        let references = templates.iter().map(Template::reference).collect();
        let mut entries = blank(Kind::Session, &id, name, &created_at, status.into(), references, datasets);
        let count: i64 = templates.iter().map(|template| template.count).sum();
        entries.push(("n_configs".into(), Tree::Int(count)));
        entries.push(("n_failed".into(), Tree::Null));
        entries.push(("manifests".into(), self.manifest_trees(&templates)));
        let steps = match &templates[..] {
            [one] => one.steps.clone(),
            several => Tree::map([("_or_", several.iter().map(|template| template.steps.clone()).collect())]),
        };
        entries.push(("steps".into(), steps));
        Entry::new(Kind::Session, &id, Tree::Map(entries))
    }

    /// Its templates in order: one, or of a list of pipelines one each.
    fn templates(&self) -> Vec<Template<'_>> {
        let mut names: Vec<&str> = Vec::new();
        for manifest in &self.manifests {
            if !names.contains(&manifest.name.as_str()) {
                names.push(&manifest.name);
            }
        }
        let template = |name: &str| {
            let mut hashes = HashSet::new();
            let of_name = self.manifests.iter().filter(|manifest| manifest.name == name);
            let configs: Vec<_> = of_name
                .filter(|manifest| hashes.insert(&manifest.config_hash))
                .map(|manifest| (&manifest.steps, manifest.choices.as_slice()))
                .collect();
            let steps = template::of(&configs);
            (content_id("tpl", &steps), configs.len() as i64, steps)
        };
        names
            .into_iter()
            .map(|name| {
                let (id, count, steps) = template(name);
                Template { name, id, count, steps }
            })
            .collect()
    }

    fn manifest_trees(&self, templates: &[Template<'_>]) -> Tree {
        // Equal hashes of one name are one configuration, whatever steps a copy has.
        let mut ids = HashMap::<(&str, &str), String>::new();
        // The same steps again on one dataset, under another hash or name: results must be told apart.
        let mut taken = HashSet::<(String, &str)>::new();
        let mut trees = Vec::with_capacity(self.manifests.len());
        for manifest in &self.manifests {
            let key = (manifest.name.as_str(), manifest.config_hash.as_str());
            let id = ids.entry(key).or_insert_with(|| content_id("cfg", &manifest.steps)).clone();
            let own = Tree::List(vec![id.as_str().into(), manifest.pipeline_id.as_str().into()]);
            let id = if taken.insert((id.clone(), &manifest.dataset)) { id } else { content_id("cfg", &own) };
            let template = templates.iter().find(|template| template.name == manifest.name);
            trees.push(manifest.to_tree(&id, template.map_or("", |template| &template.id)));
        }
        Tree::List(trees)
    }
}

/// One pipeline of a call.
struct Template<'a> {
    name: &'a str,
    id: String,
    /// Of its configurations.
    count: i64,
    steps: Tree,
}

impl Template<'_> {
    fn reference(&self) -> Tree {
        Tree::map([
            ("id", self.id.as_str().into()),
            ("name", self.name.into()),
            ("description", Tree::Null),
            ("expansion_count", Tree::Int(self.count)),
        ])
    }
}

fn key_of(manifest: &Manifest) -> (String, String, String) {
    (manifest.dataset.clone(), manifest.name.clone(), manifest.config_hash.clone())
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

/// The slug as ids of runs have it.
fn capital(slug: &str) -> String {
    let slug = if slug.is_empty() { "run".to_owned() } else { slug.replace('_', "-") };
    slug[..1].to_ascii_uppercase() + &slug[1..]
}
