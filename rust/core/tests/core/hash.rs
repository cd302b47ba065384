//! Full, quick and folder hashes against the crates' own functions over bytes in memory.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use n4w_core::ErrorKind;
use n4w_core::base::progress::Progress;
use n4w_core::base::threads;
use n4w_core::hash::{Algorithm, ContentHash, HashCache, folder, hash_path, quick};
use proptest::prelude::*;
use sha2::Digest;

const LEAF: usize = 4 << 20;
const BOTH: [Algorithm; 2] = [Algorithm::Blake3, Algorithm::Sha256];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn expected(bytes: &[u8], algorithm: Algorithm) -> [u8; 32] {
    match algorithm {
        Algorithm::Blake3 => blake3::hash(bytes).into(),
        Algorithm::Sha256 => sha2::Sha256::digest(bytes).into(),
    }
}

fn hashed(path: &Path, algorithm: Algorithm, threads: usize) -> [u8; 32] {
    threads::run(threads, || hash_path(path, algorithm, &Progress::default())).unwrap().unwrap().hash.bytes
}

#[test]
fn known_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let cases = [
        (&b""[..], "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (b"abc", "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        (b"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ];
    for (bytes, text) in cases {
        fs::write(&path, bytes).unwrap();
        let hash: ContentHash = text.parse().unwrap();
        let found = hash_path(&path, hash.algorithm, &Progress::default()).unwrap();
        assert_eq!(found.hash.to_string(), text);
        assert_eq!(
            (found.size, found.bytes_read, found.is_folder),
            (bytes.len() as u64, bytes.len() as u64, false)
        );
    }
}

#[test]
fn sizes_around_every_boundary_with_one_thread_and_several() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let edges = [0, 1, 1024, 65536, 256 << 10, 1 << 20, LEAF, 2 * LEAF, 3 * LEAF, 5 * LEAF];
    for length in edges.into_iter().flat_map(|edge| [edge.saturating_sub(1), edge, edge + 1]) {
        let bytes = content(length);
        fs::write(&path, &bytes).unwrap();
        for algorithm in BOTH {
            for threads in [1, 2, 5] {
                assert_eq!(
                    hashed(&path, algorithm, threads),
                    expected(&bytes, algorithm),
                    "{length} {threads}"
                );
            }
        }
    }
}

#[test]
fn a_hash_reads_as_it_is_written_and_nothing_else_does() {
    let text = format!("sha256:{}", "0f".repeat(32));
    assert_eq!(text.parse::<ContentHash>().unwrap().to_string(), text);
    for wrong in ["", "blake3:", "md5:00", &text[..70], &format!("{text}0"), &text.replace("0f", "0g")] {
        assert_eq!(wrong.parse::<ContentHash>().unwrap_err().kind, ErrorKind::Argument, "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_quick_hash_is_of_size_and_ends(length in 0usize..300_000) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes = content(length);
        fs::write(&path, &bytes).unwrap();
        let mut read = (length as u64).to_le_bytes().to_vec();
        if length <= 128 << 10 {
            read.extend(&bytes);
        } else {
            read.extend(&bytes[..64 << 10]);
            read.extend(&bytes[length - (64 << 10)..]);
        }
        let quick = HashCache::default().quick(&path, &Progress::default()).unwrap().unwrap().0;
        let expected = blake3::hash(&read);
        prop_assert_eq!(&quick[..], &expected.as_bytes()[..8]);
        prop_assert_eq!(quick::parse(&quick::show(quick)), Some(quick));
    }
}

fn folder_hash(path: &Path) -> ContentHash {
    hash_path(path, Algorithm::Blake3, &Progress::default()).unwrap().hash
}

fn tree(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn a_folder_is_names_and_contents_in_order() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), &[("b", "2"), ("a/x", "1"), ("a.b", "3")]);
    let mut bytes = b"n4w folder 1\n".to_vec();
    for (name, text) in [("a.b", "3"), ("a/x", "1"), ("b", "2")] {
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.bytes());
        bytes.push(0);
        bytes.extend(blake3::hash(text.as_bytes()).as_bytes());
    }
    assert_eq!(folder_hash(folder.path()).bytes, *blake3::hash(&bytes).as_bytes());
    let found = hash_path(folder.path(), Algorithm::Sha256, &Progress::default()).unwrap();
    assert_eq!((found.size, found.is_folder), (3, true));
}

