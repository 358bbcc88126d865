//! Who may write, for whom, how often.

use grunddata_model::Domain::Organisation;
use grunddata_registry::{Actor, Code, Idempotency, IfMatch, Origin, Outcome, Role};
use grunddata_testing::on_both;

use crate::stack::*;

fn idempotency(key: &str, fingerprint: u8) -> Option<Idempotency> {
    Some(Idempotency {
        key: key.to_owned(),
        scope: "POST /api/v1/organisations".to_owned(),
        fingerprint: [fingerprint; 32],
    })
}

on_both! {
    using stack;

    fn a_retry_gets_the_outcome_of_the_first_time(stack: Stack) {
        let context = stack.system();
        let send = |context, key: &str, fingerprint| {
            stack.block_on(stack.registry.write(context, create(Organisation, organisation("A", "unit"), "2026-01-01"), idempotency(key, fingerprint)))
        };
        let first = send(&context, "key-1", 1).unwrap();
        assert!(!first.replayed);
        let again = send(&context, "key-1", 1).unwrap();
        assert_eq!((again.id, again.version, again.outcome, again.replayed), (first.id, 1, Outcome::Created, true));
        let reused = send(&context, "key-1", 2).unwrap_err();
        assert_eq!(reused.code, Code::IdempotencyKeyReused);
        let other = send(&context, "key-2", 1).unwrap();
        assert_ne!(other.id, first.id);
        // Another client has its own keys.
        let writer = stack.as_actor("a", Role::Editor);
        assert_ne!(send(&writer, "key-1", 1).unwrap().id, first.id);
        assert_eq!(send(&context, "", 1).unwrap_err().code, Code::InvalidIdempotencyKey);
        assert_eq!(send(&context, "a b", 1).unwrap_err().code, Code::InvalidIdempotencyKey);
    }

    fn a_refused_request_leaves_its_key_unused(stack: Stack) {
        let context = stack.system();
        let bad = create(Organisation, organisation("A", "nonsense"), "2026-01-01");
        let send = |command, fingerprint| stack.block_on(stack.registry.write(&context, command, idempotency("key", fingerprint)));
        assert_eq!(send(bad, 1).unwrap_err().code, Code::InvalidData);
        assert!(send(create(Organisation, organisation("A", "unit"), "2026-01-01"), 2).is_ok());
    }

    fn writers_write_for_their_own_owner(stack: Stack) {
        let writer = stack.as_actor("a", Role::Editor);
        let mine = created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| create.envelope.owner = None);
        let written = stack.write_as(&writer, mine.clone()).unwrap();
        assert_eq!(written.owner, owner("a"));
        let theirs = created(mine.clone(), |create| create.envelope.owner = Some(owner("b")));
        assert_eq!(stack.write_as(&writer, theirs.clone()).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.write_as(&stack.system(), mine.clone()).unwrap_err().code, Code::OwnerRequired);
        assert_eq!(stack.write_as(&stack.as_actor("a", Role::Reader), mine.clone()).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.write_as(&stack.anonymous(), mine.clone()).unwrap_err().code, Code::Unauthenticated);
        let nowhere = created(mine, |create| create.envelope.owner = Some(owner("nowhere")));
        assert_eq!(stack.write_as(&stack.system(), nowhere).unwrap_err().code, Code::UnknownOwner);
        // A record of somebody else that the writer may not see is not there at all.
        let hidden = stack.write_as(&stack.system(), theirs).unwrap();
        let refusal = stack.write_as(&writer, end(Organisation, hidden.id, "2026-04-01", None)).unwrap_err();
        assert_eq!(refusal.code, Code::NotFound);
        // To create under its id is refused without saying why.
        let mut put = replaced(replace(Organisation, hidden.id, organisation("A", "unit"), "2026-01-01"), |replace| replace.envelope.owner = Some(owner("a")));
        put.if_match = None;
        let refusal = stack.write_as(&writer, put).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        assert!(!refusal.detail.contains("owner b"));
        let reader = stack.as_actor("b", Role::Editor);
        let refusal = stack.write_as(&reader, end(Organisation, written.id, "2026-04-01", None)).unwrap_err();
        // The owner a has open data, so that the record is seen, and the refusal says whose it is.
        assert_eq!(refusal.code, Code::Forbidden);
    }

    fn a_clock_that_jumps_stops_writes_and_no_reads(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.pass(4_000 * 86_400);
        assert_eq!(stack.refused(end(Organisation, id, "2026-04-01", None)).code, Code::ClockJump);
        assert!(stack.data(id, "2026-02-01").is_ok());
        stack.pass(-4_000 * 86_400);
        stack.write(end(Organisation, id, "2026-04-01", None)).unwrap();
    }

    fn copies_are_read_only(stack: Stack) {
        let copy = created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| {
            create.envelope.origin = Origin::Copy { of: "Bolagsverket".to_owned(), copied: Some(day("2026-02-01")), received_at: None };
        });
        let writer = stack.as_actor("a", Role::Administrator);
        assert_eq!(stack.write_as(&writer, copy.clone()).unwrap_err().code, Code::Forbidden);
        let id = stack.id(copy);
        let refusal = stack.write_as(&writer, end(Organisation, id, "2026-04-01", None)).unwrap_err();
        assert_eq!(refusal.code, Code::ReadOnlyCopy);
        assert_eq!(refusal.facts["origin"]["of"], "Bolagsverket");
        let own = stack.id(create(Organisation, organisation("B", "unit"), "2026-01-01"));
        let turned = replaced(replace(Organisation, own, organisation("B", "unit"), "2026-02-01"), |replace| {
            replace.envelope.origin = Origin::Copy { of: "Bolagsverket".to_owned(), copied: None, received_at: None };
        });
        assert_eq!(stack.write_as(&writer, turned).unwrap_err().code, Code::Forbidden);
        let feeder = Actor { feeds_copies: true, ..writer.actor.clone() };
        stack.write_as(&stack.registry.context(feeder, "feed"), end(Organisation, id, "2026-04-01", None)).unwrap();
        let record = stack.get_as(&stack.system(), id, &grunddata_registry::At::on(day("2026-02-01"))).unwrap();
        assert_eq!(record.origin, Origin::Copy { of: "Bolagsverket".to_owned(), copied: Some(day("2026-02-01")), received_at: None });
    }

    fn a_controller_is_an_organisation(stack: Stack) {
        let committee = stack.id(create(Organisation, organisation("Nämnden", "committee"), "2020-01-01"));
        let of = |controller| created(create(grunddata_model::Domain::Person, person("Ronja Ask"), "2026-01-01"), |create| create.envelope.controller = Some(controller));
        let id = stack.id(of(committee));
        let record = stack.get_as(&stack.system(), id, &grunddata_registry::At::on(day("2026-02-01"))).unwrap();
        assert_eq!(record.controller, Some(committee));
        assert_eq!(stack.refused(of(id)).code, Code::ReferenceNotFound);
    }

    fn the_domain_and_the_text_of_the_envelope_are_checked(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let refusal = stack.refused(end(grunddata_model::Domain::Person, id, "2026-04-01", None));
        assert_eq!(refusal.code, Code::NotFound);
        for reason in ["", "\u{0}", &"x".repeat(1_001)] {
            let mut command = end(Organisation, id, "2026-04-01", None);
            command.note.reason = Some(reason.to_owned());
            assert_eq!(stack.refused(command).code, Code::InvalidText);
        }
        let mut command = replace(Organisation, id, organisation("B", "unit"), "2026-02-01");
        command.if_match = Some(IfMatch::Version(1));
        stack.write(command).unwrap();
    }
}
