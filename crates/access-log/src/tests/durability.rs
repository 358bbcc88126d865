//! Nothing acknowledged is lost, nothing is acknowledged that could be.

use std::future::Future;
use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;

#[test]
fn every_acknowledged_entry_of_many_threads_is_found_again_with_few_syncs() {
    let directory = tempfile::tempdir().unwrap();
    let (threads, each) = (64, 40);
    let log = open_small(directory.path(), 100_000);
    let barrier = Barrier::new(threads);
    let positions = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (log, barrier, positions) = (log.clone(), &barrier, &positions);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..each {
                    let name = format!("actor-{thread}-{number}");
                    let position = acknowledge(&log, read(number, &name, thread as u128));
                    positions.lock().push((position, name));
                }
            });
        }
    });
    let metrics = log.metrics();
    let total = threads as u64 * each as u64;
    assert_eq!(metrics.entries, total);
    assert_eq!(metrics.failures, 0);
    assert!(metrics.segments > 1);
    assert!(metrics.batches < total / 2, "{} syncs", metrics.batches);
    drop(log);
    let log = open(directory.path());
    assert!(log.opening().torn.is_empty());
    let found = everything(log.archive());
    assert_eq!(found.len() as u64, total);
    for (position, name) in positions.into_inner() {
        let (entry, _) = log.archive().entry(position).unwrap();
        assert_eq!(entry.actor, name);
    }
    assert_sound(log.archive());
}

#[test]
fn a_receipt_is_a_future_that_wakes_its_task() {
    struct Count(AtomicUsize, std::thread::Thread);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            self.1.unpark();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let count = Arc::new(Count(AtomicUsize::new(0), std::thread::current()));
    let waker = Waker::from(Arc::clone(&count));
    for number in 0..20 {
        let mut receipt = pin!(log.append(read(number, "anna", 1)).unwrap());
        let position = loop {
            let mut context = Context::from_waker(&waker);
            match receipt.as_mut().poll(&mut context) {
                Poll::Ready(position) => break position.unwrap(),
                Poll::Pending => std::thread::park(),
            }
        };
        assert_eq!(position.sequence, number as u64);
    }
    assert!(count.0.load(Ordering::SeqCst) <= 20);
}

#[test]
fn reopening_goes_on_in_the_same_series() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let log = open(directory.path());
        assert_eq!(
            acknowledge(&log, read(round, "anna", 1)).sequence,
            round as u64
        );
    }
    // Opening without writing leaves nothing behind.
    drop(open(directory.path()));
    assert_eq!(segments(directory.path()).len(), 5);
    assert_sound(&Archive::open(directory.path()));
}

#[test]
fn two_writers_have_a_series_each() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(directory.path()), open(directory.path()));
    assert_ne!(one.series(), two.series());
    for number in 0..50 {
        acknowledge(&one, read(2 * number, "one", 1));
        acknowledge(&two, read(2 * number + 1, "two", 1));
    }
    let all = everything(two.archive());
    assert_eq!(all.len(), 100);
    assert!(all.is_sorted_by_key(|logged| logged.entry.at));
    assert_sound(one.archive());
    drop((one, two));
    assert_sound(&Archive::open(directory.path()));
    let again = open(directory.path());
    assert_eq!(acknowledge(&again, read(200, "one", 1)).sequence, 50);
}

