//! Journals: what was appended reads back, and nothing else is ever believed.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use n4w_core::ErrorKind;
use n4w_core::base::file_names::Name;
use n4w_core::segment::journal::{
    Appender, Coverage, Cut, End, Header, Journal, Kind, Position, Reading, Stretch, fence, fence_path,
};

const FRAMES: [(Kind, &[u8]); 4] =
    [(Kind::Arrays, b"arrays"), (Kind::Rows, b"some rows"), (Kind::Checkpoint, b"{}"), (Kind::Rows, b"r")];

fn name(writer: &str) -> Name {
    Name { run_id: "2026-01-01_Run_0123456789ab".to_owned(), writer: writer.to_owned() }
}

/// A journal with [`FRAMES`], appended two at a time, and the offset after each frame.
fn written(folder: &Path) -> (PathBuf, Vec<u64>) {
    let path = folder.join(name("0123456789ab").journal());
    let mut appender = Appender::create(&path, Header::new("wheat", None).unwrap()).unwrap();
    let mut ends = vec![appender.position.offset];
    for pair in FRAMES.chunks(2) {
        let frames: Vec<_> = pair.iter().map(|(kind, payload)| (*kind, payload.to_vec())).collect();
        for (_, payload) in pair {
            // Head, payload, checksum.
            ends.push(ends.last().unwrap() + 32 + payload.len() as u64 + 8);
        }
        appender.position = appender.append(&frames).unwrap();
        assert_eq!(appender.position.offset, *ends.last().unwrap());
    }
    (path, ends)
}

type Frames = Vec<(Kind, Vec<u8>)>;

fn read(path: &Path) -> n4w_core::Result<(Frames, Reading)> {
    let journal = Journal::open(path)?;
    let mut frames = Vec::new();
    let reading = journal.read(journal.begin(), &mut |kind, payload| {
        frames.push((kind, payload.to_vec()));
        Ok(())
    })?;
    Ok((frames, reading))
}

/// All frames but some.
fn without(lost: &[usize]) -> Frames {
    let kept = FRAMES.iter().enumerate().filter(|(number, _)| !lost.contains(number));
    kept.map(|(_, (kind, payload))| (*kind, payload.to_vec())).collect()
}

fn expected(count: usize) -> Frames {
    FRAMES[..count].iter().map(|(kind, payload)| (*kind, payload.to_vec())).collect()
}

#[test]
fn what_was_appended_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let (frames, reading) = read(&path).unwrap();
    assert_eq!(frames, expected(4));
    let Reading { position, end, lost, saved } = reading;
    assert_eq!((position.offset, position.frames, end), (*ends.last().unwrap(), 4, End::Clean));
    assert_eq!((lost, saved), (vec![], vec![]));
    assert_eq!(Journal::open(&path).unwrap().header.dataset_name, "wheat");
}

#[test]
fn reading_goes_on_from_any_place_between_frames() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let journal = Journal::open(&path).unwrap();
    let mut frames = journal.frames(journal.begin());
    frames.advance().unwrap();
    frames.advance().unwrap();
    assert_eq!(frames.payload(), b"some rows");
    let mut rest = journal.frames(frames.at());
    let (kind, at) = rest.advance().unwrap().unwrap();
    assert_eq!((kind, at.frames, rest.payload()), (Kind::Checkpoint, 2, &b"{}"[..]));
    assert!(rest.advance().unwrap().is_some());
    assert!(rest.advance().unwrap().is_none());
    assert_eq!(rest.finish().end, End::Clean);
}

#[test]
fn every_flipped_bit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let whole = fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        let before = ends.iter().filter(|end| **end <= bit as u64 / 8).count();
        match read(&path) {
            // In the header: nothing is believed.
            Err(error) => {
                assert_eq!(before, 0, "bit {bit}: {error}");
                assert!(matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Truncated | ErrorKind::Version));
            }
            Ok((frames, reading)) => {
                assert_eq!(frames, without(&[before - 1]), "bit {bit}");
                assert_eq!(reading.position.offset, ends[before - 1], "bit {bit}");
                assert_eq!(reading.position.frames, before as u64 - 1, "bit {bit}");
                assert!(reading.is_damaged(), "bit {bit}: {reading:?}");
                if before == ends.len() - 1 {
                    assert!(matches!(reading.end, End::Bad { .. }), "bit {bit}: {reading:?}");
                    continue;
                }
                assert_eq!(reading.end, End::Clean, "bit {bit}");
                let lost: Vec<u64> = reading.lost.iter().map(|lost| lost.offset).collect();
                assert_eq!(lost, [ends[before - 1]], "bit {bit}");
                let [Stretch { offset, number, end }] = reading.saved[..] else { panic!("{reading:?}") };
                assert_eq!((offset, number), (ends[before], before as u64), "bit {bit}");
                assert_eq!((end.offset, end.frames), (*ends.last().unwrap(), 4), "bit {bit}");
            }
        }
    }
}

