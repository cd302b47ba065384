//! Which file carries the rows of each writer of one run in one folder, and which of these rows are live.
//!
//! A writer's rows may be in a journal, in the segment sealed from it and in compactions, and copies of a workspace
//! may have gone on separately before they were merged. The longest of these is the live carrier; whatever is
//! shorter is the beginning of it, and is hidden.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::carrier::{Carrier, fingerprint, said_by};
use super::checkpoint_rank::Rank;
use super::checkpoints::Checkpoints;
use super::file_results::{Memory, OpenSaid};
use super::hidden_rows::Part;
use super::journal::Journal;
use super::live_set::{LiveSet, Open};
use super::merged::{self, Replaced, Unit};
use super::sealed::Sealed;
use crate::base::error::{Error, ErrorKind, FileError};
use crate::base::file_names::{self, Name};

/// A journal that could be opened.
struct OpenCarrier {
    file: String,
    name: Name,
    journal: Journal,
    said: OpenSaid,
}

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Live,
    /// Another file has all of it.
    Replaced(usize),
    /// It goes on after what another file, which cannot be divided, has of it.
    Diverged,
    /// A journal goes on after it.
    Outgrown,
}

/// The rows of one run in one folder.
pub struct Run<'a> {
    /// The folder relative to the workspace.
    relative: &'a str,
    /// What files say of results, where that can matter.
    memory: Option<&'a Memory>,
    carriers: Vec<Carrier>,
    open: Vec<OpenCarrier>,
    /// The unit, the file that it is in, and what became of it.
    units: Vec<(Unit, usize, State)>,
    /// What is noted where all rows are live.
    plain: Option<(String, u64)>,
}

impl<'a> Run<'a> {
    /// The sealed segments and journals of a run; `live_set` takes those that are settled at once. Without a memory
    /// results do not matter.
    pub fn of(
        folder: &'a Path,
        relative: &'a str,
        memory: Option<&'a Memory>,
        mut sealed: Vec<(String, Name)>,
        journals: Vec<(String, Name)>,
        live_set: &mut LiveSet,
    ) -> Option<Self> {
        let mut opened = Vec::new();
        for (file, name) in journals {
            match Journal::open(&folder.join(&file)) {
                // It was being made when its writer died, or is about to go on: it has nothing yet.
                Err(error) if error.kind == ErrorKind::Truncated => continue,
                // Sealed and removed since it was listed.
                Err(error) if FileError::is_vanished(&error) => {
                    live_set.covered.push(file);
                }
                Ok(journal) => opened.push((file, name.clone(), journal)),
                Err(error) => live_set.errors.push((file, error)),
            }
            // A segment that was published after the names were listed counts in its journal's place.
            if !sealed.iter().any(|(_, other)| *other == name) && folder.join(name.sealed()).exists() {
                sealed.push((name.sealed(), name));
            }
        }
        let names = sealed.iter().map(|(_, name)| name).chain(opened.iter().map(|(_, name, _)| name));
        let bases: BTreeSet<&str> = names.clone().map(Name::base).collect();
        let has_compactions = sealed.iter().any(|(_, name)| name.is_compaction());
        let memory = memory.filter(|_| bases.len() > 1 || has_compactions);
        let carriers = match memory {
            None => Carrier::of_files(folder, sealed, &opened, live_set),
            Some(memory) => {
                let (sealed, said) = said_by(relative, memory, sealed, live_set);
                let of_run = sealed.first().map(|(_, name)| format!("{relative}/{}", name.run_id));
                let plain = of_run.filter(|_| opened.is_empty()).zip(fingerprint(&said));
                if let Some((of, fingerprint)) = &plain
                    && memory.is_plain(of, *fingerprint)
                {
                    live_set.files.extend(sealed.into_iter().map(|(file, _)| file));
                    return None;
                }
                let carriers = sealed.into_iter().zip(said);
                let carriers =
                    carriers.map(|((file, name), said)| Carrier::of_said(file, name, said.as_deref()));
                return Some(Self::of_carriers(relative, Some(memory), carriers.collect(), opened, plain));
            }
        };
        Some(Self::of_carriers(relative, None, carriers, opened, None))
    }

    fn of_carriers(
        relative: &'a str,
        memory: Option<&'a Memory>,
        carriers: Vec<(Carrier, Option<Sealed>)>,
        opened: Vec<(String, Name, Journal)>,
        plain: Option<(String, u64)>,
    ) -> Self {
        let (mut all, mut units) = (Vec::with_capacity(carriers.len()), Vec::with_capacity(carriers.len()));
        for (number, (carrier, position)) in carriers.into_iter().enumerate() {
            let of_file = merged::units(&carrier.name, position.as_ref(), &carrier.replaced);
            units.extend(of_file.into_iter().map(|unit| (unit, number, State::Live)));
            all.push(carrier);
        }
        let open = opened.into_iter().map(|(file, name, journal)| {
            // Damage is reported when its rows are read.
            OpenCarrier { file, name, journal, said: OpenSaid::default() }
        });
        let open = open.collect();
        Self { relative, memory, carriers: all, open, units, plain }
    }

