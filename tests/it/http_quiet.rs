//! Personal identity numbers are sent wherever a client can put them, and stand in no line of the log. What is checked
//! when any server of these tests is dropped is checked here with numbers in every place.

use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Caller, Http};
use crate::log_watch;

/// The same number as people write it.
const WRITTEN: [&str; 4] = ["189001019802", "18900101-9802", "9001019802", "900101-9802"];

/// The address of an operation with a number in every place of its path.
fn address(http: &Http, path: &str, root: bool, number: &str) -> String {
    let mut address = path.replace("{collection}", "persons");
    while let (Some(from), Some(to)) = (address.find('{'), address.find('}')) {
        address.replace_range(from..=to, number);
    }
    let base = if root { "" } else { "/api/v1" };
    format!("{}{base}{address}", http.origin())
}

fn sent<'a>(caller: Caller<'a>, number: &str) -> Caller<'a> {
    [
        "x-purpose",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "prefer",
        "accept-language",
        "traceparent",
        "user-agent",
        "referer",
    ]
    .into_iter()
    .fold(caller, |caller, name| caller.with(name, number))
}

/// Bodies with a number in a value, a name, a place where it does not belong, and in what is no JSON.
fn bodies(number: &str) -> Vec<(&'static str, String)> {
    let identifier = json!({"scheme": "se-personal-identity-number", "value": number});
    let data = json!({"name": {"full": number}, "identifiers": [identifier]});
    let values = [
        json!({"data": data, "validFrom": "2026-01-01", "reason": number, "source": number}),
        json!({"data": {"name": number, number: number}, "validFrom": number}),
        json!({"identifiers": [identifier]}),
        json!({"q": number, "name.family": number, "identifier": format!("se-personal-identity-number:{number}"), "sort": number}),
        json!({"operations": [{"op": "create", "collection": "persons", "data": data, "validFrom": "2026-01-01"}, {"op": number, "id": number}]}),
        json!({"items": [{"collection": "persons", "data": data}]}),
        json!({"record": number, "records": [number], "reason": number, "decision": number, "reference": number, "plan": number}),
        json!({"name": number, "unit": number, "grants": [{"owner": number, "role": number}], "expiresAt": number}),
        json!([number]),
        json!(number),
        json!(number.replace('-', "").parse::<u64>().expect("digits")),
    ];
    let mut all: Vec<(&str, String)> = values
        .iter()
        .map(|value: &Value| ("application/json", value.to_string()))
        .collect();
    all.push(("application/json", format!("{{\"data\": {number}, oops")));
    all.push((
        "application/json",
        format!("{{\"{number}\": 1, \"{number}\": 2}}"),
    ));
    all.push(("text/plain", number.to_owned()));
    all.push((
        "application/merge-patch+json",
        json!({"data": {"note": number}}).to_string(),
    ));
    all
}

on_both! {
    using Http::start;

    fn numbers_of_persons_stand_in_no_line_of_the_log(http: Http) {
        let before = log_watch::lines();
        let numbered = |number: &str| json!({"data": {"name": {"full": "Ronja"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": number}]}, "validFrom": "2026-01-01"});
        let made = http.writer().post("/persons", numbered("189001019802"));
        made.expect(201);
        // Somebody has the number already, it is searched for and found, and it is changed.
        http.writer().post("/persons", numbered("18900101-9802")).problem(409, "identifier-in-use");
        http.reader().post("/records/lookup", json!({"identifiers": [{"scheme": "se-personal-identity-number", "value": "189001019802"}]})).expect(200);
        let path = format!("/persons/{}", made.json["id"].as_str().expect("id"));
        http.admin().get(&format!("{path}/extract")).expect(200);
        http.writer().with("if-match", "*").put(&path, numbered("189001019802")).expect(200);
        let mut asked = 0;
        for (place, operation) in grunddata_server::operations().into_iter().enumerate() {
            let number = WRITTEN[place % WRITTEN.len()];
            let address = address(&http, operation.path, operation.root, number);
            let method = operation.method.as_str();
            let query = format!("{address}?{number}={number}&q={number}&identifier=se-personal-identity-number:{number}&validAt={number}&after={number}");
            for address in [&address, &query] {
                sent(http.admin(), number).request(method, address, None);
            }
            http.nobody().with("authorization", &format!("Bearer gd_{number}")).request(method, &address, None);
            asked += 3;
            if method == "GET" {
                continue;
            }
            for (media_type, body) in bodies(number) {
                http.admin().with("content-type", media_type).request(method, &address, Some(body.into_bytes()));
                asked += 1;
            }
        }
        for number in WRITTEN {
            for path in [format!("/{number}"), format!("/api/v1/{number}"), format!("/api/v1/persons/{number}/history/{number}"), format!("/api/v1/persons?name.full={number}&identifier={number}"), format!("/id/person/{number}")] {
                for method in ["GET", "POST", "OPTIONS", "TRACE"] {
                    http.nobody().request(method, &format!("{}{path}", http.origin()), None);
                    asked += 1;
                }
            }
        }
        let after = log_watch::lines();
        // It was listened to, at the finest level, and each request left something to look at.
        assert!(after.0 - before.0 >= asked && after.1 - before.1 >= asked, "{asked} requests, {before:?} to {after:?}");
        log_watch::check();
    }
}
