//! Records that are handed over to another owner: in this registry and in another one, broken off anywhere and gone on with.

use grunddata_model::Domain::{Geography, Organisation, Person, Role as RoleDomain, Service};
use grunddata_model::{Instant, RecordId};
use grunddata_registry::{
    At, Code, Context, FeedContent, FeedFilter, Got, Grant, MarkKind, NewToken, NewTransfer,
    OwnerScope, RemoteOffer, Role, Token, Transfer, TransferPage, TransferWhy,
};
use grunddata_testing::on_both;
use serde_json::json;
use uuid::Uuid;

use crate::lossless::{out, read_into};
use crate::stack::*;

/// A municipality with a school: a class below it, a head, a place of its own and one that it shares, a service of its own,
/// and somebody outside who refers to it.
pub(crate) struct School {
    pub(crate) municipality: RecordId,
    pub(crate) school: RecordId,
    pub(crate) class: RecordId,
    pub(crate) head: RecordId,
    pub(crate) person: RecordId,
    pub(crate) yard: RecordId,
    pub(crate) town: RecordId,
    pub(crate) service: RecordId,
    pub(crate) neighbour: RecordId,
}

pub(crate) fn school(stack: &Stack) -> School {
    let municipality = stack.id(create(
        Organisation,
        organisation("Norrberga", "municipality"),
        "2020-01-01",
    ));
    let town = stack.id(create(
        Geography,
        json!({"name": {"sv": "Kommunhuset"}, "kind": "building"}),
        "2020-01-01",
    ));
    let yard = stack.id(create(
        Geography,
        json!({"name": {"sv": "Skolgården"}, "kind": "site"}),
        "2020-01-01",
    ));
    let mut data = unit("Skolan", municipality);
    data["sites"] = json!([{"id": yard.to_string()}, {"id": town.to_string()}]);
    data["identifiers"] = json!([{"scheme": "se-school-unit-code", "value": "12345678"}]);
    let school = stack.id(create(Organisation, data, "2020-01-01"));
    let class = stack.id(create(Organisation, unit("Klass 1", school), "2024-08-01"));
    let person = stack.id(create(Person, person("Eva Ek"), "1980-01-01"));
    let head = stack.id(create(RoleDomain, role(person, school), "2022-01-01"));
    let service = stack.id(create(
        Service,
        json!({"name": {"sv": "Fritids"}, "kind": "public-service", "status": "active", "competentAuthority": {"id": school.to_string()}}),
        "2022-01-01",
    ));
    let mut data = unit("Köket", municipality);
    data["sites"] = json!([{"id": town.to_string()}]);
    data["affiliations"] =
        json!([{"kind": "answers-to", "organisation": {"id": school.to_string()}}]);
    let neighbour = stack.id(create(Organisation, data, "2022-01-01"));
    stack.pass(60);
    School {
        municipality,
        school,
        class,
        head,
        person,
        yard,
        town,
        service,
        neighbour,
    }
}

pub(crate) fn offer(stack: &Stack, root: RecordId) -> NewTransfer {
    let _ = stack;
    NewTransfer {
        owner: owner("a"),
        receiver: owner("b"),
        registry: None,
        client: None,
        records: vec![root],
        branch: true,
        except: Vec::new(),
        reason: "Skolan byter huvudman".to_owned(),
    }
}

pub(crate) fn offered(stack: &Stack, root: RecordId) -> Transfer {
    let new = offer(stack, root);
    stack.registry.offer_transfer(&stack.system(), new).unwrap()
}

pub(crate) fn to(transfer: &Transfer, id: RecordId) -> RecordId {
    let mut items = transfer.content.items.iter();
    items.find(|item| item.record == id).unwrap().to
}