    /// Decides, and tells `live_set`.
    pub fn resolve(mut self, open: Open, live_set: &mut LiveSet) {
        let undivided = self.resolve_undivided();
        let of_writer = self.resolve_divided(&undivided);
        let journals = self.resolve_open(open, &undivided, &of_writer, live_set);
        let lost = if self.memory.is_some() { self.lost(&journals) } else { Lost::new() };
        if let (Some(memory), Some((of, fingerprint))) = (self.memory, &self.plain)
            && lost.is_empty()
            && self.units.iter().all(|(_, _, state)| *state == State::Live)
        {
            memory.note_plain(of, *fingerprint);
        }
        self.tell(&journals, &lost, live_set);
    }

    /// Units of several writers, as earlier versions left them, are live or hidden as a whole: the larger
    /// one first, so that one within another is replaced, and one that overlaps without being within is
    /// reported. Gives the writers that they have.
    fn resolve_undivided(&mut self) -> HashMap<String, usize> {
        let mut taken = HashMap::<String, usize>::new();
        let mut several: Vec<usize> =
            (0..self.units.len()).filter(|&unit| self.units[unit].0.writers.len() > 1).collect();
        several.sort_by_key(|&unit| {
            let (unit, file, _) = &self.units[unit];
            let carrier = &self.carriers[*file];
            (std::cmp::Reverse((unit.writers.len(), carrier.replaced.len())), &carrier.file)
        });
        let mut kept: Vec<usize> = Vec::new();
        for unit in several {
            let (own, file, _) = &self.units[unit];
            let is_within = |other: &&usize| {
                let replaced = &self.carriers[self.units[**other].1].replaced;
                replaced.contains_key(&self.carriers[*file].name.writer)
                    || own.writers.iter().all(|(writer, _)| taken.get(writer) == Some(*other))
            };
            let state = if let Some(larger) = kept.iter().find(is_within) {
                State::Replaced(self.units[*larger].1)
            } else if let Some(by) = self.divided_compaction_of(own) {
                State::Replaced(by)
            } else if own.writers.iter().any(|(writer, _)| taken.contains_key(writer)) {
                State::Diverged
            } else {
                taken.extend(own.writers.iter().map(|(writer, _)| (writer.clone(), unit)));
                kept.push(unit);
                State::Live
            };
            self.units[unit].2 = state;
        }
        taken
    }

    /// A file of compactions that have all writers of a unit, each as far as it goes at least.
    fn divided_compaction_of(&self, unit: &Unit) -> Option<usize> {
        let has = |(writer, sealed): &(String, Option<Sealed>)| {
            self.units.iter().find_map(|(other, file, _)| match &other.writers[..] {
                [(other, other_sealed)] if other == writer => {
                    let is_further = frames(other_sealed.as_ref()) >= frames(sealed.as_ref());
                    (is_further && self.carriers[*file].name.is_compaction()).then_some(*file)
                }
                _ => None,
            })
        };
        unit.writers.iter().map(has).collect::<Option<Vec<_>>>()?.first().copied()
    }

    /// Of the units of one writer the longest is live: of equal ones that in a compaction, the larger first.
    /// Gives all units of each writer.
    fn resolve_divided(&mut self, undivided: &HashMap<String, usize>) -> HashMap<String, Vec<usize>> {
        let mut of_writer = HashMap::<String, Vec<usize>>::new();
        for (number, (unit, _, _)) in self.units.iter().enumerate() {
            for (writer, _) in &unit.writers {
                of_writer.entry(writer.clone()).or_default().push(number);
            }
        }
        for (writer, units) in &of_writer {
            if units.len() == 1 {
                continue;
            }
            let goodness = |unit: usize| {
                let (unit, file, _) = &self.units[unit];
                let carrier = &self.carriers[*file];
                let sealed = unit.writers.iter().find(|(other, _)| other == writer);
                let frames = frames(sealed.and_then(|(_, sealed)| sealed.as_ref()));
                let file = std::cmp::Reverse(&carrier.file);
                (frames, carrier.name.is_compaction(), carrier.replaced.len(), file)
            };
            let single = || units.iter().copied().filter(|&unit| self.units[unit].0.writers.len() == 1);
            let best = match undivided.get(writer) {
                Some(unit) => Some(*unit),
                None => single().max_by(|&one, &other| goodness(one).cmp(&goodness(other))),
            };
            let Some(best) = best else { continue };
            let (longest, by) = (goodness(best).0, self.units[best].1);
            let states: Vec<(usize, State)> = single()
                .filter(|&unit| unit != best)
                .map(|unit| {
                    let is_longer = goodness(unit).0 > longest;
                    (unit, if is_longer { State::Diverged } else { State::Replaced(by) })
                })
                .collect();
            states.into_iter().for_each(|(unit, state)| self.units[unit].2 = state);
        }
        of_writer
    }

