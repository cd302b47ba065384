//! Finding content in an index: by size, then by quick hash, then by full hash.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

use super::FileIndex;
use super::tree::{Tree, shown};
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::names::same_name;
use crate::base::progress::Progress;
use crate::fs::stat::FileKey;
use crate::hash::folder::is_dropping;
use crate::hash::{Algorithm, ContentHash};

/// Candidates of this size and above are hashed one after another, each on all cores, so that none is
/// read for nothing; smaller ones in parallel.
const LARGE: u64 = 16 << 20;
const AT_ONCE: usize = 64;

/// What is sought.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What proves it; without one, everything that the rest allows is found.
    pub hash: Option<ContentHash>,
    /// Bytes of the file, or of all files of the folder.
    pub size: Option<u64>,
    /// Of the file, or of the folder's largest.
    pub quick: Option<[u8; 8]>,
    /// The name that is looked at first, in any normal form.
    pub name: Option<OsString>,
}

/// What one stage looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// `size`, `quick_hash` or `full_hash`.
    pub name: &'static str,
    /// Files and folders that it looked at, or gave: those that have the size.
    pub candidates: usize,
    /// Bytes of content.
    pub bytes_read: u64,
    /// Time.
    pub seconds: f64,
}

/// What was found, and how.
#[derive(Debug, Default)]
pub struct Found {
    /// Absolute, the likeliest first.
    pub paths: Vec<PathBuf>,
    /// In order.
    pub stages: Vec<Stage>,
    /// Candidates that could not be read; those that vanished are no candidates.
    pub errors: Vec<FileError>,
}

/// Bytes of every folder as its fingerprint counts them: no droppings and nothing behind a link.
fn folder_sizes(tree: &Tree) -> Vec<u64> {
    let places: HashMap<&Path, usize> =
        tree.folders.iter().enumerate().map(|(index, folder)| (folder.path.as_path(), index)).collect();
    let mut sizes: Vec<u64> = tree.folders.iter().map(|folder| folder.size).collect();
    // A folder comes after the one that it lies in.
    for (index, folder) in tree.folders.iter().enumerate().rev() {
        let is_counted = !folder.is_link && !folder.path.file_name().is_some_and(is_dropping);
        let parent = folder.path.parent().and_then(|parent| places.get(parent));
        if let Some(parent) = parent.filter(|_| is_counted) {
            sizes[*parent] += sizes[index];
        }
    }
    sizes
}

struct Candidate {
    path: PathBuf,
    size: u64,
}

impl FileIndex {
    /// The answer of [`FileIndex::search`] where nothing has the size; none where content must be read.
    pub fn search_sizes(&self, wanted: &Wanted) -> Option<Found> {
        let began = Instant::now();
        let is_there = wanted.size.is_none() || !self.candidates(wanted).is_empty();
        (!is_there).then(|| Found { stages: vec![stage("size", 0, 0, began)], ..Found::default() })
    }

    /// Looks for content; with `all` for every copy of it, else for the likeliest.
    pub fn search(&self, wanted: &Wanted, all: bool, progress: &Progress) -> Result<Found> {
        let mut found = Found::default();
        let began = Instant::now();
        let mut candidates = self.candidates(wanted);
        found.stages.push(stage("size", candidates.len(), 0, began));
        if let Some(quick) = wanted.quick.filter(|_| !candidates.is_empty()) {
            let (began, count) = (Instant::now(), candidates.len());
            let check = |candidate: &Candidate| {
                progress.check()?;
                let read = self.hashes().quick(&candidate.path, progress)?;
                Ok(read.map_or((false, 0), |(other, read)| (other == quick, read)))
            };
            let bytes = found.keep(self.root(), &mut candidates, check)?;
            found.stages.push(stage("quick_hash", count, bytes, began));
        }
        let Some(hash) = wanted.hash else {
            found.paths = candidates.into_iter().map(|candidate| candidate.path).collect();
            return Ok(found);
        };
        let began = Instant::now();
        let (mut count, mut bytes) = (0, 0);
        progress.expect(candidates.len());
        let mut rest = candidates.into_iter().peekable();
        while let Some(next) = rest.peek() {
            let at_once = if next.size >= LARGE { 1 } else { AT_ONCE };
            let mut some: Vec<_> = rest.by_ref().take(at_once).collect();
            count += some.len();
            let check = |candidate: &Candidate| {
                progress.step()?;
                let print = self.hashes().fingerprint(&candidate.path, hash.algorithm, progress)?;
                let is_it = print.hash == hash
                    || print.is_folder
                        && self
                            .hashes()
                            .other_forms(&candidate.path, hash.algorithm, progress)?
                            .contains(&hash);
                Ok((is_it, print.bytes_read))
            };
            bytes += found.keep(self.root(), &mut some, check)?;
            found.paths.extend(some.into_iter().map(|candidate| candidate.path));
            if !all && !found.paths.is_empty() {
                break;
            }
        }
        if count > 0 {
            found.stages.push(stage("full_hash", count, bytes, began));
        }
        Ok(found)
    }