fn kinds(stack: &Stack, key: &str, id: RecordId) -> Vec<(String, u32)> {
    let context = stack.system();
    let filter = FeedFilter::default().of_record(Some(id));
    let registry = &stack.registry;
    let mut feed = registry.feed(&context, &owner(key), None, filter).unwrap();
    let step = registry.feed_step(&context, &mut feed, 1_000).unwrap();
    let entries = step.entries.into_iter().map(|entry| match entry.content {
        FeedContent::Change(change) => (change.kind.to_string(), change.version),
        FeedContent::Withdrawn => ("withdrawn".to_owned(), 0),
    });
    entries.collect()
}

/// Where the id of a record leads now.
pub(crate) fn leads(
    stack: &Stack,
    context: &Context,
    id: RecordId,
) -> Result<(RecordId, Option<String>), Code> {
    match stack
        .registry
        .get(context, None, id, &At::now(context), None)
    {
        Ok(Got::Moved { into, registry, .. }) => Ok((into, registry)),
        Ok(Got::Found(_)) => Ok((id, None)),
        Ok(Got::Merged { into, .. }) => Ok((into, None)),
        Err(refusal) => Err(refusal.code),
    }
}

/// Another registry that asks here: a token of that name, and who comes with it.
pub(crate) fn asking(stack: &Stack, name: &str) -> (Token, Context) {
    let new = NewToken {
        name: name.to_owned(),
        grants: vec![Grant::of(
            OwnerScope::Owner(owner("a")),
            Role::OpenDataReader,
        )],
        feeds_copies: false,
        unit: None,
        expires_at: None,
    };
    let minted = stack.registry.mint_token(&stack.system(), new).unwrap();
    (minted.token, as_bearer(stack, &minted.secret))
}

pub(crate) fn as_bearer(stack: &Stack, secret: &str) -> Context {
    let actor = stack.registry.authenticate(secret).unwrap().unwrap();
    stack.registry.context(actor, "test")
}

/// Everything that must hold when the school is the other owner's.
fn handed_over(stack: &Stack, world: &School, transfer: &Transfer, before: Instant) {
    let system = stack.system();
    for id in [
        world.school,
        world.class,
        world.head,
        world.yard,
        world.service,
    ] {
        let new = to(transfer, id);
        assert_eq!(leads(stack, &system, id), Ok((new, None)));
        let record = stack.get_as(&system, new, &At::now(&system)).unwrap();
        assert_eq!((record.owner, record.version), (owner("b"), 1));
        let last = kinds(stack, "a", id).pop().unwrap();
        assert_eq!(last.0, "transferred");
        assert_eq!(kinds(stack, "b", new), [("received".to_owned(), 1)]);
        // Of before the giver's rows tell, at every day.
        assert!(stack.data_known(id, "2025-01-01", before).is_ok());
        assert_eq!(
            stack.data_known(new, "2025-01-01", before),
            Err(Code::NotKnownThen)
        );
        let name = stack.data_known(id, "2025-01-01", before).unwrap()["name"].clone();
        assert_eq!(stack.data(new, "2025-01-01").unwrap()["name"], name);
    }
    let class = stack.data(to(transfer, world.class), "2025-01-01").unwrap();
    assert_eq!(
        class["parent"]["id"],
        to(transfer, world.school).to_string()
    );
    let head = stack.data(to(transfer, world.head), "2025-01-01").unwrap();
    assert_eq!(head["person"]["id"], world.person.to_string());
    let neighbour = stack.data(world.neighbour, "2025-01-01").unwrap();
    assert_eq!(
        neighbour["affiliations"][0]["organisation"]["id"],
        to(transfer, world.school).to_string()
    );
    for id in [
        world.municipality,
        world.person,
        world.town,
        world.neighbour,
    ] {
        assert_eq!(leads(stack, &system, id), Ok((id, None)));
    }
    let refusal = stack.refused(replace(
        Organisation,
        world.school,
        organisation("Skolan", "school-unit"),
        "2026-03-01",
    ));
    assert_eq!(refusal.code, Code::Transferred);
}

