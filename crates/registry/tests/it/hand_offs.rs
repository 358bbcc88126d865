//! A person who moves: the other owner begins a record of its own, of what was chosen and by what is said.

use grunddata_model::Domain::{Organisation, Person, Role as RoleDomain};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Basis, BasisKind, Code, Decision, FeedContent, FeedFilter, HandOff, NewHandOff, Role,
};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

fn of(person: RecordId) -> NewHandOff {
    NewHandOff {
        owner: owner("a"),
        receiver: owner("b"),
        registry: None,
        client: None,
        person,
        properties: vec!["name".to_owned(), "birthDate".to_owned()],
        basis: Basis {
            kind: BasisKind::Consent,
            text: "Vårdnadshavare 2026-02-20".to_owned(),
        },
        expires: day("2026-03-31"),
        protected: false,
    }
}

fn pupil(stack: &Stack) -> RecordId {
    let mut data = person("Ronja Exempel");
    data["birthDate"] = json!("2016-05-01");
    data["citizenships"] = json!(["SE"]);
    stack.id(create(Person, data, "2016-05-01"))
}

fn made(stack: &Stack, new: NewHandOff) -> HandOff {
    stack.registry.make_hand_off(&stack.system(), new).unwrap()
}

on_both! { using stack;
    fn the_receiver_begins_a_record_of_its_own(stack: Stack) {
        let person = pupil(&stack);
        let hand_off = made(&stack, of(person));
        let receiver = stack.as_actor("b", Role::Administrator);
        let giver = stack.as_actor("a", Role::Administrator);
        assert_eq!(stack.registry.take_hand_off(&giver, hand_off.id).unwrap_err().code, Code::Forbidden);
        let stranger = stack.stranger(Role::Administrator);
        assert_eq!(stack.registry.hand_off(&stranger, hand_off.id).unwrap_err().code, Code::UnknownTransfer);
        let taken = stack.registry.take_hand_off(&receiver, hand_off.id).unwrap();
        assert_eq!(taken.state, "done");
        let to = taken.content.to;
        assert_eq!(stack.data(to, "2026-03-01").unwrap(), json!({"name": {"full": "Ronja Exempel"}, "birthDate": "2016-05-01"}));
        let record = stack.get_as(&stack.system(), to, &At::now(&stack.system())).unwrap();
        assert_eq!(record.owner, owner("b"));
        // The giver's stays as it is.
        assert_eq!(stack.data(person, "2026-03-01").unwrap()["citizenships"], json!(["SE"]));
        let system = stack.system();
        let mut feed = stack.registry.feed(&system, &owner("b"), None, FeedFilter::default().with_states(true)).unwrap();
        let step = stack.registry.feed_step(&system, &mut feed, 10).unwrap();
        let FeedContent::Change(change) = &step.entries[0].content else { panic!() };
        assert_eq!(change.kind, "create");
        let shown = format!("{change:?}");
        assert!(shown.contains(&hand_off.id.to_string()) && shown.contains("hand-off:a"), "{shown}");
        // Once, and then it tells nothing more.
        assert_eq!(stack.registry.take_hand_off(&receiver, hand_off.id).unwrap(), taken);
        assert_eq!(stack.registry.hand_off_content(&receiver, hand_off.id).unwrap_err().code, Code::TransferState);
        assert_eq!(stack.registry.hand_offs(&receiver, &owner("b")).unwrap().len(), 1);
    }

    fn an_erasure_reaches_what_was_said_of_the_person(stack: Stack) {
        let (person, other) = (pupil(&stack), pupil(&stack));
        let basis = |text: &str| Basis { kind: BasisKind::Consent, text: text.to_owned() };
        let system = stack.system();
        let withdrawn = made(&stack, NewHandOff { basis: basis("Samtycke ettunikt"), ..of(person) });
        stack.registry.withdraw_hand_off(&system, withdrawn.id, "Flyttade intunikt").unwrap();
        let taken = made(&stack, NewHandOff { basis: basis("Samtycke tvåunikt"), ..of(person) });
        let kept = made(&stack, of(other));
        let [giver, receiver] = ["a", "b"].map(|key| stack.as_actor(key, Role::Administrator));
        let to = stack.registry.take_hand_off(&receiver, taken.id).unwrap().content.to;
        let decision = || Decision { text: "Gallring".to_owned(), reference: "KS 2026:1".to_owned() };
        stack.registry.erase(&giver, &[person], decision()).unwrap();
        for id in [withdrawn.id, taken.id] {
            let left = stack.registry.hand_off(&giver, id).unwrap().content;
            assert_eq!((left.person, left.basis.text.as_str(), left.ended, left.properties.len()), (person, "", None, 0));
        }
        assert_eq!(stack.registry.hand_off(&giver, kept.id).unwrap(), kept);
        // The receiver's side goes with the receiver's record.
        stack.registry.erase(&receiver, &[to], decision()).unwrap();
        let bytes = stack.bytes();
        assert!(!bytes.windows(5).any(|window| window == b"unikt"), "what was said is still in the file");
    }

    fn broken_off_it_goes_on(stack: Stack) {
        let person = pupil(&stack);
        let hand_off = made(&stack, of(person));
        let receiver = stack.as_actor("b", Role::Administrator);
        let payload = stack.registry.hand_off_content(&receiver, hand_off.id).unwrap();
        stack.registry.begin_record(&receiver, payload, None).unwrap();
        let stack = stack.reopened();
        let receiver = stack.as_actor("b", Role::Administrator);
        let taken = stack.registry.take_hand_off(&receiver, hand_off.id).unwrap();
        assert_eq!(taken.state, "done");
        let record = stack.get_as(&stack.system(), taken.content.to, &At::now(&stack.system())).unwrap();
        assert_eq!(record.version, 1);
    }

    fn what_cannot_be_told_is_refused(stack: Stack) {
        let person = pupil(&stack);
        let system = stack.system();
        let refused = |new: NewHandOff| stack.registry.make_hand_off(&system, new).unwrap_err();
        let refusal = refused(NewHandOff { properties: vec!["name".to_owned(), "shoeSize".to_owned(), "sex".to_owned()], ..of(person) });
        assert_eq!((refusal.code, &refusal.facts["properties"]), (Code::InvalidParameter, &json!(["shoeSize", "sex"])));
        assert_eq!(refused(NewHandOff { expires: day("2026-02-01"), ..of(person) }).code, Code::InvalidParameter);
        let unit = stack.id(create(Organisation, organisation("Skolan", "school-unit"), "2020-01-01"));
        let place = stack.id(create(RoleDomain, role(person, unit), "2022-01-01"));
        assert_eq!(refused(of(place)).code, Code::NotFound);
        let reader = stack.as_actor("a", Role::Reader);
        assert_eq!(stack.registry.make_hand_off(&reader, of(person)).unwrap_err().code, Code::Forbidden);
        // It expires, and it can be withdrawn.
        let receiver = |stack: &Stack| stack.as_actor("b", Role::Administrator);
        let expiring = made(&stack, of(person));
        let withdrawn = made(&stack, of(person));
        stack.registry.withdraw_hand_off(&system, withdrawn.id, "Flyttade inte").unwrap();
        assert_eq!(stack.registry.take_hand_off(&receiver(&stack), withdrawn.id).unwrap_err().code, Code::TransferState);
        stack.pass(40 * 24 * 60 * 60);
        assert_eq!(stack.registry.take_hand_off(&receiver(&stack), expiring.id).unwrap_err().code, Code::TransferState);
    }

    fn a_protected_person_only_when_it_is_said_and_with_the_protection(stack: Stack) {
        let mut data = person("Kalle Skyddad");
        data["protection"] = json!({"level": "protected-registration"});
        let hidden = stack.id(create(Person, data, "2016-05-01"));
        let system = stack.system();
        let new = NewHandOff { properties: vec!["name".to_owned()], ..of(hidden) };
        assert_eq!(stack.registry.make_hand_off(&system, new.clone()).unwrap_err().code, Code::Forbidden);
        let new = NewHandOff { protected: true, ..new };
        assert_eq!(stack.registry.make_hand_off(&system, new.clone()).unwrap_err().code, Code::InvalidParameter);
        let hand_off = made(&stack, NewHandOff { properties: vec!["name".to_owned(), "protection".to_owned()], ..new });
        let receiver = stack.as_actor("b", Role::Administrator);
        let taken = stack.registry.take_hand_off(&receiver, hand_off.id).unwrap();
        let reader = stack.as_actor("b", Role::Reader);
        let seen = stack.get_as(&reader, taken.content.to, &At::now(&reader));
        assert!(!seen.is_ok_and(|record| record.data.contains("Kalle")));
        assert_eq!(stack.data(taken.content.to, "2026-03-01").unwrap()["protection"]["level"], "protected-registration");
    }
}