#[test]
fn a_full_buffer_refuses_instead_of_growing() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        buffer_bytes: 600,
        ..Settings::new(directory.path())
    };
    let disk = FailingDisk::default();
    let log = AccessLog::open_on(settings, at(0), Arc::new(disk.clone())).unwrap();
    // The writer stops in the disk, which is held here.
    let held = disk.0.lock();
    let mut receipts = Vec::new();
    let full = loop {
        match log.append(read(1, "anna", 1)) {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, AccessLogError::Full));
    assert!(receipts.len() <= 6, "{}", receipts.len());
    drop(held);
    for receipt in receipts {
        receipt.wait().unwrap();
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut long = read(1, &"a".repeat(NAME_LIMIT + 1), 1);
    let limit = |entry: &Entry| match log.append(entry.clone()) {
        Err(AccessLogError::Limit { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(&long), "actor");
    long = read(1, "anna", 1);
    long.query = Some("q".repeat(QUERY_LIMIT + 1));
    assert_eq!(limit(&long), "query");
    long = read(1, "anna", 1);
    long.records = vec![record(1); RECORDS_LIMIT + 1];
    assert_eq!(limit(&long), "records");
    long = read(1, "anna", 1);
    long.detail = Some(serde_json::json!("d".repeat(DETAIL_LIMIT)));
    assert_eq!(limit(&long), "detail");
}

#[test]
fn no_number_of_a_person_reaches_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut entry = read(1, "18900101-9802", 1);
    entry.query = Some("identifier=189001019802".to_owned());
    entry.purpose = Some("ring 890101+9802".to_owned());
    entry.detail = Some(serde_json::json!({ "subject": "18900101 9802" }));
    acknowledge(&log, entry);
    drop(log);
    for path in segments(directory.path()) {
        let bytes = std::fs::read(path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("9802"));
    }
    let query = Query {
        actor: Some("18900101-9802".to_owned()),
        ..Query::default()
    };
    assert_eq!(
        Archive::open(directory.path())
            .search(&query)
            .unwrap()
            .entries
            .len(),
        1
    );
}

#[test]
fn after_shutdown_everything_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let receipt = log.append(read(1, "anna", 1)).unwrap();
    log.clone().shutdown();
    receipt.wait().unwrap();
    assert!(matches!(
        log.append(read(2, "anna", 1)),
        Err(AccessLogError::ShutDown)
    ));
    assert!(matches!(log.seal(), Err(AccessLogError::ShutDown)));
}

#[test]
fn a_failed_batch_is_refused_and_the_next_goes_to_a_new_segment() {
    let working = Faults::default();
    for (name, faults) in [
        (
            "create",
            Faults {
                create: true,
                ..working
            },
        ),
        (
            "full",
            Faults {
                room: Some(0),
                ..working
            },
        ),
        (
            "full in the middle",
            Faults {
                room: Some(77),
                ..working
            },
        ),
        (
            "sync",
            Faults {
                sync: true,
                ..working
            },
        ),
        (
            "sync and truncate",
            Faults {
                sync: true,
                truncate: true,
                ..working
            },
        ),
        (
            "directory",
            Faults {
                sync_directory: true,
                ..working
            },
        ),
    ] {
        // With and without a segment that has entries already; reopened by the same process or after its death.
        for before in [0, 3] {
            let directory = tempfile::tempdir().unwrap();
            let disk = FailingDisk::default();
            let log = disk.open(directory.path());
            for number in 0..before {
                acknowledge(&log, read(number, "kept", 1));
            }
            disk.set(faults);
            for number in 0..3 {
                let outcome = log.append(read(10 + number, "lost", 1)).unwrap().wait();
                let needs_new_name = ["create", "directory"].contains(&name);
                if needs_new_name && before > 0 {
                    outcome.unwrap();
                } else {
                    assert!(
                        matches!(outcome, Err(AccessLogError::NotWritten(_))),
                        "{name}"
                    );
                }
            }
            disk.set(working);
            acknowledge(&log, read(20, "kept", 1));
            assert_sound(log.archive());
            let kept = |archive: &Archive| {
                let all = everything(archive);
                all.iter()
                    .filter(|logged| logged.entry.actor == "kept")
                    .count() as i64
            };
            assert_eq!(kept(log.archive()), before + 1, "{name}");
            drop(log);
            let again = disk.open(directory.path());
            assert!(again.opening().damaged.is_empty(), "{name}");
            acknowledge(&again, read(30, "kept", 1));
            assert_eq!(kept(again.archive()), before + 2, "{name}");
            drop(again);
            assert_sound(&Archive::open(directory.path()));
        }
    }
}

#[test]
fn a_segment_that_could_not_be_closed_is_closed_at_the_next_opening() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FailingDisk::default();
    let log = disk.open(directory.path());
    acknowledge(&log, read(1, "anna", 1));
    disk.set(Faults {
        room: Some(100),
        ..Faults::default()
    });
    log.seal().unwrap().wait().unwrap();
    disk.set(Faults::default());
    assert_eq!(log.metrics().unclosed, 1);
    acknowledge(&log, read(2, "anna", 1));
    assert_sound(log.archive());
    drop(log);
    drop(disk.open(directory.path()));
    assert_sound(&Archive::open(directory.path()));
    assert_eq!(everything(&Archive::open(directory.path())).len(), 2);
    for path in segments(directory.path()) {
        assert!(crate::archive::open_closed(&path).unwrap().is_some());
    }
}
