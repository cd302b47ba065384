//! What differs between operating systems: how files are opened and read at a place, and the durability of a folder.
//!
//! Linux is tested. macOS shares the Unix half (`sync_all` is `F_FULLFSYNC` there); the other half is
//! for Windows, which has no folder fsync.

use std::fs::{DirEntry, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::regular;
use super::stat::Identity;

#[cfg(not(unix))]
use super::stat::identity;

/// A folder in which files are asked for their stat, or opened, by paths below it.
#[cfg(unix)]
#[derive(Debug)]
pub struct Folder {
    file: File,
    path: PathBuf,
}

#[cfg(unix)]
impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = rustix::io::retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))?;
        Ok(Self { file: file.into(), path: path.to_path_buf() })
    }

    /// The identity of a regular file; `None` where there is none.
    pub fn identity(&self, below: &str) -> Option<Identity> {
        self.identity_if(below, rustix::fs::FileType::RegularFile)
    }

    /// The identity of a folder; `None` where there is none.
    pub fn identity_of_folder(&self, below: &str) -> Option<Identity> {
        self.identity_if(below, rustix::fs::FileType::Directory)
    }

    fn identity_if(&self, below: &str, kind: rustix::fs::FileType) -> Option<Identity> {
        let stat = rustix::fs::statat(&self.file, below, rustix::fs::AtFlags::empty()).ok()?;
        let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        (rustix::fs::FileType::from_raw_mode(stat.st_mode as _) == kind).then(|| Identity {
            size: stat.st_size as u64,
            mtime_ns: ns(stat.st_mtime as _, stat.st_mtime_nsec as _),
            ctime_ns: ns(stat.st_ctime as _, stat.st_ctime_nsec as _),
            inode: stat.st_ino as _,
        })
    }

    /// That a folder may be searched.
    pub fn search(&self, below: &str) -> io::Result<()> {
        rustix::fs::statat(&self.file, format!("{below}/."), rustix::fs::AtFlags::empty())?;
        Ok(())
    }

    /// Opens a file as [`open`] does.
    pub fn open_file(&self, below: &str) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::io::retry_on_intr(|| openat(&self.file, below, flags, Mode::empty()));
        regular::opened(&self.path.join(below), file.map(File::from).map_err(io::Error::from))
    }
}

/// A folder in which files are asked for their stat, or opened, by paths below it.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Folder(PathBuf);

#[cfg(not(unix))]
impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(path.to_path_buf()))
    }

    /// The identity of a regular file; `None` where there is none.
    pub fn identity(&self, below: &str) -> Option<Identity> {
        let metadata = std::fs::metadata(self.0.join(below)).ok()?;
        metadata.is_file().then(|| identity(&metadata))
    }

    /// The identity of a folder; `None` where there is none.
    pub fn identity_of_folder(&self, below: &str) -> Option<Identity> {
        let metadata = std::fs::metadata(self.0.join(below)).ok()?;
        metadata.is_dir().then(|| identity(&metadata))
    }

    /// That a folder may be searched.
    pub fn search(&self, below: &str) -> io::Result<()> {
        std::fs::metadata(self.0.join(below)).map(drop)
    }

    /// Opens a file for reading.
    pub fn open_file(&self, below: &str) -> io::Result<File> {
        open(&self.0.join(below))
    }
}

/// Opens a regular file for reading; whatever else lies there is an error, and nothing is waited for.
pub fn open(path: &Path) -> io::Result<File> {
    regular::opened(path, without_waiting(File::options().read(true)).open(path))
}

/// Opens a regular file for reading and writing; `creates` makes it where it is missing.
pub fn open_for_writing(path: &Path, creates: bool) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(creates).truncate(false);
    regular::opened(path, without_waiting(&mut options).open(path))
}

/// Does not wait for the other end, should it be a pipe.
#[cfg(unix)]
fn without_waiting(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
}

/// There are no pipes among files here.
#[cfg(not(unix))]
fn without_waiting(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    options
}