    /// What has the size, or everything; the wanted name first, then in path order, files first.
    fn candidates(&self, wanted: &Wanted) -> Vec<Candidate> {
        let tree = self.tree();
        let fits = |size: u64| wanted.size.is_none_or(|wanted| wanted == size);
        let mut candidates = Vec::new();
        for folder in &tree.folders {
            let files = folder.files.iter().filter(|file| fits(file.key.identity.size));
            candidates.extend(
                files.map(|file| Candidate {
                    path: folder.path.join(&file.name),
                    size: file.key.identity.size,
                }),
            );
        }
        let folders = tree.folders.iter().zip(folder_sizes(&tree)).filter(|(_, size)| fits(*size));
        candidates.extend(folders.map(|(folder, size)| Candidate { path: folder.path.clone(), size }));
        let is_name = |name: &OsStr| {
            wanted.name.as_deref().is_some_and(|wanted| {
                wanted == name
                    || matches!((wanted.to_str(), name.to_str()), (Some(one), Some(other)) if same_name(one, other))
            })
        };
        let is_other = |path: &Path| !path.file_name().is_some_and(is_name);
        if wanted.name.is_some() {
            candidates.sort_by_key(|candidate| is_other(&candidate.path));
        }
        for candidate in &mut candidates {
            let root = self.root();
            candidate.path = if candidate.path.as_os_str().is_empty() {
                root.to_path_buf()
            } else {
                root.join(&candidate.path)
            };
        }
        candidates
    }

    /// Groups of files with equal content, each in path order; empty files are none, and a file with
    /// several names is one.
    pub fn duplicates(&self, progress: &Progress) -> Result<(Vec<Vec<PathBuf>>, Vec<FileError>)> {
        let tree = self.tree();
        let mut found = Found::default();
        let mut seen = HashSet::new();
        let mut by_size: HashMap<u64, Vec<Candidate>> = HashMap::new();
        for folder in &tree.folders {
            for file in folder.files.iter().filter(|file| !file.is_link && file.key.identity.size > 0) {
                let FileKey { device, identity } = file.key;
                // Where the system has no inodes, every name is a file of its own.
                if identity.inode == 0 || seen.insert((device, identity.inode)) {
                    let path = self.root().join(folder.path.join(&file.name));
                    by_size.entry(identity.size).or_default().push(Candidate { path, size: identity.size });
                }
            }
        }
        let same_size = by_size.into_values().filter(|group| group.len() > 1).collect();
        let quick = |path: &Path| Ok(self.hashes().quick(path, progress)?.map(|(quick, _)| quick.to_vec()));
        let same_quick = self.split(same_size, &mut found, progress, quick)?;
        let full = |path: &Path| {
            let print = self.hashes().fingerprint(path, Algorithm::Blake3, progress)?;
            Ok(Some(print.hash.bytes.to_vec()))
        };
        let groups = self.split(same_quick, &mut found, progress, full)?;
        let paths = |group: Vec<Candidate>| group.into_iter().map(|candidate| candidate.path).collect();
        let mut groups: Vec<Vec<_>> = groups.into_iter().map(paths).collect();
        groups.iter_mut().for_each(|group| group.sort_unstable());
        groups.sort_unstable();
        Ok((groups, found.errors))
    }

    /// Splits groups by what `tell` says of each path.
    fn split(
        &self,
        groups: Vec<Vec<Candidate>>,
        found: &mut Found,
        progress: &Progress,
        tell: impl Fn(&Path) -> Result<Option<Vec<u8>>> + Sync,
    ) -> Result<Vec<Vec<Candidate>>> {
        let flat: Vec<_> = groups
            .into_iter()
            .enumerate()
            .flat_map(|(index, group)| group.into_iter().map(move |it| (index, it)))
            .collect();
        progress.expect(flat.len());
        let told: Vec<_> = flat
            .into_par_iter()
            .map(|(index, candidate)| {
                let told = progress.step().and_then(|()| tell(&candidate.path));
                (index, candidate, told)
            })
            .collect();
        let mut split: HashMap<_, Vec<Candidate>> = HashMap::new();
        for (index, candidate, told) in told {
            match told {
                Ok(Some(told)) => split.entry((index, told)).or_default().push(candidate),
                Ok(None) => {}
                Err(error) => found.note(self.root(), &candidate.path, error)?,
            }
        }
        Ok(split.into_values().filter(|group| group.len() > 1).collect())
    }
}

impl Found {
    /// Keeps the candidates that `check` confirms, in parallel, and returns the bytes that were read.
    fn keep(
        &mut self,
        root: &Path,
        candidates: &mut Vec<Candidate>,
        check: impl Fn(&Candidate) -> Result<(bool, u64)> + Sync + Send,
    ) -> Result<u64> {
        let checked: Vec<_> = candidates.par_iter().map(check).collect();
        let mut bytes = 0;
        let mut kept = Vec::new();
        for (candidate, checked) in std::mem::take(candidates).into_iter().zip(checked) {
            match checked {
                Ok((is_it, read)) => {
                    bytes += read;
                    kept.extend(Some(candidate).filter(|_| is_it));
                }
                Err(error) => self.note(root, &candidate.path, error)?,
            }
        }
        *candidates = kept;
        Ok(bytes)
    }

    fn note(&mut self, root: &Path, path: &Path, error: Error) -> Result<()> {
        if error.kind == ErrorKind::Interrupted {
            return Err(error);
        }
        if !FileError::is_vanished(&error) {
            self.errors.push(FileError::new(&shown(path.strip_prefix(root).unwrap_or(path)), &error));
        }
        Ok(())
    }
}

fn stage(name: &'static str, candidates: usize, bytes_read: u64, began: Instant) -> Stage {
    Stage { name, candidates, bytes_read, seconds: began.elapsed().as_secs_f64() }
}
