//! Walking a tree in parallel, and refreshing what was walked before by stat alone.
//!
//! A folder whose stat is unchanged, and was old enough when it was listed, has the same names. Its
//! subfolders are looked at in any case. Links to folders are followed after everything else, in name
//! order, and no folder is entered twice: the result depends on the tree alone.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::progress::Progress;
use crate::fs::stat::{self, FileKey};
use crate::fs::{DirEntry, folders, platform};
use crate::hash::folder::is_dropping;

/// How much is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Folders: files that came, went or were replaced are noticed, edits in place are not.
    Folders,
    /// Every file too.
    Files,
}

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Within its folder.
    pub name: OsString,
    /// Its stat; that of its target where it is a link.
    pub key: FileKey,
    /// Whether it is a symbolic link.
    pub is_link: bool,
}

/// One folder and what lies in it, each in name order.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Relative to the root of the tree, which is the empty path.
    pub path: PathBuf,
    /// Its stat, just before it was listed.
    pub key: FileKey,
    /// When it was listed, ns since 1970.
    pub read_at: i64,
    /// Whether its path ends with a symbolic link.
    pub is_link: bool,
    /// Files.
    pub files: Vec<File>,
    /// Bytes of the files that count for a folder's fingerprint: no droppings, no links.
    pub(super) size: u64,
    pub(super) folders: Vec<OsString>,
    /// Symbolic links to folders.
    pub(super) links: Vec<OsString>,
    pub(super) errors: Vec<FileError>,
}

/// The folders of a tree in path order, and what could not be entered.
#[derive(Debug, Default)]
pub struct Tree {
    /// Unchanged ones are shared with the tree that was refreshed.
    pub folders: Vec<Arc<Folder>>,
    pub(super) errors: Vec<FileError>,
}

impl Tree {
    /// Whether a refresh found nothing new.
    pub fn is_same(&self, other: &Self) -> bool {
        self.folders.len() == other.folders.len()
            && self.folders.iter().zip(&other.folders).all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
    }

    /// What could not be used, in path order.
    pub fn errors(&self) -> Vec<FileError> {
        let inside = self.folders.iter().flat_map(|folder| &folder.errors);
        let mut errors: Vec<_> = self.errors.iter().chain(inside).cloned().collect();
        errors.sort_by(|a, b| a.path.cmp(&b.path));
        errors
    }
}

/// The tree below `root`, sharing with `known` what is unchanged.
pub fn refresh(root: &Path, known: &Tree, refresh: Refresh, progress: &Progress) -> Result<Tree> {
    let known = known.folders.iter().map(|folder| (bytes_of(&folder.path), folder)).collect();
    let walker = Walker { root, known, refresh, progress, found: Mutex::default() };
    walker.enter(PathBuf::new(), false)?;
    walker.follow_links()?;
    let Found { mut folders, errors, .. } = walker.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A folder comes before those in it.
    folders.sort_unstable_by(|a, b| bytes_of(&a.path).cmp(bytes_of(&b.path)));
    Ok(Tree { folders, errors })
}

/// More folders are looked at faster by several threads.
const FEW: usize = 20_000;

/// What [`Refresh::Folders`] would give, without threads, where nothing but files came, went or was
/// replaced: in a tree that was just looked at, waking threads would cost more.
pub fn refresh_files_only(root: &Path, known: &Tree) -> Option<Tree> {
    if !known.errors.is_empty() || known.folders.len() > FEW {
        return None;
    }
    let progress = Progress::default();
    let walker = Walker {
        root,
        known: HashMap::default(),
        refresh: Refresh::Folders,
        progress: &progress,
        found: Mutex::default(),
    };
    let mut folders = Vec::with_capacity(known.folders.len());
    for old in &known.folders {
        let full = root.join(&old.path);
        let read_at = now_ns();
        let key = stat::key_of(&full).ok()?;
        if old.is_unchanged(key) {
            folders.push(Arc::clone(old));
            continue;
        }
        let mut folder = Folder::new(old.path.clone(), key, read_at, old.is_link);
        walker.list(&mut folder, &full, Some(old)).ok()?;
        if folder.folders != old.folders || folder.links != old.links || !folder.errors.is_empty() {
            return None;
        }
        folders.push(Arc::new(folder));
    }
    (!folders.is_empty()).then_some(Tree { folders, errors: Vec::new() })
}

