//! The names of the files of a workspace.

use std::path::Path;

/// What a prediction file's name ends with.
pub const SUFFIX: &str = ".meta.parquet";
/// What the name of a journal ends with.
pub const JOURNAL_SUFFIX: &str = ".journal";
/// Of results that were never finished; read on request only.
const PARTIAL_SUFFIX: &str = ".partial.meta.parquet";
/// Where deleted runs lie until all of their files are gone.
pub const TRASH: &str = ".trash";

/// Whether a name in a folder of `predictions` is that of a segment, open or sealed.
pub fn is_of_predictions(name: &str) -> bool {
    is_prediction_file(name) || is_journal(name)
}

pub(crate) fn is_prediction_file(name: &str) -> bool {
    name.ends_with(SUFFIX) && !name.ends_with(PARTIAL_SUFFIX) && !name.starts_with('.')
}

/// Where rows of results that were never finished lie, apart from committed ones.
pub const PARTIAL_FOLDER: &str = "partial";

/// The name that all files of one writer share: `<run_id>.<writer>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The run.
    pub run_id: String,
    /// 12 hexadecimal digits, `-<n>` where a journal failed and was continued; `c` and 12 digits for a
    /// compaction.
    pub writer: String,
}

impl Name {
    /// The name in that of a journal, a segment or their like.
    pub fn of(file: &str) -> Option<Self> {
        let (run_id, writer) = split(file)?;
        Some(Self { run_id: run_id.to_owned(), writer: writer.to_owned() })
    }

    /// The name in the last part of a path.
    pub fn of_path(path: &Path) -> Option<Self> {
        Self::of(path.file_name()?.to_str()?)
    }

    /// The id of the writer, which its journals share.
    pub fn of_writer(self) -> String {
        self.writer.split('-').next().unwrap_or_default().to_owned()
    }

    /// The open segment.
    pub fn journal(&self) -> String {
        format!("{self}{JOURNAL_SUFFIX}")
    }

    /// The sealed segment.
    pub fn sealed(&self) -> String {
        format!("{self}{SUFFIX}")
    }

    /// Rows of unfinished results, relative to the folder of the segment.
    pub fn partial(&self) -> String {
        format!("{PARTIAL_FOLDER}/{self}.partial.meta.parquet")
    }

    /// Its arrays.
    pub fn arrays(&self) -> String {
        format!("{self}.arrays.parquet")
    }

    /// The finished results, in the folder of the run.
    pub fn results(&self) -> String {
        format!("results.{}.jsonl", self.writer)
    }

    /// The name under which a writer goes on where its journal failed.
    #[must_use]
    pub fn successor(&self) -> Self {
        let (base, count) = self.writer.split_once('-').unwrap_or((&self.writer, "0"));
        let count = count.parse::<u32>().unwrap_or_default().saturating_add(1);
        Self { run_id: self.run_id.clone(), writer: format!("{base}-{count}") }
    }

    /// The writer without what follows where a journal failed: rows and checkpoint of a result may lie in
    /// different files of it.
    pub fn base(&self) -> &str {
        base_of(&self.writer)
    }

    /// Whether it is that of a compaction.
    pub fn is_compaction(&self) -> bool {
        Self::is_of_compaction(&self.writer)
    }

    /// Whether a writer stands for a compaction.
    pub fn is_of_compaction(writer: &str) -> bool {
        writer.starts_with('c') && writer.len() == 13
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.run_id, self.writer)
    }
}

/// The run and the writer in a file's name.
pub(crate) fn split(file: &str) -> Option<(&str, &str)> {
    let suffixes = [JOURNAL_SUFFIX, PARTIAL_SUFFIX, SUFFIX, ".arrays.parquet"];
    let stem = suffixes.iter().find_map(|suffix| file.strip_suffix(suffix))?;
    let (run_id, writer) = stem.rsplit_once('.')?;
    let is_hex = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (base, count) = writer.split_once('-').unwrap_or((writer, "1"));
    let is_writer =
        is_hex(base) && count.parse::<u32>().is_ok() || writer.strip_prefix('c').is_some_and(is_hex);
    (is_writer && !run_id.is_empty()).then_some((run_id, writer))
}

/// The run that a file belongs to, by its name: a segment, a journal, or what was put beside one.
pub fn run_of(file: &str) -> Option<&str> {
    let journal = || file.rfind(JOURNAL_SUFFIX).map(|at| &file[..at + JOURNAL_SUFFIX.len()]);
    split(file).or_else(|| split(journal()?)).map(|(run_id, _)| run_id)
}

/// What all names of one writer begin with.
pub fn base_of(writer: &str) -> &str {
    writer.split_once('-').map_or(writer, |(base, _)| base)
}

/// Whether a file's name is that of a journal.
pub fn is_journal(file: &str) -> bool {
    file.ends_with(JOURNAL_SUFFIX) && Name::of_path(Path::new(file)).is_some()
}