    /// A journal is live where nothing that is sealed covers it. Gives those that are.
    fn resolve_open(
        &mut self,
        open: Open,
        undivided: &HashMap<String, usize>,
        of_writer: &HashMap<String, Vec<usize>>,
        live_set: &mut LiveSet,
    ) -> Vec<usize> {
        let mut live = Vec::new();
        for number in 0..self.open.len() {
            let OpenCarrier { file, name, journal, .. } = &self.open[number];
            let units = of_writer.get(&name.writer).map(Vec::as_slice).unwrap_or_default();
            let sealed = units.iter().flat_map(|&unit| &self.units[unit].0.writers);
            let sealed =
                sealed.filter(|(writer, _)| *writer == name.writer).filter_map(|(_, sealed)| sealed.as_ref());
            let longest = sealed.max_by_key(|sealed| sealed.position.frames);
            let is_covered = |sealed: &Sealed| {
                if sealed.is_superseded() { Ok(true) } else { journal.is_covered_by(sealed) }
            };
            match longest.map_or(Ok(false), is_covered) {
                Ok(true) => live_set.covered.push(file.clone()),
                Ok(false) if undivided.contains_key(&name.writer) => {
                    // Live as a whole, what was merged would count twice.
                    let message = "goes on after its segment was compacted; recover seals the rest";
                    let error = Error::new(ErrorKind::Conflict, message).at(&journal.path);
                    live_set.errors.push((file.clone(), error));
                }
                Ok(false) => {
                    live.push(number);
                    live_set.journals.push(file.clone());
                    if open == Open::Live {
                        for &unit in units {
                            if self.units[unit].0.writers.len() == 1 {
                                self.units[unit].2 = State::Outgrown;
                            }
                        }
                    }
                }
                Err(error) => live_set.errors.push((file.clone(), error)),
            }
        }
        if open == Open::LeftOut {
            return Vec::new();
        }
        for &number in live.iter().filter(|_| self.memory.is_some()) {
            let OpenCarrier { file, journal, said, .. } = &mut self.open[number];
            let read = self.memory.map(|memory| memory.open(&format!("{}/{file}", self.relative), journal));
            // What cannot be read is reported when its rows are read.
            *said = read.and_then(Result::ok).unwrap_or_default();
        }
        live
    }

    /// The results of each writer, by the digits that all of its names begin with, that another one's
    /// checkpoint won, each with the writer that won it.
    fn lost(&self, journals: &[usize]) -> Lost {
        let mut claims = HashMap::<&str, Claim<'_>>::new();
        for (unit, file, _) in self.units.iter().filter(|(_, _, state)| *state == State::Live) {
            for (writer, _) in &unit.writers {
                let of = self.carriers[*file].checkpoints.get(writer).map(Vec::as_slice).unwrap_or_default();
                for checkpoint in of {
                    let claim = claims.entry(&checkpoint.id).or_default();
                    claim.add(file_names::base_of(writer), Some(checkpoint.rank(writer)));
                }
            }
        }
        for open in journals.iter().map(|&number| &self.open[number]) {
            let base = open.name.base();
            for checkpoint in &open.said.checkpoints {
                let rank = checkpoint.rank(&open.name.writer);
                claims.entry(&checkpoint.id).or_default().add(base, Some(rank));
            }
            for id in &open.said.named {
                claims.entry(id).or_default().add(base, None);
            }
        }
        let mut lost = Lost::new();
        for (id, claim) in claims {
            let Some(winner) = claim.winner.filter(|_| !claim.others.is_empty()) else { continue };
            let all = claim.others.iter().chain([&claim.first]);
            for loser in all.filter(|base| **base != file_names::base_of(winner.writer)) {
                lost.entry((*loser).to_owned()).or_default().insert(id.to_owned(), winner.writer.to_owned());
            }
        }
        lost
    }

