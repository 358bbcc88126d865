//! Many peers of one registry that have nothing new to say cost next to nothing.

use std::time::Duration;

use grunddata_testing::{Engine, on_both};
use serde_json::json;

use super::other;
use super::site::Site;

/// As many as there are municipalities.
const MANY: usize = 290;
/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(10);

fn engine(engine: Engine) -> Engine {
    engine
}

/// The processor time of this process so far, in hundredths of a second, and its threads.
fn spent() -> (u64, usize) {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = text.rsplit_once(") ").expect("its form").1;
    let words: Vec<&str> = after.split(' ').collect();
    let number = |at: usize| {
        words
            .get(at)
            .and_then(|word| word.parse::<u64>().ok())
            .expect("a number")
    };
    let threads = usize::try_from(number(17)).expect("few");
    (number(11) + number(12), threads)
}

on_both! {
    using engine;

    fn hundreds_of_idle_peers_cost_little(engine: Engine) {
        let names: Vec<String> = (0..MANY).map(|number| format!("kommun-{number}")).collect();
        let owners: Vec<&str> = names.iter().map(String::as_str).collect();
        // The one that is followed answers hundreds of waiting requests of one client, which is no test of it.
        let origin = Site::with_followers(engine, &owners, 2 * MANY);
        let follower = Site::start(other(engine), &[]);
        let (_, before) = spent();
        for name in &names {
            origin.unit(name, "Enheten");
            follower.follow(name, &origin, name, &origin.admin, json!({})).expect(201);
        }
        for name in &names {
            follower.wait(name, |state| state["heardAt"].is_string() && state["position"] == 1);
        }
        std::thread::sleep(Duration::from_secs(2));
        let (begun, threads) = spent();
        std::thread::sleep(WATCHED);
        let (ended, _) = spent();
        let share = (ended - begun) as f64 / (WATCHED.as_secs_f64() * 100.0);
        println!("{MANY} idle peers: {} threads more, {:.1} % of one core, origin and follower together", threads - before, share * 100.0);
        assert!(threads - before <= 2 * MANY + 40, "{threads} threads");
        assert!(share < 0.5, "{share} of one core");
        // And what one of them says comes at once, more often than not: a busy machine may be late, and who is not told at all
        // hears of it when it asks again.
        let mut taken: Vec<_> = (0..5).map(|turn| {
            let id = origin.unit("kommun-7", &format!("Ny {turn}"));
            let begun = std::time::Instant::now();
            follower.wait("kommun-7", |state| state["position"] == turn + 2);
            follower.get(&format!("/organisations/{id}")).expect(200);
            begun.elapsed()
        }).collect();
        taken.sort_unstable();
        assert!(taken[2] < Duration::from_secs(1), "{taken:?}");
    }
}

/// A clock that jumps an hour ahead, and back: what was held meanwhile is not held for that hour.
mod clocks {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use grunddata_information_model::InformationModel;
    use grunddata_testing::{Engine, on_both};
    use serde_json::json;

    use super::engine;
    use crate::peers::other;
    use crate::peers::site::Site;

    on_both! {
        using engine;

        fn a_clock_that_jumps_at_the_follower_loses_nothing(engine: Engine) {
            let origin = Site::start(engine, &["kommun"]);
            let off = Arc::new(AtomicI64::new(0));
            let follower = Site::jumping(other(engine), &off);
            let id = origin.unit("kommun", "Ett");
            follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
            follower.wait_for("kommun", &origin, "kommun");
            for (number, seconds) in [3_600, 0, -3_600, 0].into_iter().enumerate() {
                off.store(seconds, Ordering::SeqCst);
                origin.rename(&id, &format!("Namn {number}"));
                follower.wait_for("kommun", &origin, "kommun");
            }
            off.store(3_600, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_secs(2));
            // Whoever takes it up has the right time, and a lease that reaches an hour on before it.
            let (database, tokens) = (Arc::clone(&follower.database), Arc::clone(&follower.tokens));
            drop(follower.close());
            let (holder, until) = match database.engine {
                Engine::Sqlite => ("x'01990c3e7a5b70008000000000000001'", "held_until + (unixepoch() + 3600) * 1000000"),
                Engine::Postgres => ("'01990c3e-7a5b-7000-8000-000000000001'", "now() + interval '1 hour'"),
            };
            let sql = format!("UPDATE peer SET holder = {holder}, held_until = {until}");
            assert_eq!(database.execute(&sql), 1);
            let model = InformationModel::embedded().expect("model");
            let next = Site::with_model(database, tokens, model, &[]);
            origin.rename(&id, "Sist");
            next.wait_for("kommun", &origin, "kommun");
        }
    }
}
