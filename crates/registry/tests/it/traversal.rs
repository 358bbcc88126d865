//! Links in both directions, and hierarchies.

use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_registry::{At, Code, Direction, LinksRequest};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

on_both! {
    using stack;

    fn links_hold_where_both_ends_do(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let ronja = stack.id(create(Person, person("Ronja Ask"), "2026-01-01"));
        let id = stack.id(create(Role, role(ronja, unit), "2026-02-01"));
        stack.write(end(Role, id, "2026-06-01", None)).unwrap();
        let context = stack.system();
        let links = |record, day_: &str, direction| {
            let request = LinksRequest { direction, ..LinksRequest::default() };
            stack.registry.links(&context, None, record, &At::on(day(day_)), &request)
        };
        let out = links(id, "2026-03-01", Direction::Out).unwrap();
        let shown: Vec<(&str, Option<&str>)> = out.items.iter().map(|link| (&*link.relation, link.display.as_deref())).collect();
        assert!(shown.contains(&("person", Some("Ronja Ask"))) && shown.contains(&("organisation", Some("Enheten"))), "{shown:?}");
        assert_eq!(out.counts[&("out", "person".to_owned())], 1);
        let inward = links(unit, "2026-03-01", Direction::In).unwrap();
        assert_eq!((inward.items.len(), inward.items[0].source), (1, id));
        assert!(links(unit, "2026-01-15", Direction::In).unwrap().items.is_empty());
        assert!(links(unit, "2026-06-01", Direction::In).unwrap().items.is_empty());
        assert_eq!(links(id, "2026-07-01", Direction::Out).unwrap_err().code, Code::NotValidThen);
    }

    fn links_are_followed_to_a_depth_and_paged(stack: Stack) {
        let top = stack.id(create(Organisation, organisation("Top", "department"), "2020-01-01"));
        let mut children = Vec::new();
        for number in 0..5 {
            children.push(stack.id(create(Organisation, unit(&format!("Enhet {number}"), top), "2020-01-01")));
        }
        let leaf = stack.id(create(Organisation, unit("Löv", children[0]), "2020-01-01"));
        let context = stack.system();
        let at = At::now(&context);
        let ask = |request: LinksRequest| stack.registry.links(&context, None, top, &at, &request);
        let inward = |depth, limit, page| LinksRequest { direction: Direction::In, depth, limit, page, relations: vec!["parent".to_owned()], include_records: true };
        let deep = ask(inward(2, 100, 1)).unwrap();
        assert_eq!((deep.items.len(), deep.records.len(), deep.more), (6, 6, false));
        assert_eq!(deep.items.iter().find(|link| link.source == leaf).unwrap().depth, 2);
        let mut seen = Vec::new();
        for page in 1..=3 {
            let page = ask(inward(1, 2, page)).unwrap();
            seen.extend(page.items.iter().map(|link| link.source));
            assert_eq!(page.more, seen.len() < 5);
            assert_eq!(page.counts[&("in", "parent".to_owned())], 5);
        }
        seen.sort();
        children.sort();
        assert_eq!(seen, children);
        assert_eq!(ask(inward(11, 2, 1)).unwrap_err().code, Code::InvalidParameter);
        assert_eq!(ask(inward(1, 0, 1)).unwrap_err().code, Code::LimitOutOfRange);
        let unknown = ask(LinksRequest { relations: vec!["parnet".to_owned()], ..LinksRequest::default() }).unwrap_err();
        assert_eq!((unknown.code, &unknown.facts["nearest"]), (Code::UnknownRelation, &json!("parent")));
        let wide = LinksRequest { relations: vec!["affiliation".to_owned()], ..LinksRequest::default() };
        assert!(ask(wide).unwrap().items.is_empty());
    }

    fn hierarchies_are_read_upwards_and_downwards_on_a_day(stack: Stack) {
        let top = stack.id(create(Organisation, organisation("Top", "department"), "2020-01-01"));
        let middle = stack.id(create(Organisation, unit("Mitten", top), "2020-01-01"));
        let leaf = stack.id(create(Organisation, unit("Löv", middle), "2020-01-01"));
        let other = stack.id(create(Organisation, unit("Annat", top), "2020-01-01"));
        stack.write(replace(Organisation, leaf, unit("Löv", other), "2027-01-01")).unwrap();
        let context = stack.system();
        let up = |day_: &str| -> Vec<(grunddata_model::RecordId, u32)> {
            let answer = stack.registry.ancestors(&context, None, leaf, &At::on(day(day_)), &[]).unwrap();
            answer.items.iter().map(|node| (node.record.id, node.depth)).collect()
        };
        assert_eq!(up("2026-03-01"), [(middle, 1), (top, 2)]);
        assert_eq!(up("2027-03-01"), [(other, 1), (top, 2)]);
        let down = |limit, after| stack.registry.subtree(&context, None, top, &At::on(day("2026-03-01")), &["parent".to_owned()], limit, after).unwrap();
        let all = down(10, None);
        assert_eq!((all.items.len(), all.more), (3, false));
        assert_eq!((all.items[2].record.id, all.items[2].via, all.items[2].depth), (leaf, middle, 2));
        let first = down(2, None);
        assert!(first.more);
        let last = first.items.last().unwrap();
        let rest = down(2, Some((last.depth, last.record.id)));
        assert_eq!((rest.items.len(), rest.items[0].record.id), (1, leaf));
        let refusal = stack.registry.ancestors(&context, None, leaf, &At::now(&context), &["seat".to_owned()]).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidParameter);
    }

    fn what_is_hidden_is_in_no_traversal(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let mut data = person("Skyddad Person");
        data["protection"] = json!({"level": "protected-registration"});
        let hidden = stack.id(create(Person, data, "2026-01-01"));
        let id = stack.id(create(Role, role(hidden, unit), "2026-01-01"));
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        let at = At::now(&reader);
        assert_eq!(stack.get_as(&reader, hidden, &at).unwrap_err().code, Code::NotFound);
        // The role would say who it is.
        assert_eq!(stack.get_as(&reader, id, &at).unwrap_err().code, Code::NotFound);
        let inward = LinksRequest { direction: Direction::In, ..LinksRequest::default() };
        assert!(stack.registry.links(&reader, None, unit, &at, &inward).unwrap().items.is_empty());
        let admin = stack.as_actor("a", grunddata_registry::Role::Administrator);
        assert!(stack.get_as(&admin, hidden, &at).is_ok());
        // Nobody who is not asked sees more than what is public.
        let anonymous = stack.anonymous();
        assert!(stack.get_as(&anonymous, unit, &at).is_ok());
        assert_eq!(stack.get_as(&anonymous, id, &at).unwrap_err().code, Code::NotFound);
        let nothing = stack.registry.links(&anonymous, None, unit, &at, &LinksRequest { direction: Direction::In, ..LinksRequest::default() }).unwrap();
        assert!(nothing.items.is_empty() && nothing.counts.is_empty());
    }
}
