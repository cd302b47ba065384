//! A panic becomes an error that names the file.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use n4w_core::base::error::caught;
use n4w_core::{Error, ErrorKind, Result};
use rayon::prelude::*;

#[test]
fn a_panic_is_an_error_with_the_path_where_it_is_known() {
    let path = Path::new("a/b.parquet");
    for given in [Some(path), None] {
        let error = caught(given, || -> Result<()> { panic!("number {}", 7) }).unwrap_err();
        assert_eq!((error.kind, error.path.as_deref()), (ErrorKind::Internal, given));
        assert!(error.message.contains("number 7"));
    }
}

#[test]
fn that_of_another_thread_is_one_too() {
    let work = || (0..100).into_par_iter().try_for_each(|row| if row == 50 { panic!("50") } else { Ok(()) });
    assert_eq!(caught(None, work).unwrap_err().kind, ErrorKind::Internal);
}

#[test]
fn an_error_stays_what_it_is() {
    let error = caught::<()>(None, || Err(Error::new(ErrorKind::Schema, "a"))).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Schema, "a"));
    assert_eq!(caught(None, || Ok(3)).unwrap(), 3);
}
