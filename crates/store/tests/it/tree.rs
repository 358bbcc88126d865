//! The log as a tree: proofs, erasures, what was tampered with, files, epochs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use grunddata_log_proof::entry::{PARTS, verify_entry};
use grunddata_log_proof::head::{Head, SigningKey};
use grunddata_log_proof::merkle::{
    CompactRange, Hash, ProofError, verify_consistency, verify_inclusion,
};
use grunddata_model::{Domain, Instant, RecordId};
use grunddata_store::{
    Erased, LogHead, Operation, OwnerSet, Store, StoreOptions, verify_lossless_logs,
};
use grunddata_testing::{Database, Engine, on_both};
use serde_json::json;

use crate::world::{
    World, between, model, new_id, person, put, resolved, since, staged, timeline, unit, world,
};

impl World {
    fn head(&self) -> LogHead {
        self.head_at(None).unwrap()
    }

    fn head_at(&self, size: Option<u64>) -> Option<LogHead> {
        self.store
            .read(|reader| reader.tree_head(&self.owner, size))
            .unwrap()
    }

    fn leaf(&self, position: u64) -> Hash {
        let size = self.head().size;
        let proof = self
            .store
            .read(|reader| reader.inclusion_proof(&self.owner, position, size))
            .unwrap();
        proof.unwrap().leaf.unwrap()
    }

    /// As many organisations in one transaction.
    fn many(&self, count: usize) -> Vec<RecordId> {
        let ids: Vec<RecordId> = (0..count).map(|_| new_id()).collect();
        let all = ids.clone();
        self.tick();
        self.job(move |tx| {
            for id in &all {
                put(
                    tx,
                    *id,
                    timeline([(since("2020-01-01"), unit("Enhet", None))]),
                )?;
            }
            Ok(())
        })
        .unwrap();
        ids
    }

    fn exported(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.store
            .export_lossless(&OwnerSet::All, &mut bytes, &mut |_| {})
            .unwrap();
        bytes
    }

    /// A statement on the database itself, past everything.
    fn tamper(&self, statement: &str) {
        assert!(self.execute(statement) > 0, "{statement}");
    }

    fn rules(&self) -> Vec<&'static str> {
        let findings = self.store.verify(&mut |_| {}).unwrap();
        let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
        rules.dedup();
        rules
    }
}

fn mixed_person(given: &str) -> grunddata_information_model::Resolved {
    resolved(
        Domain::Person,
        json!({
            "name": {"given": [given], "family": "Provare"},
            "identifiers": [{"scheme": "se-personal-identity-number", "value": "199205042394"}],
        }),
    )
}