impl Folder {
    fn new(path: PathBuf, key: FileKey, read_at: i64, is_link: bool) -> Self {
        Self {
            path,
            key,
            read_at,
            is_link,
            files: Vec::new(),
            size: 0,
            folders: Vec::new(),
            links: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Whether the same names lie in it, now that its stat gives `key`.
    fn is_unchanged(&self, key: FileKey) -> bool {
        self.key == key && key.identity.settled_at(self.read_at) && self.errors.is_empty()
    }
}

struct Walker<'a> {
    root: &'a Path,
    known: HashMap<&'a [u8], &'a Arc<Folder>, RandomState>,
    refresh: Refresh,
    progress: &'a Progress,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    folders: Vec<Arc<Folder>>,
    pub(crate) errors: Vec<FileError>,
    /// Device and inode of every folder that was entered.
    entered: HashSet<(u64, u64), RandomState>,
}

impl Walker<'_> {
    /// A folder and all below it; fails only where this folder itself cannot be listed.
    fn enter(&self, path: PathBuf, is_link: bool) -> Result<()> {
        let folder = self.folder(path, is_link)?;
        rayon::scope(|scope| self.take(scope, folder));
        self.progress.check()
    }

    fn take<'s>(&'s self, scope: &rayon::Scope<'s>, folder: Option<Arc<Folder>>) {
        let Some(folder) = folder else { return };
        for name in &folder.folders {
            let path = folder.path.join(name);
            scope.spawn(move |scope| {
                if self.progress.check().is_err() {
                    return;
                }
                let shown = shown(&path);
                match self.folder(path, false) {
                    Ok(folder) => self.take(scope, folder),
                    Err(error) => self.found().errors.push(FileError::new(&shown, &error)),
                }
            });
        }
        self.found().folders.push(folder);
    }

    /// Nothing where it vanished or was entered before.
    fn folder(&self, path: PathBuf, is_link: bool) -> Result<Option<Arc<Folder>>> {
        let full = self.root.join(&path);
        let read_at = now_ns();
        let key = match stat::key_of(&full) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.as_os_str().is_empty() => {
                return Ok(None);
            }
            Err(error) => return Err(Error::io(&full, error)),
        };
        // Where the system has no inodes, only links could be entered twice: they are not followed.
        if key.identity.inode != 0 && !self.found().entered.insert((key.device, key.identity.inode)) {
            return Ok(None);
        }
        let old = self.known.get(bytes_of(&path)).filter(|old| old.is_link == is_link);
        if let Some(old) = old.filter(|old| old.is_unchanged(key)) {
            return Ok(Some(if self.refresh == Refresh::Files {
                restat(old, full)
            } else {
                Arc::clone(old)
            }));
        }
        let mut folder = Folder::new(path, key, read_at, is_link);
        self.list(&mut folder, &full, old.map(|old| &***old))?;
        Ok(Some(Arc::new(folder)))
    }

    fn list(&self, folder: &mut Folder, full: &Path, old: Option<&Folder>) -> Result<()> {
        for entry in folders::children(full)? {
            if let Err(error) = self.add(folder, &entry, old)
                && error.kind() != io::ErrorKind::NotFound
            {
                let shown = shown(&folder.path.join(entry.file_name()));
                folder.errors.push(FileError::new(&shown, &Error::io(full, error)));
            }
        }
        folder.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        folder.size = size_of(&folder.files);
        folder.folders.sort_unstable();
        folder.links.sort_unstable();
        Ok(())
    }

    fn add(&self, folder: &mut Folder, entry: &DirEntry, old: Option<&Folder>) -> io::Result<()> {
        let (kind, name) = (entry.file_type()?, entry.file_name());
        if kind.is_dir() {
            folder.folders.push(name);
        } else if kind.is_file() {
            let known = old.filter(|_| self.refresh == Refresh::Folders);
            let key = match known.and_then(|old| same_file(old, entry, &name)) {
                Some(key) => key,
                None => stat::file_key(&entry.metadata()?),
            };
            folder.files.push(File { name, key, is_link: false });
        } else if kind.is_symlink() {
            match stat::stat(&entry.path()) {
                Ok(stat) if stat.is_dir() => folder.links.push(name),
                Ok(stat) if stat.is_file() => {
                    folder.files.push(File { name, key: stat::file_key(&stat), is_link: true });
                }
                Ok(_) => {}
                Err(error) => {
                    let shown = shown(&folder.path.join(name));
                    let message = format!("is a symbolic link that leads nowhere: {error}");
                    folder.errors.push(FileError::new(&shown, &Error::new(ErrorKind::Io, message)));
                }
            }
        }
        Ok(())
    }

    /// Follows links to folders that were not entered yet, and links found there.
    fn follow_links(&self) -> Result<()> {
        let mut next = 0;
        loop {
            let mut links: Vec<PathBuf> = {
                let found = self.found();
                let folders = &found.folders[next..];
                next = found.folders.len();
                folders
                    .iter()
                    .flat_map(|folder| folder.links.iter().map(|link| folder.path.join(link)))
                    .collect()
            };
            if links.is_empty() {
                return Ok(());
            }
            links.sort_unstable();
            for link in links {
                let shown = shown(&link);
                let full = self.root.join(&link);
                let error = if is_loop(&full) {
                    let message = "is a symbolic link to a folder that it lies in; it was not followed";
                    Some(Error::new(ErrorKind::Io, message))
                } else {
                    self.enter(link, true).err()
                };
                match error {
                    Some(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                    Some(error) => self.found().errors.push(FileError::new(&shown, &error)),
                    None => {}
                }
            }
        }
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same folder with the present stat of its files; itself where nothing changed.
fn restat(old: &Arc<Folder>, mut full: PathBuf) -> Arc<Folder> {
    let mut files = Vec::with_capacity(old.files.len());
    for file in &old.files {
        full.push(&file.name);
        // A file that vanished since its folder was looked at is left out.
        files.extend(stat::key_of(&full));
        full.pop();
    }
    if files.len() == old.files.len() && files.iter().zip(&old.files).all(|(key, file)| *key == file.key) {
        return Arc::clone(old);
    }
    let mut folder = Folder::clone(old);
    if files.len() == old.files.len() {
        folder.files.iter_mut().zip(files).for_each(|(file, key)| file.key = key);
    } else {
        folder.files.retain_mut(|file| {
            let key = stat::key_of(&full.join(&file.name));
            key.is_ok_and(|key| {
                file.key = key;
                true
            })
        });
    }
    folder.size = size_of(&folder.files);
    Arc::new(folder)
}

pub(super) fn size_of(files: &[File]) -> u64 {
    let counts = |file: &&File| !file.is_link && !is_dropping(&file.name);
    files.iter().filter(counts).map(|file| file.key.identity.size).sum()
}

/// The stat of a file of that name, without asking for it, where its inode is the one it had.
fn same_file(old: &Folder, entry: &DirEntry, name: &OsString) -> Option<FileKey> {
    let index = old.files.binary_search_by(|file| file.name.cmp(name)).ok()?;
    let file = &old.files[index];
    let inode = platform::inode_of(entry)?;
    (!file.is_link && file.key.identity.inode == inode).then_some(file.key)
}

fn is_loop(link: &Path) -> bool {
    let folder = link.parent().and_then(|folder| folder.canonicalize().ok());
    let target = link.canonicalize().ok();
    matches!((folder, target), (Some(folder), Some(target)) if folder.starts_with(&target))
}

/// Quick to compare and to hash.
fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}
