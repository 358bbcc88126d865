//! Who may, four eyes, persons under protection, erasure, and other owners.

use grunddata_model::Domain::{self, Organisation, Person, Role as RoleDomain};
use grunddata_registry::{
    Action, Approval, Basis, BasisKind, Code, Decision, Grant, LoadStatus, MarkKind, NewHandOff,
    OwnerScope, PlanRowState, Role, RowOutcome,
};
use grunddata_testing::{Engine, on_both};
use serde_json::{Value, json};

use super::feed::{
    apply, apply_as, codes, found, full, new_load, of, outcomes, person, plan, plan_as, rows,
    rows_as, run, said, source, steward, unit,
};
use crate::stack::{Stack, create, created, day, owner, stack};

const NUMBER: &str = "199001012385";

fn numbered(name: &str) -> Value {
    json!({"name": {"full": name}, "identifiers": [{"scheme": "se-personal-identity-number", "value": NUMBER}]})
}

fn protected(mut data: Value) -> Value {
    data["protection"] = json!({"level": "protected-registration"});
    data
}

/// The account of a source that may load, and sees no protected person.
fn feeder(stack: &Stack) -> grunddata_registry::Context {
    let grant = Grant {
        actions: [Action::Read, Action::Load].into(),
        ..Grant::of(OwnerScope::Owner(owner("a")), Role::Editor)
    };
    stack.with_grants("feeder", vec![grant])
}

