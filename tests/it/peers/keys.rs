//! Whose signature under the log of a peer is believed.

use grunddata_testing::on_both;
use serde_json::{Value, json};

use super::pair;
use super::site::Site;

fn published(site: &Site) -> Vec<Value> {
    let url = format!("{}/.well-known/grunddata-log-keys", site.origin());
    let text = reqwest::blocking::get(url)
        .expect("an answer")
        .text()
        .expect("a text");
    let keys: Value = serde_json::from_str(&text).expect("JSON");
    keys["keys"].as_array().expect("keys").clone()
}

fn rotate(site: &Site) -> String {
    site.store().rotate_log_key().expect("a key").id
}

/// The name of the key that it signs with.
fn current(site: &Site) -> Value {
    let keys = published(site);
    keys.iter()
        .find(|key| key["retiredAt"].is_null())
        .expect("a key")["id"]
        .clone()
}

on_both! {
    using pair;

    fn a_key_that_the_one_before_has_signed_is_believed_and_no_other(pair: (Site, Site)) {
        let (origin, follower) = pair;
        origin.unit("kommun", "Ett");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let trusts = || follower.peer("kommun")["state"]["trusts"].clone();
        assert_eq!(trusts(), json!([current(&origin)]));
        // Twice in a row, as when nobody followed in between.
        rotate(&origin);
        let second = rotate(&origin);
        origin.unit("kommun", "Två");
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(trusts().as_array().map(Vec::len), Some(3));
        assert_eq!(trusts()[2], second);
        // A key that comes from nowhere, as after a theft of the address or an import elsewhere.
        origin.forge_log_key();
        let id = origin.unit("kommun", "Tre");
        follower.wait("kommun", |state| state["failure"].as_str().is_some_and(|why| why.contains("signed with another key")));
        assert_eq!(follower.peer("kommun")["state"]["position"], 2);
        assert_eq!(follower.get(&format!("/organisations/{id}")).status, 404);
        // Whoever runs this registry has asked, and says that it is right.
        follower.send("POST", "/peers/kommun/trust", None).expect(200);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(trusts(), json!([current(&origin)]));
    }

    fn a_pinned_key_is_asked_for_from_the_beginning(pair: (Site, Site)) {
        let (origin, follower) = pair;
        origin.unit("kommun", "Ett");
        // The key is made when it is first asked for.
        origin.get("/changes/head?owner=kommun").expect(200);
        let right = published(&origin)[0]["publicKey"].clone();
        let wrong = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";
        let bad = follower.follow("kommun", &origin, "kommun", &origin.admin, json!({"keys": ["x"]}));
        assert_eq!((bad.status, &bad.json["errors"][0]["pointer"]), (422, &json!("/settings/keys/0")), "{}", bad.json);
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({"keys": [wrong]})).expect(201);
        follower.wait("kommun", |state| state["failure"].as_str().is_some_and(|why| why.contains("signed with another key")));
        assert_eq!(follower.peer("kommun")["state"]["position"], 0);
        let settings = json!({"settings": {"url": origin.origin(), "owner": "kommun", "tokenFile": "kommun.token", "keys": [right]}});
        follower.send("PUT", "/peers/kommun", Some(settings)).expect(200);
        follower.wait_for("kommun", &origin, "kommun");
    }
}
