//! Search: conditions, text, order, pages, counts, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_model::Domain::{self, Organisation, Person};
use grunddata_registry::{Code, Context, Place, Role, SearchPage};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

fn search_as(
    stack: &Stack,
    context: &Context,
    domain: Domain,
    parameters: &[(&str, &str)],
) -> Result<SearchPage, Code> {
    let query = stack
        .registry
        .query(context, domain, parameters.iter().copied(), Place::Address)
        .map_err(|refusal| refusal.code)?;
    stack
        .registry
        .search(context, &query)
        .map_err(|refusal| refusal.code)
}

fn names(page: &SearchPage) -> Vec<&str> {
    page.items
        .iter()
        .map(|record| record.display.as_deref().unwrap_or("-"))
        .collect()
}

fn found(stack: &Stack, parameters: &[(&str, &str)]) -> Vec<String> {
    let page = search_as(stack, &stack.system(), Organisation, parameters).unwrap();
    let mut names: Vec<String> = names(&page).into_iter().map(str::to_owned).collect();
    if !parameters.iter().any(|(name, _)| *name == "sort") {
        names.sort();
    }
    names
}

on_both! {
    using stack;

    fn control_characters_are_refused_before_any_database_sees_them(stack: Stack) {
        for parameter in [("name", "A\u{0}"), ("q", "a\u{0}b"), ("identifier", "source:hr:\u{0}"), ("after", "\u{0}")] {
            assert_eq!(search_as(&stack, &stack.system(), Organisation, &[parameter]).unwrap_err(), Code::InvalidParameter, "{parameter:?}");
        }
        for name in ["A", "B", "C"] {
            stack.id(create(Organisation, organisation(name, "unit"), "2026-01-01"));
        }
        let page = search_as(&stack, &stack.system(), Organisation, &[("sort", "validFrom"), ("limit", "1")]).unwrap();
        let cursor = page.after.unwrap();
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&cursor).unwrap()).unwrap();
        for wrong in ["\\u0000", "9999-99-99", "0000-01-01"] {
            let forged = URL_SAFE_NO_PAD.encode(text.replace("2026-01-01", wrong));
            let asked = [("sort", "validFrom"), ("limit", "1"), ("after", forged.as_str())];
            assert_eq!(search_as(&stack, &stack.system(), Organisation, &asked).unwrap_err(), Code::InvalidCursor, "{wrong}");
        }
        assert!(search_as(&stack, &stack.system(), Organisation, &[("sort", "validFrom"), ("limit", "1"), ("after", &cursor)]).is_ok());
    }

    fn conditions_prefixes_text_and_identifiers(stack: Stack) {
        for (name, kind, number) in [("Umeå kommun", "municipality", "1"), ("Umeå skolor", "unit", "2"), ("Ängelholms kommun", "municipality", "3")] {
            stack.id(create(Organisation, json!({"name": {"sv": name}, "kind": kind, "identifiers": [{"scheme": "source:hr", "value": number}]}), "2026-01-01"));
        }
        assert_eq!(found(&stack, &[]).len(), 3);
        assert_eq!(found(&stack, &[("kind", "unit")]), ["Umeå skolor"]);
        assert_eq!(found(&stack, &[("kind", "unit,municipality")]).len(), 3);
        assert_eq!(found(&stack, &[("name", "umea*")]).len(), 0, "å is a letter of its own");
        assert_eq!(found(&stack, &[("name", "UMEÅ*")]), ["Umeå kommun", "Umeå skolor"]);
        assert_eq!(found(&stack, &[("name", "umeå kommun")]), ["Umeå kommun"]);
        assert_eq!(found(&stack, &[("name", "umeå*"), ("kind", "unit")]), ["Umeå skolor"]);
        assert_eq!(found(&stack, &[("q", "kommun")]), ["Umeå kommun", "Ängelholms kommun"]);
        assert_eq!(found(&stack, &[("q", "stockholm")]).len(), 0);
        assert_eq!(found(&stack, &[("q", "Änglholms")]), ["Ängelholms kommun"], "a typing error");
        assert_eq!(found(&stack, &[("identifier", "source:hr:2")]), ["Umeå skolor"]);
    }

    fn orders_and_pages_by_number_and_by_cursor(stack: Stack) {
        for name in ["Ceder", "Alm", "Björk", "Ek", "Dagg"] {
            stack.id(create(Organisation, organisation(name, "unit"), "2026-01-01"));
        }
        let context = stack.system();
        assert_eq!(found(&stack, &[("sort", "name")]), ["Alm", "Björk", "Ceder", "Dagg", "Ek"]);
        assert_eq!(found(&stack, &[("sort", "-name"), ("limit", "2")]), ["Ek", "Dagg"]);
        assert_eq!(found(&stack, &[("sort", "name"), ("limit", "2"), ("page", "3")]), ["Ek"]);
        let mut seen = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut parameters = vec![("sort", "name"), ("limit", "2"), ("count", "exact")];
            if let Some(after) = &after {
                parameters.push(("after", after));
            }
            let page = search_as(&stack, &context, Organisation, &parameters).unwrap();
            assert_eq!(page.total.unwrap().records, 5);
            seen.extend(names(&page).into_iter().map(str::to_owned));
            after = page.after.clone();
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["Alm", "Björk", "Ceder", "Dagg", "Ek"]);
        let page = search_as(&stack, &context, Organisation, &[("sort", "name"), ("limit", "2")]).unwrap();
        let cursor = page.after.unwrap();
        assert_eq!(search_as(&stack, &context, Organisation, &[("sort", "-name"), ("limit", "2"), ("after", &cursor)]), Err(Code::InvalidCursor));
        assert_eq!(search_as(&stack, &context, Organisation, &[("after", "xyz")]), Err(Code::InvalidCursor));
    }

    fn what_cannot_be_answered_is_refused(stack: Stack) {
        let context = stack.system();
        for (parameters, code) in [
            (&[("nmae", "A")][..], Code::UnknownParameter),
            (&[("filter", "kind='unit'")], Code::UnsupportedParameter),
            (&[("include", "parent")], Code::UnsupportedParameter),
            (&[("parent.name", "A")], Code::UnsupportedParameter),
            (&[("limit", "0")], Code::LimitOutOfRange),
            (&[("limit", "1001")], Code::LimitOutOfRange),
            (&[("limit", "many")], Code::InvalidParameter),
            (&[("page", "0")], Code::InvalidParameter),
            (&[("page", "501")], Code::PageTooDeep),
            (&[("page", "2"), ("after", "x")], Code::InvalidParameter),
            (&[("count", "some")], Code::InvalidParameter),
            (&[("sort", "purpose")], Code::UnknownProperty),
            (&[("fields", "nmae")], Code::UnknownProperty),
            (&[("name", "*")], Code::InvalidParameter),
            (&[("name", "")], Code::InvalidParameter),
            (&[("q", "  ")], Code::InvalidParameter),
            (&[("validAt", "")], Code::InvalidParameter),
            (&[("validAt", "2026-02-30")], Code::InvalidDate),
            (&[("identifier", "17")], Code::InvalidParameter),
            (&[("identifier", "nonsense:17")], Code::UnknownIdentifierScheme),
            (&[("controller", "17")], Code::InvalidParameter),
            (&[("owner", "A B")], Code::InvalidParameter),
            (&[("purpose", "A")], Code::InvalidParameter),
            (&[("parent", "17")], Code::InvalidParameter),
            (&[("parent.below", "01990c3e-7a5b-7000-8000-000000000001,01990c3e-7a5b-7000-8000-000000000002")], Code::InvalidParameter),
        ] {
            assert_eq!(search_as(&stack, &context, Organisation, parameters), Err(code), "{parameters:?}");
        }
        let refusal = stack.registry.query(&context, Organisation, [("nmae", "A")], Place::Address).unwrap_err();
        assert_eq!(refusal.facts["nearest"], "name");
        assert_eq!(search_as(&stack, &context, Person, &[("identifier", "se-personal-identity-number:198112189876")]), Err(Code::PersonalIdentifierInAddress));
    }

    fn records_are_found_by_what_they_refer_to(stack: Stack) {
        let top = stack.id(create(Organisation, organisation("Kommunen", "municipality"), "2020-01-01"));
        let school = stack.id(create(Organisation, unit("Skolan", top), "2020-01-01"));
        let class = stack.id(create(Organisation, unit("Klassen", school), "2020-01-01"));
        let (ronja, birk) = (stack.id(create(Person, person("Ronja"), "2020-01-01")), stack.id(create(Person, person("Birk"), "2020-01-01")));
        let at_school = stack.id(create(Domain::Role, role(ronja, school), "2026-01-01"));
        let in_class = stack.id(created(create(Domain::Role, role(birk, class), "2026-01-01"), |create| create.valid_to = to("2026-06-01")));
        let of = |context: &Context, parameters: &[(&str, &str)]| {
            let page = search_as(&stack, context, Domain::Role, parameters)?;
            let mut ids: Vec<_> = page.items.iter().map(|record| record.id).collect();
            ids.sort();
            Ok::<_, Code>(ids)
        };
        let roles = |parameters: &[(&str, &str)]| of(&stack.system(), parameters).unwrap();
        let both = { let mut both = vec![at_school, in_class]; both.sort(); both };
        let (top, school_id, class_id, ronja_id) = (top.to_string(), school.to_string(), class.to_string(), ronja.to_string());
        assert_eq!(roles(&[("organisation", &school_id)]), [at_school]);
        assert_eq!(roles(&[("organisation", &format!("{school_id},{class_id}"))]), both);
        assert_eq!(roles(&[("organisation.below", &top)]), both);
        assert_eq!(roles(&[("organisation.below", &school_id), ("person", &ronja_id)]), [at_school]);
        assert_eq!(roles(&[("organisation.below", &top), ("validAt", "2026-06-01")]), [at_school]);
        assert!(roles(&[("organisation", &ronja_id)]).is_empty() && roles(&[("organisation.below", &class_id), ("person", &ronja_id)]).is_empty());
        assert_eq!(found(&stack, &[("parent.below", &top)]), ["Klassen", "Skolan"]);
        assert_eq!(found(&stack, &[("parent", &top), ("kind", "unit")]), ["Skolan"]);
        // Page by page, and with a count.
        let first = search_as(&stack, &stack.system(), Domain::Role, &[("organisation.below", &top), ("limit", "1"), ("count", "exact")]).unwrap();
        assert_eq!(first.total.map(|total| total.records), Some(2));
        let after = first.after.unwrap();
        assert_eq!(search_as(&stack, &stack.system(), Domain::Role, &[("organisation.below", &top), ("limit", "1"), ("after", &after)]).unwrap().items.len(), 1);
        assert_eq!(search_as(&stack, &stack.system(), Domain::Role, &[("organisation.below", &school_id), ("limit", "1"), ("after", &after)]), Err(Code::InvalidCursor));
        assert_eq!(search_as(&stack, &stack.system(), Domain::Role, &[("person.below", &ronja_id)]), Err(Code::InvalidParameter));
        // Whom a reader may not see it may not find by.
        let protected = json!({"protection": {"level": "protected-registration"}});
        stack.write(amend(Person, ronja, protected, "2020-01-01", None)).unwrap();
        assert_eq!(of(&stack.outsider(Role::Reader), &[("person", &ronja_id)]), Ok(vec![]));
        assert_eq!(of(&stack.as_actor("a", Role::Administrator), &[("person", &ronja_id)]), Ok(vec![at_school]));
    }

    fn fields_owners_controllers_and_days(stack: Stack) {
        let committee = stack.id(create(Organisation, organisation("Nämnden", "committee"), "2020-01-01"));
        stack.id(created(create(Organisation, json!({"name": {"sv": "A"}, "kind": "unit", "costCentre": "1"}), "2026-01-01"), |create| {
            create.envelope.controller = Some(committee);
            create.valid_to = to("2026-06-01");
        }));
        stack.id(created(create(Organisation, organisation("B", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b"))));
        assert_eq!(found(&stack, &[("kind", "unit")]), ["A", "B"]);
        assert_eq!(found(&stack, &[("kind", "unit"), ("validAt", "2026-06-01")]), ["B"]);
        assert_eq!(found(&stack, &[("owner", "b")]), ["B"]);
        assert_eq!(found(&stack, &[("owner", "a,b"), ("kind", "unit")]), ["A", "B"]);
        assert_eq!(found(&stack, &[("controller", &committee.to_string())]), ["A"]);
        let page = search_as(&stack, &stack.system(), Organisation, &[("kind", "unit"), ("owner", "a"), ("fields", "costCentre")]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&page.items[0].data).unwrap(), json!({"costCentre": "1"}));
    }

    fn a_list_shows_what_a_get_would_show(stack: Stack) {
        stack.id(create(Organisation, organisation("Öppen", "unit"), "2026-01-01"));
        stack.id(created(create(Organisation, organisation("Sluten", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b"))));
        let ronja = stack.id(create(Person, person("Ronja Ask"), "2026-01-01"));
        let mut data = person("Ronja Skyddad");
        data["protection"] = json!({"level": "confidentiality-marking"});
        stack.id(create(Person, data, "2026-01-01"));
        let of = |context: &Context, domain| names(&search_as(&stack, context, domain, &[("count", "exact")]).unwrap()).len();
        let anonymous = stack.anonymous();
        assert_eq!((of(&anonymous, Organisation), of(&anonymous, Person)), (1, 0));
        let reader = stack.as_actor("a", Role::Reader);
        // Of the owner's own readers a placeholder stands for the one under protection; others see nothing of it.
        assert_eq!((of(&reader, Organisation), of(&reader, Person)), (1, 2));
        assert_eq!(of(&stack.outsider(Role::Reader), Person), 1);
        assert!(stack.get_as(&reader, ronja, &grunddata_registry::At::now(&reader)).is_ok());
        let other = stack.as_actor("b", Role::Reader);
        assert_eq!((of(&other, Organisation), of(&other, Person)), (2, 0));
        let admin = stack.as_actor("a", Role::Administrator);
        assert_eq!(of(&admin, Person), 2);
    }
}
