//! The index against a plain walk, on one thread and several, after every kind of change.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use n4w_core::base::progress::Progress;
use n4w_core::base::threads;
use n4w_core::hash::{Algorithm, HashCache, hash_path};
use n4w_core::index::tree::{Tree, refresh, refresh_files_only};
use n4w_core::index::{FileIndex, Refresh, Wanted};
use proptest::prelude::*;

fn tree(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Path and size of every file, by the standard library alone.
fn plain_walk(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let stat = entry.metadata().unwrap();
            if stat.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(root).unwrap().to_path_buf(), stat.len());
            }
        }
    }
    found
}

fn files_of(tree: &Tree) -> BTreeMap<PathBuf, u64> {
    let files = tree.folders.iter().flat_map(|folder| {
        folder.files.iter().map(|file| (folder.path.join(&file.name), file.key.identity.size))
    });
    files.collect()
}

fn walk(root: &Path, known: &Tree, how: Refresh, threads: usize) -> Tree {
    threads::run(threads, || refresh(root, known, how, &Progress::default())).unwrap().unwrap()
}

/// Walks with one thread and several, which must agree.
fn both_ways(root: &Path, known: &Tree, how: Refresh) -> Tree {
    let [one, several] = [1, 4].map(|threads| walk(root, known, how, threads));
    let shown = |tree: &Tree| {
        format!("{:?}", tree.folders.iter().map(|it| (&it.path, &it.files)).collect::<Vec<_>>())
    };
    assert_eq!(shown(&one), shown(&several));
    assert_eq!(format!("{:?}", one.errors()), format!("{:?}", several.errors()));
    several
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, String),
    Remove(usize),
    Rename(usize, usize),
}

const PLACES: [&str; 8] = ["a", "b", "d/a", "d/b", "d/e/a", "f/a", "f/g/h/a", "f/g/b"];

fn change() -> impl Strategy<Value = Change> {
    let place = 0..PLACES.len();
    prop_oneof![
        (place.clone(), "[xy]{0,9}").prop_map(|(place, text)| Change::Write(place, text)),
        place.clone().prop_map(Change::Remove),
        (place.clone(), place).prop_map(|(from, to)| Change::Rename(from, to)),
    ]
}

fn apply(root: &Path, change: &Change) {
    match change {
        Change::Write(place, text) => tree(root, &[(PLACES[*place], text)]),
        Change::Remove(place) => drop(fs::remove_file(root.join(PLACES[*place]))),
        Change::Rename(from, to) => {
            fs::create_dir_all(root.join(PLACES[*to]).parent().unwrap()).unwrap();
            drop(fs::rename(root.join(PLACES[*from]), root.join(PLACES[*to])));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_refresh_sees_what_a_walk_sees(changes in prop::collection::vec(change(), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Tree::default();
        for change in changes {
            apply(folder.path(), &change);
            if let Some(seen) = refresh_files_only(folder.path(), &known) {
                let expected = both_ways(folder.path(), &known, Refresh::Folders);
                prop_assert_eq!(files_of(&seen), files_of(&expected));
            }
            known = both_ways(folder.path(), &known, Refresh::Files);
            prop_assert_eq!(files_of(&known), plain_walk(folder.path()));
        }
    }
}

#[test]
fn settled_folders_are_not_listed_again_but_their_files_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    tree(root, &[("a/one", "1"), ("a/two", "22"), ("b/three", "333"), ("b/c/four", "4444")]);
    std::thread::sleep(Duration::from_millis(2100));
    let first = both_ways(root, &Tree::default(), Refresh::Files);
    for how in [Refresh::Folders, Refresh::Files] {
        assert!(both_ways(root, &first, how).is_same(&first));
    }
    tree(root, &[("a/one", "now longer"), ("b/c/five", "5")]);
    fs::rename(root.join("b/three"), root.join("b/drei")).unwrap();
    let folders = both_ways(root, &first, Refresh::Folders);
    assert!(refresh_files_only(root, &first).is_some_and(|seen| files_of(&seen) == files_of(&folders)));
    fs::create_dir(root.join("b/new")).unwrap();
    assert!(refresh_files_only(root, &first).is_none(), "a new folder is for the walk");
    fs::remove_dir(root.join("b/new")).unwrap();
    let shared = |tree: &Tree| -> Vec<_> {
        let known = |it: &&Arc<_>| first.folders.iter().any(|other| Arc::ptr_eq(it, other));
        tree.folders.iter().filter(known).map(|it| it.path.to_string_lossy().into_owned()).collect()
    };
    assert_eq!(shared(&folders), ["", "a"], "an edit in place does not show in a folder");
    let mut expected = plain_walk(root);
    assert_eq!(shared(&both_ways(root, &folders, Refresh::Files)), [""]);
    assert_eq!(files_of(&both_ways(root, &folders, Refresh::Files)), expected);
    expected.insert("a/one".into(), 1);
    assert_eq!(files_of(&folders), expected);
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_loops_are_reported() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), &[("in/a/file", "1"), ("out/deep/file", "22"), ("out/other", "333")]);
    let root = folder.path().join("in");
    symlink("..", root.join("a/up")).unwrap();
    symlink("nowhere", root.join("a/broken")).unwrap();
    symlink("self", root.join("self")).unwrap();
    symlink("../out", root.join("first")).unwrap();
    symlink("../out/deep", root.join("second")).unwrap();
    symlink("a/file", root.join("link")).unwrap();
    symlink("../../in", folder.path().join("out/deep/back")).unwrap();
    let found = both_ways(&root, &Tree::default(), Refresh::Files);
    let files: Vec<_> =
        files_of(&found).into_iter().map(|(path, size)| (path.display().to_string(), size)).collect();
    let expected = [("a/file", 1), ("first/deep/file", 2), ("first/other", 3), ("link", 1)];
    assert_eq!(files, expected.map(|(path, size)| (path.to_owned(), size)));
    let errors: Vec<_> = found.errors().into_iter().map(|error| error.path).collect();
    assert_eq!(errors, ["a/broken", "a/up", "self"]);
    fs::write(root.join("a/nowhere"), "4444").unwrap();
    let again = both_ways(&root, &found, Refresh::Files);
    assert_eq!(files_of(&again).get(Path::new("a/broken")), Some(&4), "what was broken is looked at again");
}

