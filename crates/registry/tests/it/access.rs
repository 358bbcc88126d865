//! Owners and tokens.

use grunddata_information_model::PrivacyClass;
use grunddata_model::{Domain, Instant};
use grunddata_registry::{
    Action, Actor, Code, ControllerScope, Envelope, Grant, GrantSubject, NewOwner, NewToken,
    OwnerScope, Role, Rotation, SubjectKind, ValidationDraft,
};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

fn token(key: &str, role: Role) -> NewToken {
    NewToken {
        name: format!("token for {key}"),
        grants: vec![Grant::of(OwnerScope::Owner(owner(key)), role)],
        feeds_copies: false,
        unit: None,
        expires_at: None,
    }
}

fn subject() -> GrantSubject {
    GrantSubject {
        kind: SubjectKind::User,
        name: "https://login.example.se#anna".to_owned(),
    }
}

on_both! {
    using stack;

    fn a_token_lets_its_holder_in_until_it_ends(stack: Stack) {
        let minted = stack.registry.mint_token(&stack.system(), token("a", Role::Editor)).unwrap();
        let actor = stack.registry.authenticate(&minted.secret).unwrap().unwrap();
        assert_eq!((actor.name.as_str(), actor.client.as_str()), ("token for a", minted.token.id.as_str()));
        assert!(actor.may(Action::Write, &owner("a")) && !actor.may(Action::Read, &owner("b")));
        assert!(!format!("{minted:?}").contains(&minted.secret));
        assert_eq!(stack.registry.authenticate("gd_nonsense").unwrap(), None);
        assert_eq!(stack.registry.authenticate("").unwrap(), None);
        stack.registry.revoke_token(&stack.system(), &minted.token.id).unwrap();
        assert_eq!(stack.registry.authenticate(&minted.secret).unwrap(), None);
        let mut expiring = token("a", Role::Reader);
        expiring.expires_at = Some(grunddata_model::Instant::from_micros(stack.now().micros() + 60_000_000));
        let minted = stack.registry.mint_token(&stack.system(), expiring).unwrap();
        assert!(stack.registry.authenticate(&minted.secret).unwrap().is_some());
        stack.pass(60);
        assert_eq!(stack.registry.authenticate(&minted.secret).unwrap(), None);
    }

    fn a_rotated_token_is_good_for_the_overlap_and_its_successor_goes_on(stack: Stack) {
        const DAY: i64 = 86_400;
        let now = stack.now();
        let in_days = |days: i64| Some(grunddata_model::Instant::from_micros(now.micros() + days * DAY * 1_000_000));
        let new = NewToken { unit: Some("Lönekontoret".to_owned()), expires_at: in_days(30), ..token("a", Role::Editor) };
        let old = stack.registry.mint_token(&stack.system(), new).unwrap();
        stack.pass(DAY);
        let made = stack.registry.rotate_token(&stack.system(), &old.token.id, Rotation::default()).unwrap();
        let who = |secret: &str| stack.registry.authenticate(secret).unwrap();
        // Both are the same client with the same rights, and each has its own last use.
        let without_end = |secret: &str| who(secret).map(|actor| Actor { expires_at: None, ..actor });
        assert_eq!(without_end(&old.secret), without_end(&made.secret));
        assert_eq!(who(&made.secret).unwrap().expires_at, made.token.expires_at);
        assert_eq!(who(&made.secret).unwrap().client, old.token.id);
        assert_eq!(who(&made.secret).unwrap().unit.as_deref(), Some("Lönekontoret"));
        assert_eq!((made.token.replaces.as_deref(), made.token.expires_at), (Some(old.token.id.as_str()), in_days(31)));
        let listed = |id: &str| stack.registry.tokens(&stack.system()).unwrap().into_iter().find(|token| token.id == id).unwrap();
        assert_eq!(listed(&old.token.id).expires_at, in_days(1 + 7));
        stack.pass(7 * DAY - 1);
        assert!(who(&old.secret).is_some());
        stack.pass(1);
        assert_eq!(who(&old.secret), None);
        assert!(who(&made.secret).is_some());
        assert!(listed(&old.token.id).last_used_at < listed(&made.token.id).last_used_at);
        // At once; and an overlap never lets a token live longer than it would have.
        let next = stack.registry.rotate_token(&stack.system(), &made.token.id, Rotation { overlap_days: 0, ..Rotation::default() }).unwrap();
        assert_eq!(who(&made.secret), None);
        assert_eq!(who(&next.secret).unwrap().client, old.token.id);
        stack.pass(29 * DAY);
        stack.registry.rotate_token(&stack.system(), &next.token.id, Rotation::default()).unwrap();
        assert_eq!(listed(&next.token.id).expires_at, next.token.expires_at);
    }

    fn a_rotation_is_refused_where_a_new_token_would_be(stack: Stack) {
        let system = stack.system();
        let old = stack.registry.mint_token(&system, token("a", Role::Editor)).unwrap().token.id;
        let code = |context: &grunddata_registry::Context, id: &str, rotation: Rotation| stack.registry.rotate_token(context, id, rotation).unwrap_err().code;
        let plain = Rotation::default();
        assert_eq!(code(&stack.as_actor("b", Role::Administrator), &old, plain), Code::NotFound);
        assert_eq!(code(&stack.as_actor("a", Role::Editor), &old, plain), Code::Forbidden);
        assert_eq!(code(&system, "0000000000000000", plain), Code::NotFound);
        assert_eq!(code(&system, &old, Rotation { overlap_days: 91, ..plain }), Code::InvalidParameter);
        assert_eq!(code(&system, &old, Rotation { expires_at: Some(stack.now()), ..plain }), Code::InvalidParameter);
        // Whoever administers the owner, but may not hand out what the token holds.
        let feeding = NewToken { feeds_copies: true, ..token("a", Role::Editor) };
        let feeding = stack.registry.mint_token(&system, feeding).unwrap().token.id;
        assert_eq!(code(&stack.as_actor("a", Role::Administrator), &feeding, plain), Code::Forbidden);
        let next = stack.registry.rotate_token(&stack.as_actor("a", Role::Administrator), &old, plain).unwrap();
        assert_eq!(code(&system, &old, plain), Code::InvalidParameter);
        stack.registry.revoke_token(&system, &next.token.id).unwrap();
        assert_eq!(code(&system, &next.token.id, plain), Code::InvalidParameter);
        stack.registry.rotate_token(&system, &old, plain).unwrap();
        let bad = NewToken { unit: Some("a\u{0}b".to_owned()), ..token("a", Role::Editor) };
        assert_eq!(stack.registry.mint_token(&system, bad).unwrap_err().code, Code::InvalidText);
    }

    fn nobody_gives_more_than_they_have(stack: Stack) {
        let admin = stack.as_actor("a", Role::Administrator);
        assert!(stack.registry.mint_token(&admin, token("a", Role::Administrator)).is_ok());
        assert_eq!(stack.registry.mint_token(&admin, token("b", Role::Reader)).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.registry.mint_token(&stack.as_actor("a", Role::Editor), token("a", Role::Reader)).unwrap_err().code, Code::Forbidden);
        let feeding = NewToken { feeds_copies: true, ..token("a", Role::Editor) };
        assert_eq!(stack.registry.mint_token(&admin, feeding).unwrap_err().code, Code::Forbidden);
        let foreign = stack.registry.mint_token(&stack.system(), token("b", Role::Reader)).unwrap();
        assert_eq!(stack.registry.tokens(&admin).unwrap().len(), 1);
        assert_eq!(stack.registry.revoke_token(&admin, &foreign.token.id).unwrap_err().code, Code::NotFound);
        assert_eq!(stack.registry.tokens(&stack.anonymous()).unwrap_err().code, Code::Forbidden);
        let empty = NewToken { grants: Vec::new(), ..token("a", Role::Reader) };
        assert_eq!(stack.registry.mint_token(&stack.system(), empty).unwrap_err().code, Code::InvalidParameter);
    }

    fn who_is_let_in_for_a_while_lets_nobody_in_for_longer(stack: Stack) {
        let until = |seconds: i64| Some(Instant::from_micros(stack.now().micros() + seconds * 1_000_000));
        let admin = NewToken { expires_at: until(2 * 86_400), ..token("a", Role::Administrator) };
        let minted = stack.registry.mint_token(&stack.system(), admin).unwrap();
        let actor = stack.registry.authenticate(&minted.secret).unwrap().unwrap();
        let admin = stack.registry.context(actor, "test");
        for asked in [None, until(30 * 86_400)] {
            let made = stack.registry.mint_token(&admin, NewToken { expires_at: asked, ..token("a", Role::Reader) }).unwrap();
            assert_eq!(made.token.expires_at, until(2 * 86_400));
        }
        let made = stack.registry.mint_token(&admin, NewToken { expires_at: until(60), ..token("a", Role::Reader) }).unwrap();
        assert_eq!(made.token.expires_at, until(60));
        let give = |to: Option<&str>| {
            let grant = Grant { valid_to: to.map(day), ..Grant::of(OwnerScope::Owner(owner("a")), Role::Reader) };
            stack.registry.give_grant(&admin, subject(), grant, None).map(|_| ()).map_err(|refusal| refusal.code)
        };
        assert_eq!(give(None), Err(Code::Forbidden));
        assert_eq!(give(Some("2026-03-04")), Err(Code::Forbidden));
        assert_eq!(give(Some("2026-03-03")), Ok(()));
    }

    fn a_part_is_not_administered_as_the_whole(stack: Stack) {
        let of_school = |change: fn(Grant) -> Grant| change(Grant::of(OwnerScope::Owner(owner("a")), Role::Administrator));
        let parts: [fn(Grant) -> Grant; 3] = [
            |grant| Grant { controller: ControllerScope::Organisation("01990c3e-0000-7000-8000-00000000fffe".parse().unwrap()), ..grant },
            |grant| Grant { ceiling: PrivacyClass::Personal, ..grant },
            |grant| Grant { domains: [Domain::Person].into(), ..grant },
        ];
        let whole = Grant::of(OwnerScope::Owner(owner("a")), Role::Steward);
        let given = stack.registry.give_grant(&stack.as_actor("a", Role::Administrator), subject(), whole, None).unwrap();
        let minted = stack.registry.mint_token(&stack.system(), token("a", Role::Steward)).unwrap();
        for part in parts {
            let admin = stack.with_grants("part", vec![of_school(part)]);
            let opened = NewOwner { key: owner("a"), name: "Owner a".to_owned(), organisation: None, open_data: true, protection: None };
            assert_eq!(stack.registry.put_owner(&admin, opened).unwrap_err().code, Code::Forbidden);
            assert!(stack.registry.owners(&admin).unwrap().iter().all(|owner| owner.protection.is_none()));
            // What others hold of the rest is neither seen nor taken back.
            assert!(stack.registry.given_grants(&admin).unwrap().is_empty());
            assert_eq!(stack.registry.take_back_grant(&admin, given.id).unwrap_err().code, Code::NotFound);
            assert!(stack.registry.tokens(&admin).unwrap().is_empty());
            assert_eq!(stack.registry.revoke_token(&admin, &minted.token.id).unwrap_err().code, Code::NotFound);
            // Of its own part it is.
            let own = stack.registry.give_grant(&admin, subject(), of_school(part), None).unwrap();
            stack.registry.take_back_grant(&admin, own.id).unwrap();
            let everywhere = stack.with_grants("everywhere", vec![Grant { scope: OwnerScope::All, ..of_school(part) }]);
            let feeding = NewToken { grants: vec![Grant { scope: OwnerScope::All, ..of_school(part) }], feeds_copies: true, ..token("a", Role::Editor) };
            assert_eq!(stack.registry.mint_token(&everywhere, feeding).unwrap_err().code, Code::Forbidden);
        }
    }

    fn owners_are_added_by_the_administrator_of_all(stack: Stack) {
        let new = NewOwner { key: owner("c"), name: "Owner c".to_owned(), organisation: None, open_data: false, protection: None };
        assert_eq!(stack.registry.put_owner(&stack.as_actor("a", Role::Administrator), new.clone()).unwrap_err().code, Code::Forbidden);
        stack.registry.put_owner(&stack.system(), new).unwrap();
        let keys = |context: &grunddata_registry::Context| -> Vec<String> { stack.registry.owners(context).unwrap().iter().map(|owner| owner.key.to_string()).collect() };
        assert_eq!(keys(&stack.system()), ["a", "b", "c"]);
        assert_eq!(keys(&stack.anonymous()), ["a"]);
        // Closing an owner holds at once.
        let closed = NewOwner { key: owner("a"), name: "Owner a".to_owned(), organisation: None, open_data: false, protection: None };
        stack.registry.put_owner(&stack.as_actor("a", Role::Administrator), closed).unwrap();
        assert_eq!(keys(&stack.anonymous()), Vec::<String>::new());
    }

    fn validation_stores_nothing_and_finds_the_same_errors(stack: Stack) {
        let unit = stack.id(create(grunddata_model::Domain::Organisation, organisation("A", "unit"), "2026-01-01"));
        let draft = |data, valid_from: &str| ValidationDraft::new(grunddata_model::Domain::Organisation, content(data), from(valid_from));
        let context = stack.system();
        let found = stack.registry.validate(&context, vec![
            draft(organisation("B", "unit"), "2026-01-01"),
            draft(organisation("B", "nonsense"), "2026-01-01"),
            draft(organisation("B", "county-council"), "2026-01-01"),
            draft(json!({"name": {"sv": "B"}, "kind": "unit", "parent": {"id": "01990c3e-0000-7000-8000-0000000000ff"}}), "2026-01-01"),
            draft(super::stack::unit("B", unit), "2026-01-01"),
        ]).unwrap();
        let codes: Vec<Vec<&str>> = found.iter().map(|one| one.faults.iter().map(|fault| &*fault.code).collect()).collect();
        assert_eq!(codes, [vec![], vec!["unknown-code"], vec!["code-not-valid-at-date"], vec!["reference-not-found"], vec![]]);
        let counts = stack.registry.counts(&context, &grunddata_registry::At::now(&context)).unwrap();
        assert_eq!(counts.values().sum::<u64>(), 1);
        assert_eq!(stack.registry.validate(&context, Vec::new()).unwrap_err().code, Code::TooManyItems);
    }

    fn a_writer_is_told_what_the_write_would_say(stack: Stack) {
        const ORGANISATION: Domain = Domain::Organisation;
        let unit = stack.id(created(create(ORGANISATION, organisation("A", "unit"), "2026-01-01"), |create| create.valid_to = to("2026-06-01")));
        let anna = stack.id(create(Domain::Person, person("Anna"), "2026-01-01"));
        let mut numbered = organisation("Nummer", "unit");
        numbered["identifiers"] = json!([{"scheme": "source:hr", "value": "17"}]);
        let held = stack.id(create(ORGANISATION, numbered.clone(), "2026-01-01"));
        let waiting = json!({"name": {"sv": "Väntar"}, "kind": "unit", "parent": {"id": "temp:other"}});
        let writer = stack.as_actor("a", Role::Editor);
        let draft = |data| ValidationDraft::new(ORGANISATION, content(data), from("2026-02-01"));
        let until = |data, end: &str| ValidationDraft { valid_to: to(end), ..draft(data) };
        let under = |id| super::stack::unit("B", id);
        let mut both = under(unit);
        both["kind"] = json!("county-council");
        let drafts = vec![
            draft(under(unit)),
            until(under(unit), "2026-06-01"),
            draft(under(anna)),
            draft(numbered.clone()),
            draft(numbered.clone()),
            ValidationDraft { id: Some(held), ..draft(numbered.clone()) },
            until(organisation("C", "unit"), "2026-01-01"),
            until(organisation("C", "uniit"), "2026-01-01"),
            draft(both),
            draft(waiting),
        ];
        let fingerprint = stack.registry.counts(&stack.system(), &grunddata_registry::At::now(&stack.system())).unwrap();
        let found = stack.registry.validate(&writer, drafts.clone()).unwrap();
        let codes: Vec<Vec<(&str, &str)>> = found.iter().map(|one| one.faults.iter().map(|fault| (fault.pointer.as_str(), &*fault.code)).collect()).collect();
        assert_eq!(codes, [
            vec![("/data/parent", "reference-not-covered")],
            vec![],
            vec![("/data/parent", "reference-wrong-target")],
            vec![("/data/identifiers/0", "identifier-in-use")],
            vec![("/data/identifiers/0", "identifier-in-use")],
            vec![],
            vec![("/validTo", "invalid-period")],
            vec![("/validTo", "invalid-period"), ("/data/kind", "unknown-code")],
            vec![("/data/parent", "reference-not-covered"), ("/data/kind", "code-not-valid-at-date")],
            vec![],
        ]);
        let rehearsed: Vec<bool> = found.iter().map(|one| one.rehearsed).collect();
        assert_eq!(rehearsed, [true, true, true, true, true, true, true, true, true, false]);
        // Each is refused with the same code when it is written.
        for (draft, codes) in drafts.iter().zip(&codes).take(5) {
            let command = created(create(ORGANISATION, draft.content.data.clone(), "2026-02-01"), |create| create.valid_to = draft.valid_to);
            let refused = stack.write_as(&writer, command).err().map(|refusal| refusal.errors.iter().map(|fault| fault.code.to_string()).collect::<Vec<_>>());
            let told = codes.iter().map(|(_, code)| (*code).to_owned()).collect::<Vec<_>>();
            assert_eq!(refused.unwrap_or_default(), told);
        }
        // The second was written just now, and nothing by the validation.
        let counts = stack.registry.counts(&stack.system(), &grunddata_registry::At::now(&stack.system())).unwrap();
        assert_eq!(counts.values().sum::<u64>(), fingerprint.values().sum::<u64>() + 1);
        // A reader learns no more than reading tells.
        let reader = stack.as_actor("a", Role::Reader);
        let found = stack.registry.validate(&reader, vec![draft(numbered.clone()), draft(under(unit))]).unwrap();
        assert!(found.iter().all(|one| one.faults.is_empty() && !one.rehearsed), "{found:?}");
        let elsewhere = ValidationDraft { envelope: Envelope { owner: Some(owner("b")), ..Envelope::default() }, ..draft(numbered) };
        let found = stack.registry.validate(&writer, vec![elsewhere]).unwrap();
        assert_eq!(found[0].faults.iter().map(|fault| (fault.pointer.as_str(), &*fault.code)).collect::<Vec<_>>(), [("/owner", "forbidden")]);
        assert!(!found[0].rehearsed);
    }
}