on_both! { using stack;
    fn a_branch_passes_to_another_owner(stack: Stack) {
        let world = school(&stack);
        let before = stack.now();
        stack.pass(60);
        let transfer = offered(&stack, world.school);
        let mut going: Vec<RecordId> = transfer.content.items.iter().map(|item| item.record).collect();
        going.sort();
        let mut meant = [world.school, world.class, world.head, world.yard, world.service];
        meant.sort();
        assert_eq!(going, meant);
        assert_eq!(transfer.content.references.following, 1);
        // An offer does nothing.
        assert_eq!(leads(&stack, &stack.system(), world.school), Ok((world.school, None)));
        let receiver = stack.as_actor("b", Role::Administrator);
        let done = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
        assert_eq!((done.state_of("giver"), done.state_of("receiver")), (Some("done"), Some("done")));
        handed_over(&stack, &world, &transfer, before);
        // Once more is the same.
        let again = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
        assert_eq!(again, done);
        let record = stack.get_as(&stack.system(), to(&transfer, world.school), &At::now(&stack.system())).unwrap();
        let origin = serde_json::to_value(&record.origin).unwrap();
        assert_eq!(origin["kind"], "received");
        assert_eq!(origin["record"], world.school.to_string());
        assert!(origin["leaf"].as_str().unwrap().len() == 64);
        // It is the receiver's own: it can be written to, and holds its identifier.
        let mut data = stack.data(to(&transfer, world.school), "2026-03-01").unwrap();
        data["name"] = json!({"sv": "Friskolan"});
        let command = replace(Organisation, to(&transfer, world.school), data, "2026-03-01");
        assert_eq!(stack.write_as(&receiver, command).unwrap().version, 2);
    }

    fn broken_off_anywhere_it_goes_on(stack: Stack) {
        let mut stack = stack;
        let world = school(&stack);
        let before = stack.now();
        stack.pass(60);
        let transfer = offered(&stack, world.school);
        let mut steps = 0;
        loop {
            stack = stack.reopened();
            let receiver = stack.as_actor("b", Role::Administrator);
            let shown = stack.registry.transfer(&receiver, transfer.id).unwrap();
            let states = (shown.state_of("giver").map(str::to_owned), shown.state_of("receiver").map(str::to_owned));
            let expected = [
                ("offered", None),
                ("accepted", None),
                ("accepted", Some("received")),
                ("done", Some("received")),
                ("done", Some("done")),
            ];
            assert_eq!((states.0.as_deref().unwrap(), states.1.as_deref()), expected[steps]);
            if states.0.as_deref() == Some("accepted") {
                let refusal = stack.refused(end(Organisation, world.class, "2026-04-01", None));
                assert_eq!(refusal.code, Code::InTransfer);
                assert_eq!(stack.registry.withdraw_transfer(&stack.system(), transfer.id, "Ångrat").unwrap_err().code, Code::TransferState);
            }
            if !stack.registry.advance_transfer(&receiver, transfer.id, None).unwrap() {
                break;
            }
            steps += 1;
        }
        assert_eq!(steps, 4);
        handed_over(&stack, &world, &transfer, before);
    }

    fn who_may_not_see_it_is_not_told_where_it_went(stack: Stack) {
        let world = school(&stack);
        let transfer = offered(&stack, world.school);
        let giver = stack.as_actor("a", Role::Administrator);
        let receiver = stack.as_actor("b", Role::Administrator);
        assert_eq!(stack.registry.accept_transfer(&giver, transfer.id, None).unwrap_err().code, Code::Forbidden);
        let stranger = stack.stranger(Role::Administrator);
        assert_eq!(stack.registry.transfer(&stranger, transfer.id).unwrap_err().code, Code::UnknownTransfer);
        stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
        // The owner a is open: what is public of the school was shown to all, the head's role was not.
        let anonymous = stack.anonymous();
        assert_eq!(leads(&stack, &anonymous, world.school), Ok((to(&transfer, world.school), None)));
        assert_eq!(leads(&stack, &anonymous, world.head), Err(Code::NotFound));
        let reader = stack.as_actor("a", Role::Reader);
        assert_eq!(leads(&stack, &reader, world.head), Ok((to(&transfer, world.head), None)));
    }

    fn what_may_not_go_stays(stack: Stack) {
        let world = school(&stack);
        let system = stack.system();
        stack.registry.put_mark(&system, MarkKind::Hold, world.class, "Tvist").unwrap();
        let mut data = person("Kalle Skyddad");
        data["protection"] = json!({"level": "protected-registration"});
        let hidden = stack.id(create(Person, data, "1980-01-01"));
        let teacher = stack.id(create(RoleDomain, role(hidden, world.school), "2022-01-01"));
        let transfer = offered(&stack, world.school);
        let why = |id| transfer.content.left.iter().find(|left| left.record == id).map(|left| left.why);
        assert_eq!(why(world.class), Some(TransferWhy::LegalHold));
        assert_eq!(why(teacher), Some(TransferWhy::Protected));
        assert!(transfer.content.items.iter().any(|item| item.record == world.head));
        let refusal = stack.registry.offer_transfer(&system, offer(&stack, world.person)).unwrap_err();
        assert_eq!(refusal.code, Code::NothingToTransfer);
        assert_eq!(refusal.facts["left"][0]["why"], "person");
        // What came in the way since the offer is told, and nothing is held.
        stack.registry.put_mark(&system, MarkKind::Hold, world.head, "Tvist").unwrap();
        let receiver = stack.as_actor("b", Role::Administrator);
        let refusal = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap_err();
        // Why is for the giver: a hold tells of somebody.
        assert_eq!((refusal.code, refusal.facts.get("left")), (Code::TransferState, None));
        let shown = stack.registry.transfer(&receiver, transfer.id).unwrap();
        assert!(shown.content.left.iter().all(|left| !matches!(left.why, TransferWhy::Protected | TransferWhy::LegalHold)));
        let refused = stack.registry.refuse_transfer(&receiver, transfer.id, "Hinder").unwrap();
        assert_eq!(refused.state_of("giver"), Some("refused"));
        stack.write(end(RoleDomain, world.head, "2026-04-01", None)).unwrap();
    }

    fn what_came_under_protection_since_the_offer_is_not_told(stack: Stack) {
        let world = school(&stack);
        let transfer = offered(&stack, world.school);
        let receiver = stack.as_actor("b", Role::Administrator);
        let told = || stack.registry.transfer_records(&receiver, transfer.id, 0);
        assert!(told().unwrap().records.iter().any(|record| record.record == world.head));
        let protected = json!({"protection": {"level": "protected-registration"}});
        stack.write(amend(Person, world.person, protected, "2022-01-01", None)).unwrap();
        let refusal = told().unwrap_err();
        assert_eq!((refusal.code, refusal.facts.get("left")), (Code::TransferState, None));
        assert_eq!(stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap_err().code, Code::TransferState);
        // It can be let go of, and both sides say so.
        let refused = stack.registry.refuse_transfer(&receiver, transfer.id, "Hinder").unwrap();
        assert_eq!((refused.state_of("giver"), refused.state_of("receiver")), (Some("refused"), Some("refused")));
        assert_eq!(stack.registry.refuse_transfer(&receiver, transfer.id, "Hinder").unwrap().state_of("giver"), Some("refused"));
        assert_eq!(stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap_err().code, Code::TransferState);
    }

    fn what_the_receiver_cannot_have_is_refused_before_anything_is_held(stack: Stack) {
        let world = school(&stack);
        let mut data = organisation("En annan", "school-unit");
        data["identifiers"] = json!([{"scheme": "se-school-unit-code", "value": "12345678"}]);
        let command = created(create(Organisation, data, "2020-01-01"), |create| create.envelope.owner = Some(owner("b")));
        stack.id(command);
        let transfer = offered(&stack, world.school);
        let receiver = stack.as_actor("b", Role::Administrator);
        let refusal = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap_err();
        assert_eq!(refusal.code, Code::IdentifierInUse);
        let shown = stack.registry.transfer(&receiver, transfer.id).unwrap();
        assert_eq!(shown.state_of("giver"), Some("offered"));
        let withdrawn = stack.registry.withdraw_transfer(&stack.system(), transfer.id, "Ångrat").unwrap();
        assert_eq!(withdrawn.state_of("giver"), Some("withdrawn"));
    }

    fn it_survives_a_lossless_file(stack: Stack) {
        let world = school(&stack);
        let before = stack.now();
        stack.pass(60);
        let transfer = offered(&stack, world.school);
        let receiver = stack.as_actor("b", Role::Administrator);
        // Half done: what is held stays held.
        stack.registry.advance_transfer(&receiver, transfer.id, None).unwrap();
        let other = stack.other();
        read_into(&other, &out(&stack)).unwrap();
        assert_eq!(other.refused(end(Organisation, world.class, "2026-04-01", None)).code, Code::InTransfer);
        let receiver = other.as_actor("b", Role::Administrator);
        other.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
        handed_over(&other, &world, &transfer, before);
        let third = other.other();
        read_into(&third, &out(&other)).unwrap();
        handed_over(&third, &world, &transfer, before);
    }

    fn between_two_registries_it_goes_on_after_every_cut(stack: Stack) {
        let world = school(&stack);
        let mut here = Some(crate::stack::stack(stack.other_engine()));
        let (_, client) = asking(&stack, "registry-b");
        let mut new = offer(&stack, world.school);
        new.registry = Some("https://b.example.se".to_owned());
        new.client = Some("registry-b".to_owned());
        let transfer = stack.registry.offer_transfer(&stack.system(), new).unwrap();
        let seen = stack.registry.transfer(&client, transfer.id).unwrap();
        let remote = || RemoteOffer {
            registry: "https://a.example.se".to_owned(),
            token_file: None,
            log_keys: Vec::new(),
            offer: seen.clone(),
        };
        let id = transfer.id;
        let all = |stack: &Stack| -> TransferPage { stack.registry.transfer_records(&client, id, 0).unwrap() };
        for step in 0..6 {
            // Each side is ended before each step, and each step is taken twice.
            let receiver_stack = here.take().unwrap().reopened();
            let receiver = receiver_stack.as_actor("b", Role::Administrator);
            let registry = &receiver_stack.registry;
            for _ in 0..2 {
                match step {
                    0 => drop(registry.note_transfer(&receiver, &owner("b"), remote()).unwrap()),
                    1 => drop(stack.registry.hold_transfer(&client, id).unwrap()),
                    2 => {
                        let held = stack.registry.transfer(&client, id).unwrap();
                        registry.note_held(&receiver, id, held.content.items, None).unwrap();
                    }
                    3 => drop(registry.receive_transfer(&receiver, id, all(&stack)).unwrap()),
                    4 => drop(stack.registry.confirm_transfer(&client, id).unwrap()),
                    _ => drop(registry.finish_transfer(&receiver, id).unwrap()),
                }
            }
            here = Some(receiver_stack);
        }
        let here = here.unwrap();
        for old in [world.school, world.class, world.head, world.yard, world.service] {
            let new = to(&transfer, old);
            assert_eq!(leads(&stack, &stack.system(), old), Ok((new, Some("https://b.example.se".to_owned()))));
            assert_eq!(kinds(&here, "b", new), [("received".to_owned(), 1)]);
            assert_eq!(leads(&here, &here.system(), new), Ok((new, None)));
        }
        assert_eq!(leads(&stack, &stack.anonymous(), world.head), Err(Code::NotFound));
        let class = here.data(to(&transfer, world.class), "2025-01-01").unwrap();
        assert_eq!(class["parent"]["id"], to(&transfer, world.school).to_string());
    }

    fn an_unknown_hand_over_is_told(stack: Stack) {
        let system = stack.system();
        let id = Uuid::from_u128(7);
        assert_eq!(stack.registry.transfer(&system, id).unwrap_err().code, Code::UnknownTransfer);
        assert_eq!(stack.registry.accept_transfer(&system, id, None).unwrap_err().code, Code::UnknownTransfer);
    }
}
