//! Reads at any coordinate, their repetition, and what a record was and became.

use grunddata_model::Domain::{Geography, Organisation, Person, Role};
use grunddata_registry::{At, Code, CoordinateParameters, DiffKind, Got, KnownAt};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

on_both! {
    using stack;

    fn both_clocks_combine(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let first = stack.now();
        stack.pass(3_600);
        stack.write(replace(Organisation, id, organisation("B", "unit"), "2026-02-01")).unwrap();
        let second = stack.now();
        stack.pass(3_600);
        stack.write(replace(Organisation, id, organisation("Å", "unit"), "2026-01-01").clone()).unwrap_err();
        stack.write(amend(Organisation, id, json!({"name": {"sv": "C"}}), "2026-01-01", Some("2026-02-01"))).unwrap();
        let name = |day, known| stack.data_known(id, day, known).unwrap()["name"]["sv"].as_str().unwrap().to_owned();
        assert_eq!(name("2026-01-15", first), "A");
        assert_eq!(name("2026-02-15", first), "A");
        assert_eq!(name("2026-01-15", second), "A");
        assert_eq!(name("2026-02-15", second), "B");
        assert_eq!(name("2026-01-15", stack.now()), "C");
        assert_eq!(stack.data_known(id, "2026-01-15", "2026-01-01T00:00:00Z".parse().unwrap()), Err(Code::NotKnownThen));
    }

    fn nothing_there_says_why(stack: Stack) {
        let id = stack.id(created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| create.valid_to = to("2026-02-01")));
        let context = stack.system();
        let refusal = stack.registry.get(&context, Some(Organisation), id, &At::on(day("2026-03-01")), None).unwrap_err();
        assert_eq!(refusal.code, Code::NotValidThen);
        assert_eq!(refusal.facts["validPeriods"], json!([{"validFrom": "2026-01-01", "validTo": "2026-02-01"}]));
        let refusal = stack.registry.get(&context, Some(Person), id, &At::on(day("2026-01-01")), None).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["domain"]), (Code::NotFound, &json!("organisation")));
        let unknown = "01990c3e-0000-7000-8000-0000000000ff".parse().unwrap();
        let refusal = stack.registry.get(&context, None, unknown, &At::now(&context), None).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["reason"]), (Code::NotFound, &json!("unknown")));
    }

    fn a_token_gives_the_same_answer_under_later_writes(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let ronja = stack.id(create(Person, person("Ronja Ask"), "2026-01-01"));
        let id = stack.id(create(Role, role(ronja, unit), "2026-01-01"));
        let foreign = stack.id(created(create(Organisation, organisation("Främmande", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b"))));
        let mixed = stack.id(create(Role, role(ronja, foreign), "2026-01-01"));
        let context = stack.system();
        let at = At::parse(&context, CoordinateParameters { valid_at: Some("2026-02-01"), ..CoordinateParameters::default() }).unwrap();
        let read = |id, at: &At| match stack.registry.get(&stack.system(), Some(Role), id, at, None).unwrap() {
            Got::Found(found) => *found,
            Got::Merged { .. } | Got::Moved { .. } => panic!(),
        };
        let (first, second) = (read(id, &at), read(mixed, &at));
        let query = |token: &str| {
            let parameters = [("sort", "display"), ("count", "exact"), ("asOf", token)];
            let query = stack.registry.query(&stack.system(), Organisation, parameters, grunddata_registry::Place::Address).unwrap();
            stack.registry.search(&stack.system(), &query).unwrap()
        };
        let page = query(&second.as_of.token());
        assert_eq!(page.total.unwrap().records, 2);
        for seconds in [0, 100_000] {
            stack.pass(seconds);
            stack.write(amend(Organisation, unit, json!({"name": {"sv": format!("Nytt namn {seconds}")}}), "2026-01-01", None)).unwrap();
            stack.write(amend(Organisation, foreign, json!({"name": {"sv": format!("Annat namn {seconds}")}}), "2026-01-01", None)).unwrap();
            stack.id(create(Organisation, organisation("Ny", "unit"), "2026-01-01"));
            stack.write(amend(Role, id, json!({"position": format!("Befattning {seconds}")}), "2026-01-01", None)).unwrap();
            for (id, before) in [(id, &first), (mixed, &second)] {
                let token = before.as_of.token();
                let at = At::parse(&stack.system(), CoordinateParameters { as_of: Some(&token), ..CoordinateParameters::default() }).unwrap();
                assert_eq!(read(id, &at), *before);
            }
            assert_eq!(query(&second.as_of.token()), page);
        }
        assert!(read(id, &at).record.data.contains("Befattning"));
        assert!(read(id, &at).record.data.contains("Nytt namn"));
    }

    fn who_was_responsible_is_told_as_it_was_then(stack: Stack) {
        let [school, social] = ["Skolnämnden", "Socialnämnden"].map(|name| stack.id(create(Organisation, organisation(name, "committee"), "2020-01-01")));
        let id = stack.id(created(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"), |create| create.envelope.controller = Some(school)));
        let other = stack.id(created(create(Organisation, organisation("En annan", "unit"), "2026-01-01"), |create| create.envelope.controller = Some(school)));
        let get = |at: &At| match stack.registry.get(&stack.system(), None, id, at, None).unwrap() {
            Got::Found(found) => *found,
            Got::Merged { .. } | Got::Moved { .. } => panic!(),
        };
        let units = |known: &str, controller: &str| {
            let query = [("controller", controller), ("sort", "display"), ("validAt", "2026-02-01"), ("knownAt", known)];
            let query = stack.registry.query(&stack.system(), Organisation, query, grunddata_registry::Place::Address).unwrap();
            let page = stack.registry.search(&stack.system(), &query).unwrap();
            page.items.into_iter().map(|record| (record.id, record.controller)).collect::<Vec<_>>()
        };
        let first = stack.now();
        let before = get(&At::on(day("2026-02-01")));
        stack.pass(3_600);
        let moved = |controller| replaced(replace(Organisation, id, organisation("Enheten", "unit"), "2026-01-01"), |replace| replace.envelope.controller = controller);
        stack.write(moved(Some(social))).unwrap();
        let second = stack.now();
        stack.pass(3_600);
        // The same again changes nothing, and a name alone not who is responsible.
        stack.write(moved(Some(social))).unwrap();
        stack.write(amend(Organisation, id, json!({"name": {"sv": "Nya enheten"}}), "2026-01-01", None)).unwrap();
        stack.pass(3_600);
        let then = |known| get(&At { valid_at: day("2026-02-01"), known: KnownAt::Instant(known) }).record.controller;
        assert_eq!([first, second, stack.now()].map(then), [Some(school), Some(social), Some(social)]);
        let token = before.as_of.token();
        let at = At::parse(&stack.system(), CoordinateParameters { as_of: Some(&token), ..CoordinateParameters::default() }).unwrap();
        assert_eq!(get(&at), before);
        let (first, now) = (first.to_string(), stack.now().to_string());
        assert_eq!(units(&first, &school.to_string()), [(other, Some(school)), (id, Some(school))]);
        assert_eq!(units(&first, &social.to_string()), []);
        assert_eq!(units(&now, &school.to_string()), [(other, Some(school))]);
        assert_eq!(units(&now, &social.to_string()), [(id, Some(social))]);
        assert_eq!(stack.registry.store().verify(&mut |_| {}).unwrap(), []);
    }

    fn no_write_lands_at_or_before_a_known_at_that_was_answered(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.pass(5);
        let now = stack.now();
        assert_eq!(stack.data_known(id, "2026-02-01", now).unwrap()["name"]["sv"], "A");
        // The clock stands still, and the write comes later all the same.
        stack.write_as(&stack.system(), amend(Organisation, id, json!({"name": {"sv": "B"}}), "2026-01-01", None)).unwrap();
        assert_eq!(stack.data_known(id, "2026-02-01", now).unwrap()["name"]["sv"], "A");
        assert_eq!(stack.data(id, "2026-02-01").unwrap()["name"]["sv"], "B");
        let future = At { valid_at: day("2026-02-01"), known: KnownAt::Latest };
        assert_eq!(future, At::on(day("2026-02-01")));
        let parameters = CoordinateParameters { known_at: Some("2027-01-01T00:00:00Z"), ..CoordinateParameters::default() };
        assert_eq!(At::parse(&stack.system(), parameters).unwrap_err().code, Code::KnownAtInFuture);
    }

    fn history_versions_and_differences(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.write(replace(Organisation, id, organisation("B", "unit"), "2026-06-01")).unwrap();
        stack.write(amend(Organisation, id, json!({"costCentre": "1"}), "2026-01-01", None)).unwrap();
        stack.write(end(Organisation, id, "2027-01-01", None)).unwrap();
        let context = stack.system();
        let at = At::now(&context);
        let page = stack.registry.history(&context, Some(Organisation), id, &at, None, 3).unwrap();
        let shown: Vec<(u32, &str)> = page.items.iter().map(|item| (item.version, item.operation.as_str())).collect();
        assert_eq!(shown, [(4, "end"), (3, "amend"), (2, "replace")]);
        assert_eq!(page.next, Some(2));
        let page = stack.registry.history(&context, Some(Organisation), id, &at, page.next, 3).unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        assert_eq!(stack.registry.history(&context, None, id, &at, None, 0).unwrap_err().code, Code::LimitOutOfRange);
        let version = stack.registry.version(&context, None, id, 2).unwrap();
        assert_eq!((version.version, version.items.len()), (2, 2));
        assert_eq!(stack.registry.version(&context, None, id, 5).unwrap_err().code, Code::UnknownVersion);
        let diff = stack.registry.diff(&context, None, id, 1, 4).unwrap();
        let kinds: Vec<(String, DiffKind)> = diff.iter().map(|period| (period.period.to_string(), period.kind)).collect();
        assert_eq!(kinds, [
            ("[2026-01-01, 2026-06-01)".to_owned(), DiffKind::Changed),
            ("[2026-06-01, 2027-01-01)".to_owned(), DiffKind::Changed),
            ("[2027-01-01, open)".to_owned(), DiffKind::Removed),
        ]);
        assert_eq!(diff[0].operations, json!([{"op": "add", "path": "/costCentre", "value": "1"}]));
        assert_eq!(stack.registry.diff(&context, None, id, 1, 1).unwrap(), []);
        assert_eq!(stack.registry.diff(&context, None, id, 1, 9).unwrap_err().code, Code::UnknownVersion);
    }

    fn a_geometry_by_hash_is_one_that_the_owner_has(stack: Stack) {
        let point = |geometry: serde_json::Value| json!({"name": {"sv": "Punkten"}, "kind": "locality", "geometry": geometry});
        let none = format!("geometry:sha256-{}", "0".repeat(64));
        let refusal = stack.refused(create(Geography, point(json!(none)), "2026-01-01"));
        assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::ReferenceNotFound, "/geometry"));
    }

    fn geometry_comes_with_a_record_and_stays_out_of_lists(stack: Stack) {
        let geometry = json!({"type": "Point", "coordinates": [18.07, 59.33]});
        let data = json!({"name": {"sv": "Punkten"}, "kind": "locality", "geometry": geometry});
        let id = stack.id(create(grunddata_model::Domain::Geography, data, "2026-01-01"));
        assert_eq!(stack.data(id, "2026-02-01").unwrap()["geometry"], geometry);
        stack.write(amend(grunddata_model::Domain::Geography, id, json!({"name": {"sv": "Platsen"}}), "2026-02-01", None)).unwrap();
        assert_eq!(stack.data(id, "2026-02-01").unwrap()["geometry"], geometry);
        let search = |parameters: &[(&'static str, &'static str)]| {
            let query = stack.registry.query(&stack.system(), grunddata_model::Domain::Geography, parameters.iter().copied(), grunddata_registry::Place::Address).unwrap();
            let page = stack.registry.search(&stack.system(), &query).unwrap();
            serde_json::from_str::<Value>(&page.items[0].data).unwrap()
        };
        assert!(search(&[]).get("geometry").is_none());
        assert_eq!(search(&[("fields", "geometry")]), json!({"geometry": geometry}));
    }
}