#[test]
fn every_truncation_leaves_whole_frames() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let before = ends.iter().filter(|end| **end <= length as u64).count();
        match read(&path) {
            Err(error) => assert_eq!((before, error.kind), (0, ErrorKind::Truncated), "{length}"),
            Ok((frames, Reading { position, end, .. })) => {
                assert_eq!(frames, expected(before - 1), "{length}");
                assert_eq!(position.offset, ends[before - 1], "{length}");
                // At the end of a frame it is what it was before the next one was appended.
                let torn = ends.contains(&(length as u64));
                assert_eq!(end, if torn { End::Clean } else { End::Torn }, "{length}");
            }
        }
    }
}

#[test]
fn an_empty_tail_was_never_acknowledged_and_garbage_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [whole.clone(), vec![0; 100_000]].concat()).unwrap();
    assert_eq!(read(&path).unwrap().1.end, End::Torn);
    fs::write(&path, [whole.clone(), vec![0; 100_000], vec![1]].concat()).unwrap();
    assert!(matches!(read(&path).unwrap().1.end, End::Bad { is_last: false, .. }));
}

#[test]
fn a_frame_of_another_journal_or_out_of_order_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let (theirs, _) = written(other.path());
    let (mine, theirs) = (fs::read(&path).unwrap(), fs::read(theirs).unwrap());
    let frame = |bytes: &[u8], from: usize| bytes[ends[from] as usize..ends[from + 1] as usize].to_vec();
    let begin = mine[..ends[2] as usize].to_vec();
    for wrong in [frame(&theirs, 2), frame(&mine, 1)] {
        fs::write(&path, [begin.clone(), wrong.clone()].concat()).unwrap();
        let (frames, reading) = read(&path).unwrap();
        assert_eq!(frames, expected(2));
        assert!(matches!(reading.end, End::Bad { .. }), "{reading:?}");
        // What comes after it is.
        fs::write(&path, [begin.clone(), wrong, frame(&mine, 2)].concat()).unwrap();
        assert_eq!(read(&path).unwrap().0, expected(3));
    }
    // One is missing.
    fs::write(&path, [begin, frame(&mine, 3)].concat()).unwrap();
    let (frames, reading) = read(&path).unwrap();
    assert_eq!(frames, without(&[2]));
    assert_eq!((reading.position.offset, reading.lost[0].offset), (ends[2], ends[2]));
}

#[test]
fn damage_costs_the_frames_that_it_hits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let whole = fs::read(&path).unwrap();
    let at = |frame: usize, byte: usize| ends[frame] as usize + byte;
    // Byte 3 is of the magic, 20 of the length, 33 of the payload.
    for (damaged, lost) in [
        (vec![at(0, 33), at(2, 33)], vec![0, 2]),
        (vec![at(0, 3), at(1, 3)], vec![0, 1]),
        (vec![at(1, 20), at(2, 33)], vec![1, 2]),
        (vec![at(0, 33), at(1, 20)], vec![0, 1]),
        (vec![at(0, 3), at(1, 33), at(2, 8)], vec![0, 1, 2]),
        (vec![at(1, 33), at(3, 33)], vec![1, 3]),
        (vec![at(0, 3), at(1, 3), at(2, 3), at(3, 3)], vec![0, 1, 2, 3]),
    ] {
        let mut bytes = whole.clone();
        damaged.iter().for_each(|&byte| bytes[byte] ^= 0x10);
        fs::write(&path, &bytes).unwrap();
        let (frames, reading) = read(&path).unwrap();
        assert_eq!(frames, without(&lost), "{damaged:?}");
        assert_eq!(reading.position.offset, ends[lost[0]], "{damaged:?}");
        let described = reading.describe().unwrap();
        assert!(described.contains(&format!("at byte {}", ends[lost[0]])), "{described}");
    }
}

#[test]
fn a_frame_is_found_far_behind_a_damaged_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name("0123456789ab").journal());
    let mut appender = Appender::create(&path, Header::new("wheat", None).unwrap()).unwrap();
    let begin = appender.position.offset as usize;
    // Full of what looks like heads, and of every length around the pieces that are searched.
    for length in [262_143, 262_144 - 32, 262_144, 600_001] {
        let long = b"N4AF".iter().copied().cycle().take(length).collect::<Vec<u8>>();
        appender.position = appender.append(&[(Kind::Rows, long), (Kind::Rows, b"next".to_vec())]).unwrap();
    }
    let mut bytes = fs::read(&path).unwrap();
    bytes[begin] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (frames, reading) = read(&path).unwrap();
    assert_eq!(frames.len(), 7);
    assert_eq!(frames[0].1, b"next");
    assert_eq!(reading.saved[0].number, 1);
}

