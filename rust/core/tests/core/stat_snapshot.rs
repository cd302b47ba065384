//! What a snapshot of stats finds is what lies there, on one thread and on several.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use n4w_core::base::progress::Progress;
use n4w_core::base::threads;
use n4w_core::reading::stat_snapshot::{Item, take};

fn snapshot_of(root: &Path, threads: usize) -> BTreeMap<String, Item> {
    let items = threads::run(threads, || take(root, &mut Vec::new(), &Progress::default())).unwrap().unwrap();
    items.into_iter().map(|item| (item.path.clone(), item)).collect()
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("wheat.meta.parquet", "12345"),
        ("wheat.arrays.parquet", "1"),
        ("other.parquet", "1"),
        ("notes.txt", "1"),
        (".hidden.meta.parquet", "1"),
        ("predictions/wheat_1/r.w.journal", "12"),
        ("predictions/wheat_1/partial/r.w.partial.meta.parquet", "123"),
        ("predictions/wheat_1/.n4w-1.tmp", "1"),
        ("predictions/corn_1/r.w.meta.parquet", "1234"),
        ("arrays/wheat_1/r.w.arrays.parquet", "1"),
        ("arrays/wheat_1/r.v.arrays.parquet", "12"),
        ("runs/r/run.yaml", "123"),
        ("runs/r/sub/deep/notes.txt", "1"),
        ("runs/.n4w-new-r/run.yaml", "1"),
        ("runs/wheat/0001_a/manifest.yaml", "1"),
        ("runs/wheat/0001_a/folds/one.csv", "12"),
        ("runs/wheat/0002_b/manifest.yaml", "1"),
        ("runs/wheat/reports/0002.txt", "12345"),
        ("datasets/ds_a.yaml", "1"),
        ("templates/tpl_a.yaml", "1"),
        ("artifacts/ab/ab1.bin", "12"),
        ("artifacts/ab/ab2.bin", "123"),
        (".cache/summary.bin", "1"),
        (".trash/q/run.yaml", "1"),
    ];
    files.iter().for_each(|(path, content)| write(folder.path(), path, content));
    folder
}

#[test]
fn files_are_put_together_as_people_think_of_them() {
    let folder = workspace();
    let found = snapshot_of(folder.path(), 1);
    let sizes: Vec<_> = found.values().map(|item| (item.path.as_str(), item.files, item.bytes)).collect();
    assert_eq!(
        sizes,
        [
            ("arrays/wheat_1", 2, 3),
            ("artifacts/ab", 2, 5),
            ("datasets/ds_a.yaml", 1, 1),
            ("predictions/corn_1/r.w.meta.parquet", 1, 4),
            ("predictions/wheat_1/partial/r.w.partial.meta.parquet", 1, 3),
            ("predictions/wheat_1/r.w.journal", 1, 2),
            ("runs/r", 2, 4),
            ("runs/wheat", 1, 5),
            ("runs/wheat/0001_a", 2, 3),
            ("runs/wheat/0002_b", 1, 1),
            ("templates/tpl_a.yaml", 1, 1),
            ("wheat.arrays.parquet", 1, 1),
            ("wheat.meta.parquet", 1, 5),
        ]
    );
    assert!(found.values().all(|item| item.changed_at > 0));
}

#[test]
fn threads_change_nothing() {
    let folder = workspace();
    (0..200).for_each(|run| write(folder.path(), &format!("runs/r{run}/run.yaml"), "1"));
    assert_eq!(snapshot_of(folder.path(), 1), snapshot_of(folder.path(), 4));
}

#[test]
fn only_what_changed_has_another_stamp() {
    let folder = workspace();
    for (path, changed) in [
        ("runs/r/sub/deep/notes.txt", "runs/r"),
        ("runs/wheat/0001_a/folds/two.csv", "runs/wheat/0001_a"),
        ("artifacts/ab/ab1.bin", "artifacts/ab"),
        ("predictions/wheat_1/r.w.journal", "predictions/wheat_1/r.w.journal"),
        ("wheat.meta.parquet", "wheat.meta.parquet"),
    ] {
        let before = snapshot_of(folder.path(), 2);
        write(folder.path(), path, "longer than before");
        let after = snapshot_of(folder.path(), 2);
        let differ: Vec<_> = after.values().filter(|item| before[&item.path] != **item).collect();
        assert_eq!(differ.iter().map(|item| item.path.as_str()).collect::<Vec<_>>(), [changed]);
        assert_ne!(differ[0].fingerprint, before[changed].fingerprint);
    }
    let before = snapshot_of(folder.path(), 2);
    fs::remove_file(folder.path().join("artifacts/ab/ab1.bin")).unwrap();
    assert_ne!(snapshot_of(folder.path(), 2)["artifacts/ab"].fingerprint, before["artifacts/ab"].fingerprint);
}

#[test]
fn loops_of_links_end_and_what_is_lost_is_left_out() {
    let folder = workspace();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(folder.path(), folder.path().join("runs/r/loop")).unwrap();
        symlink("nowhere", folder.path().join("datasets/lost.yaml")).unwrap();
        symlink("r", folder.path().join("runs/linked")).unwrap();
    }
    let found = snapshot_of(folder.path(), 2);
    assert_eq!((found["runs/r"].files, found["runs/r"].bytes), (2, 4));
    assert!(!found.contains_key("datasets/lost.yaml"));
    #[cfg(unix)]
    assert_eq!(found["runs/linked"].files, 2);
    assert!(take(&folder.path().join("gone"), &mut Vec::new(), &Progress::default()).unwrap().is_empty());
}
