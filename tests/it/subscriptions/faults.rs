//! Receivers that fail, hang, redirect, are slow or gone; servers that stop, and several on one database.

use std::time::{Duration, Instant};

use grunddata_testing::{Engine, on_both};
use serde_json::json;

use super::receiver::{Manner, until};
use super::world::{World, world};

/// Few places, so that those who hang would be in the way.
/// How long it is waited for a target that hangs.
const HANGING: Duration = Duration::from_secs(1);

fn narrow(engine: Engine) -> World {
    World::new(engine, |config| {
        config.subscriptions.at_once = 4;
        config.subscriptions.slow_at_once = 2;
        config.subscriptions.of_host_at_once = 4;
        config.subscriptions.first_retry = Duration::from_millis(1);
        config.subscriptions.last_retry = Duration::from_millis(1);
        // Longer than a busy machine takes for what nothing delays.
        config.subscriptions.answer = HANGING;
    })
}

/// Does not wait for long for who hangs.
fn impatient(engine: Engine) -> World {
    World::new(engine, |config| {
        config.subscriptions.answer = Duration::from_secs(2)
    })
}

on_both! {
    using impatient;

    fn what_fails_is_tried_again_in_order_until_it_is_accepted(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/f", json!({}));
        world.receiver.behave(Manner::Answers(500));
        let first = world.unit(&process, "Ett");
        let second = world.unit(&process, "Två");
        world.rename(&process, &first, "Ett igen");
        for failures in 1..=6 {
            until("it has failed", || world.show(&process, &id)["failures"].as_u64() >= Some(failures));
            world.pass(Duration::from_secs(2 * 60 * 60));
        }
        let shown = world.show(&process, &id);
        assert_eq!((&shown["state"], shown["failingSince"].is_string()), (&json!("active"), true));
        assert_eq!(shown["failure"], "The target answered 500.");
        // The first of them was tried all the time, and nothing that comes after it.
        let tried = world.receiver.sent("/f");
        assert!(tried.len() >= 6 && tried.iter().all(|got| got.json()["subject"] == first && got.header("webhook-id") == tried[0].header("webhook-id")));
        // The attempt that the last hour has brought is over before the receiver does something else.
        until("it has failed again", || world.show(&process, &id)["failures"].as_u64() >= Some(7));
        // A redirect is not followed, a hanging one not waited for.
        world.receiver.behave(Manner::Says(307, "location", world.receiver.at("/elsewhere")));
        world.pass(Duration::from_secs(2 * 60 * 60));
        until("the redirect is told", || world.show(&process, &id)["failure"] == "The target answered 307.");
        assert!(world.receiver.all("/elsewhere").is_empty());
        world.receiver.behave(Manner::Waits(Duration::from_secs(3_600)));
        world.pass(Duration::from_secs(2 * 60 * 60));
        until("the time is over", || world.show(&process, &id)["failure"] == "Not delivered: it took too long.");
        // After a simulated month all of it comes, once and in order.
        world.receiver.behave(Manner::Accepts);
        world.pass(Duration::from_secs(30 * 24 * 60 * 60));
        let events = world.receiver.wait_for("/f", 3);
        let told: Vec<_> = events.iter().map(|event| event["subject"].as_str().expect("subject").to_owned()).collect();
        assert_eq!(told, [first.clone(), second, first]);
        until("it is well again", || world.show(&process, &id)["failures"] == 0);
        let shown = world.show(&process, &id);
        assert!(shown["failure"].is_null() && shown["failingSince"].is_null());
    }
}

