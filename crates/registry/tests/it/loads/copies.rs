//! Sources whose records are copies of another register.

use grunddata_registry::{Code, IfMatch, NewSource, Origin, RowOutcome, SourceSettings};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{codes, found, full, of, outcomes, person, put, rows, run, source, steward};
use crate::stack::{Stack, amend, owner, stack};

const NUMBER: &str = "199001012385";
const OTHER: &str = "198112189876";

fn settings() -> SourceSettings {
    let mut settings = SourceSettings::new("Befolkningen", grunddata_model::Domain::ALL);
    settings.authoritative.ends = true.into();
    settings.copy_of = Some("Folkbokföringen".to_owned());
    settings
}

/// Whoever answers for the whole registry says what is a copy of what.
fn register(stack: &Stack) {
    let new = NewSource {
        owner: owner("a"),
        key: "register".to_owned(),
        settings: settings(),
        if_match: Some(IfMatch::Any),
        reason: None,
    };
    stack.registry.put_source(&stack.system(), new).unwrap();
}

on_both! {
    using stack;

    fn what_a_register_says_is_a_copy_that_it_alone_changes(stack: Stack) {
        let refusal = put(&stack, "register", settings()).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        register(&stack);
        let says = |name: &str| of("register", full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"full": name}}))]));
        let load = run(&stack, says("Åsa Ek"));
        assert_eq!((load.counts.applied, load.counts.set_aside), (1, 0));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        let record = stack.get_as(&stack.system(), id, &grunddata_registry::At::on(crate::stack::day("2026-03-02"))).unwrap();
        assert!(matches!(&record.origin, Origin::Copy { of, copied: Some(_), .. } if of == "Folkbokföringen"), "{:?}", record.origin);
        // Nobody else writes it: neither a steward nor another source.
        let refusal = stack.write_as(&steward(&stack), amend(grunddata_model::Domain::Person, id, json!({"name": {"full": "Bo"}}), "2026-03-02", None)).unwrap_err();
        assert_eq!(refusal.code, Code::ReadOnlyCopy);
        source(&stack, "hr", |_| {});
        let load = run(&stack, full("2026-03-03", vec![person(1, NUMBER, json!({"name": {"full": "Bo"}}))]));
        assert_eq!((outcomes(&stack, &load), codes(&rows(&stack, &load)[0])), (vec![RowOutcome::Conflict], vec!["read-only-copy"]));
        // The register does.
        let load = run(&stack, of("register", full("2026-03-04", vec![person(1, NUMBER, json!({"name": {"full": "Åsa Alm"}}))])));
        assert_eq!((load.counts.change, load.counts.set_aside), (1, 0));
        assert_eq!(stack.data(id, "2026-03-05").unwrap()["name"]["full"], "Åsa Alm");
        let load = run(&stack, of("register", full("2026-03-06", vec![person(1, OTHER, json!({"name": {"full": "Ny"}}))])));
        assert_eq!((load.counts.end, load.counts.create, load.counts.set_aside), (1, 1, 0));
    }

    fn a_register_lowers_a_protection_of_its_copies_only_where_it_decides_it(stack: Stack) {
        let decides = |protection: bool| {
            let mut settings = settings();
            settings.authoritative.protection = protection;
            let new = NewSource { owner: owner("a"), key: "register".to_owned(), settings, if_match: Some(IfMatch::Any), reason: None };
            stack.registry.put_source(&stack.system(), new).unwrap();
        };
        let says = |number: u64, identifier: &str, level: &str| person(number, identifier, json!({"name": {"full": "Åsa Ek"}, "protection": {"level": level}}));
        let both = |date: &str, first: &str, other: &str| {
            run(&stack, of("register", full(date, vec![says(1, NUMBER, first), says(2, OTHER, other)])))
        };
        let level = |id, date: &str| stack.data(id, date).unwrap()["protection"]["level"].clone();
        decides(false);
        both("2026-03-01", "protected-registration", "protected-registration");
        let [first, other] = [NUMBER, OTHER].map(|number| found(&stack, "se-personal-identity-number", number).unwrap());
        let load = both("2026-03-02", "none", "protected-registration");
        assert_eq!((codes(&rows(&stack, &load)[0]), load.counts.set_aside), (vec!["protection-lowered"], 0));
        assert_eq!(level(first, "2026-03-03"), "protected-registration");
        // The plan and its application agree, of a copy as of anything else.
        decides(true);
        let load = both("2026-03-04", "none", "none");
        assert_eq!((load.counts.applied, load.counts.set_aside), (1, 0), "{:?}", rows(&stack, &load));
        assert_eq!((level(other, "2026-03-03"), level(other, "2026-03-05")), (json!("protected-registration"), json!("none")));
        // A token that feeds copies decides nothing by that.
        let write = amend(grunddata_model::Domain::Person, first, json!({"protection": {"level": "none"}}), "2026-03-05", None);
        assert_eq!(stack.write_as(&stack.system(), write).unwrap_err().code, Code::ProtectionLowered);
    }

    fn a_copy_of_one_register_is_not_fed_by_another(stack: Stack) {
        register(&stack);
        run(&stack, of("register", full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"full": "Åsa Ek"}}))])));
        let mut other = settings();
        other.copy_of = Some("Spar".to_owned());
        let new = NewSource { owner: owner("a"), key: "spar".to_owned(), settings: other, if_match: Some(IfMatch::Any), reason: None };
        stack.registry.put_source(&stack.system(), new).unwrap();
        let load = run(&stack, of("spar", full("2026-03-02", vec![person(1, NUMBER, json!({"name": {"full": "Åsa"}}))])));
        assert_eq!(codes(&rows(&stack, &load)[0]), ["read-only-copy"]);
        // What is the owner's own stays so, and is fed like by any source.
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", vec![person(1, OTHER, json!({"name": {"family": "Ek"}}))]));
        let load = run(&stack, of("register", full("2026-03-03", vec![person(1, NUMBER, json!({"name": {"full": "Åsa Ek"}})), person(2, OTHER, json!({"name": {"full": "Bo Ek"}}))])));
        assert_eq!((load.counts.change, load.counts.set_aside), (1, 0));
        let id = found(&stack, "se-personal-identity-number", OTHER).unwrap();
        let record = stack.get_as(&stack.system(), id, &grunddata_registry::At::on(crate::stack::day("2026-03-04"))).unwrap();
        assert_eq!(record.origin, Origin::Own);
    }
}
