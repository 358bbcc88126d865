//! Crashes and changed bytes.

use std::fs;

use super::*;

/// A log that was killed: nothing is closed. The bytes of its one segment, and where its batches end.
fn killed(batches: i64) -> (Vec<u8>, std::ffi::OsString, Vec<usize>) {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut ends = Vec::new();
    for batch in 0..batches {
        acknowledge(&log, read(batch, "anna", batch as u128));
        ends.push(fs::metadata(&segments(directory.path())[0]).unwrap().len() as usize);
    }
    let path = segments(directory.path()).remove(0);
    (
        fs::read(&path).unwrap(),
        path.file_name().unwrap().to_owned(),
        ends,
    )
}

#[test]
fn cut_at_every_byte_of_the_last_batch_all_before_it_is_kept() {
    let (bytes, name, ends) = killed(3);
    for length in ends[1]..=bytes.len() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(&name), &bytes[..length]).unwrap();
        let archive = Archive::open(directory.path());
        let whole = if length == bytes.len() { 3 } else { 2 };
        assert_eq!(everything(&archive).len(), whole);
        let torn = length != bytes.len() && length != ends[1];
        let findings = archive.verify(&Scope::default()).unwrap().findings;
        assert_eq!(findings.len(), usize::from(torn), "{length}: {findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.fault == Fault::TornTail)
        );
        let log = open(directory.path());
        assert_eq!(log.opening().torn.len(), usize::from(torn));
        assert!(log.opening().damaged.is_empty());
        assert_eq!(acknowledge(&log, read(9, "bert", 9)).sequence, whole as u64);
        drop(log);
        assert_eq!(everything(&archive).len(), whole + 1);
        assert_sound(&archive);
        let kept = directory.path().join(&name).with_extension("log.torn-0");
        assert_eq!(kept.exists(), torn);
        if torn {
            assert_eq!(fs::read(kept).unwrap(), &bytes[ends[1]..length]);
        }
    }
}

#[test]
fn cut_in_the_first_batch_nothing_was_there() {
    let (bytes, name, _) = killed(1);
    for length in 0..bytes.len() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(&name), &bytes[..length]).unwrap();
        let log = open(directory.path());
        assert!(log.opening().damaged.is_empty());
        assert_eq!(log.opening().torn.len(), usize::from(length > 0));
        assert_eq!(acknowledge(&log, read(9, "bert", 9)).sequence, 0);
        drop(log);
        assert_sound(&Archive::open(directory.path()));
    }
}

#[test]
fn pages_of_the_last_batch_that_never_reached_the_disk_are_a_torn_tail() {
    let (mut bytes, name, ends) = killed(3);
    bytes[ends[1] + 20..ends[1] + 60].fill(0);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(&name), &bytes).unwrap();
    let log = open(directory.path());
    assert_eq!(log.opening().torn.len(), 1);
    assert_eq!(everything(log.archive()).len(), 2);
}

#[test]
fn damage_before_the_last_batch_is_never_taken_for_a_torn_tail() {
    let (bytes, name, ends) = killed(3);
    for place in 0..ends[1] {
        let directory = tempfile::tempdir().unwrap();
        let mut changed = bytes.clone();
        changed[place] ^= 4;
        fs::write(directory.path().join(&name), &changed).unwrap();
        let archive = Archive::open(directory.path());
        let findings = archive.verify(&Scope::default()).unwrap().findings;
        assert!(
            !findings.is_empty() && findings[0].fault != Fault::TornTail,
            "byte {place}"
        );
        assert!(
            !archive.search(&Query::default()).unwrap().complete,
            "byte {place}"
        );
        // The damaged series is left alone, and another begun.
        let log = open(directory.path());
        assert_eq!(log.opening().damaged.len(), 1, "byte {place}");
        assert_eq!(fs::read(directory.path().join(&name)).unwrap(), changed);
        let begun = log.series();
        assert!(!name.to_string_lossy().starts_with(&begun.to_string()));
    }
}

#[test]
fn a_flipped_bit_anywhere_in_closed_segments_is_found() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let log = open(directory.path());
        acknowledge(&log, read(round, "anna", 1));
        acknowledge(&log, read(round, "bert", 2));
    }
    let archive = Archive::open(directory.path());
    assert_sound(&archive);
    for path in segments(directory.path()) {
        let bytes = fs::read(&path).unwrap();
        for (place, byte) in bytes.iter().enumerate() {
            put(&path, place, byte ^ (1 << (place % 8)));
            let findings = archive.verify(&Scope::default()).unwrap().findings;
            assert!(!findings.is_empty(), "{} byte {place}", path.display());
            put(&path, place, *byte);
        }
    }
    assert_sound(&archive);
}

#[test]
fn no_changed_byte_hides_an_entry_from_a_search_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for number in 0..20 {
        acknowledge(&log, read(number, "anna", number as u128));
    }
    drop(log);
    let archive = Archive::open(directory.path());
    let path = segments(directory.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    let query = Query {
        record: Some(record(7)),
        ..Query::default()
    };
    let answer = archive.search(&query).unwrap();
    assert_eq!(answer.entries.len(), 1);
    for (place, byte) in bytes.iter().enumerate() {
        put(&path, place, byte ^ (1 << (place % 8)));
        let page = archive.search(&query).unwrap();
        assert!(
            page.entries == answer.entries || !page.complete,
            "byte {place}"
        );
        put(&path, place, *byte);
    }
}

#[test]
fn missing_segments_and_cut_ends_are_found() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..4 {
        acknowledge(&open(directory.path()), read(round, "anna", 1));
    }
    let archive = Archive::open(directory.path());
    let heads = archive.heads().unwrap();
    let scope = Scope {
        heads,
        ..Scope::default()
    };
    assert_eq!(archive.verify(&scope).unwrap().findings, []);
    for path in segments(directory.path()) {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let findings = archive.verify(&scope).unwrap().findings;
        assert!(
            findings
                .iter()
                .any(|finding| finding.fault == Fault::Missing),
            "{findings:?}"
        );
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(archive.verify(&scope).unwrap().findings, []);
    for file in fs::read_dir(directory.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(archive.verify(&scope).unwrap().findings.len(), 1);
}
