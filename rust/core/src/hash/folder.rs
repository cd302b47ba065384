//! A folder as one thing: the relative paths and contents of its files, in order.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Algorithm;
use crate::base::error::{Error, Result};
use crate::base::names::{nfc, nfd};
use crate::fs::stat::{self, FileKey};
use crate::fs::{Metadata, folders};

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Relative to the folder, with slashes: what orders members.
    pub name: Vec<u8>,
    /// Where it lies.
    pub path: PathBuf,
    /// What is hashed for it.
    pub content: Content,
}

/// What a member contributes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// The content of a file.
    File(FileKey),
    /// The content of a file of the same folder that a symbolic link names.
    Inside(FileKey),
    /// The target of a symbolic link that is not followed: out of the folder, to a folder, to nothing.
    Link(Vec<u8>),
}

/// All files of a folder but droppings, in the order of their names.
pub fn members(root: &Path) -> Result<Vec<Member>> {
    let whole = root.canonicalize().map_err(|error| Error::io(root, error))?;
    let mut members = Vec::new();
    add(root, &whole, &[], &mut members)?;
    members.sort_unstable();
    Ok(members)
}

fn add(folder: &Path, whole: &Path, prefix: &[u8], members: &mut Vec<Member>) -> Result<()> {
    for entry in folders::children(folder)? {
        let (path, file_name) = (entry.path(), entry.file_name());
        if is_dropping(&file_name) {
            continue;
        }
        let fail = |error| Error::io(&path, error);
        let name = [prefix, file_name.as_encoded_bytes()].concat();
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            add(&path, whole, &[&name[..], b"/"].concat(), members)?;
        } else if kind.is_symlink() {
            let content = link(&path, whole).map_err(fail)?;
            members.push(Member { name, path, content });
        } else if kind.is_file() {
            let key = stat::file_key(&entry.metadata().map_err(fail)?);
            members.push(Member { name, path, content: Content::File(key) });
        }
    }
    Ok(())
}

fn link(path: &Path, whole: &Path) -> std::io::Result<Content> {
    let inside = path.canonicalize().ok().filter(|target| target.starts_with(whole));
    match inside.and_then(|target| target.metadata().ok()).filter(Metadata::is_file) {
        Some(stat) => Ok(Content::Inside(stat::file_key(&stat))),
        None => Ok(Content::Link(path.read_link()?.as_os_str().as_encoded_bytes().to_vec())),
    }
}

/// Bytes of the files that belong to a folder, links not counted.
pub fn size(members: &[Member]) -> u64 {
    members.iter().map(Member::size).sum()
}

/// The largest file of a folder, the first of equals.
pub fn largest(members: &[Member]) -> Option<&Member> {
    let files = members.iter().filter(|member| matches!(member.content, Content::File(_)));
    files.reduce(|best, member| if member.size() > best.size() { member } else { best })
}

impl Member {
    fn size(&self) -> u64 {
        if let Content::File(key) = self.content { key.identity.size } else { 0 }
    }
}

/// The hash over names and content hashes, by the same algorithm.
pub fn combine(members: &[Member], hashes: &[[u8; 32]], algorithm: Algorithm) -> [u8; 32] {
    let mut bytes = b"n4w folder 1\n".to_vec();
    for (member, hash) in members.iter().zip(hashes) {
        bytes.extend((member.name.len() as u64).to_le_bytes());
        bytes.extend(&member.name);
        bytes.push(u8::from(matches!(member.content, Content::Link(_))));
        bytes.extend(hash);
    }
    digest(&bytes, algorithm)
}

/// The hashes of a folder whose files had their names in NFC and in NFD, as far as these are other names.
pub fn combine_forms(members: &[Member], hashes: &[[u8; 32]], algorithm: Algorithm) -> Vec<[u8; 32]> {
    let form = |change: &dyn Fn(&str) -> String| {
        let mut renamed: Vec<(Member, [u8; 32])> =
            members.iter().cloned().zip(hashes.iter().copied()).collect();
        for (member, _) in &mut renamed {
            if let Ok(name) = std::str::from_utf8(&member.name) {
                member.name = change(name).into_bytes();
            }
        }
        renamed.sort_unstable();
        let (renamed, hashes): (Vec<_>, Vec<_>) = renamed.into_iter().unzip();
        combine(&renamed, &hashes, algorithm)
    };
    if members.iter().all(|member| member.name.is_ascii()) {
        return Vec::new();
    }
    let own = combine(members, hashes, algorithm);
    let forms = [form(&|name| nfc(name).into_owned()), form(&nfd)];
    forms.into_iter().filter(|hash| *hash != own).collect()
}

/// The hash of bytes in memory.
pub fn digest(bytes: &[u8], algorithm: Algorithm) -> [u8; 32] {
    match algorithm {
        Algorithm::Blake3 => blake3::hash(bytes).into(),
        Algorithm::Sha256 => <sha2::Sha256 as sha2::Digest>::digest(bytes).into(),
    }
}

/// Whether an editor, a version control, or an operating system leaves files or folders of that name.
pub fn is_dropping(name: &OsStr) -> bool {
    const NAMES: [&str; 17] = [
        ".ds_store",
        ".directory",
        ".fseventsd",
        ".git",
        ".idea",
        ".ipynb_checkpoints",
        ".spotlight-v100",
        ".temporaryitems",
        ".trashes",
        ".vscode",
        "$recycle.bin",
        "@eadir",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "system volume information",
        "thumbs.db",
    ];
    const STARTS: [&[u8]; 5] = [b"._", b".#", b"~$", b".nfs", b".Trash-"];
    const ENDS: [(&[u8], &[u8]); 6] = [
        (b"", b"~"),
        (b"#", b"#"),
        (b".", b".swp"),
        (b".", b".swo"),
        (b".~lock.", b"#"),
        (b".n4w-", b".tmp"),
    ];
    let name = name.as_encoded_bytes();
    NAMES.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
        || STARTS.iter().any(|start| name.starts_with(start))
        || ENDS.iter().any(|(start, end)| name.starts_with(start) && name.ends_with(end))
}
