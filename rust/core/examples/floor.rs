//! The least that the kernel can do: system calls alone, on two threads.
//!
//! `floor tail FOLDER KIB REPEATS` lists the prediction files of a workspace, opens each, asks its size
//! and reads its last KIB kibibytes at once. `floor stat FOLDER REPEATS` lists them and asks for the
//! stat of each. `floor read FILE REPEATS` reads a file from both ends, `floor tree FOLDER REPEATS` lists
//! all folders and asks for the stat of each file, `floor runs FOLDER REPEATS` lists one folder and asks for
//! the stat of all that lies in it, `floor one FILE REPEATS` asks for one stat. Prints one line a repeat: seconds, and how many files there were.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const THREADS: usize = 2;
/// A thread takes so many files at a time.
const SHARE: usize = 64;
const SUFFIX: &[u8] = b".meta.parquet";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (folder, kib, repeats) = match arguments[..] {
        ["tail", folder, kib, repeats] => (folder, Some(number(kib)?), number(repeats)?),
        ["stat", folder, repeats] => (folder, None, number(repeats)?),
        ["read", file, repeats] => return repeat(number(repeats)?, || read_whole(Path::new(file))),
        ["tree", folder, repeats] => return repeat(number(repeats)?, || stat_tree(Path::new(folder))),
        ["runs", folder, repeats] => return repeat(number(repeats)?, || stat_entries(Path::new(folder))),
        ["one", file, repeats] => return repeat(number(repeats)?, || fs::metadata(file).map(|_| 1)),
        _ => {
            let usage = "usage: floor tail FOLDER KIB REPEATS | floor stat|read|tree|runs|one PATH REPEATS";
            return Err(io::Error::other(usage));
        }
    };
    // Relative paths, so that the kernel walks no folder above.
    std::env::set_current_dir(folder)?;
    for _ in 0..repeats {
        let began = Instant::now();
        let files = list()?;
        match kib {
            Some(kib) => for_each(&files, || vec![0; kib * 1024], |file, buffer| read_tail(file, buffer))?,
            None => for_each(&files, || (), |file, ()| fs::metadata(file).map(|_| ()))?,
        }
        println!("{:.6} {}", began.elapsed().as_secs_f64(), files.len());
    }
    Ok(())
}

fn repeat(repeats: usize, work: impl Fn() -> io::Result<usize>) -> io::Result<()> {
    for _ in 0..repeats {
        let began = Instant::now();
        let count = work()?;
        println!("{:.9} {count}", began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Each thread reads its half.
fn read_whole(path: &Path) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let half = |thread: u64| -> io::Result<()> {
        let (mut buffer, end) = (vec![0; 256 << 10], size * (thread + 1) / THREADS as u64);
        let mut offset = size * thread / THREADS as u64;
        while offset < end {
            let length = (end - offset).min(buffer.len() as u64) as usize;
            file.read_exact_at(&mut buffer[..length], offset)?;
            offset += length as u64;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        half(0).and(other.join().unwrap_or_else(|_| Err(io::Error::other("a thread died"))))
    })?;
    Ok(size as usize)
}

/// Each thread asks for a half.
fn stat_entries(folder: &Path) -> io::Result<usize> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let stat = |entries: &[fs::DirEntry]| entries.iter().try_for_each(|entry| entry.metadata().map(drop));
    let (one, other) = entries.split_at(entries.len() / THREADS);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| stat(other));
        stat(one).and(other.join().unwrap_or_else(|_| Err(io::Error::other("a thread died"))))
    })?;
    Ok(entries.len())
}

/// Threads take folders from one list until none is left and nobody works.
fn stat_tree(root: &Path) -> io::Result<usize> {
    let todo = Mutex::new((vec![root.to_path_buf()], 0));
    let files = AtomicUsize::new(0);
    let work = || -> io::Result<()> {
        loop {
            let folder = {
                let Ok(mut todo) = todo.lock() else { return Ok(()) };
                match todo.0.pop() {
                    Some(folder) => {
                        todo.1 += 1;
                        folder
                    }
                    None if todo.1 == 0 => return Ok(()),
                    None => continue,
                }
            };
            let mut folders = Vec::new();
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    entry.metadata()?;
                    files.fetch_add(1, Ordering::Relaxed);
                }
            }
            let Ok(mut todo) = todo.lock() else { return Ok(()) };
            todo.0.append(&mut folders);
            todo.1 -= 1;
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work().and(other.join().unwrap_or_else(|_| Err(io::Error::other("a thread died"))))
    })?;
    Ok(files.into_inner())
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(io::Error::other)
}

/// In the root, and one level deep in `predictions`.
fn list() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    add_files(Path::new("."), &mut files)?;
    if let Ok(folders) = fs::read_dir("predictions") {
        for folder in folders {
            add_files(&folder?.path(), &mut files)?;
        }
    }
    Ok(files)
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().ends_with(SUFFIX) {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn read_tail(path: &Path, buffer: &mut [u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let length = size.min(buffer.len() as u64);
    file.read_exact_at(&mut buffer[..length as usize], size - length)
}

/// Does `work` for each file, with what `prepare` made for its thread.
fn for_each<State>(
    files: &[PathBuf],
    prepare: impl Fn() -> State + Sync,
    work: impl Fn(&Path, &mut State) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let take_shares = || {
        let mut state = prepare();
        loop {
            let start = next.fetch_add(SHARE, Ordering::Relaxed);
            if start >= files.len() {
                return Ok(());
            }
            for file in &files[start..files.len().min(start + SHARE)] {
                work(file, &mut state)?;
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(take_shares)).collect();
        let mine = take_shares();
        others.into_iter().fold(mine, |result, other| {
            result.and(other.join().unwrap_or_else(|_| Err(io::Error::other("a thread died"))))
        })
    })
}
