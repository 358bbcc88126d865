//! Searches give what a look at every entry gives.

use proptest::prelude::*;

use super::*;

fn entry() -> impl Strategy<Value = Entry> {
    let words = prop::sample::select(vec!["anna", "bert", "cleo"]);
    (
        0_i64..40,
        words.clone(),
        prop::option::of(words),
        prop::collection::vec(0_u128..6, 0..4),
        prop::sample::select(vec![Kind::Read, Kind::Search, Kind::Administration]),
        0_u8..3,
    )
        .prop_map(|(seconds, actor, purpose, records, kind, owner)| {
            let mut entry = Entry::new(at(seconds), kind, actor, Channel::Rest, "operation");
            entry.purpose = purpose.map(str::to_owned);
            entry.records = records.into_iter().map(record).collect();
            entry.owners = vec![OwnerKey::new(&format!("owner-{owner}")).unwrap()];
            entry.request_id = Some(format!("request-{seconds}"));
            entry
        })
}

fn query() -> impl Strategy<Value = Query> {
    (
        prop::option::of(0_i64..40),
        prop::option::of(0_i64..40),
        prop::option::of(prop::sample::select(vec!["anna", "bert", "nobody"])),
        prop::option::of(0_u128..7),
        prop::option::of(prop::sample::select(vec![Kind::Read, Kind::Administration])),
        prop::option::of(0_u8..4),
        prop::option::of(prop::sample::select(vec!["cleo", "anna"])),
        prop::option::of(prop::sample::select(vec!["REQUEST-1", "cleo", "zzz"])),
        any::<bool>(),
        (1_usize..20, 1_u64..40),
    )
        .prop_map(
            |(from, to, actor, wanted, kind, owner, purpose, text, newest, (limit, examine))| {
                Query {
                    from: from.map(at),
                    to: to.map(at),
                    actor: actor.map(str::to_owned),
                    record: wanted.map(record),
                    kind,
                    owner: owner.map(|owner| OwnerKey::new(&format!("owner-{owner}")).unwrap()),
                    purpose: purpose.map(str::to_owned),
                    text: text.map(str::to_owned),
                    order: if newest {
                        Order::NewestFirst
                    } else {
                        Order::OldestFirst
                    },
                    limit,
                    examine,
                    ..Query::default()
                }
            },
        )
}