/// Makes a file that was not there, open for reading and writing.
pub fn create_new(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// The bytes of a regular file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |stat| stat.len() as usize));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads up to `buffer.len()` bytes at `offset`, as one read where the system gives all at once.
///
/// Returns how many bytes there were.
#[cfg(unix)]
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Reads up to `buffer.len()` bytes at `offset` and returns how many bytes there were.
#[cfg(not(unix))]
pub fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    let mut done = 0;
    while done < buffer.len() {
        match file.read(&mut buffer[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// Writes all bytes at `offset`.
#[cfg(unix)]
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes all bytes at `offset`.
#[cfg(not(unix))]
pub fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Gives a file the owner of another, where this user may.
#[cfg(unix)]
pub fn set_owner_like(file: &File, other: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    // Only root may give files away; for others the file is theirs, as any that they write.
    let _ = fchown(file, Some(other.uid()), Some(other.gid()));
}

/// Gives a file the owner of another: files have their folder's here.
#[cfg(not(unix))]
pub fn set_owner_like(_file: &File, _other: &Metadata) {}

/// Whether a path names the file that is open.
#[cfg(unix)]
pub fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let key = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let (open, named) = (file.metadata().map(key), std::fs::metadata(path).map(key));
    matches!((open, named), (Ok(open), Ok(named)) if open == named)
}

/// Whether a path names the file that is open: one that is open cannot be replaced here.
#[cfg(not(unix))]
pub fn is_same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// The number that a listing gives of a file; `None` where the system has none.
#[cfg(unix)]
pub fn inode_of(entry: &DirEntry) -> Option<u64> {
    Some(std::os::unix::fs::DirEntryExt::ino(entry))
}

/// The number that a listing gives of a file: none on this system.
#[cfg(not(unix))]
pub fn inode_of(_entry: &DirEntry) -> Option<u64> {
    None
}

/// The name of this machine.
#[cfg(unix)]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of this machine.
#[cfg(not(unix))]
pub fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// What changes whenever this machine starts; empty where the system does not tell.
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Makes a folder's entries durable.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder's entries durable: Windows has no such call, its renames are written through.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether a change of content always changes the identity of files there, as far as the system tells.
///
/// FAT and exFAT have no time of change and invent inodes at each mount; CIFS and FUSE leave both to
/// their server.
#[cfg(target_os = "linux")]
pub fn has_trusted_ctime(path: &Path) -> bool {
    // The magic numbers of linux/magic.h: FAT, exFAT, SMB, CIFS, SMB2, FUSE.
    const UNTRUSTED: [u64; 6] = [0x4D44, 0x2011_BAB0, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546];
    rustix::fs::statfs(path).is_ok_and(|stat| !UNTRUSTED.contains(&(stat.f_type as u64 & 0xFFFF_FFFF)))
}

/// Whether a change of content always changes the identity of files there: the system's own file
/// system has a time of change on Unix; elsewhere it is not read.
#[cfg(not(target_os = "linux"))]
pub fn has_trusted_ctime(_path: &Path) -> bool {
    cfg!(unix)
}

/// Whether the folder lies on a drive that other hosts write to, as far as the system tells.
#[cfg(target_os = "linux")]
pub fn is_network_drive(folder: &Path) -> bool {
    // The magic numbers of linux/magic.h: NFS, SMB, CIFS, SMB2, AFS, Ceph, Coda, Lustre, 9P, FUSE.
    const REMOTE: [u64; 10] = [
        0x6969,
        0x517B,
        0xFF53_4D42,
        0xFE53_4D42,
        0x5346_414F,
        0x00C3_6400,
        0x7375_7245,
        0x0BD0_0BD0,
        0x0102_1997,
        0x6573_5546,
    ];
    rustix::fs::statfs(folder).is_ok_and(|stat| REMOTE.contains(&(stat.f_type as u64 & 0xFFFF_FFFF)))
}

/// Whether the folder lies on a drive that other hosts write to: not told on this system.
#[cfg(not(target_os = "linux"))]
pub fn is_network_drive(_folder: &Path) -> bool {
    false
}