#[test]
fn a_folder_hash_tells_every_change_of_content_and_no_dropping() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    tree(&root, &[("X.csv", "1"), ("deep/Y.csv", "2")]);
    let before = folder_hash(&root);
    let droppings = [
        ".DS_Store",
        "Thumbs.db",
        "deep/desktop.ini",
        "X.csv~",
        ".X.csv.swp",
        "~$X.csv",
        "._X.csv",
        ".git/a",
    ];
    tree(&root, &droppings.map(|name| (name, "dropped")));
    assert_eq!(folder_hash(&root), before);
    tree(&root, &[("deep/Y.csv", "3")]);
    let changed = folder_hash(&root);
    fs::rename(root.join("X.csv"), root.join("x.csv")).unwrap();
    let renamed = folder_hash(&root);
    tree(&root, &[("Z.csv", "")]);
    let added = folder_hash(&root);
    let all = [before, changed, renamed, added];
    assert!((1..4).all(|index| !all[..index].contains(&all[index])));
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_folder_only() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), &[("outside", "1"), ("data/inside", "1")]);
    let root = folder.path().join("data");
    symlink("inside", root.join("near")).unwrap();
    symlink("../outside", root.join("far")).unwrap();
    symlink(".", root.join("loop")).unwrap();
    let before = folder_hash(&root);
    let sizes = hash_path(&root, Algorithm::Blake3, &Progress::default()).unwrap();
    assert_eq!(sizes.size, 1);
    fs::write(folder.path().join("outside"), "2").unwrap();
    assert_eq!(folder_hash(&root), before);
    let members = folder::members(&root).unwrap();
    let kinds: Vec<_> =
        members.iter().map(|member| (&member.name[..], format!("{:?}", member.content))).collect();
    assert_eq!(kinds.len(), 4);
    assert!(kinds.iter().any(|(name, kind)| *name == b"near" && kind.starts_with("Inside")));
    assert_eq!(kinds.iter().filter(|(_, kind)| kind.starts_with("Link")).count(), 2);
}

#[test]
fn the_cache_knows_settled_files_only_and_survives_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cached) = (folder.path().join("file"), folder.path().join("cache"));
    fs::write(&path, "one").unwrap();
    let places = [cached.clone()];
    let cache = HashCache::load(&places);
    let progress = Progress::default();
    cache.fingerprint(&path, Algorithm::Blake3, &progress).unwrap();
    assert_eq!(cache.known(&path, Algorithm::Blake3).unwrap(), None, "may change within the same tick");
    std::thread::sleep(Duration::from_millis(2100));
    let found = cache.fingerprint(&path, Algorithm::Blake3, &progress).unwrap();
    assert_eq!((found.bytes_read, found.hash.bytes), (3, expected(b"one", Algorithm::Blake3)));
    assert_eq!(cache.known(&path, Algorithm::Blake3).unwrap().unwrap().hash, found.hash);
    assert_eq!(cache.known(&path, Algorithm::Sha256).unwrap(), None);
    cache.save();
    let again = HashCache::load(&places);
    assert_eq!(again.fingerprint(&path, Algorithm::Blake3, &progress).unwrap().bytes_read, 0);
    let file = cached.join("hashes.bin");
    let good = fs::read(&file).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        fs::write(&file, &bad).unwrap();
        assert_eq!(HashCache::load(&places).known(&path, Algorithm::Blake3).unwrap(), None, "byte {index}");
        fs::write(&file, &good[..index]).unwrap();
        assert_eq!(HashCache::load(&places).known(&path, Algorithm::Blake3).unwrap(), None, "cut at {index}");
    }
}

#[test]
fn two_processes_that_save_keep_each_others_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| folder.path().join(name));
    files.iter().for_each(|file| fs::write(file, "content").unwrap());
    std::thread::sleep(Duration::from_millis(2100));
    let places = [folder.path().join("cache")];
    let caches = [HashCache::load(&places), HashCache::load(&places)];
    for (cache, file) in caches.iter().zip(&files) {
        cache.fingerprint(file, Algorithm::Sha256, &Progress::default()).unwrap();
        cache.save();
    }
    let both = HashCache::load(&places);
    assert!(files.iter().all(|file| both.known(file, Algorithm::Sha256).unwrap().is_some()));
}

#[test]
fn long_work_stops_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), content(9 << 20)).unwrap();
    let progress = Progress::default();
    progress.stop();
    for algorithm in BOTH {
        let error = hash_path(&folder.path().join("file"), algorithm, &progress).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
    }
}
