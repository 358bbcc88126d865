//! What keeps hand-overs from going wrong: who the other registry is, records that refer to each other, who is responsible for
//! what stays, and what another registry's log must prove.

use grunddata_log_proof::head::Head;
use grunddata_model::Domain::{Organisation, Person};
use grunddata_model::RecordId;
use grunddata_registry::{Code, Role, Rotation, TransferPage, TransferWhy};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;
use crate::transfers::{as_bearer, asking, leads, offer, offered, school, to};

/// Two organisations that refer to each other.
fn friends(stack: &Stack) -> [RecordId; 2] {
    let one = stack.id(create(
        Organisation,
        organisation("Ett", "unit"),
        "2020-01-01",
    ));
    let refers = |name: &str, kind: &str, to: RecordId| {
        let mut data = organisation(name, "unit");
        data["affiliations"] = json!([{"kind": kind, "organisation": {"id": to.to_string()}}]);
        data
    };
    let two = stack.id(create(
        Organisation,
        refers("Två", "answers-to", one),
        "2020-01-01",
    ));
    stack
        .write(replace(
            Organisation,
            one,
            refers("Ett", "budget", two),
            "2020-01-01",
        ))
        .unwrap();
    stack.pass(60);
    [one, two]
}

on_both! { using stack;
    fn the_other_registry_is_known_by_its_token_and_not_by_its_name(stack: Stack) {
        let world = school(&stack);
        let mut new = offer(&stack, world.school);
        new.registry = Some("https://b.example.se".to_owned());
        new.client = Some("registry-b".to_owned());
        let made = |new| stack.registry.offer_transfer(&stack.system(), new);
        let refusal = made(new.clone()).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["parameter"]), (Code::InvalidParameter, &json!("client")));
        let (token, client) = asking(&stack, "registry-b");
        let transfer = made(new.clone()).unwrap();
        assert_eq!(transfer.content.client_id.as_deref(), Some(token.client.as_str()));
        // Somebody else makes a token of that name, and is a stranger with it.
        let (other, namesake) = asking(&stack, "registry-b");
        let seen = |context| stack.registry.transfer(context, transfer.id).map_err(|refusal| refusal.code);
        let told = seen(&client).unwrap();
        assert_eq!((told.content.client_id, told.content.client.as_deref()), (None, Some("registry-b")));
        assert_eq!(seen(&namesake), Err(Code::UnknownTransfer));
        for refused in [
            stack.registry.transfer_records(&namesake, transfer.id, 0).map(drop),
            stack.registry.hold_transfer(&namesake, transfer.id).map(drop),
            stack.registry.confirm_transfer(&namesake, transfer.id).map(drop),
            stack.registry.refuse_transfer(&namesake, transfer.id, "Nej").map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code, Code::UnknownTransfer);
        }
        // Which is meant has to be said then.
        let refusal = made(new.clone()).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidParameter);
        assert!(refusal.detail.contains(&token.id) && refusal.detail.contains(&other.id), "{}", refusal.detail);
        new.client = Some(other.id.clone());
        let second = made(new).unwrap();
        assert_eq!(second.content.client_id.as_deref(), Some(other.client.as_str()));
        // With a new secret it is the same client.
        let rotated = stack.registry.rotate_token(&stack.system(), &token.id, Rotation::default()).unwrap();
        assert!(seen(&as_bearer(&stack, &rotated.secret)).is_ok());
        stack.registry.hold_transfer(&as_bearer(&stack, &rotated.secret), transfer.id).unwrap();
    }

    fn two_that_refer_to_each_other_do_not_wait_for_each_other(stack: Stack) {
        let [one, two] = friends(&stack);
        let receiver = stack.as_actor("b", Role::Administrator);
        let transfers = [one, two].map(|id| {
            let mut new = offer(&stack, id);
            new.branch = false;
            stack.registry.offer_transfer(&stack.system(), new).unwrap()
        });
        // Both are held and received before either is done.
        for _ in 0..2 {
            for transfer in &transfers {
                assert!(stack.registry.advance_transfer(&receiver, transfer.id, None).unwrap());
            }
        }
        for transfer in &transfers {
            let done = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
            assert_eq!((done.state_of("giver"), done.state_of("receiver")), (Some("done"), Some("done")));
        }
        for (transfer, id) in transfers.iter().zip([one, two]) {
            assert_eq!(leads(&stack, &stack.system(), id), Ok((to(transfer, id), None)));
        }
    }

    fn what_comes_back_follows_what_left_meanwhile(stack: Stack) {
        let [one, two] = friends(&stack);
        let receiver = stack.as_actor("b", Role::Administrator);
        let mut new = offer(&stack, two);
        new.branch = false;
        let held = stack.registry.offer_transfer(&stack.system(), new).unwrap();
        assert!(stack.registry.advance_transfer(&receiver, held.id, None).unwrap());
        let mut new = offer(&stack, one);
        new.branch = false;
        let gone = stack.registry.offer_transfer(&stack.system(), new).unwrap();
        stack.registry.accept_transfer(&receiver, gone.id, None).unwrap();
        let refers = || stack.data(two, "2026-01-01").unwrap()["affiliations"][0]["organisation"]["id"].clone();
        assert_eq!(refers(), one.to_string());
        stack.registry.refuse_transfer(&receiver, held.id, "Nej").unwrap();
        assert_eq!(refers(), to(&gone, one).to_string());
        stack.write(end(Organisation, two, "2026-04-01", None)).unwrap();
    }

    fn who_is_responsible_for_what_stays_stays_with_all_below_it(stack: Stack) {
        let world = school(&stack);
        let pupil = |name: &str, controller| {
            let command = create(Person, person(name), "2016-01-01");
            created(command, |create| create.envelope.controller = Some(controller))
        };
        stack.id(pupil("Ada Ek", world.school));
        let system = stack.system();
        let mut new = offer(&stack, world.school);
        let refusal = stack.registry.offer_transfer(&system, new.clone()).unwrap_err();
        assert_eq!(refusal.code, Code::NothingToTransfer);
        assert_eq!(refusal.facts["left"][0]["why"], "controller");
        // What goes by its own name goes; the school and what was to go because of it stay.
        new.records.push(world.class);
        let transfer = stack.registry.offer_transfer(&system, new).unwrap();
        let going: Vec<RecordId> = transfer.content.items.iter().map(|item| item.record).collect();
        assert_eq!(going, [world.class]);
        assert_eq!(transfer.content.left.iter().map(|left| (left.record, left.why)).collect::<Vec<_>>(), [(world.school, TransferWhy::Controller)]);
        // Somebody comes for whom the class answers before it is accepted.
        let role = stack.id(pupil("Bo Ek", world.class));
        let receiver = stack.as_actor("b", Role::Administrator);
        let refusal = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["left"][0]["why"]), (Code::TransferState, &json!("controller")));
        assert_eq!(stack.registry.transfer(&receiver, transfer.id).unwrap().state_of("giver"), Some("offered"));
        // Of whom nothing is believed any more nobody has to answer.
        stack.write(retract(Person, role, None)).unwrap();
        stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
    }

    fn what_was_handed_over_keeps_nobody(stack: Stack) {
        let world = school(&stack);
        let unit = created(create(Organisation, organisation("Filialen", "unit"), "2020-01-01"), |create| {
            create.envelope.controller = Some(world.neighbour);
        });
        let unit = stack.id(unit);
        let receiver = stack.as_actor("b", Role::Administrator);
        for root in [unit, world.neighbour] {
            let transfer = offered(&stack, root);
            let done = stack.registry.accept_transfer(&receiver, transfer.id, None).unwrap();
            assert_eq!(done.state_of("giver"), Some("done"));
        }
    }

    fn what_comes_is_proven_by_the_givers_log(stack: Stack) {
        let world = school(&stack);
        let (_, client) = asking(&stack, "registry-b");
        let mut new = offer(&stack, world.school);
        new.registry = Some("https://b.example.se".to_owned());
        new.client = Some("registry-b".to_owned());
        let transfer = stack.registry.offer_transfer(&stack.system(), new).unwrap();
        let page = stack.registry.transfer_records(&client, transfer.id, 0).unwrap();
        let head = |page: &TransferPage| {
            let keys: Vec<_> = stack.registry.log_keys().unwrap().iter().map(|key| key.public).collect();
            Head::verified(page.head.as_deref().unwrap(), &keys).unwrap().0
        };
        let here = crate::stack::stack(stack.other_engine());
        let check = |page: &TransferPage| here.registry.check_handed(&owner("a"), &head(page), page).map_err(|refusal| refusal.code);
        assert_eq!(check(&page), Ok(()));
        // Who wrote, why and from where is not told.
        let proof = page.records[0].proof.as_ref().unwrap();
        assert!(["actor", "reason", "source"].iter().all(|part| proof.entry.parts[*part].content.is_none()));
        let forgeries: [&dyn Fn(&mut TransferPage); 8] = [
            &|page| page.records[0].states[0].data = page.records[0].states[0].data.replace("Skol", "Skal"),
            &|page| page.records[0].version += 1,
            &|page| page.records[0].position += 1,
            &|page| page.records[0].leaf = page.records[1].leaf.clone(),
            &|page| page.records[0].proof = None,
            &|page| page.records[0].proof = page.records[1].proof.clone(),
            &|page| page.records[0].proof.as_mut().unwrap().path.clear(),
            &|page| drop(page.records[0].states.pop()),
        ];
        for (number, forge) in forgeries.iter().enumerate() {
            let mut forged = page.clone();
            forge(&mut forged);
            assert_ne!(forged, page, "{number}");
            assert_eq!(check(&forged), Err(Code::OtherRegistry), "{number}");
        }
        let refusal = here.registry.check_handed(&owner("b"), &head(&page), &page).unwrap_err();
        assert_eq!(refusal.code, Code::OtherRegistry);
    }
}
