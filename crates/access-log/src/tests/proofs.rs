//! Proofs over several segments.

use proptest::prelude::*;

use super::*;
use crate::merkle::{ProofError, empty_root};

#[test]
fn every_entry_and_every_pair_of_sizes_can_be_proved() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_small(directory.path(), 900);
    let count = 23;
    let mut heads = Vec::new();
    for number in 0..count {
        acknowledge(&log, read(number, "anna", number as u128));
        heads.extend(log.archive().heads().unwrap());
    }
    assert!(segments(directory.path()).len() > 4);
    let (archive, series) = (log.archive(), log.series());
    let last = *heads.last().unwrap();
    for sequence in 0..count as u64 {
        let position = Position { series, sequence };
        let (entry, bytes) = archive.entry(position).unwrap();
        assert_eq!(entry.records, [record(u128::from(sequence))]);
        let proof = archive.inclusion_proof(position).unwrap();
        assert_eq!(proof.head, last);
        assert_eq!(proof.verify(&bytes, last.root), Ok(()));
        assert_eq!(proof.verify(&bytes, empty_root()), Err(ProofError::Root));
        assert_eq!(proof.verify(b"{}", last.root), Err(ProofError::Root));
    }
    for from in 1..=count as u64 {
        for to in from..=count as u64 {
            let proof = archive.consistency_proof(series, from, to).unwrap();
            assert_eq!(proof.from, heads[from as usize - 1]);
            assert_eq!(proof.to, heads[to as usize - 1]);
            assert_eq!(proof.verify(), Ok(()));
        }
    }
    let beyond = Position {
        series,
        sequence: count as u64,
    };
    assert!(matches!(
        archive.entry(beyond),
        Err(AccessLogError::OutOfRange { size: 23, .. })
    ));
    assert!(archive.inclusion_proof(beyond).is_err());
    assert!(archive.consistency_proof(series, 0, 1).is_err());
    assert!(archive.consistency_proof(series, 1, 24).is_err());
    let unknown = Position {
        series: SeriesId(Uuid::nil()),
        sequence: 0,
    };
    assert!(matches!(
        archive.entry(unknown),
        Err(AccessLogError::UnknownSeries(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However the entries fall into batches and segments, the tree is the same.
    #[test]
    fn the_root_depends_on_the_entries_alone(
        entries in prop::collection::vec((0_i64..50, 0_u128..9), 1..60),
        segment_bytes in 300_u64..4_000,
        reopen in 1_usize..30,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut log = open_small(directory.path(), segment_bytes);
        let mut tree = merkle::CompactRange::new(0);
        for (place, (seconds, number)) in entries.iter().enumerate() {
            let entry = read(*seconds, "anna", *number);
            tree.push(merkle::leaf_hash(&serde_json::to_vec(&entry).unwrap()));
            if place % 3 == 0 {
                acknowledge(&log, entry);
            } else {
                drop(log.append(entry).unwrap());
            }
            if (place + 1) % reopen == 0 {
                drop(log);
                log = open_small(directory.path(), segment_bytes);
            }
        }
        drop(log);
        let archive = Archive::open(directory.path());
        let heads = archive.heads().unwrap();
        prop_assert_eq!(heads.len(), 1);
        prop_assert_eq!(heads[0].size, entries.len() as u64);
        prop_assert_eq!(Some(heads[0].root), tree.root());
        let verification = archive.verify(&Scope::default()).unwrap();
        prop_assert_eq!(verification.findings, []);
        prop_assert_eq!(verification.entries, entries.len() as u64);
    }
}