on_both! {
    using world;

    fn heads_and_proofs_are_those_of_the_plain_tree(world: World) {
        assert_eq!(world.head().size, 0);
        // Single writes, and a batch that goes over the borders of tiles.
        for number in 0..5 {
            world.create(unit(&format!("Enhet {number}"), None));
        }
        world.many(300);
        world.many(230);
        let size = world.head().size;
        assert_eq!(size, 535);
        let leaves: Vec<Hash> = (1..=size).map(|position| world.leaf(position)).collect();
        let root = |size: u64| {
            let mut tree = CompactRange::new(0);
            leaves.iter().take(usize::try_from(size).unwrap()).for_each(|leaf| tree.push(*leaf));
            tree.root().unwrap()
        };
        for size in [1, 2, 5, 255, 256, 257, 300, 511, 512, 513, 535] {
            let head = world.head_at(Some(size)).unwrap();
            assert_eq!(head.root, root(size), "{size}");
            for position in [1, 2, 255, 256, 257, 512, 513, size] {
                let proof = world.store.read(|reader| reader.inclusion_proof(&world.owner, position, size)).unwrap();
                assert_eq!(proof.is_some(), position <= size);
                if let Some(proof) = proof {
                    let leaf = proof.leaf.unwrap();
                    verify_inclusion(position - 1, size, leaf, &proof.path, head.root).unwrap();
                    assert!(verify_inclusion(position - 1, size, root(1), &proof.path, head.root).is_err() || position == 1);
                }
            }
            for from in [1, 3, 256, 300, 512, size] {
                let proof = world.store.read(|reader| reader.consistency_proof(&world.owner, from, size)).unwrap();
                assert_eq!(proof.is_some(), from <= size);
                if let Some(proof) = proof {
                    verify_consistency(from, size, root(from), head.root, &proof.path).unwrap();
                }
            }
        }
        assert!(world.head_at(Some(536)).is_none());
        assert!(world.store.read(|reader| reader.inclusion_proof(&world.owner, 536, 536)).unwrap().is_none());
        assert!(world.store.read(|reader| reader.inclusion_proof(&world.owner, 0, 5)).unwrap().is_none());
        assert!(world.store.read(|reader| reader.consistency_proof(&world.owner, 0, 5)).unwrap().is_none());
        assert!(world.store.read(|reader| reader.consistency_proof(&world.owner, 5, 536)).unwrap().is_none());
    }

    fn an_erasure_leaves_roots_and_proofs_and_nothing_that_opens_them(world: World) {
        let kept = world.create(unit("Kvar", None));
        let (id, other) = (new_id(), new_id());
        world.tick();
        world.job(move |tx| {
            let mut write = staged(id, Default::default(), timeline([
                (between("2020-01-01", "2022-01-01"), mixed_person("Vera")), (since("2022-01-01"), person("Vera", "Provare", false)),
            ]));
            write.reason = Some("Vera flyttade in".into());
            write.source = Some("hr".into());
            write.touched = since("2020-01-01");
            let mut follows = staged(other, Default::default(), timeline([(since("2020-01-01"), unit("Enhet", None))]));
            follows.transaction = write.transaction;
            follows.operation = Operation::Follow;
            follows.reason = write.reason.clone();
            tx.stage(write)?;
            tx.stage(follows)
        }).unwrap();
        world.set(id, timeline([(since("2020-01-01"), mixed_person("Vera Maria"))]));
        let before = world.head();
        let proofs = world.store.read(|reader| reader.entry_proofs(&world.owner, &[1, 2, 3, 4], true, &BTreeSet::new())).unwrap();
        for (position, proof) in &proofs {
            assert_eq!(proof.check(world.owner.as_str(), *position).unwrap(), world.leaf(*position));
            assert!(proof.secret.is_some());
        }
        assert!(proofs[1].1.parts["personal"].content.as_ref().unwrap().contains("Vera"), "the name is personal");
        assert!(!proofs[1].1.parts["public"].content.as_ref().unwrap().contains("Vera"));
        assert_eq!(world.erase(&[id]).unwrap(), Erased::Done(vec![(id, 3)]));
        // The old head is that of the beginning of the log still, and every entry is provable as far as it is left.
        assert_eq!(world.head_at(Some(before.size)).unwrap(), before);
        let after = world.store.read(|reader| reader.entry_proofs(&world.owner, &[1, 2, 3, 4, 5], true, &BTreeSet::new())).unwrap();
        for (position, proof) in &after {
            assert_eq!(proof.check(world.owner.as_str(), *position).unwrap(), world.leaf(*position));
        }
        for (at, left) in [(0, PARTS.to_vec()), (1, vec!["entry", "actor"]), (3, vec!["entry", "actor"]), (4, PARTS.to_vec())] {
            let shown: Vec<&str> = PARTS.into_iter().filter(|name| after[at].1.parts[*name].content.is_some()).collect();
            assert_eq!(shown, left, "position {}", at + 1);
        }
        // Whose reason was that of the erased record has lost this alone.
        let (_, follows) = &after[2];
        assert!(follows.secret.is_none() && follows.parts["reason"].hash.is_some());
        assert!(follows.parts["public"].content.is_some() || follows.parts["internal"].content.is_some());
        assert_eq!(after[0].1, proofs[0].1, "{kept} is as it was");
        // Nothing is left that the salts followed from.
        let secret = Hash(proofs[1].1.secret.unwrap()).to_string();
        let exported = String::from_utf8(world.exported()).unwrap();
        assert!(!exported.contains(&secret) && !exported.contains("Vera"));
        let logs = verify_lossless_logs(&model(), &mut exported.as_bytes(), &[]).unwrap();
        assert!(logs[0].problems.is_empty(), "{logs:?}");
    }

    fn what_was_tampered_with_is_found(world: World) {
        world.many(260);
        let before = world.head();
        for (statement, back, rule) in [
            ("UPDATE change SET actor = 'other' WHERE position = 7", "UPDATE change SET actor = 'test' WHERE position = 7", "log-leaf"),
            ("UPDATE change SET reason = 'why' WHERE position = 7", "UPDATE change SET reason = NULL WHERE position = 7", "log-leaf"),
            ("UPDATE log_node SET number = 5", "UPDATE log_node SET number = 0", "log-nodes"),
        ] {
            world.tamper(statement);
            assert!(world.rules().contains(&rule), "{statement}: {:?}", world.rules());
            world.tamper(back);
            assert!(world.rules().is_empty(), "{back}");
        }
        // A leaf that was made anew for another content: what stands above it is another one.
        let (open, close) = if world.url().starts_with("postgres") { ("'\\x", "'") } else { ("x'", "'") };
        let other = world.leaf(10).to_string();
        for (position, rule) in [(9, "log-nodes"), (258, "log-root")] {
            let leaf = world.leaf(position).to_string();
            world.tamper(&format!("UPDATE change SET leaf = {open}{other}{close} WHERE position = {position}"));
            let rules = world.rules();
            assert!(rules.contains(&"log-leaf") && rules.contains(&"log-root") && rules.contains(&rule), "{rules:?}");
            if position == 258 {
                // Whoever has the old head finds it too.
                let now = world.head();
                assert_ne!(now.root, before.root);
                assert_eq!(verify_consistency(260, 260, before.root, now.root, &[]), Err(ProofError::Root));
            }
            world.tamper(&format!("UPDATE change SET leaf = {open}{leaf}{close} WHERE position = {position}"));
            assert_eq!(world.head(), before);
            assert!(world.rules().is_empty());
        }
    }

    fn a_file_carries_leaves_secrets_and_the_signed_head(world: World) {
        world.many(3);
        let id = world.create(mixed_person("Vera"));
        world.set(id, timeline([(since("2020-01-01"), mixed_person("Vera Maria"))]));
        let epoch = world.store.begin_epoch(&world.owner).unwrap();
        world.many(256);
        let head = world.head();
        assert_eq!((head.epoch, epoch.fork_position), (epoch.epoch, 5));
        let file = world.exported();
        let key = world.store.log_signing_key().unwrap().public();
        let logs = verify_lossless_logs(&model(), &mut file.as_slice(), &[key]).unwrap();
        assert_eq!((logs[0].size, logs[0].root, logs[0].signed_by), (head.size, head.root, Some(key)));
        assert!(logs[0].problems.is_empty(), "{logs:?}");
        let stranger = SigningKey::from_seed(&[1; 32]).unwrap().public();
        let logs = verify_lossless_logs(&model(), &mut file.as_slice(), &[stranger]).unwrap();
        assert!(logs[0].problems.len() == 1 && logs[0].problems[0].contains("key"), "{logs:?}");
        // Into the other engine: the same leaves, the same root, the same proofs.
        let other = Database::new(match world.url().starts_with("postgres") {
            true => Engine::Sqlite,
            false => Engine::Postgres,
        });
        let now: Instant = "2026-03-01T08:00:00Z".parse().unwrap();
        let copy = Store::open(StoreOptions::new(other.url.as_str(), Arc::new(move || now)), model()).unwrap();
        copy.migrate().unwrap();
        copy.import_lossless(&mut file.as_slice(), true, &mut |_| {}).unwrap();
        let again = copy.read(|reader| reader.tree_head(&world.owner, None)).unwrap().unwrap();
        assert_eq!(again, head);
        let proofs = |store: &Store| {
            let inclusion = store.read(|reader| reader.inclusion_proof(&world.owner, 17, 261)).unwrap().unwrap();
            (inclusion, store.read(|reader| reader.entry_proofs(&world.owner, &[4, 5], true, &BTreeSet::new())).unwrap(), store.read(|reader| reader.log_epochs(&world.owner)).unwrap())
        };
        assert_eq!(proofs(&copy), proofs(&world.store));
        // The old key is known there, and is not signed with.
        let keys = copy.log_keys().unwrap();
        assert!(keys.len() == 1 && keys[0].public == key && keys[0].retired_at.is_some());
        assert_ne!(copy.log_signing_key().unwrap().public(), key);
        copy.shutdown();
        // A file of which a state was changed, with the hash and the checksum made anew, contradicts its leaves.
        let text = String::from_utf8(file).unwrap();
        let changed = text.replacen("\"actor\":\"test\"", "\"actor\":\"eve\"", 1);
        let (body, _) = changed.split_at(changed.rfind("{\"end\":").unwrap());
        use sha2::Digest as _;
        let sum: String = sha2::Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut end: serde_json::Value = serde_json::from_str(&changed[body.len()..]).unwrap();
        end["end"]["sha256"] = sum.into();
        let forged = format!("{body}{end}\n");
        let logs = verify_lossless_logs(&model(), &mut forged.as_bytes(), &[key]).unwrap();
        assert!(logs[0].problems.iter().any(|problem| problem.contains("commits to")), "{logs:?}");
    }

    fn a_tree_grows_over_changes_from_before_it(world: World) {
        world.many(3);
        let id = world.create(mixed_person("Vera"));
        world.set(id, timeline([(since("2020-01-01"), mixed_person("Vera Maria"))]));
        world.many(600);
        world.erase(&[id]).unwrap();
        let other = world.create(mixed_person("Eva"));
        world.tamper("UPDATE change SET leaf = NULL, opening = NULL");
        world.tamper("DELETE FROM log_node");
        let empty = if world.url().starts_with("postgres") { "''" } else { "x''" };
        world.tamper(&format!("UPDATE owner SET tree_size = 0, tree_nodes = {empty}"));
        // What is written before it has grown waits for it.
        world.create(unit("Under tiden", None));
        assert_eq!(world.head().size, 0);
        assert_eq!(world.store.grow_trees(&|| true).unwrap(), 1);
        assert_eq!(world.store.grow_trees(&|| true).unwrap(), 0);
        assert_eq!(world.head().size, 608);
        world.set(other, timeline([(since("2020-01-01"), mixed_person("Eva Maria"))]));
        assert_eq!(world.head().size, 609);
        assert_eq!(world.erase(&[other]).unwrap(), Erased::Done(vec![(other, 3)]));
    }

    fn a_history_that_was_written_anew_is_not_consistent(world: World) {
        world.many(5);
        let old = world.head();
        // Another history of the same length, in another database, and then more of it.
        let other = crate::world::world(if world.url().starts_with("postgres") { Engine::Postgres } else { Engine::Sqlite });
        other.many(8);
        let new = other.head();
        let proof = other.store.read(|reader| reader.consistency_proof(&other.owner, 5, 8)).unwrap().unwrap();
        assert_eq!(verify_consistency(5, 8, old.root, new.root, &proof.path), Err(ProofError::Root));
        let own = other.head_at(Some(5)).unwrap();
        verify_consistency(5, 8, own.root, new.root, &proof.path).unwrap();
    }

    fn keys_are_replaced_and_stay_known(world: World) {
        let first = world.store.log_signing_key().unwrap().public();
        assert_eq!(world.store.log_signing_key().unwrap().public(), first);
        world.tick();
        let made = world.store.rotate_log_key().unwrap();
        let second = world.store.log_signing_key().unwrap();
        assert_eq!(second.public(), made.public);
        let keys = world.store.log_keys().unwrap();
        assert_eq!(keys.iter().map(|key| key.public).collect::<Vec<_>>(), [first, made.public]);
        assert!(keys[0].retired_at.is_some() && keys[1].retired_at.is_none());
        let head = world.head();
        let note = Head {
            owner: world.owner.to_string(), epoch: head.epoch, size: head.size, root: head.root, at: head.at.to_string(),
        }.signed(&second);
        let known: Vec<_> = keys.iter().map(|key| key.public).collect();
        assert_eq!(Head::verified(&note, &known).unwrap().1, made.public);
    }

    fn a_leaf_commits_to_everything_that_an_entry_says(world: World) {
        let id = new_id();
        world.tick();
        world.job(move |tx| {
            let mut write = staged(id, Default::default(), timeline([(since("2020-01-01"), mixed_person("Vera"))]));
            write.reason = Some("därför".into());
            write.touched = since("2020-01-01");
            tx.stage(write)
        }).unwrap();
        let proof = world.store.read(|reader| reader.entry_proofs(&world.owner, &[1], true, &BTreeSet::new())).unwrap().remove(0).1;
        let said: Vec<serde_json::Value> = serde_json::from_str(proof.content(0).unwrap()).unwrap();
        assert_eq!(said[0], json!(id));
        let shown: HashMap<&str, serde_json::Value> = HashMap::from([("domain", json!("person")), ("kind", json!("create"))]);
        let mut entry = json!({
            "position": 1, "record": said[0], "domain": shown["domain"], "kind": shown["kind"], "version": 1,
            "recordedAt": said[4], "transaction": said[5], "changeKind": "change", "validFrom": "2020-01-01", "validTo": null,
            "actor": "test", "reason": "därför",
            "states": [{"validFrom": "2020-01-01", "validTo": null, "model": mixed_person("Vera").model(), "data": mixed_person("Vera").value()}],
            "proof": proof,
        });
        let owner = world.owner.as_str();
        let verified = verify_entry(owner, &entry, &|_| String::new()).unwrap();
        assert_eq!((verified.position, verified.leaf), (1, world.leaf(1)));
        entry["states"][0]["data"] = mixed_person("Eva").value();
        assert!(verify_entry(owner, &entry, &|_| String::new()).is_err());
    }
}
