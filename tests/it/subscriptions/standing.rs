//! What a subscription depends on beside its target: through which program its reader was let in, what it has chosen, and that
//! the log is the one that it was.

use grunddata_model::OwnerKey;
use grunddata_registry::{
    Actor, Code, ContentMode, Context, Grant, GrantSubject, IfMatch, NewSubscription, Registry,
    Role, SecretRotation, SubjectKind, SubscriptionEdit, SubscriptionReader, SubscriptionSettings,
};
use grunddata_testing::on_both;
use serde_json::json;

use super::receiver::until;
use super::world::{World, world};

/// An account of another issuer, let in through a program that shows it what the role does.
fn anna(
    world: &World,
    registry: &Registry,
    program: &str,
    role: Role,
) -> (Context, SubscriptionReader) {
    let subject = GrantSubject {
        kind: SubjectKind::Client,
        name: format!("https://idp.example.se#{program}"),
    };
    let system = registry.context(Actor::system("test"), "grant");
    let grant = Grant::of(world.norrberga(), role);
    registry
        .give_grant(&system, subject.clone(), grant, None)
        .expect("a grant");
    let subjects = [subject];
    let actor = Actor {
        name: "Anna".to_owned(),
        client: "https://idp.example.se#anna".to_owned(),
        grants: registry.grants_of(&subjects).expect("grants"),
        ..Actor::anonymous()
    };
    let context = registry.context(actor, program);
    let reader = SubscriptionReader::of(&context, &subjects);
    (context, reader)
}

fn settings(world: &World, path: &str) -> SubscriptionSettings {
    SubscriptionSettings {
        name: "Prov".to_owned(),
        target: world.receiver.at(path),
        mode: ContentMode::Structured,
        states: false,
        domains: Vec::new(),
        kinds: Vec::new(),
        record: None,
        controller: None,
        silent_after_hours: None,
    }
}

on_both! {
    using world;

    fn one_account_through_two_programs_is_two_readers(world: World) {
        let process = world.process();
        let registry = &process.registry;
        let (strong, strong_reader) = anna(&world, registry, "strong", Role::Reader);
        let (weak, weak_reader) = anna(&world, registry, "weak", Role::OpenDataReader);
        let owner = OwnerKey::new("norrberga").expect("key");
        let make = |context: &Context, reader, path| {
            let new = NewSubscription { owner: owner.clone(), settings: settings(&world, path), after: None, reader };
            registry.create_subscription(context, new).expect("a subscription").0.id
        };
        let id = make(&strong, strong_reader, "/strong");
        let other = make(&weak, weak_reader, "/weak");
        for id in [id, other] {
            world.wait_for_state(&process, &id.to_string(), "active");
        }
        for number in 0..5 {
            world.person(&process, &format!("Person {number}"), None);
            world.unit(&process, &format!("Enhet {number}"));
        }
        world.receiver.wait_for("/strong", 10);
        let events = world.receiver.wait_for("/weak", 5);
        assert!(events.iter().all(|event| event["type"] == "se.grunddata.organisation.create.v1"), "{events:#?}");
        let told = world.receiver.all("/weak").iter().chain(&world.receiver.all("/strong")).filter(|got| got.method == "POST").filter(|got| got.json()["type"] == "se.grunddata.access.changed.v1").count();
        assert_eq!(told, 0);
        // What the stronger program has made is not led elsewhere by the weaker one, only stopped.
        let elsewhere = || SubscriptionEdit::Settings(Box::new(settings(&world, "/elsewhere")));
        for edit in [elsewhere(), SubscriptionEdit::Replay("0".to_owned()), SubscriptionEdit::Resume] {
            let refused = registry.edit_subscription(&weak, id, Some(IfMatch::Any), edit).expect_err("refused");
            assert_eq!(refused.code, Code::Forbidden);
        }
        let refused = registry.rotate_subscription_secret(&weak, id, None, SecretRotation::default()).expect_err("refused");
        assert_eq!(refused.code, Code::Forbidden);
        registry.edit_subscription(&weak, id, None, SubscriptionEdit::Pause).expect("paused");
        registry.edit_subscription(&strong, id, None, SubscriptionEdit::Resume).expect("resumed");
        registry.edit_subscription(&strong, other, Some(IfMatch::Any), elsewhere()).expect("changed");
    }

    fn a_log_that_was_restored_stops_what_was_sent_from_it(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.admin, "/e", json!({}));
        let (paused, _) = world.subscribe(&process, &world.admin, "/p", json!({}));
        world.do_(&process, &paused, "pause", None).expect(200);
        world.unit(&process, "Ett");
        world.receiver.wait_for("/e", 1);
        let owner = OwnerKey::new("norrberga").expect("key");
        process.registry.store().begin_epoch(&owner).expect("an epoch");
        world.wait_for_state(&process, &id, "stopped");
        world.wait_for_state(&process, &paused, "stopped");
        assert!(world.show(&process, &id)["reason"].as_str().expect("a reason").contains("restored"));
        world.unit(&process, "Två");
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(world.receiver.events("/e").len(), 1);
        // From the beginning everything comes again, with the ids that it had.
        world.do_(&process, &id, "replay", Some(json!({"after": "0"}))).expect(200);
        world.do_(&process, &id, "resume", None).expect(200);
        let events = world.receiver.wait_for("/e", 3);
        assert_eq!(events[0]["id"], events[1]["id"]);
        assert!(world.receiver.events("/p").is_empty());
    }

    fn who_chooses_is_told_of_what_was_chosen_and_goes_on_past_the_rest(world: World) {
        let process = world.process();
        let (whole, _) = world.subscribe(&process, &world.admin, "/whole", json!({"kinds": ["replace"]}));
        let (part, _) = world.subscribe(&process, &world.reader, "/part", json!({"domains": ["person"]}));
        let first = world.unit(&process, "Ett");
        for number in 0..30 {
            world.unit(&process, &format!("Enhet {number}"));
        }
        let ronja = world.person(&process, "Ronja", None);
        world.rename(&process, &first, "Nytt");
        let events = world.receiver.wait_for("/whole", 1);
        assert_eq!((&events[0]["subject"], &events[0]["data"]["position"]), (&json!(first), &json!(33)));
        assert_eq!(world.receiver.wait_for("/part", 1)[0]["subject"], ronja);
        // What was passed over is not lost for whoever chooses otherwise later.
        let chosen = json!({"name": "Prov", "target": world.receiver.at("/whole"), "kinds": ["create"]});
        world.ask(&process, &world.admin, "PUT", &format!("/subscriptions/{whole}"), Some(chosen)).expect(200);
        world.do_(&process, &whole, "replay", Some(json!({"after": "0"}))).expect(200);
        until("all come", || world.receiver.events("/whole").len() == 33);
        // One that comes under protection is withdrawn for who may not see it, whatever was passed over meanwhile.
        for number in 0..3 {
            world.unit(&process, &format!("Till {number}"));
        }
        let patch = json!({"patch": {"protection": {"level": "protected-registration"}}, "validFrom": "start"});
        world.ask(&process, &world.admin, "POST", &format!("/persons/{ronja}/amendments"), Some(patch)).expect(200);
        let events = world.receiver.wait_for("/part", 2);
        assert_eq!((&events[1]["type"], &events[1]["subject"]), (&json!("se.grunddata.person.withdrawn.v1"), &json!(ronja)));
        assert_eq!(world.show(&process, &part)["state"], "active");
    }
}
