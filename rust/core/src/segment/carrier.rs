//! Sealed segments of one run in one folder, and what each says of whose rows it has.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::checkpoints::Checkpoints;
use super::file_results::{Memory, Said};
use super::journal::Journal;
use super::live_set::LiveSet;
use super::merged::{self, Replaced};
use super::sealed::{self, Sealed};
use crate::base::error::{ErrorKind, Result};
use crate::base::file_names::Name;

/// A sealed segment.
pub struct Carrier {
    pub file: String,
    pub name: Name,
    pub replaced: Replaced,
    pub checkpoints: Checkpoints,
}

impl Carrier {
    /// One that was read, and how far its journal went; it says nothing where it vanished since it was listed.
    pub fn of_said(file: String, name: Name, said: Option<&Said>) -> (Self, Option<Sealed>) {
        let (replaced, checkpoints) =
            said.map(|said| (said.replaced(), said.checkpoints(&name.writer))).unwrap_or_default();
        (Self { file, name, replaced, checkpoints }, said.and_then(Said::sealed))
    }

    /// Those of a folder where results do not matter: only of some anything is read. What cannot be trusted is an
    /// error, and is left out.
    pub fn of_files(
        folder: &Path,
        sealed: Vec<(String, Name)>,
        opened: &[(String, Name, Journal)],
        live_set: &mut LiveSet,
    ) -> Vec<(Self, Option<Sealed>)> {
        let mut carriers = Vec::with_capacity(sealed.len());
        let mut merged = BTreeSet::new();
        let (compactions, others): (Vec<_>, Vec<_>) =
            sealed.into_iter().partition(|(_, name)| name.is_compaction());
        for (file, name) in compactions {
            let replaced = merged::replaces(&folder.join(&file));
            let Some(replaced) = trusted(&file, replaced, live_set) else { continue };
            merged.extend(replaced.keys().cloned());
            carriers.push((Self { file, name, replaced, checkpoints: Checkpoints::new() }, None));
        }
        for (file, name) in others {
            let mut position = None;
            let has_journal = opened.iter().any(|(_, of, _)| *of == name);
            if has_journal || merged.contains(&name.writer) {
                let sealed = sealed::sealed_of(&folder.join(&file));
                let Some(sealed) = trusted(&file, sealed, live_set) else { continue };
                position = sealed;
            }
            let (replaced, checkpoints) = (Replaced::new(), Checkpoints::new());
            carriers.push((Self { file, name, replaced, checkpoints }, position));
        }
        carriers
    }
}

/// What a sealed segment says: nothing where it cannot be read, which is told where its rows must be; `None` where it
/// is not trusted, which is told here.
fn trusted<T: Default>(file: &str, said: Result<T>, live_set: &mut LiveSet) -> Option<T> {
    match said {
        Ok(said) => Some(said),
        Err(error) if error.kind != ErrorKind::Corrupt => Some(T::default()),
        Err(error) => {
            live_set.errors.push((file.to_owned(), error));
            None
        }
    }
}

/// The name of a file, and what it tells of the file.
pub type Listed = (String, Name);
/// What a file says, where it says something.
pub type Read = Option<Arc<Said>>;

/// What sealed segments say, likewise; `None` of one that says nothing.
pub fn said_by(
    relative: &str,
    memory: &Memory,
    sealed: Vec<Listed>,
    live_set: &mut LiveSet,
) -> (Vec<Listed>, Vec<Read>) {
    let read = |(file, name): &(String, Name)| memory.sealed(&format!("{relative}/{file}"), name).map(Some);
    let said: Vec<Result<Read>> = if sealed.len() > 8 {
        sealed.par_iter().with_min_len(8).map(read).collect()
    } else {
        sealed.iter().map(read).collect()
    };
    let said = sealed.into_iter().zip(said);
    let trusted = said.filter_map(|(of, said)| {
        let said = trusted(&of.0, said, live_set)?;
        Some((of, said))
    });
    trusted.unzip()
}

/// Another one for each state of some files; `None` where one of them cannot be read, or is so young that its stat
/// does not tell.
pub fn fingerprint(said: &[Read]) -> Option<u64> {
    said.iter().try_fold(0, |before: u64, said| {
        let own = said.as_ref().filter(|said| said.is_settled())?.fingerprint();
        Some(XxHash3_64::oneshot_with_seed(before, &own.to_le_bytes()))
    })
}