on_both! {
    using world;

    fn a_target_that_wants_nothing_more_is_sent_nothing_more(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/g", json!({}));
        world.receiver.behave(Manner::Answers(410));
        world.unit(&process, "Ett");
        world.wait_for_state(&process, &id, "stopped");
        assert!(world.show(&process, &id)["reason"].as_str().expect("a reason").contains("410"));
        world.receiver.behave(Manner::Accepts);
        let second = world.unit(&process, "Två");
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(world.receiver.sent("/g").len(), 1);
        world.do_(&process, &id, "pause", None).expect(409);
        // Resumed, it is asked anew, and nothing was lost.
        world.do_(&process, &id, "resume", None).expect(200);
        let events = world.receiver.wait_for("/g", 2);
        assert_eq!(events[1]["subject"], second);
        assert_eq!(world.receiver.all("/g").iter().filter(|got| got.method == "OPTIONS").count(), 2);
        // When it says when, it is not asked before.
        world.receiver.behave(Manner::Says(503, "retry-after", "1800".to_owned()));
        world.unit(&process, "Tre");
        until("it has failed", || world.show(&process, &id)["failures"] == 1);
        world.pass(Duration::from_secs(1_700));
        world.receiver.behave(Manner::Accepts);
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(world.receiver.events("/g").len(), 2);
        world.pass(Duration::from_secs(110));
        world.receiver.wait_for("/g", 3);
    }

    fn a_stop_loses_nothing_and_repeats_nothing(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/s", json!({}));
        let mut units = vec![world.unit(&process, "Ett")];
        world.receiver.wait_for("/s", 1);
        drop(process);
        let process = world.process();
        until("it goes on", || world.show(&process, &id)["succeededAt"].is_string());
        units.push(world.unit(&process, "Två"));
        world.receiver.wait_for("/s", 2);
        // What is written while the receiver is away comes after the next start.
        world.receiver.behave(Manner::Answers(503));
        units.push(world.unit(&process, "Tre"));
        until("it has failed", || world.show(&process, &id)["failures"].as_u64() >= Some(1));
        drop(process);
        world.receiver.behave(Manner::Accepts);
        world.pass(Duration::from_secs(60));
        let process = world.process();
        units.push(world.unit(&process, "Fyra"));
        let events = world.receiver.wait_for("/s", 4);
        let told: Vec<_> = events.iter().map(|event| event["subject"].as_str().expect("subject").to_owned()).collect();
        assert_eq!(told, units);
        // Paused, nothing is sent; resumed, it goes on where it was.
        world.do_(&process, &id, "pause", None).expect(200);
        world.unit(&process, "Fem");
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(world.receiver.events("/s").len(), 4);
        world.do_(&process, &id, "resume", None).expect(200);
        world.receiver.wait_for("/s", 5);
        let path = format!("/subscriptions/{id}");
        world.ask(&process, &world.reader, "DELETE", &path, None).expect(204);
        world.unit(&process, "Sex");
        world.ask(&process, &world.reader, "GET", &path, None).expect(404);
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(world.receiver.events("/s").len(), 5);
    }

    fn two_servers_on_one_database_send_once(world: World) {
        let one = world.process();
        let two = world.process();
        let ids: Vec<String> = (0..6).map(|number| world.subscribe(if number % 2 == 0 { &one } else { &two }, &world.reader, &format!("/{number}"), json!({})).0).collect();
        for number in 0..10 {
            world.unit(if number % 2 == 0 { &one } else { &two }, &format!("Enhet {number}"));
        }
        for number in 0..6 {
            world.receiver.wait_for(&format!("/{number}"), 10);
        }
        std::thread::sleep(Duration::from_millis(200));
        for number in 0..6 {
            assert_eq!(world.receiver.sent(&format!("/{number}")).len(), 10);
        }
        // A change that is made at either reaches the one that delivers.
        world.do_(&two, &ids[0], "pause", None).expect(200);
        world.do_(&one, &ids[1], "pause", None).expect(200);
        std::thread::sleep(Duration::from_millis(150));
        world.unit(&one, "Sist");
        world.receiver.wait_for("/2", 11);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!((world.receiver.events("/0").len(), world.receiver.events("/1").len()), (10, 10));
        // When one stops, the other goes on.
        drop(one);
        world.unit(&two, "Efter");
        world.receiver.wait_for("/2", 12);
        world.receiver.wait_for("/5", 12);
    }

    fn what_is_committed_is_sent_at_once(world: World) {
        let process = world.process();
        world.subscribe(&process, &world.reader, "/l", json!({}));
        let mut times = Vec::new();
        for number in 0..20 {
            world.unit(&process, &format!("Enhet {number}"));
            let written = Instant::now();
            until("it comes", || world.receiver.events("/l").len() > number);
            let came = world.receiver.sent("/l")[number].at;
            times.push(came.saturating_duration_since(written));
            std::thread::sleep(Duration::from_millis(25));
        }
        times.sort_unstable();
        // The figure is for the benchmark: here only that nothing waits for its turn of seconds.
        assert!(times[10] < Duration::from_secs(1), "{times:?}");
    }
}

mod crowded {
    use super::*;

    on_both! {
        using narrow;

        fn those_that_hang_do_not_delay_those_that_live(world: World) {
            let process = world.process();
            for number in 0..12 {
                world.subscribe(&process, &world.reader, &format!("/dead{number}"), json!({"silentAfterHours": null}));
            }
            world.receiver.hang("/dead", Duration::from_secs(5));
            for number in 0..4 {
                world.subscribe(&process, &world.admin, &format!("/live{number}"), json!({}));
            }
            // Each of the dead takes a place of the others once, until it is known to be dead.
            world.unit(&process, "Ett");
            until("all live ones hear", || (0..4).all(|number| world.receiver.events(&format!("/live{number}")).len() == 1));
            std::thread::sleep(4 * HANGING);
            for count in 2..8 {
                let begun = Instant::now();
                world.unit(&process, &format!("Enhet {count}"));
                until("all live ones hear", || (0..4).all(|number| world.receiver.events(&format!("/live{number}")).len() == count));
                assert!(begun.elapsed() < HANGING, "{:?}", begun.elapsed());
            }
            assert!((0..12).all(|number| world.receiver.events(&format!("/dead{number}")).is_empty()));
        }
    }
}
