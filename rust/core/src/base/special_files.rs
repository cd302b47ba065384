//! Why something cannot be read, in words of our own with the number that the system has for that.

use std::fmt;
use std::io;

#[cfg(unix)]
pub(crate) use libc::{EISDIR, ENOENT, ENOTDIR, ENXIO};

#[cfg(not(unix))]
pub(crate) use self::numbers::{EISDIR, ENOENT, ENOTDIR, ENXIO};

/// The numbers of POSIX as Linux has them.
#[cfg(not(unix))]
mod numbers {
    pub const EISDIR: i32 = 21;
    pub const ENOENT: i32 = 2;
    pub const ENOTDIR: i32 = 20;
    pub const ENXIO: i32 = 6;
}

/// Why something cannot be read, in words of our own with the number that the system has for that.
#[derive(Debug)]
struct Told {
    what: &'static str,
    wanted: &'static str,
    number: i32,
}

impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "is {}, where a {} should be; move it away", self.what, self.wanted)
    }
}

impl std::error::Error for Told {}

/// The system's number of an error, those that are told here too.
pub fn number_of(error: &io::Error) -> Option<i32> {
    let told = || error.get_ref()?.downcast_ref::<Told>().map(|told| told.number);
    error.raw_os_error().or_else(told)
}

/// Whether an error is that of a pipe, a socket or a device in the place of a file.
pub fn is_special(error: &io::Error) -> bool {
    let told = error.get_ref().and_then(|told| told.downcast_ref::<Told>());
    told.is_some_and(|told| told.number == ENXIO)
}

/// Its kind says no more than that: a file that vanished is another thing.
pub(crate) fn told(what: &'static str, wanted: &'static str, number: i32) -> io::Error {
    io::Error::other(Told { what, wanted, number })
}
