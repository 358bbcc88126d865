//! What goes with what is not shown any more, and what stays told to those who read a copy.

use std::net::SocketAddr;

use grunddata_model::OwnerKey;
use grunddata_registry::{Grant, OwnerScope, Role};
use grunddata_testing::on_both;
use serde_json::json;

use super::site::Site;
use super::{pair, reader};
use crate::faults::proxy::Proxy;

fn administrator(owner: &str) -> Grant {
    Grant::of(
        OwnerScope::Owner(OwnerKey::new(owner).expect("key")),
        Role::Administrator,
    )
}

fn protect(site: &Site, person: &str) {
    let patch =
        json!({"patch": {"protection": {"level": "protected-registration"}}, "validFrom": "start"});
    site.send(
        "POST",
        &format!("/persons/{person}/amendments"),
        Some(patch),
    )
    .expect(200);
}

on_both! {
    using pair;

    /// The role of a person and the child whose custodian they are tell of them: they are hidden together at the origin, with no
    /// entry of their own.
    fn what_identifies_a_withdrawn_person_goes_with_them(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let unit = origin.unit("kommun", "Skolan");
        let person = |name: &str, more: serde_json::Value| {
            let mut data = json!({"name": {"full": name}});
            for (key, value) in more.as_object().into_iter().flatten() {
                data[key] = value.clone();
            }
            origin.create("persons", json!({"owner": "kommun", "data": data, "validFrom": "2026-01-01"}))
        };
        let (hidden, other) = (person("Per Dold", json!({})), person("Ida Öppen", json!({})));
        let child = person("Kim Barn", json!({"relationships": [{"kind": "custodian", "person": {"id": hidden}}]}));
        let role = |of: &str| {
            let data = json!({"kind": "employment", "title": {"sv": "Lärare"}, "organisation": {"id": unit}, "person": {"id": of}});
            origin.create("roles", json!({"owner": "kommun", "data": data, "validFrom": "2026-02-01"}))
        };
        let (of_hidden, of_other) = (role(&hidden), role(&other));
        let token = origin.token(vec![reader("kommun")]);
        follower.follow("kommun", &origin, "kommun", &token, json!({})).expect(201);
        follower.wait("kommun", |state| state["heardAt"].is_string() && state["position"] == 6);
        follower.get(&format!("/roles/{of_hidden}")).expect(200);
        protect(&origin, &hidden);
        follower.wait("kommun", |state| state["position"].as_u64() > Some(6));
        for path in [format!("/persons/{hidden}"), format!("/roles/{of_hidden}"), format!("/persons/{child}")] {
            for more in ["", "/timeline", "/history", "/links?direction=both"] {
                assert_eq!(follower.get(&format!("{path}{more}")).status, 410, "{path}{more}");
            }
        }
        for path in [format!("/persons/{other}"), format!("/roles/{of_other}"), format!("/organisations/{unit}")] {
            follower.get(&path).expect(200);
        }
        assert_eq!(follower.get("/persons?q=Kim").expect(200)["items"], json!([]));
    }

    /// The token is shown the whole of one owner, and not the protected person of another that a role leads to.
    fn a_whole_copy_goes_on_where_a_record_leads_to_what_is_hidden(pair: (Site, Site)) {
        let (origin, follower) = pair;
        origin.add_owner("annan");
        let unit = origin.unit("kommun", "Enheten");
        let person = origin.create("persons", json!({"owner": "annan", "data": {"name": {"full": "Per Dold"}}, "validFrom": "2026-01-01"}));
        protect(&origin, &person);
        let data = json!({"kind": "employment", "title": {"sv": "Lärare"}, "organisation": {"id": unit}, "person": {"id": person}});
        let role = origin.create("roles", json!({"owner": "kommun", "data": data, "validFrom": "2026-02-01"}));
        let token = origin.token(vec![administrator("kommun")]);
        follower.follow("kommun", &origin, "kommun", &token, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        origin.rename(&unit, "Enheten 2");
        follower.wait_for("kommun", &origin, "kommun");
        let state = follower.peer("kommun")["state"].clone();
        assert_eq!((&state["failures"], &state["unprovenFrom"]), (&json!(0), &json!(null)), "{state}");
        assert_eq!(follower.get(&format!("/roles/{role}")).expect(200)["data"]["person"], json!(null));
        // The tree is that of the origin all the same.
        let head = |site: &Site| site.get("/changes/head?owner=kommun").expect(200)["rootHash"].clone();
        assert_eq!(head(&origin), head(&follower));
    }

    /// A person comes with a later copy than the role that leads to them, and under protection.
    fn protection_reaches_what_another_copy_brought_before(pair: (Site, Site)) {
        let (origin, follower) = pair;
        origin.add_owner("region");
        let unit = origin.unit("region", "Sjukhuset");
        let person = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Per Dold"}}, "validFrom": "2026-01-01"}));
        let data = json!({"kind": "employment", "title": {"sv": "Läkare"}, "organisation": {"id": unit}, "person": {"id": person}});
        let role = origin.create("roles", json!({"owner": "region", "data": data, "validFrom": "2026-02-01"}));
        follower.follow("region", &origin, "region", &origin.admin, json!({})).expect(201);
        follower.wait_for("region", &origin, "region");
        protect(&origin, &person);
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let token = follower.token(vec![reader("region"), reader("kommun")]);
        let asked = |site: &Site, token: &str| site.get_as(token, &format!("/roles/{role}"));
        let there = origin.token(vec![reader("region"), reader("kommun")]);
        let (here, there) = (asked(&follower, &token), asked(&origin, &there));
        assert_eq!(here.status, there.status);
        assert_eq!(here.json["data"], there.json["data"]);
    }

    /// What was forgotten and fetched anew is another log: who reads it by cursor or position learns so.
    fn who_reads_a_copy_learns_that_it_began_anew(pair: (Site, Site)) {
        let (origin, follower) = pair;
        for number in 0..5 {
            origin.unit("kommun", &format!("Enhet {number}"));
        }
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({"domains": ["organisation"]})).expect(201);
        follower.wait("kommun", |state| state["position"] == 5 && state["heardAt"].is_string());
        let page = follower.get("/changes?owner=kommun&limit=3").expect(200);
        let (after, epoch) = (&page["_meta"]["after"], &page["_meta"]["epoch"]);
        let settings = json!({"settings": {"url": origin.origin(), "owner": "kommun", "tokenFile": "kommun.token"}});
        follower.send("PUT", "/peers/kommun", Some(settings)).expect(200);
        follower.wait("kommun", |state| state["restarts"] == 1 && state["position"] == 5 && state["heardAt"].is_string());
        let refused = follower.get(&format!("/changes?owner=kommun&after={after}&epoch={epoch}"));
        assert_eq!((refused.status, &refused.json["code"], &refused.json["forkPosition"]), (410, &json!("log-forked"), &json!(0)));
    }

    /// A log that ends before what was copied, without a word of a restore.
    fn a_log_that_has_become_shorter_forgets_nothing(pair: (Site, Site)) {
        let (origin, follower) = pair;
        for number in 0..5 {
            origin.unit("kommun", &format!("Enhet {number}"));
        }
        let proxy = Proxy::start();
        let address = |site: &Site| site.origin().trim_start_matches("http://").parse::<SocketAddr>().expect("an address");
        proxy.lead_to([address(&origin)]);
        let url = json!({"url": format!("http://{}", proxy.address())});
        follower.follow("kommun", &origin, "kommun", &origin.admin, url).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let twin = Site::start(origin.database.engine, &["kommun"]);
        twin.unit("kommun", "Annat");
        std::fs::write(follower.tokens.path().join("kommun.token"), &twin.admin).expect("a token");
        proxy.lead_to([address(&twin)]);
        proxy.cut();
        follower.wait("kommun", |state| state["failure"].as_str().is_some_and(|why| why.contains("is shorter")));
        let state = follower.peer("kommun")["state"].clone();
        assert_eq!((&state["position"], &state["restarts"]), (&json!(5), &json!(0)), "{state}");
    }

    fn a_copy_that_is_removed_leaves_nothing_that_is_wrong(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let area = origin.create("geographies", json!({"owner": "kommun", "data": {"name": {"sv": "Riket"}, "kind": "catchment-area"}, "validFrom": "2026-01-01"}));
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let data = json!({"name": {"sv": "Egen"}, "kind": "unit", "catchmentAreas": [{"id": area}]});
        let made = follower.send_with("POST", "/organisations", Some(json!({"owner": "nation", "data": data, "validFrom": "2026-02-01"})), "");
        assert!([201, 422].contains(&made.status), "{}", made.json);
        assert_eq!(follower.send_with("DELETE", "/peers/kommun?records=remove", None, "").status, 204);
        // What the store verifies at the end of every test finds nothing.
    }
}
