//! Every row of the table of write operations.

use grunddata_model::Domain::Organisation;
use grunddata_registry::{Code, Content, From, IfMatch, Outcome};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

on_both! {
    using stack;

    fn create_gives_one_state_from_today_on(stack: Stack) {
        let written = stack.write(created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| create.valid_from = None)).unwrap();
        assert_eq!((written.version, written.outcome), (1, Outcome::Created));
        assert_eq!(stack.states(written.id), ["2026-03-01 → open A"]);
    }

    fn create_takes_bounds_and_the_unknown_beginning(stack: Stack) {
        let command = created(create(Organisation, organisation("A", "unit"), "unknown"), |create| create.valid_to = to("2026-02-01"));
        let id = stack.id(command);
        assert_eq!(stack.states(id), ["open → 2026-02-01 A"]);
        assert_eq!(stack.data(id, "1066-10-14").unwrap()["name"]["sv"], "A");
        assert_eq!(stack.data(id, "2026-02-01"), Err(Code::NotValidThen));
        let backwards = created(create(Organisation, organisation("A", "unit"), "2026-02-01"), |create| create.valid_to = to("2026-02-01"));
        assert_eq!(stack.refused(backwards).code, Code::InvalidPeriod);
    }

    fn replace_runs_to_the_end_of_the_stretch(stack: Stack) {
        let id = stack.id(created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| create.valid_to = to("2026-06-01")));
        let written = stack.write(replace(Organisation, id, organisation("B", "unit"), "2026-03-01")).unwrap();
        assert_eq!((written.version, written.outcome), (2, Outcome::Updated));
        assert_eq!(written.period.unwrap().to_string(), "[2026-03-01, 2026-06-01)");
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-03-01 A", "2026-03-01 → 2026-06-01 B"]);
        // Before the first state: to the start of the next one.
        stack.write(replace(Organisation, id, organisation("C", "unit"), "2025-11-01")).unwrap();
        assert_eq!(stack.states(id)[0], "2025-11-01 → 2026-01-01 C");
        // An explicit date is taken as said.
        let longer = replaced(replace(Organisation, id, organisation("D", "unit"), "2026-05-01"), |replace| replace.valid_to = to("2027-01-01"));
        stack.write(longer).unwrap();
        assert_eq!(stack.states(id)[3], "2026-05-01 → 2027-01-01 D");
    }

    fn replace_guards_what_is_planned(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.write(replace(Organisation, id, organisation("Planned", "unit"), "2027-01-01")).unwrap();
        let refusal = stack.refused(replace(Organisation, id, organisation("B", "unit"), "2026-03-01"));
        assert_eq!(refusal.code, Code::PlannedStates);
        assert_eq!(refusal.facts["plannedStates"], json!([{"validFrom": "2027-01-01", "validTo": null}]));
        let bounded = replaced(replace(Organisation, id, organisation("B", "unit"), "2026-03-01"), |replace| replace.valid_to = to("2027-01-01"));
        stack.write(bounded).unwrap();
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-03-01 A", "2026-03-01 → 2027-01-01 B", "2027-01-01 → open Planned"]);
        let overwritten = replaced(replace(Organisation, id, organisation("C", "unit"), "2026-03-01"), |replace| replace.overwrite_planned = true);
        stack.write(overwritten).unwrap();
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-03-01 A", "2026-03-01 → open C"]);
    }

    fn replace_never_brings_an_ended_record_back(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.write(end(Organisation, id, "2026-02-01", None)).unwrap();
        let refusal = stack.refused(replace(Organisation, id, organisation("B", "unit"), "2026-03-01"));
        assert_eq!(refusal.code, Code::RecordEnded);
        assert_eq!(refusal.facts["ended"], "2026-02-01");
        let refusal = stack.refused(revive(Organisation, id, organisation("B", "unit"), "2026-01-15"));
        assert_eq!(refusal.code, Code::NotEnded);
        stack.write(revive(Organisation, id, organisation("B", "unit"), "2026-03-01")).unwrap();
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-02-01 A", "2026-03-01 → open B"]);
    }

    fn a_replace_under_a_new_id_creates(stack: Stack) {
        let id = "01990c3e-0000-4000-8000-00000000000a".parse().unwrap();
        let mut command = replaced(replace(Organisation, id, organisation("A", "unit"), "2026-01-01"), |replace| replace.envelope.owner = Some(owner("a")));
        assert_eq!(stack.refused(command.clone()).code, Code::PreconditionFailed);
        command.if_match = None;
        let written = stack.write(command.clone()).unwrap();
        assert_eq!((written.id, written.outcome), (id, Outcome::Created));
        assert_eq!(stack.refused(command).code, Code::PreconditionRequired);
    }

    fn amend_reaches_every_state_and_no_gap(stack: Stack) {
        let id = stack.id(create(Organisation, json!({"name": {"sv": "A"}, "kind": "unit", "costCentre": "1"}), "2026-01-01"));
        stack.write(replace(Organisation, id, json!({"name": {"sv": "B"}, "kind": "unit", "costCentre": "1"}), "2027-01-01")).unwrap();
        stack.write(end(Organisation, id, "2026-04-01", Some("2026-05-01"))).unwrap();
        stack.write(amend(Organisation, id, json!({"costCentre": "2"}), "2026-03-01", None)).unwrap();
        let centres: Vec<_> = ["2026-02-01", "2026-03-15", "2026-06-01", "2027-02-01"]
            .map(|day| stack.data(id, day).unwrap()["costCentre"].as_str().unwrap().to_owned())
            .into();
        assert_eq!(centres, ["1", "2", "2", "2"]);
        assert_eq!(stack.data(id, "2026-04-15"), Err(Code::NotValidThen));
        assert_eq!(stack.data(id, "2027-02-01").unwrap()["name"]["sv"], "B");
        stack.write(amend(Organisation, id, json!({"costCentre": null}), "2026-03-01", Some("2026-04-01"))).unwrap();
        assert!(stack.data(id, "2026-03-15").unwrap().get("costCentre").is_none());
        assert_eq!(stack.data(id, "2026-06-01").unwrap()["costCentre"], "2");
        let refusal = stack.refused(amend(Organisation, id, json!({"costCentre": "3"}), "2026-04-01", Some("2026-05-01")));
        assert_eq!(refusal.code, Code::NothingValid);
    }

    fn amend_results_are_validated(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let refusal = stack.refused(amend(Organisation, id, json!({"kind": null, "nmae": 1}), "2026-03-01", None));
        assert_eq!(refusal.code, Code::InvalidData);
        let codes: Vec<&str> = refusal.errors.iter().map(|error| &*error.code).collect();
        assert!(codes.contains(&"required-property") && codes.contains(&"unknown-property"), "{codes:?}");
    }

    fn json_patch_positions_need_a_test_over_differing_states(stack: Stack) {
        let id = stack.id(create(Organisation, json!({"name": {"sv": "A"}, "kind": "unit", "activities": [{"code": "84111"}]}), "2026-01-01"));
        stack.write(replace(Organisation, id, json!({"name": {"sv": "A"}, "kind": "unit", "activities": [{"code": "85201"}]}), "2027-01-01")).unwrap();
        let operation = json!({"op": "replace", "path": "/activities/0/code", "value": "86101"});
        let refusal = stack.refused(amend(Organisation, id, json!([operation]), "2026-03-01", None));
        assert_eq!(refusal.code, Code::PatchNeedsTest);
        let test = json!({"op": "test", "path": "/activities/0/code", "value": "84111"});
        let refusal = stack.refused(amend(Organisation, id, json!([test, operation]), "2026-03-01", None));
        assert_eq!(refusal.code, Code::PatchFailed);
        stack.write(amend(Organisation, id, json!([test, operation]), "2026-03-01", Some("2027-01-01"))).unwrap();
        assert_eq!(stack.data(id, "2026-06-01").unwrap()["activities"][0]["code"], "86101");
        assert_eq!(stack.data(id, "2027-06-01").unwrap()["activities"][0]["code"], "85201");
    }

    fn end_makes_an_end_or_a_gap_and_is_idempotent(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.write(end(Organisation, id, "2026-04-01", Some("2026-05-01"))).unwrap();
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-04-01 A", "2026-05-01 → open A"]);
        stack.write(end(Organisation, id, "2026-06-01", None)).unwrap();
        let again = stack.write(end(Organisation, id, "2026-07-01", None)).unwrap();
        assert_eq!((again.outcome, again.version), (Outcome::Unchanged, 3));
        let refusal = stack.refused(end(Organisation, id, "2026-01-01", None));
        assert_eq!(refusal.code, Code::NeverValid);
    }

    fn retract_a_period_or_the_whole(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.write(retract(Organisation, id, Some(("2026-02-01", "2026-03-01")))).unwrap();
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-02-01 A", "2026-03-01 → open A"]);
        let before = stack.now();
        let written = stack.write(retract(Organisation, id, None)).unwrap();
        assert_eq!(written.version, 3);
        assert_eq!(stack.data(id, "2026-03-15"), Err(Code::Retracted));
        assert_eq!(stack.data_known(id, "2026-03-15", before).unwrap()["name"]["sv"], "A");
        assert_eq!(stack.refused(amend(Organisation, id, json!({"costCentre": "1"}), "2026-03-01", None)).code, Code::Retracted);
        let again = stack.write(retract(Organisation, id, None)).unwrap();
        assert_eq!(again.outcome, Outcome::Unchanged);
        stack.write(revive(Organisation, id, organisation("B", "unit"), "2025-01-01")).unwrap();
        assert_eq!(stack.states(id), ["2025-01-01 → open B"]);
    }

    fn revert_goes_back_to_a_version(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        stack.write(replace(Organisation, id, organisation("B", "unit"), "2026-02-01")).unwrap();
        stack.write(end(Organisation, id, "2026-06-01", None)).unwrap();
        let written = stack.write(revert(Organisation, id, 1)).unwrap();
        assert_eq!(written.version, 4);
        assert_eq!(stack.states(id), ["2026-01-01 → open A"]);
        assert_eq!(stack.write(revert(Organisation, id, 1)).unwrap().outcome, Outcome::Unchanged);
        let refusal = stack.refused(revert(Organisation, id, 9));
        assert_eq!(refusal.code, Code::UnknownVersion);
    }

    fn what_changes_nothing_makes_no_version(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        for command in [
            replace(Organisation, id, json!({"kind": "unit", "name": {"sv": "A"}}), "2026-01-01"),
            replace(Organisation, id, organisation("A", "unit"), "2026-02-01"),
            amend(Organisation, id, json!({"name": {"sv": "A"}}), "2026-02-01", None),
        ] {
            let written = stack.write(command).unwrap();
            assert_eq!((written.outcome, written.version), (Outcome::Unchanged, 1));
        }
        assert_eq!(stack.states(id), ["2026-01-01 → open A"]);
    }

    fn a_correction_may_begin_at_the_start(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2025-01-01"));
        let mut command = replaced(replace(Organisation, id, organisation("Å", "unit"), "2026-01-01"), |replace| replace.valid_from = Some(From::Start));
        command.note.change_kind = grunddata_registry::ChangeKind::Correction;
        command.note.corrects = Some(1);
        command.note.reason = Some("Felstavat".to_owned());
        stack.write(command).unwrap();
        assert_eq!(stack.states(id), ["2025-01-01 → open Å"]);
        let context = stack.system();
        let history = stack.registry.history(&context, None, id, &grunddata_registry::At::now(&context), None, 10).unwrap();
        assert_eq!(history.items[0].change_kind, grunddata_registry::ChangeKind::Correction);
        assert_eq!((history.items[0].corrects, history.items[0].reason.as_deref()), (Some(1), Some("Felstavat")));
    }

    fn a_correction_says_from_when_and_what(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2025-01-01"));
        let correction = |corrects: Option<u32>, kind, valid_from| {
            let mut command = replaced(replace(Organisation, id, organisation("B", "unit"), "2026-01-01"), |replace| replace.valid_from = valid_from);
            command.note.change_kind = kind;
            command.note.corrects = corrects;
            command
        };
        use grunddata_registry::ChangeKind::{Change, Correction};
        assert_eq!(stack.refused(correction(None, Correction, None)).code, Code::InvalidPeriod);
        assert_eq!(stack.refused(correction(Some(1), Change, Some(From::Start))).code, Code::InvalidParameter);
        assert_eq!(stack.refused(correction(Some(2), Correction, Some(From::Start))).code, Code::UnknownVersion);
        stack.write(correction(Some(1), Correction, Some(From::Start))).unwrap();
    }

    fn bad_data_gives_all_errors(stack: Stack) {
        let refusal = stack.refused(create(Organisation, json!({"kind": "uinit", "naem": {"sv": "A"}}), "2026-01-01"));
        assert_eq!(refusal.code, Code::InvalidData);
        let codes: Vec<&str> = refusal.errors.iter().map(|error| &*error.code).collect();
        for code in ["unknown-code", "unknown-property", "required-property"] {
            assert!(codes.contains(&code), "{codes:?}");
        }
        let unknown = created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| {
            create.content = Content { data: organisation("A", "unit"), model: Some("grunddata/9.0.0".parse().unwrap()) };
        });
        assert_eq!(stack.refused(unknown).code, Code::UnknownModel);
        // A package that came with another registry's records explains those alone.
        let text = |word: &str| json!({"sv": word, "en": word});
        let manifest = json!({
            "name": "own", "version": "0.2.0", "title": text("Own"), "description": text("Own"), "status": "published",
            "publisher": "us", "licence": "CC0-1.0", "namespace": "https://example.se/model/", "released": "2026-01-01",
            "dependsOn": {"grunddata": "^1.0"}, "codelists": [],
        });
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.se/model/0.2.0/person.schema.json",
            "x-label": text("Own"), "x-definition": text("Own"), "x-privacy": "internal", "type": "object", "additionalProperties": false,
            "properties": {"colour": {"x-label": text("Colour"), "x-definition": text("Colour"), "type": "string"}},
        });
        let files = [("model.json", manifest), ("person.schema.json", schema)].map(|(path, content)| (path.to_owned(), content.to_string().into_bytes()));
        let foreign = grunddata_information_model::Package::from_files("own/0.2.0", files).unwrap();
        stack.registry.model().install(vec![foreign]).unwrap();
        let mut data = person("Ek");
        data["extensions"] = json!({"own": {"colour": "red"}});
        let id = stack.id(create(grunddata_model::Domain::Person, person("Ek"), "2026-01-01"));
        for command in [
            create(grunddata_model::Domain::Person, data.clone(), "2026-01-01"),
            replace(grunddata_model::Domain::Person, id, data.clone(), "2026-01-01"),
            revive(grunddata_model::Domain::Person, id, data, "2026-01-01"),
        ] {
            let foreign = stack.refused(command);
            assert_eq!((foreign.code, foreign.facts["current"].as_str()), (Code::UnknownModel, Some("grunddata/1.0.0")));
        }
    }

    fn dated_codes_are_checked_when_introduced(stack: Stack) {
        let refusal = stack.refused(create(Organisation, organisation("Landstinget", "county-council"), "2021-01-01"));
        assert_eq!(refusal.code, Code::CodeNotValidAtDate);
        let id = stack.id(create(Organisation, organisation("Landstinget", "county-council"), "2015-01-01"));
        // It has expired, but this write does not introduce it.
        stack.write(amend(Organisation, id, json!({"costCentre": "1"}), "2026-01-01", None)).unwrap();
        stack.refused(replace(Organisation, id, organisation("Regionen", "region"), "2020-01-01"));
        let command = replaced(replace(Organisation, id, organisation("Regionen", "region"), "2020-01-01"), |replace| replace.overwrite_planned = true);
        stack.write(command).unwrap();
        let back = replaced(replace(Organisation, id, organisation("Landstinget", "county-council"), "2022-01-01"), |replace| replace.valid_to = to("2023-01-01"));
        assert_eq!(stack.refused(back).code, Code::CodeNotValidAtDate);
    }

    fn writing_under_an_existing_id_needs_the_version(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let mut command = replace(Organisation, id, organisation("B", "unit"), "2026-02-01");
        command.if_match = None;
        let refusal = stack.refused(command.clone());
        assert_eq!((refusal.code, &refusal.facts["version"]), (Code::PreconditionRequired, &json!(1)));
        command.if_match = Some(IfMatch::Version(7));
        let refusal = stack.refused(command.clone());
        assert_eq!((refusal.code, &refusal.facts["version"]), (Code::PreconditionFailed, &json!(1)));
        command.if_match = Some(IfMatch::Version(1));
        stack.write(command).unwrap();
        let taken = created(create(Organisation, organisation("B", "unit"), "2026-02-01"), |create| create.id = Some(id));
        assert_eq!(stack.refused(taken).code, Code::RecordExists);
    }
}
