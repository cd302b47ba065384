//! The stat of a run's folder and files, by which what was read of it is known again.

use std::path::Path;

use super::native;
use crate::base::clock::now_ns;
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::Result;
use crate::fs::folders;
use crate::fs::platform::Folder;
use crate::fs::stat::{self, Identity};
use crate::reading::open_segments;

/// The stat of a run's folder and of its lists of results; that of its records comes with these.
#[derive(Debug, Default)]
pub(super) struct RunStats {
    /// Its folder.
    folder: Option<Identity>,
    /// Its lists of results, by name.
    lists: Vec<(String, Option<Identity>)>,
    /// Before they were looked at, ns since 1970.
    read_at: i64,
}

impl RunStats {
    /// Those of a folder and its lists. What is read later is not older.
    pub(crate) fn of(path: &Path) -> Self {
        let read_at = now_ns();
        let identity = |path: &Path| stat::identity_of(path).ok();
        let folder = identity(path);
        let names = folders::names_in(path).unwrap_or_default().into_iter();
        let lists = names.filter(|name| open_segments::is_list(name)).map(|name| {
            let stat = identity(&path.join(&name));
            (name, stat)
        });
        Self { folder, lists: lists.collect(), read_at }
    }

    /// Writes them down, with those of records; gives whether they tell what was read from what may come.
    pub(crate) fn write(&self, records: &[Option<Identity>], out: &mut ByteWriter) -> bool {
        out.u64(self.read_at as u64);
        Identity::encode_if_any(self.folder.as_ref(), out);
        out.int(records.len() as u64);
        records.iter().for_each(|stat| Identity::encode_if_any(stat.as_ref(), out));
        out.int(self.lists.len() as u64);
        for (name, stat) in &self.lists {
            out.text(name);
            Identity::encode_if_any(stat.as_ref(), out);
        }
        let all = || self.lists.iter().map(|(_, stat)| *stat).chain([self.folder]);
        all().all(|stat| stat.is_some())
            && all().chain(records.iter().copied()).flatten().all(|stat| stat.settled_at(self.read_at))
    }

    /// Passes over what was written.
    pub(crate) fn pass(reader: &mut ByteReader<'_>) -> Result<()> {
        reader.u64()?;
        Identity::decode_if_any(reader)?;
        for _ in 0..reader.count(1)? {
            Identity::decode_if_any(reader)?;
        }
        for _ in 0..reader.count(2)? {
            reader.text()?;
            Identity::decode_if_any(reader)?;
        }
        Ok(())
    }

    /// Whether all that was written is as it was. Without `by_records` of the records only `run.yaml` is looked
    /// at: one that is replaced changes the folder, and what it says matters to no one.
    pub(crate) fn are_those_of(
        reader: &mut ByteReader<'_>,
        runs: &Folder,
        name: &str,
        by_records: bool,
    ) -> Result<bool> {
        reader.u64()?;
        let folder = Identity::decode_if_any(reader)?;
        if folder.is_none() || folder != runs.identity_of_folder(name) {
            return Ok(false);
        }
        let mut path = format!("{name}/");
        let mut is_same = |file: &str, stat: Option<Identity>| {
            path.truncate(name.len() + 1);
            path.push_str(file);
            stat == runs.identity(&path)
        };
        for (number, file) in native::FILES.iter().take(reader.count(1)?).enumerate() {
            let stat = Identity::decode_if_any(reader)?;
            if (number == 0 || by_records) && !is_same(file, stat) {
                return Ok(false);
            }
        }
        for _ in 0..reader.count(2)? {
            let file = reader.text()?;
            if !is_same(file, Identity::decode_if_any(reader)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