on_both! {
    using stack;

    fn whoever_may_load_needs_nothing_else(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = plan_as(&stack, &feeder(&stack), full("2026-03-01", vec![unit(1, "a", "A"), person(2, NUMBER, json!({"name": {"full": "A"}}))])).unwrap();
        let progress = apply_as(&stack, &feeder(&stack), &load).unwrap();
        assert_eq!((progress.applied, progress.set_aside), (2, 0));
        for role in [Role::Editor, Role::Reader, Role::Auditor] {
            let context = stack.as_actor("a", role);
            assert_eq!(plan_as(&stack, &context, full("2026-03-01", Vec::new())).unwrap_err().code, Code::Forbidden);
            assert_eq!(stack.registry.load(&context, &owner("a"), load.id).unwrap_err().code, Code::Forbidden);
            assert_eq!(stack.registry.sources(&context, &owner("a")).unwrap_err().code, Code::Forbidden);
        }
        // A source of persons alone makes no units.
        let narrow = Grant { domains: [Person].into(), actions: [Action::Read, Action::Load].into(), ..Grant::of(OwnerScope::Owner(owner("a")), Role::Editor) };
        let narrow = stack.with_grants("narrow", vec![narrow]);
        let load = plan_as(&stack, &narrow, full("2026-03-02", vec![unit(1, "b", "B")])).unwrap();
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Rejected, vec!["forbidden"]));
    }

    fn a_protected_person_is_neither_changed_nor_shown(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.errors = Default::default());
        let id = stack.id(create(Person, protected(numbered("Hemlig")), "2026-01-01"));
        let load = plan_as(&stack, &feeder(&stack), full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"full": "Åsa Ek"}}))])).unwrap();
        let shown = rows_as(&stack, &feeder(&stack), &load);
        assert_eq!((shown[0].outcome, shown[0].withheld, shown[0].file_rows.as_slice()), (RowOutcome::Conflict, true, [1].as_slice()));
        assert!(shown[0].record.is_none() && shown[0].problems.is_empty() && shown[0].key.is_none());
        // The steward is told.
        let shown = rows(&stack, &load);
        assert_eq!((codes(&shown[0]), shown[0].record), (vec!["identifier-in-use"], Some(id)));
        apply_as(&stack, &feeder(&stack), &load).unwrap();
        assert_eq!(stack.data(id, "2026-03-02").unwrap()["name"]["full"], "Hemlig");
        // Nor does it end when the file leaves it out: the source was never heard.
        assert_eq!(run(&stack, full("2026-03-02", Vec::new())).rows, 0);
    }

    fn who_becomes_protected_is_left_alone(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = |name: &str| vec![person(1, NUMBER, json!({"name": {"full": name}}))];
        let load = plan_as(&stack, &feeder(&stack), full("2026-03-01", says("Åsa Ek"))).unwrap();
        apply_as(&stack, &feeder(&stack), &load).unwrap();
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        stack.write(crate::stack::amend(Person, id, json!({"protection": {"level": "protected-registration"}}), "2026-03-01", None)).unwrap();
        for file in [full("2026-03-02", says("Annat")), full("2026-03-03", Vec::new())] {
            let load = plan_as(&stack, &feeder(&stack), file).unwrap();
            assert_eq!(load.counts.conflict, 1);
            assert!(rows_as(&stack, &feeder(&stack), &load)[0].withheld);
            apply_as(&stack, &feeder(&stack), &load).unwrap();
        }
        assert_eq!(stack.data(id, "2026-03-04").unwrap()["name"]["full"], "Åsa Ek");
    }

    fn a_protection_is_lowered_only_by_who_decides_it(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "nav", |settings| settings.authoritative.protection = true);
        let id = stack.id(create(Person, protected(numbered("Åsa")), "2026-01-01"));
        let says = |name: &str, level: &str| vec![person(1, NUMBER, json!({"name": {"full": name}, "protection": {"level": level}}))];
        let load = run(&stack, full("2026-03-01", says("Åsa Ek", "none")));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Change, vec!["protection-lowered"]));
        let data = stack.data(id, "2026-03-02").unwrap();
        assert_eq!((&data["name"]["full"], &data["protection"]["level"]), (&json!("Åsa Ek"), &json!("protected-registration")));
        let load = run(&stack, of("nav", full("2026-03-02", says("Åsa Ek", "none"))));
        assert_eq!((outcomes(&stack, &load), load.counts.set_aside), (vec![RowOutcome::Change], 0));
        assert_eq!(stack.data(id, "2026-03-03").unwrap()["protection"]["level"], "none");
    }

    fn a_plan_is_approved_by_somebody_else(stack: Stack) {
        source(&stack, "hr", |settings| settings.approval = Approval::OtherPerson);
        let load = plan(&stack, full("2026-03-01", vec![unit(1, "a", "A")]));
        assert!(load.needs_approval);
        assert_eq!(apply_as(&stack, &steward(&stack), &load).unwrap_err().code, Code::ApprovalRequired);
        let approve = |context: &grunddata_registry::Context| stack.registry.approve_load(context, &owner("a"), load.id, Some("granskad".to_owned()));
        assert_eq!(approve(&steward(&stack)).unwrap_err().code, Code::SamePerson);
        // A system that acts for the same person is no other.
        let mut system = stack.as_actor("a", Role::Administrator);
        system.on_behalf_of = Some("a-steward".to_owned());
        assert_eq!(approve(&system).unwrap_err().code, Code::SamePerson);
        let approved = approve(&stack.as_actor("a", Role::Administrator)).unwrap();
        assert_eq!(approved.approved.unwrap().by, "a-administrator");
        assert_eq!(apply(&stack, &load).status, LoadStatus::Applied);
        // The way back is a plan like any other.
        let back = stack.registry.plan_reversal(&steward(&stack), &owner("a"), load.id).unwrap();
        assert_eq!(apply_as(&stack, &steward(&stack), &back).unwrap_err().code, Code::ApprovalRequired);
    }

    fn an_erasure_reaches_what_sources_said_and_what_was_planned(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = |name: &str| vec![person(1, NUMBER, json!({"name": {"full": name}}))];
        let first = run(&stack, full("2026-03-01", says("Sällsynt Namnunik")));
        let second = run(&stack, full("2026-03-02", says("Annorlunda Namnunik")));
        // A plan that was never carried out holds it as well.
        let other = plan(&stack, full("2026-03-03", says("Tredje Namnunik")));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        let decision = Decision { text: "Gallring".to_owned(), reference: "KS 2026:1".to_owned() };
        stack.registry.erase(&stack.as_actor("a", Role::Administrator), &[id], decision).unwrap();
        for load in [&first, &second] {
            let shown = rows(&stack, load);
            assert!(shown.iter().all(|row| row.diff.is_empty() && row.key.is_none() && row.operations == json!([])));
        }
        let done = apply(&stack, &other);
        assert_eq!((done.counts.applied, rows(&stack, &done)[0].diff.len()), (0, 0));
        let bytes = stack.bytes();
        for trace in ["Namnunik", NUMBER] {
            assert!(!bytes.windows(trace.len()).any(|window| window == trace.as_bytes()), "{trace} is still in the file");
        }
    }

    /// SQLite writes its whole file anew. PostgreSQL is told which tables: none of those from which an erasure takes
    /// something may be forgotten.
    fn what_an_erasure_touches_is_cleaned(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = |name: &str| vec![person(1, NUMBER, json!({"name": {"full": name}}))];
        run(&stack, full("2026-03-01", says("Åsa Ek")));
        plan(&stack, full("2026-03-02", says("Åsa Alm")));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        let unit = stack.id(create(Organisation, crate::stack::organisation("Skolan", "unit"), "2020-01-01"));
        let role = stack.id(create(RoleDomain, crate::stack::role(id, unit), "2026-03-01"));
        let admin = stack.as_actor("a", Role::Administrator);
        let mark = stack.registry.put_mark(&admin, MarkKind::Hold, id, "Tvist").unwrap();
        stack.registry.lift_mark(&admin, &owner("a"), MarkKind::Hold, mark.id).unwrap();
        let hand_off = NewHandOff {
            owner: owner("a"), receiver: owner("b"), registry: None, client: None, person: id,
            properties: vec!["name".to_owned()], basis: Basis { kind: BasisKind::Law, text: "Prov".to_owned() },
            expires: day("2027-01-01"), protected: false,
        };
        stack.registry.make_hand_off(&stack.system(), hand_off).unwrap();
        let database = stack.database();
        let is_postgres = database.engine == Engine::Postgres;
        if is_postgres {
            assert_eq!(database.execute("CREATE TABLE touched (name text)"), 0);
            assert_eq!(database.execute("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO touched VALUES (TG_TABLE_NAME); RETURN NULL; END $$"), 0);
            assert_eq!(database.execute("DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_stat_user_tables WHERE relname <> 'touched' LOOP \
                EXECUTE format('CREATE TRIGGER touch_it AFTER DELETE OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION touch()', t); END LOOP; END $$"), 0);
        }
        let decision = Decision { text: "Gallring".to_owned(), reference: "KS 2026:1".to_owned() };
        stack.registry.erase(&admin, &[id, role], decision).unwrap();
        if is_postgres {
            for name in ["state", "identifier", "link", "entry", "change", "record", "record_mark", "transfer", "load_row", "assertion", "assertion_content"] {
                assert!(database.execute(&format!("SELECT name FROM touched WHERE name = '{name}'")) > 0, "{name} was not touched");
            }
            // What only counts, or holds ids and decisions alone, which stay, tells nothing of anybody.
            assert_eq!(database.execute("DO $$ DECLARE left_out text; BEGIN SELECT string_agg(DISTINCT t.name, ', ') INTO left_out FROM touched t \
                JOIN pg_stat_user_tables s ON s.relname = t.name WHERE s.last_vacuum IS NULL AND t.name NOT IN ('owner', 'disposal', 'directory_id'); \
                IF left_out IS NOT NULL THEN RAISE EXCEPTION 'an erasure touches what is not cleaned: %', left_out; END IF; END $$"), 0);
        }
    }

    fn an_erasure_reaches_rows_that_would_have_made_the_person(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |_| {});
        let says = |name: &str| vec![person(1, NUMBER, json!({"name": {"full": name}}))];
        let aside = plan(&stack, full("2026-03-01", says("Sidlagd Namnunik")));
        let open = plan(&stack, of("ad", full("2026-03-01", says("Planerad Namnunik"))));
        let id = stack.id(create(Person, numbered("Vid disken"), "2026-01-01"));
        let aside = apply(&stack, &aside);
        assert_eq!((aside.counts.set_aside, codes(&rows(&stack, &aside)[0])), (1, vec!["identifier-in-use"]));
        let decision = Decision { text: "Gallring".to_owned(), reference: "KS 2026:1".to_owned() };
        stack.registry.erase(&stack.as_actor("a", Role::Administrator), &[id], decision).unwrap();
        for load in [&aside, &open] {
            assert!(rows(&stack, load).iter().all(|row| row.operations == json!([]) && row.problems.is_empty()));
        }
        assert_eq!(apply(&stack, &open).counts.applied, 0);
        let bytes = stack.bytes();
        for trace in ["Namnunik", NUMBER] {
            assert!(!bytes.windows(trace.len()).any(|window| window == trace.as_bytes()), "{trace} is still in the file");
        }
    }

    fn owners_know_nothing_of_each_others_sources(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = run(&stack, full("2026-03-01", vec![unit(1, "a", "A")]));
        let theirs = stack.as_actor("b", Role::Administrator);
        assert_eq!(stack.registry.sources(&theirs, &owner("a")).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.registry.load(&theirs, &owner("a"), load.id).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.registry.load(&theirs, &owner("b"), load.id).unwrap_err().code, Code::UnknownLoad);
        assert!(stack.registry.sources(&theirs, &owner("b")).unwrap().is_empty());
        assert_eq!(stack.registry.loads(&theirs, &owner("b"), None, None, 10).unwrap().items.len(), 0);
        let mut new = new_load(&full("2026-03-01", Vec::new()));
        new.owner = owner("b");
        assert_eq!(stack.registry.plan_load(&theirs, new).err().unwrap().code, Code::UnknownSource);
        // A source of the same name feeds its own owner's record.
        let settings = stack.registry.source(&stack.as_actor("a", Role::Administrator), &owner("a"), "hr").unwrap().settings;
        let new = grunddata_registry::NewSource { owner: owner("b"), key: "hr".to_owned(), settings, if_match: None, reason: None };
        stack.registry.put_source(&theirs, new).unwrap();
        let mut new = new_load(&full("2026-03-01", Vec::new()));
        new.owner = owner("b");
        let mut planner = stack.registry.plan_load(&theirs, new).unwrap();
        planner.push(unit(1, "a", "A")).unwrap();
        assert_eq!(planner.finish(Default::default()).unwrap().counts.create, 1);
    }

    fn a_person_whom_another_owner_knows_is_no_ones_business(stack: Stack) {
        source(&stack, "hr", |_| {});
        let theirs = created(create(Person, numbered("Hos b"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b")));
        stack.id(theirs);
        let load = run(&stack, full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"full": "Hos a"}}))]));
        assert_eq!((outcomes(&stack, &load), load.counts.applied), (vec![RowOutcome::Create], 1));
    }

    fn what_a_reader_may_not_see_of_a_plan_is_withheld(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = run(&stack, full("2026-03-01", vec![unit(1, "a", "A"), said("hr", 2, Domain::Person, "p", json!({"name": {"full": "P"}}))]));
        let public = Grant { actions: [Action::Read, Action::Load].into(), ..Grant::of(OwnerScope::Owner(owner("a")), Role::Publisher) };
        let shown = rows_as(&stack, &stack.with_grants("public", vec![public]), &load);
        assert_eq!((shown[0].withheld, shown[1].withheld), (false, true));
        assert_eq!((shown[1].outcome, shown[1].state, shown[1].file_rows.as_slice()), (RowOutcome::Create, PlanRowState::Applied, [2].as_slice()));
    }
}
