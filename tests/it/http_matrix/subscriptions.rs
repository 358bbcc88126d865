//! Questions about subscriptions.

use std::sync::OnceLock;

use grunddata_reach::Reach;
use grunddata_server::Config;

use super::*;
use crate::subscriptions::receiver::{Receiver, until};

pub(super) fn of_subscriptions(below: &str) -> bool {
    below.starts_with("/subscriptions")
}

fn receiver() -> &'static Receiver {
    static RECEIVER: OnceLock<Receiver> = OnceLock::new();
    RECEIVER.get_or_init(Receiver::start)
}

/// Lets subscriptions lead to the receiver.
pub(super) fn allowed(config: &mut Config) {
    config.subscriptions.reach = Reach {
        hosts: vec!["127.0.0.1".to_owned()],
        ports: vec![receiver().port()],
        networks: vec!["127.0.0.1".parse().expect("a network")],
        http: true,
    };
}

/// Subscriptions: one of its own for each question, made by an administrator of the owner.
pub(super) fn question(http: &Http, root: &str, method: &str, below: &str) -> Option<Question> {
    let said = || json!({"name": "Prov", "target": receiver().at("/matrix")});
    let with = |below: &str, body: Option<Value>| {
        Some(Question {
            address: format!("{root}{below}"),
            body,
            headers: vec![("if-match", "*")],
        })
    };
    let mut new = said();
    new["owner"] = "norrberga".into();
    match (method, below) {
        ("get", "/subscriptions") => return with(below, None),
        ("post", "/subscriptions") => return with(below, Some(new)),
        _ => {}
    }
    new["after"] = "0".into();
    let made = http.as_("owner-admin").post("/subscriptions", new);
    made.expect(201);
    let id = made.json["id"].as_str().expect("id");
    let path = below.replace("{subscription}", id);
    match (method, below.strip_prefix("/subscriptions/{subscription}")?) {
        ("get", "" | "/deliveries") | ("delete", "") | ("post", "/pause" | "/resume") => {
            with(&path, None)
        }
        ("put", "") => with(&path, Some(said())),
        ("post", "/rotations") => with(&path, Some(json!({}))),
        ("post", "/replay") => with(&path, Some(json!({"after": "0"}))),
        ("post", "/deliveries/{number}/send-again") => {
            let listed = format!("/subscriptions/{id}/deliveries");
            until("something of the log was sent", || {
                let sent = http.as_("owner-admin").get(&listed);
                let kind = &sent.json["items"][0]["kind"];
                kind == "entries"
            });
            let sent = http.as_("owner-admin").get(&listed);
            let number = sent.json["items"][0]["number"].as_u64().expect("number");
            with(&path.replace("{number}", &number.to_string()), None)
        }
        _ => None,
    }
}