#[test]
fn an_intact_copy_has_more_than_what_was_sealed_of_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let whole = fs::read(&path).unwrap();
    let damage = |frames: &[usize]| {
        let mut bytes = whole.clone();
        frames.iter().for_each(|&frame| bytes[ends[frame] as usize + 33] ^= 1);
        fs::write(&path, &bytes).unwrap();
        Journal::open(&path).unwrap()
    };
    let sealed = read(&damage(&[1]).path).unwrap().1;
    let compare = |journal: &Journal| journal.compare(sealed.position, &sealed.saved).unwrap();
    assert_eq!(compare(&damage(&[1])), Coverage::Whole);
    assert_eq!(compare(&damage(&[1, 2])), Coverage::Whole);
    assert_eq!(compare(&damage(&[])), Coverage::Outgrown);
    assert_eq!(compare(&damage(&[2])), Coverage::Apart);
    let sealed = read(&damage(&[]).path).unwrap().1;
    assert_eq!(damage(&[3]).compare(sealed.position, &sealed.saved).unwrap(), Coverage::Whole);
    // A segment of the first two frames, and a journal that goes on and has lost one of them.
    let mut begun = Journal::open(&path).unwrap();
    begun.end_at(Position { offset: ends[2], ..begun.begin() });
    let sealed = begun.read(begun.begin(), &mut |_, _| Ok(())).unwrap();
    assert_eq!(sealed.position.frames, 2);
    assert_eq!(damage(&[]).compare(sealed.position, &sealed.saved).unwrap(), Coverage::Outgrown);
    assert_eq!(damage(&[1]).compare(sealed.position, &sealed.saved).unwrap(), Coverage::Apart);
}

#[test]
fn a_successor_says_where_its_predecessor_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = written(folder.path());
    let journal = Journal::open(&path).unwrap().header.journal;
    let next = name("0123456789ab").successor();
    assert_eq!(next.writer, "0123456789ab-1");
    assert_eq!(next.successor().writer, "0123456789ab-2");
    let cut = Cut { journal, length: ends[2] };
    let made =
        Appender::create(&folder.path().join(next.journal()), Header::new("wheat", Some(cut)).unwrap());
    let (frames, Reading { position, end, .. }) = read(&path).unwrap();
    assert_eq!((frames, position.offset, end), (expected(2), ends[2], End::Clean));
    drop(made);
    // One that names another journal says nothing of this one.
    fs::remove_file(folder.path().join(next.journal())).unwrap();
    let other = Cut { journal: "0".repeat(32), length: ends[1] };
    Appender::create(&folder.path().join(next.journal()), Header::new("wheat", Some(other)).unwrap())
        .unwrap();
    assert_eq!(read(&path).unwrap().0, expected(4));
}

#[test]
fn a_writer_that_was_declared_dead_finds_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name("0123456789ab").journal());
    let appender = Appender::create(&path, Header::new("wheat", None).unwrap()).unwrap();
    appender.check_alive().unwrap();
    fence(&path).unwrap();
    fence(&path).unwrap();
    assert_eq!(appender.check_alive().unwrap_err().kind, ErrorKind::Conflict);
    fs::remove_file(fence_path(&path)).unwrap();
    appender.check_alive().unwrap();
    // Another file under its name, as a copy over it leaves.
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(appender.check_alive().unwrap_err().kind, ErrorKind::Conflict);
    fs::write(&path, bytes).unwrap();
    assert_eq!(appender.check_alive().unwrap_err().kind, ErrorKind::Conflict);
}

#[test]
fn nobody_takes_a_name_that_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let before = fs::read(&path).unwrap();
    assert!(Appender::create(&path, Header::new("wheat", None).unwrap()).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn names_are_taken_apart_and_put_together() {
    for writer in ["0123456789ab", "0123456789ab-12", "c0123456789ab"] {
        let name = name(writer);
        for file in [name.journal(), name.sealed(), name.arrays()] {
            assert_eq!(Name::of(&file), Some(name.clone()), "{file}");
        }
    }
    let dotted = Name { run_id: "my.run".to_owned(), writer: "0123456789ab".to_owned() };
    assert_eq!(Name::of(&dotted.sealed()), Some(dotted));
    for file in ["wheat.meta.parquet", "a.b.journal", ".0123456789ab.journal", "x.0123456789ab.parquet"] {
        assert_eq!(Name::of(file), None, "{file}");
    }
}
