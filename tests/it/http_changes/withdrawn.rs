//! What came under protection while somebody followed the log: withdrawn from who is not shown it any more, and told before
//! all else to who is.

use grunddata_testing::on_both;
use serde_json::{Value, json};

use super::{LOG, after, bare, http, items, person, protect, rename};
use crate::http_records::server::{Caller, Http};

/// What of these pages is withdrawn, page by page from there on, and where the last ends.
fn withdrawn(http: &Http, from: &str, limit: usize) -> (Vec<String>, String) {
    let (mut found, mut place) = (Vec::new(), from.to_owned());
    loop {
        let page = http
            .reader()
            .get(&format!("{LOG}&limit={limit}&after={place}"));
        let told = items(&page)
            .iter()
            .filter(|entry| entry["kind"] == "withdrawn");
        found.extend(told.map(|entry| entry["record"].as_str().expect("record").to_owned()));
        place = after(&page);
        if page.json["_meta"]["caughtUp"] == true {
            return (found, place);
        }
    }
}

/// All lines from there on, and where they end.
fn lines(http: &Http, from: &str) -> (Vec<Value>, String) {
    let answer = http
        .reader()
        .get(&format!("{LOG}&format=ndjson&after={from}"));
    answer.expect(200);
    let mut lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let last = lines.pop().expect("a last line");
    let after = last["_meta"]["after"].as_str().expect("a cursor");
    (lines, after.to_owned())
}

fn release(http: &Http, id: &str) {
    let patch = json!({"patch": {"protection": null}, "validFrom": "start"});
    http.admin()
        .with("if-match", "*")
        .post(&format!("/persons/{id}/amendments"), patch)
        .expect(200);
}

