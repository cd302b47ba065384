//! All files of a tree, shared between threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store;
use super::tree::{self, Refresh, Tree};
use crate::base::error::{FileError, Result};
use crate::base::progress::Progress;
use crate::fs::cache_file;
use crate::hash::HashCache;

/// The files of a tree, shared between threads.
#[derive(Debug)]
pub struct FileIndex {
    root: PathBuf,
    file: Option<PathBuf>,
    hashes: Arc<HashCache>,
    tree: Mutex<Arc<Tree>>,
}

impl FileIndex {
    /// Indexes the tree: what an earlier process kept is refreshed by stat, the rest is walked.
    ///
    /// Where no `hashes` are given, those of this tree in the user's cache folder serve.
    pub fn open(root: &Path, hashes: Option<Arc<HashCache>>, progress: &Progress) -> Result<Self> {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
        let folder = cache_file::outside(&root);
        let hashes = hashes.unwrap_or_else(|| {
            let places: Vec<_> = folder.iter().cloned().collect();
            Arc::new(HashCache::load(&places))
        });
        let file = folder.map(|folder| folder.join(store::FILE));
        let tree = file.as_ref().and_then(|file| store::load(file, &root)).unwrap_or_default();
        let index = Self { root, file, hashes, tree: Mutex::new(Arc::new(tree)) };
        index.refresh(Refresh::Files, progress)?;
        Ok(index)
    }

    /// The folder that is indexed.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The hashes that searching looks up and adds to.
    pub fn hashes(&self) -> &HashCache {
        &self.hashes
    }

    /// Takes up what changed in the tree. Only changed folders are listed again.
    ///
    /// Fails where the root itself cannot be listed; the index is as it was then.
    pub fn refresh(&self, refresh: Refresh, progress: &Progress) -> Result<()> {
        let old = self.tree();
        let tree = tree::refresh(&self.root, &old, refresh, progress)?;
        if refresh == Refresh::Files && !tree.is_same(&old) {
            // Losing it loses no answer.
            let _ = self.file.as_ref().map(|file| store::save(file, &self.root, &tree));
        }
        *self.lock() = Arc::new(tree);
        Ok(())
    }

    /// Takes up files that came, went or were replaced, without threads; `false`, and nothing done,
    /// where more changed than that.
    pub fn refresh_files_only(&self) -> bool {
        let tree = tree::refresh_files_only(&self.root, &self.tree());
        tree.map(|tree| *self.lock() = Arc::new(tree)).is_some()
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.tree().folders.iter().map(|folder| folder.files.len()).sum()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Folders that could not be listed, broken links and loops of links, in path order.
    pub fn errors(&self) -> Vec<FileError> {
        self.tree().errors()
    }

    pub(crate) fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Tree>> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
