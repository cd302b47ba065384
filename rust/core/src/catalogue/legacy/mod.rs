//! The runs that nirs4all 0.6 left: manifests and logs, grouped into sessions, and files that no run claims.

pub(super) mod calls;
pub(super) mod dataset_files;
pub(super) mod logs;
pub(super) mod manifests;
pub(super) mod old_results;
pub(super) mod orphans;
pub(super) mod row_entry;
pub(super) mod row_groups;
pub mod session_rows;
pub(super) mod sessions;
pub(super) mod template;