fn fits(query: &Query, entry: &Entry) -> bool {
    let text = serde_json::to_string(entry).unwrap().to_lowercase();
    query.from.is_none_or(|from| entry.at >= from)
        && query.to.is_none_or(|to| entry.at < to)
        && query
            .actor
            .as_ref()
            .is_none_or(|actor| *actor == entry.actor)
        && query
            .record
            .is_none_or(|record| entry.records.contains(&record))
        && query.kind.as_ref().is_none_or(|kind| *kind == entry.kind)
        && query
            .owner
            .as_ref()
            .is_none_or(|owner| entry.owners.contains(owner))
        && (query.purpose.is_none() || query.purpose == entry.purpose)
        && query
            .text
            .as_ref()
            .is_none_or(|wanted| text.contains(&wanted.to_lowercase()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_hold_exactly_what_fits_once_and_in_order(
        mut entries in prop::collection::vec((entry(), any::<bool>()), 0..80),
        queries in prop::collection::vec(query(), 1..8),
        segment_bytes in 200_u64..6_000,
    ) {
        entries.sort_by_key(|(entry, _)| entry.at);
        let directory = tempfile::tempdir().unwrap();
        let logs = [
            open_small(directory.path(), segment_bytes),
            open_small(directory.path(), segment_bytes),
        ];
        for (entry, second) in &entries {
            drop(logs[usize::from(*second)].append(entry.clone()).unwrap());
        }
        for log in &logs {
            // What waits is written before the segment is closed; one log stays as it is afterwards.
            log.seal().unwrap().wait().unwrap();
        }
        let last = read(39, "anna", 3);
        acknowledge(&logs[0], last.clone());
        entries.push((last, false));
        for query in queries {
            let mut expected: Vec<&Entry> =
                entries.iter().map(|(entry, _)| entry).filter(|entry| fits(&query, entry)).collect();
            let mut asked = query.clone();
            let mut found = Vec::new();
            loop {
                let page = logs[1].archive().search(&asked).unwrap();
                prop_assert!(page.complete && page.entries.len() <= query.limit);
                found.extend(page.entries.into_iter().map(|logged| logged.entry));
                asked.after = page.next;
                if asked.after.is_none() {
                    break;
                }
            }
            let instants: Vec<Instant> = found.iter().map(|entry| entry.at).collect();
            match query.order {
                Order::OldestFirst => prop_assert!(instants.is_sorted()),
                Order::NewestFirst => prop_assert!(instants.iter().rev().is_sorted()),
            }
            let text = |entry: &Entry| serde_json::to_string(entry).unwrap();
            let mut found: Vec<String> = found.iter().map(text).collect();
            let mut wanted: Vec<String> = expected.drain(..).map(text).collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
        }
    }
}

#[test]
fn the_readers_of_a_record_are_grouped() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_small(directory.path(), 1_500);
    for number in 0..30 {
        let mut entry = read(number, if number % 3 == 0 { "anna" } else { "bert" }, 1);
        entry.unit = Some(if number % 2 == 0 { "school" } else { "care" }.to_owned());
        acknowledge(&log, entry);
        acknowledge(&log, read(number, "other", 2));
    }
    let mut refused = read(29, "refused", 1);
    refused.unit = Some("school".to_owned());
    refused.outcome = Outcome::Refused("forbidden".to_owned());
    acknowledge(&log, refused);
    let mut act = read(29, "administrator", 1);
    act.kind = Kind::Administration;
    acknowledge(&log, act);
    let answer = log
        .archive()
        .readers_of(&[record(1)], Some(at(3)), Some(at(30)))
        .unwrap();
    assert!(answer.complete);
    let told: Vec<_> = answer
        .readers
        .iter()
        .map(|reader| {
            (
                reader.unit.as_deref().unwrap(),
                reader.actor.as_str(),
                reader.count,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("care", "anna", 5),
            ("care", "bert", 9),
            ("school", "anna", 4),
            ("school", "bert", 9),
            // Told something with its refusal.
            ("school", "refused", 1)
        ]
    );
    // What showed both counts once.
    let mut both = read(29, "other", 1);
    both.records.push(record(2));
    acknowledge(&log, both);
    let answer_of_both = log
        .archive()
        .readers_of(&[record(1), record(2)], None, None)
        .unwrap();
    let other = answer_of_both
        .readers
        .iter()
        .filter(|reader| reader.actor == "other");
    assert_eq!(other.map(|reader| reader.count).sum::<u64>(), 31);
    let ended = |outcome: &str| {
        let query = Query {
            outcome: Some(outcome.to_owned()),
            ..Query::default()
        };
        let page = log.archive().search(&query).unwrap();
        page.entries.len()
    };
    assert_eq!(
        ["ok", "refused", "forbidden", "not-found"].map(ended),
        [62, 1, 1, 0]
    );
    assert_eq!(answer.readers[0].first, at(3));
    assert_eq!(answer.readers[0].last, at(27));
    assert_eq!(
        log.archive()
            .readers_of(&[record(3)], None, None)
            .unwrap()
            .readers,
        []
    );
}

#[test]
fn an_auditor_of_one_owner_searches_what_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let owner = |key: &str| OwnerKey::new(key).unwrap();
    let log = open_small(directory.path(), 1_500);
    // So many that some stand in closed segments, which have an index, and some do not.
    for number in 0..30 {
        let mut entry = read(number, "anna", 1);
        entry.query = Some("of-b-only".to_owned());
        entry.detail = Some(serde_json::json!({"name": "of-b-only"}));
        entry.owners = match number % 3 {
            0 => vec![owner("a")],
            1 => vec![owner("b")],
            _ => vec![owner("a"), owner("b")],
        };
        acknowledge(&log, entry);
    }
    let search = |owns_record, text: Option<&str>, asked: Option<RecordId>| {
        let query = Query {
            auditor: Some(Auditor {
                owner: owner("a"),
                owns_record,
            }),
            text: text.map(str::to_owned),
            record: asked,
            ..Query::default()
        };
        let page = log.archive().search(&query).unwrap();
        assert!(page.next.is_none());
        let entries = page.entries.into_iter().map(|logged| logged.entry);
        entries.collect::<Vec<_>>()
    };
    let all = search(false, None, None);
    let whole = |entry: &&Entry| entry.owners == [owner("a")];
    assert_eq!((all.len(), all.iter().filter(whole).count()), (20, 10));
    for mixed in all.iter().filter(|entry| !whole(entry)) {
        let told = (&mixed.owners, &mixed.records, &mixed.query, &mixed.detail);
        assert_eq!(told, (&vec![], &vec![], &None, &None));
    }
    assert_eq!(search(false, Some("OF-B-ONLY"), None).len(), 10);
    assert_eq!(search(false, Some("\"b\""), None).len(), 0);
    assert_eq!(search(false, Some("anna"), None).len(), 20);
    assert_eq!(search(false, None, Some(record(1))).len(), 0);
    assert_eq!(search(true, None, Some(record(1))).len(), 20);
}

#[test]
fn new_entries_do_not_disturb_the_pages_of_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for number in 0..10 {
        acknowledge(&log, read(number, "anna", 1));
    }
    let mut query = Query {
        limit: 4,
        ..Query::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = log.archive().search(&query).unwrap();
        seen.extend(page.entries.iter().map(|logged| logged.sequence));
        acknowledge(&log, read(50, "anna", 1));
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    assert_eq!(seen, (0..10).rev().collect::<Vec<_>>());
    for bad in ["", "x", "n.zz-1", "n.1", "o"] {
        query.after = Some(bad.to_owned());
        assert!(
            matches!(log.archive().search(&query), Err(AccessLogError::Cursor)),
            "{bad}"
        );
    }
}
