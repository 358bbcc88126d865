//! What was kept long enough goes; the rest stays provable.

use super::*;

fn removal(before: i64) -> Removal {
    Removal {
        before: at(before),
        at: at(1_000),
        by: "archivist".to_owned(),
        decision: Some("2026/17".to_owned()),
    }
}

#[test]
fn closed_old_segments_go_and_the_rest_still_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_small(directory.path(), 1);
    for number in 0..13 {
        acknowledge(&log, read(number, "anna", number as u128));
    }
    let archive = log.archive();
    let heads = archive.heads().unwrap();
    assert_eq!(archive.remove_before(&removal(0)).unwrap(), []);
    let removed = archive.remove_before(&removal(5)).unwrap();
    assert_eq!(removed.len(), 5);
    assert_eq!(removed[4].first, 4);
    assert_eq!(removed[4].latest, at(4));
    assert_eq!(segments(directory.path()).len(), 8);
    assert_eq!(archive.remove_before(&removal(7)).unwrap().len(), 2);
    let scope = Scope {
        heads,
        ..Scope::default()
    };
    assert_eq!(archive.verify(&scope).unwrap().findings, []);
    assert_eq!(everything(archive).len(), 6);
    // What is left can be proved against the head from before the removal.
    for sequence in 7..13 {
        let position = Position {
            series: log.series(),
            sequence,
        };
        let (_, bytes) = archive.entry(position).unwrap();
        let proof = archive.inclusion_proof(position).unwrap();
        assert_eq!(proof.verify(&bytes, scope.heads[0].root), Ok(()));
    }
    let gone = Position {
        series: log.series(),
        sequence: 6,
    };
    assert!(matches!(
        archive.entry(gone),
        Err(AccessLogError::Removed { first: 7, .. })
    ));
    for from in 7..13 {
        let proof = archive.consistency_proof(log.series(), from, 13).unwrap();
        assert_eq!(proof.verify(), Ok(()));
    }
}

#[test]
fn a_series_of_which_nothing_is_left_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    acknowledge(&log, read(1, "anna", 1));
    assert_eq!(log.archive().remove_before(&removal(9)).unwrap(), []);
    log.seal().unwrap().wait().unwrap();
    assert_eq!(log.archive().remove_before(&removal(9)).unwrap().len(), 1);
    assert_eq!(acknowledge(&log, read(10, "anna", 1)).sequence, 1);
    drop(log);
    let archive = Archive::open(directory.path());
    assert_eq!(archive.remove_before(&removal(11)).unwrap().len(), 1);
    assert!(segments(directory.path()).is_empty());
    let again = open(directory.path());
    assert_eq!(acknowledge(&again, read(12, "anna", 1)).sequence, 2);
    assert_sound(&archive);
    let heads = archive.heads().unwrap();
    assert_eq!(heads[0].size, 3);
}

#[test]
fn tombstones_cannot_be_changed_unseen() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_small(directory.path(), 1);
    for number in 0..4 {
        acknowledge(&log, read(number, "anna", 1));
    }
    log.archive().remove_before(&removal(2)).unwrap();
    drop(log);
    let archive = Archive::open(directory.path());
    assert_sound(&archive);
    let path = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "removed")
        })
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for (place, byte) in bytes.iter().enumerate() {
        put(&path, place, byte ^ (1 << (place % 8)));
        assert_ne!(
            archive.verify(&Scope::default()).unwrap().findings,
            [],
            "byte {place}"
        );
        put(&path, place, *byte);
    }
}
