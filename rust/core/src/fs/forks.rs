//! Files that a forked child must not keep: those that this process has open for locking.
//!
//! A lock lives as long as any process has its open file, so a child that kept one would make its dead
//! parent look alive. Such files are opened as [`OwnFile`], which is registered here from the moment it
//! is open until it is closed. The hooks of `pthread_atfork`, which forks by C code run as well, close
//! them in every child. A child closes and never unlocks.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::threads;

/// The files that are open for locking: which of all that were ever opened, and its descriptor.
struct Registry {
    opened: u64,
    files: Vec<(u64, RawFd)>,
}

/// Held while a file is opened or closed, and by a thread that forks: no holder calls Python, locks a file or waits
/// for another lock while holding it.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry { opened: 0, files: Vec::new() });

thread_local! {
    /// What the thread that forks holds from before the fork until after it, in both processes.
    static FORKING: Cell<Option<(MutexGuard<'static, Registry>, threads::Held)>> = const { Cell::new(None) };
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open file that forked children do not keep.
///
/// Dropping it unlocks it, then closes it; a child's copy is the null device and stays open, so that
/// its descriptor means nothing else there as long as an inherited object holds it.
#[derive(Debug)]
pub struct OwnFile {
    file: ManuallyDrop<File>,
    number: u64,
}

impl OwnFile {
    /// Registers the file that `open` opens; no process is forked between the two.
    pub fn open(open: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        watch()?;
        let mut registry = registry();
        let file = open()?;
        registry.opened += 1;
        let number = registry.opened;
        registry.files.push((number, file.as_raw_fd()));
        Ok(Self { file: ManuallyDrop::new(file), number })
    }
}

impl Deref for OwnFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for OwnFile {
    #[allow(unsafe_code, reason = "the file must be closed before the registry is let go")]
    fn drop(&mut self) {
        let mut registry = registry();
        // One that is not registered was inherited by a fork.
        if let Some(place) = registry.files.iter().position(|(number, _)| *number == self.number) {
            // A process that is about to exec may have a copy yet.
            let _ = self.file.unlock();
            registry.files.swap_remove(place);
            // SAFETY: this runs once, and nothing uses the file after it.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

/// Runs the hooks of this module at every fork from now on.
#[allow(unsafe_code, reason = "only pthread_atfork sees the forks of C code")]
pub fn watch() -> io::Result<()> {
    static WATCHED: OnceLock<i32> = OnceLock::new();
    // SAFETY: the three are functions without arguments that live as long as this library.
    match *WATCHED
        .get_or_init(|| unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) })
    {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

/// Waits until no other thread is opening or closing such a file, or making a pool.
extern "C" fn before() {
    let held = (registry(), threads::hold());
    // A thread that ends has nowhere to keep it: then its child knows only what is registered by luck.
    let _ = FORKING.try_with(|forking| forking.set(Some(held)));
}

extern "C" fn in_parent() {
    let _ = FORKING.try_with(Cell::take);
}

extern "C" fn in_child() {
    if let Ok(Some((mut registry, _pools))) = FORKING.try_with(Cell::take) {
        registry.files.drain(..).for_each(|(_, descriptor)| disconnect(descriptor));
    }
}

/// Makes a descriptor mean the null device.
///
/// Its number stays in use: an inherited object that closed or used it later would otherwise meet another file.
#[allow(unsafe_code, reason = "the files belong to objects that are still there")]
fn disconnect(descriptor: RawFd) {
    // SAFETY: these calls are async-signal-safe and touch no memory but a constant text; the descriptor
    // is open, since it is registered, and whoever owns it in this process only ever sees errors.
    unsafe {
        let mut null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null < 0 {
            // There may be no room for another one, or no such device: keeping the lock would be worse.
            libc::close(descriptor);
            null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        }
        if null >= 0 && null != descriptor {
            libc::dup2(null, descriptor);
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::close(null);
        }
    }
}
