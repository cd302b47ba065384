//! Whether a footer agrees with itself, where its rows are to be believed.

use super::parse::Footer;
use crate::base::error::Result;

impl Footer<'_> {
    /// Compares the types in the schema with those of the column chunks, and the number of rows with
    /// those of the row groups.
    pub fn check(&self) -> Result<()> {
        self.layout().map(drop)
    }
}