on_both! {
    using http;

    fn who_was_shown_a_record_is_told_that_it_is_withdrawn(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let ronja = person(&http, "Ronja", None);
        // One that follows to the end, one in the midst of its first reading, one that has not reached the record.
        let follows = after(&http.reader().get(LOG));
        let midst = after(&http.reader().get(&format!("{LOG}&limit=2")));
        let before = after(&http.reader().get(&format!("{LOG}&limit=1")));
        protect(&http, &ronja, "protected-registration");
        let told = |after: &str| bare(items(&http.reader().get(&format!("{LOG}&after={after}"))));
        let withdrawn = vec![json!({"record": ronja, "domain": "person", "kind": "withdrawn"})];
        assert_eq!(told(&follows), withdrawn);
        assert_eq!(told(&midst), withdrawn);
        assert_eq!(told(&before), Vec::<Value>::new());
        let next = after(&http.reader().get(&format!("{LOG}&after={follows}")));
        let late = after(&http.reader().get(LOG));
        // Once, and no more: what becomes of the record is not told.
        protect(&http, &ronja, "confidentiality-marking");
        for place in [next.as_str(), &late, "0"] {
            assert!(!serde_json::to_string(&told(place)).expect("JSON").contains(&ronja), "{place}");
        }
        // It comes whatever kinds are asked for, and not to who asks for something else.
        assert_eq!(items(&http.reader().get(&format!("{LOG}&after={follows}&kind=create"))).len(), 1);
        assert_eq!(items(&http.reader().get(&format!("{LOG}&after={follows}&domain=organisation"))).len(), 0);
        // Who is created, seen and then protected while somebody follows.
        let birk = person(&http, "Birk", None);
        let seen = http.reader().get(&format!("{LOG}&after={late}"));
        assert_eq!(items(&seen).len(), 1);
        protect(&http, &birk, "protected-registration");
        assert_eq!(told(&after(&seen))[0]["record"], json!(birk));
        // Who reads the whole sees what happened.
        assert!(items(&http.admin().get(LOG)).iter().all(|entry| entry["kind"] != "withdrawn"));
    }

    fn who_was_never_shown_a_record_is_not_told_whatever_the_pages(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let known = person(&http, "Ronja", None);
        let follows = after(&http.reader().get(LOG));
        // While the reader is away one comes and is hidden, and one that it knows is.
        let unknown = person(&http, "Birk", None);
        let (_, path) = http.organisation("Två", "2026-01-01");
        rename(&http, &path, "Två igen");
        rename(&http, &path, "Två en gång till");
        protect(&http, &unknown, "protected-registration");
        protect(&http, &known, "protected-registration");
        rename(&http, &path, "Två till sist");
        for limit in [1, 2, 3, 100] {
            assert_eq!(withdrawn(&http, &follows, limit).0, [known.as_str()], "pages of {limit}");
        }
        let (told, _) = lines(&http, &follows);
        let told = told.iter().filter(|entry| entry["kind"] == "withdrawn").map(|entry| entry["record"].as_str().expect("record")).collect::<Vec<_>>();
        assert_eq!(told, [known.as_str()]);
        // One that comes, is shown while the reader reads on, and is hidden before it is done.
        let place = withdrawn(&http, &follows, 100).1;
        let seen = person(&http, "Lovis", None);
        rename(&http, &path, "Två för allra sista gången");
        let page = http.reader().get(&format!("{LOG}&limit=1&after={place}"));
        assert_eq!(items(&page)[0]["record"], json!(seen));
        protect(&http, &seen, "protected-registration");
        assert_eq!(withdrawn(&http, &after(&page), 1).0, [seen]);
    }

    fn a_raised_protection_is_told_before_all_else(http: Http) {
        let (_, path) = http.organisation("Ett", "2026-01-01");
        let ronja = person(&http, "Ronja", None);
        let (follows, whole) = (after(&http.reader().get(LOG)), after(&http.admin().get(LOG)));
        for name in ["Två", "Tre"] {
            rename(&http, &path, name);
        }
        protect(&http, &ronja, "confidentiality-marking");
        // Nobody has heard of this one yet.
        let birk = person(&http, "Birk", None);
        protect(&http, &birk, "protected-registration");
        let ahead = json!([{"record": ronja, "domain": "person"}]);
        let told = |caller: Caller<'_>, place: &str, limit: usize| {
            let page = caller.get(&format!("{LOG}&limit={limit}&after={place}"));
            page.expect(200);
            (page.json["_meta"]["reRead"].clone(), after(&page))
        };
        for (place, whole) in [(&follows, false), (&whole, true)] {
            let caller = || if whole { http.admin() } else { http.reader() };
            assert_eq!(told(caller(), place, 20).0, ahead);
            // With each page, until the change itself is what comes next.
            let (first, then) = told(caller(), place, 1);
            let (second, last) = told(caller(), &then, 1);
            let (third, _) = told(caller(), &last, 1);
            assert_eq!((first, second, third), (ahead.clone(), ahead.clone(), Value::Null));
            // Who begins has nothing to read anew.
            assert_eq!(told(caller(), "0", 20).0, Value::Null);
        }
        let (lines, _) = lines(&http, &follows);
        let again = json!({"kind": "re-read", "record": ronja, "domain": "person"});
        assert_eq!(lines[0], again);
        assert_eq!(lines.iter().filter(|line| line["kind"] == "re-read").count(), 1);
        let stream = http.admin().get(&format!("/changes/stream?owner=norrberga&after={whole}&wait=0"));
        let events: Vec<&str> = stream.text.split("\n\n").skip(1).collect();
        assert!(events[0].starts_with("event: re-read\ndata: ") && events[0].contains(&ronja), "{}", stream.text);
        assert!(events[1].contains("event: change"), "{}", stream.text);
        // It is told of persons alone to who asks for them, and again when it is raised further.
        let asked = format!("{LOG}&after={whole}&domain=organisation");
        assert_eq!(http.admin().get(&asked).json["_meta"]["reRead"], Value::Null);
        let now = after(&http.admin().get(LOG));
        rename(&http, &path, "Fyra");
        protect(&http, &ronja, "protected-registration");
        assert_eq!(told(http.admin(), &now, 20).0, ahead);
        let raised = after(&http.admin().get(LOG));
        rename(&http, &path, "Fem");
        release(&http, &ronja);
        assert_eq!(told(http.admin(), &raised, 20).0, Value::Null);
    }

    fn what_is_hidden_again_is_withdrawn_again(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let ronja = person(&http, "Ronja", None);
        let first = after(&http.reader().get(LOG));
        protect(&http, &ronja, "protected-registration");
        let (told, hidden) = withdrawn(&http, &first, 20);
        assert_eq!(told, [ronja.as_str()]);
        release(&http, &ronja);
        let shown = http.reader().get(&format!("{LOG}&after={hidden}"));
        assert_eq!(items(&shown).len(), 1, "{}", shown.text);
        protect(&http, &ronja, "protected-registration");
        for limit in [1, 20] {
            assert_eq!(withdrawn(&http, &after(&shown), limit).0, [ronja.as_str()]);
            // Once for who was away all the time, and not for who was shown nothing of it in between.
            assert_eq!(withdrawn(&http, &first, limit).0, [ronja.as_str()]);
            assert!(withdrawn(&http, &hidden, limit).0.is_empty());
        }
    }

    fn lines_go_on_from_what_lines_have_told(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let (_, begun) = lines(&http, "0");
        let ronja = person(&http, "Ronja", None);
        let (told, shown) = lines(&http, &begun);
        assert_eq!((told.len(), &told[0]["record"]), (1, &json!(ronja)));
        // The last entry is as good a place as the last line.
        let entry = told[0]["cursor"].as_str().expect("a cursor").to_owned();
        protect(&http, &ronja, "protected-registration");
        for place in [&shown, &entry] {
            let (told, hidden) = lines(&http, place);
            assert_eq!(bare(&told), [json!({"record": ronja, "domain": "person", "kind": "withdrawn"})]);
            assert!(lines(&http, &hidden).0.is_empty());
        }
        assert!(lines(&http, &begun).0.is_empty());
    }

    fn an_erasure_of_what_was_hidden_is_told_as_withdrawn(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let ronja = person(&http, "Ronja", None);
        let follows = after(&http.reader().get(LOG));
        let birk = person(&http, "Birk", None);
        for id in [&ronja, &birk] {
            protect(&http, id, "protected-registration");
            let request = json!({"records": [id], "decision": "Gallras", "reference": "KS 2026/31"});
            http.admin().post("/erasures", request).expect(201);
        }
        for limit in [1, 20] {
            assert_eq!(withdrawn(&http, &follows, limit).0, [ronja.as_str()]);
        }
        assert_eq!(items(&http.reader().get(LOG)).len(), 1);
    }
}