    /// Tells which files are live, and what of them is hidden.
    fn tell(&self, journals: &[usize], lost: &Lost, live_set: &mut LiveSet) {
        for units in self.units.chunk_by(|one, other| one.1 == other.1) {
            let carrier = &self.carriers[units[0].1];
            let file = &carrier.file;
            if units.iter().all(|(_, _, state)| *state != State::Live) {
                self.tell_hidden(file, units, live_set);
                continue;
            }
            let mut parts = Vec::new();
            for (unit, _, state) in units {
                let rows = unit.rows.clone();
                if *state == State::Live {
                    let results = lost_in(&unit.writers, lost);
                    parts.extend(results.map(|results| live_set.part(file, rows, &results)));
                } else {
                    parts.push(Part { rows, results: None });
                    let writers = unit.writers.iter().map(|(writer, _)| (file.clone(), writer.clone()));
                    live_set.overlapping.extend(writers);
                }
            }
            live_set.hide(file, parts);
            live_set.files.push(file.clone());
        }
        for open in journals.iter().map(|&number| &self.open[number]) {
            if let Some(results) = lost.get(open.name.base()) {
                let part = live_set.part(&open.file, merged::ALL, results);
                live_set.hide(&open.file, vec![part]);
            }
        }
    }

    /// Tells why a file is not live.
    fn tell_hidden(&self, file: &str, units: &[(Unit, usize, State)], live_set: &mut LiveSet) {
        let states = || units.iter().map(|(_, _, state)| *state);
        if states().any(|state| state == State::Diverged) {
            live_set.diverged.push(file.to_owned());
        } else if states().any(|state| state == State::Outgrown) {
            live_set.outgrown.push(file.to_owned());
        } else {
            let by: BTreeSet<usize> = states()
                .filter_map(|state| match state {
                    State::Replaced(by) => Some(by),
                    _ => None,
                })
                .collect();
            let by = by.into_iter().map(|by| (file.to_owned(), self.carriers[by].file.clone()));
            live_set.replaced.extend(by);
        }
    }
}

/// Which units of some sealed segments are live, were nothing else there; `None` for a segment that went apart from
/// another one, which cannot be divided.
pub fn longest(names: &[Name], units: &[Vec<Unit>], replaced: &[Replaced]) -> Vec<Option<Vec<bool>>> {
    let carriers = names.iter().zip(replaced).map(|(name, replaced)| Carrier {
        file: name.sealed(),
        name: name.clone(),
        replaced: replaced.clone(),
        checkpoints: Checkpoints::new(),
    });
    let numbered = units.iter().enumerate();
    let numbered =
        numbered.flat_map(|(file, units)| units.iter().map(move |unit| (unit.clone(), file, State::Live)));
    let mut run = Run {
        relative: "",
        memory: None,
        carriers: carriers.collect(),
        open: Vec::new(),
        units: numbered.collect(),
        plain: None,
    };
    let undivided = run.resolve_undivided();
    run.resolve_divided(&undivided);
    let of_file = run.units.chunk_by(|one, other| one.1 == other.1);
    let is_live = |units: &[(Unit, usize, State)]| {
        let states = || units.iter().map(|(_, _, state)| *state);
        let is_apart = states().any(|state| state == State::Diverged);
        (!is_apart).then(|| states().map(|state| state == State::Live).collect())
    };
    of_file.map(is_live).collect()
}

/// By writer the results that it lost, each with the writer that won.
type Lost = HashMap<String, BTreeMap<String, String>>;

/// The results of a unit that are lost. Of several writers in it it cannot be told whose rows are whose: there a
/// result is lost where none of them won it.
fn lost_in(writers: &[(String, Option<Sealed>)], lost: &Lost) -> Option<BTreeMap<String, String>> {
    let bases: Vec<&str> = writers.iter().map(|(writer, _)| file_names::base_of(writer)).collect();
    let all = bases.iter().filter_map(|base| lost.get(*base)).flatten();
    let all = all.filter(|(_, winner)| !bases.contains(&file_names::base_of(winner)));
    let all: BTreeMap<String, String> = all.map(|(id, winner)| (id.clone(), winner.clone())).collect();
    (!all.is_empty()).then_some(all)
}

/// Who has checkpoints or rows of one result.
#[derive(Default)]
struct Claim<'a> {
    winner: Option<Rank<'a>>,
    first: &'a str,
    others: BTreeSet<&'a str>,
}

impl<'a> Claim<'a> {
    fn add(&mut self, base: &'a str, rank: Option<Rank<'a>>) {
        if self.first.is_empty() {
            self.first = base;
        } else if self.first != base {
            self.others.insert(base);
        }
        if let Some(rank) = rank
            && self.winner.is_none_or(|best| rank < best)
        {
            self.winner = Some(rank);
        }
    }
}

fn frames(sealed: Option<&Sealed>) -> Option<u64> {
    sealed.map(|sealed| sealed.position.frames)
}