fn open(root: &Path) -> FileIndex {
    FileIndex::open(root, Some(Arc::default()), &Progress::default()).unwrap()
}

fn found(index: &FileIndex, wanted: &Wanted, all: bool) -> Vec<String> {
    let found = index.search(wanted, all, &Progress::default()).unwrap();
    let root = index.root();
    found.paths.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
}

#[test]
fn content_is_found_by_each_thing_that_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    tree(
        folder.path(),
        &[("a/x", "content"), ("b/y", "CONTENT"), ("c/z", "content"), ("d/z", "other"), ("e/.DS_Store", "!")],
    );
    let hash =
        |name| hash_path(&folder.path().join(name), Algorithm::Sha256, &Progress::default()).unwrap().hash;
    let quick =
        HashCache::default().quick(&folder.path().join("b/y"), &Progress::default()).unwrap().unwrap().0;
    let index = open(folder.path());
    assert_eq!(index.len(), 5);
    let by_hash = |name, size| Wanted { hash: Some(hash(name)), size, ..Wanted::default() };
    assert_eq!(found(&index, &by_hash("a/x", Some(7)), true), ["a/x", "c/z"]);
    assert_eq!(found(&index, &by_hash("a/x", None), true), ["a/x", "c/z"], "slowly, without a size");
    assert_eq!(found(&index, &by_hash("a/x", Some(8)), true), [""; 0]);
    let named = Wanted { name: Some("z".into()), ..by_hash("a/x", Some(7)) };
    assert_eq!(found(&index, &named, false)[0], "c/z");
    let by_quick = Wanted { quick: Some(quick), ..Wanted::default() };
    assert_eq!(found(&index, &by_quick, true), ["b/y", "b"]);
    assert_eq!(found(&index, &by_hash("d", Some(5)), true), ["d"], "a folder by the size of its files");
    let folders = Wanted { size: Some(26), ..Wanted::default() };
    assert_eq!(found(&index, &folders, true), [""], "the root, without droppings");
    fs::remove_file(folder.path().join("a/x")).unwrap();
    assert_eq!(found(&index, &by_hash("c/z", Some(7)), true), ["c/z"], "what vanished is no error");
}

#[test]
fn a_search_says_what_it_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..300).map(|index| (format!("{index:03}"), format!("{index:05}"))).collect();
    names.iter().for_each(|(name, text)| tree(folder.path(), &[(name, text)]));
    let path = folder.path().join("299");
    let progress = Progress::default();
    let wanted = Wanted {
        hash: Some(hash_path(&path, Algorithm::Blake3, &progress).unwrap().hash),
        quick: Some(HashCache::default().quick(&path, &progress).unwrap().unwrap().0),
        size: Some(5),
        name: None,
    };
    let found = open(folder.path()).search(&wanted, false, &progress).unwrap();
    let stages: Vec<_> = found.stages.iter().map(|it| (it.name, it.candidates, it.bytes_read)).collect();
    assert_eq!(stages, [("size", 300, 0), ("quick_hash", 300, 1500), ("full_hash", 1, 5)]);
    assert_eq!(found.paths, [path]);
}

#[test]
fn duplicates_are_equal_contents_of_different_files() {
    let folder = tempfile::tempdir().unwrap();
    tree(
        folder.path(),
        &[("a", "same"), ("d/b", "same"), ("c", "Same"), ("e", "."), ("f", ""), ("g", ""), ("h", ".")],
    );
    fs::hard_link(folder.path().join("c"), folder.path().join("c2")).unwrap();
    let (groups, errors) = open(folder.path()).duplicates(&Progress::default()).unwrap();
    let names = |group: &Vec<PathBuf>| -> Vec<_> {
        group.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect()
    };
    assert_eq!(groups.iter().map(names).collect::<Vec<_>>(), [vec!["a", "d/b"], vec!["e", "h"]]);
    assert!(errors.is_empty());
}
