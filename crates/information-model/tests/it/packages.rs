//! Packages in directories: extensions that are loaded, and faults that are refused with a message that says where.

use std::fs;
use std::path::Path;

use grunddata_information_model::InformationModel;
use grunddata_model::Domain;
use serde_json::{Value, json};

const NAMESPACE: &str = "https://example.se/model/";

fn text(word: &str) -> Value {
    json!({"sv": word, "en": word})
}

/// An extension package with one property of an organisation, its own reference, code list and identifier scheme.
fn manifest() -> Value {
    json!({
        "name": "own", "version": "0.2.0", "title": text("Own"), "description": text("Own"), "status": "published",
        "publisher": "us", "licence": "CC0-1.0", "namespace": NAMESPACE, "released": "2026-01-01",
        "dependsOn": {"grunddata": "^1.0"},
        "codelists": [
            {"name": "colour", "title": text("Colour"), "description": text("Colours"), "status": "active"},
            {"name": "identifier-scheme", "title": text("Schemes"), "description": text("Schemes"), "status": "active"}
        ]
    })
}

fn schema() -> Value {
    let common = "https://w3id.org/grunddata/grunddata/1.0.0/common.schema.json";
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("{NAMESPACE}0.2.0/organisation.schema.json"),
        "x-label": text("Own"), "x-definition": text("Own"), "x-privacy": "internal",
        "type": "object", "additionalProperties": false,
        "properties": {
            "colour": {"x-label": text("Colour"), "x-definition": text("Colour"), "type": "string", "x-codelist": "colour", "x-index": ["exact"]},
            "twin": {
                "x-label": text("Twin"), "x-definition": text("Twin"), "$ref": format!("{common}#/$defs/Reference"),
                "x-reference": {
                    "relation": "own-twin", "inverse": "own-twin-of", "label": text("twin"), "inverseLabel": text("twin of"),
                    "targets": [{"domain": "organisation"}], "onTargetEnd": "unset"
                }
            }
        }
    })
}

const COLOURS: &str = "code,label_sv,label_en,definition_sv,definition_en,valid_from,valid_to,broader,successor,status,exact_match\nred,röd,red,röd,red,2020-01-01,,,,active,\n";
const SCHEMES: &str = "code,label_sv,label_en,definition_sv,definition_en,valid_from,valid_to,broader,successor,status,exact_match,normalisation,check,pattern,uniqueness,privacy,domains,uri\nown-number,Eget nummer,Own number,Eget,Own,,,,,active,,upper,none,^[A-Z]+$,always,public,organisation,\n";

fn write(root: &Path, manifest: &Value, schema: &Value, colours: &str, schemes: &str) {
    let package = root.join("own/0.2.0");
    fs::create_dir_all(package.join("codelists")).unwrap();
    fs::write(package.join("model.json"), manifest.to_string()).unwrap();
    fs::write(package.join("organisation.schema.json"), schema.to_string()).unwrap();
    fs::write(package.join("codelists/colour.csv"), colours).unwrap();
    fs::write(package.join("codelists/identifier-scheme.csv"), schemes).unwrap();
}

/// What loading says of the package after a change to its manifest and its schema.
fn refused(change: impl Fn(&mut Value, &mut Value)) -> String {
    let root = tempfile::tempdir().unwrap();
    let (mut manifest, mut schema) = (manifest(), schema());
    change(&mut manifest, &mut schema);
    write(root.path(), &manifest, &schema, COLOURS, SCHEMES);
    InformationModel::load(&[root.path().to_owned()])
        .unwrap_err()
        .to_string()
}

#[test]
fn an_extension_adds_properties_relations_lists_and_schemes() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &manifest(), &schema(), COLOURS, SCHEMES);
    // The same content twice is the same package.
    let copy = tempfile::tempdir().unwrap();
    write(copy.path(), &manifest(), &schema(), COLOURS, SCHEMES);
    let model = InformationModel::load(&[root.path().to_owned(), copy.path().to_owned()]).unwrap();
    assert_eq!(
        model
            .packages()
            .filter(|package| package.name() == "own")
            .count(),
        1
    );
    assert_eq!(model.current().to_string(), "grunddata/1.0.0");

    let organisation = model.domain(Domain::Organisation);
    assert!(organisation.indexed("extensions.own.colour").is_some());
    assert_eq!(
        &*organisation.relation("own-twin").unwrap().property,
        "extensions.own.twin"
    );
    assert!(model.code_list("colour").is_some());
    assert!(model.scheme("own-number").is_some() && model.scheme("gln").is_some());

    let data = json!({
        "name": {"sv": "A"}, "kind": "unit", "identifiers": [{"scheme": "own-number", "value": "abc"}],
        "extensions": {"own": {"colour": "red", "twin": {"id": "01990c3e-0000-7000-8000-000000000001"}}}
    });
    let validated = model.validate(Domain::Organisation, None, data).unwrap();
    let resolved = validated
        .resolve(&mut |_| "01990c3e-0000-7000-8000-000000000001".parse().ok())
        .unwrap();
    assert_eq!(resolved.model(), "grunddata/1.0.0+own/0.2.0");
    assert_eq!(resolved.identifiers()[0].value, "ABC");
    assert_eq!(&*resolved.links()[0].relation, "own-twin");
    assert_eq!(resolved.dated_codes()[0].pointer, "/extensions/own/colour");
    assert_eq!(resolved.classes(), 1 | 2);
    assert_eq!(
        model
            .check_codes(resolved.dated_codes(), "2019-12-31".parse().unwrap())
            .len(),
        1
    );

    let wrong = json!({"name": {"sv": "A"}, "kind": "unit", "extensions": {"own": {"colour": "reed", "size": 1}}});
    let errors = model
        .validate(Domain::Organisation, None, wrong)
        .unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.pointer.as_str(), error.code))
        .collect();
    assert_eq!(
        found,
        [
            ("/extensions/own/colour", "unknown-code"),
            ("/extensions/own/size", "unknown-property")
        ]
    );
    let wrong = json!({"name": {"full": "A"}, "extensions": {"own": {}}});
    assert_eq!(
        model.validate(Domain::Person, None, wrong).unwrap_err()[0].code,
        "unknown-extension"
    );
}

#[test]
fn a_package_never_changes_under_its_name_and_version() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(a.path(), &manifest(), &schema(), COLOURS, SCHEMES);
    write(
        b.path(),
        &manifest(),
        &schema(),
        &COLOURS.replace("röd", "mörkröd"),
        SCHEMES,
    );
    let said = InformationModel::load(&[a.path().to_owned(), b.path().to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("own/0.2.0") && said.contains("other content"),
        "{said}"
    );
}

#[test]
fn packages_that_clash_are_refused() {
    let clash = |colours: &str, schemes: &str, schema: &Value, name: &str| {
        let root = tempfile::tempdir().unwrap();
        let mut manifest = manifest();
        manifest["codelists"][0]["name"] = json!(name);
        write(root.path(), &manifest, schema, colours, schemes);
        fs::rename(
            root.path().join("own/0.2.0/codelists/colour.csv"),
            root.path().join(format!("own/0.2.0/codelists/{name}.csv")),
        )
        .unwrap();
        InformationModel::load(&[root.path().to_owned()])
            .unwrap_err()
            .to_string()
    };
    let mut without = schema();
    without["properties"] = json!({});
    let said = clash(COLOURS, SCHEMES, &without, "sex");
    assert!(said.contains("code list \"sex\""), "{said}");
    let said = clash(
        COLOURS,
        &SCHEMES.replace("own-number", "gln"),
        &schema(),
        "colour",
    );
    assert!(said.contains("identifier scheme"), "{said}");
    let mut relation = schema();
    relation["properties"]["twin"]["x-reference"]["relation"] = json!("parent");
    let said = clash(COLOURS, SCHEMES, &relation, "colour");
    assert!(said.contains("relation \"parent\""), "{said}");
}

#[test]
fn a_fault_is_refused_with_the_place_and_what_to_do() {
    let colour = |schema: &mut Value, keyword: &str, value: Value| {
        schema["properties"]["colour"][keyword] = value
    };
    let cases: Vec<(&str, String)> = vec![
        (
            "x-indx",
            refused(|_, schema| colour(schema, "x-indx", json!(["exact"]))),
        ),
        (
            "did you mean \"maxLength\"",
            refused(|_, schema| colour(schema, "maxlength", json!(1))),
        ),
        (
            "code list \"color\"",
            refused(|_, schema| colour(schema, "x-codelist", json!("color"))),
        ),
        (
            "exactly",
            refused(|_, schema| colour(schema, "x-index", json!(["exactly"]))),
        ),
        (
            "x-label",
            refused(|_, schema| colour(schema, "x-label", json!({"sv": "", "en": ""}))),
        ),
        (
            "x-definition",
            refused(|_, schema| {
                drop(
                    schema["properties"]["colour"]
                        .as_object_mut()
                        .unwrap()
                        .remove("x-definition"),
                )
            }),
        ),
        (
            "needs x-reference",
            refused(|_, schema| {
                drop(
                    schema["properties"]["twin"]
                        .as_object_mut()
                        .unwrap()
                        .remove("x-reference"),
                )
            }),
        ),
        (
            "shared Reference",
            refused(|_, schema| {
                schema["properties"]["colour"]["x-reference"] =
                    schema["properties"]["twin"]["x-reference"].clone()
            }),
        ),
        (
            "x-relation-by",
            refused(|_, schema| schema["properties"]["twin"]["x-relation-by"] = json!("nothing")),
        ),
        (
            "no-such-format",
            refused(|_, schema| colour(schema, "format", json!("no-such-format"))),
        ),
        (
            "there is no schema",
            refused(|_, schema| colour(schema, "$ref", json!("#/$defs/Nothing"))),
        ),
        (
            "no loaded package",
            refused(|_, schema| colour(schema, "$ref", json!("https://example.com/x.json"))),
        ),
        (
            "recursive",
            refused(|_, schema| colour(schema, "$ref", json!("#"))),
        ),
        (
            "x-display",
            refused(|_, schema| schema["x-display"] = json!(["/nothing"])),
        ),
        (
            "$id",
            refused(|_, schema| schema["$id"] = json!("https://example.se/other")),
        ),
        (
            "directory",
            refused(|manifest, _| manifest["version"] = json!("0.3.0")),
        ),
        (
            "codelists/sizes.csv",
            refused(|manifest, _| manifest["codelists"][0]["name"] = json!("sizes")),
        ),
        (
            "unknown field",
            refused(|manifest, _| manifest["licens"] = json!("x")),
        ),
    ];
    for (part, said) in cases {
        assert!(said.contains(part), "{part}: {said}");
        assert!(said.starts_with("own/0.2.0"), "{said}");
    }
}

#[test]
fn an_extension_of_another_core_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut manifest = manifest();
    manifest["dependsOn"] = json!({"grunddata": "^2.0"});
    write(root.path(), &manifest, &schema(), COLOURS, SCHEMES);
    let model = InformationModel::load(&[root.path().to_owned()]).unwrap();
    assert!(model.packages().any(|package| package.name() == "own"));
    assert!(
        model
            .domain(Domain::Organisation)
            .relation("own-twin")
            .is_none()
    );
    let data = json!({"name": {"sv": "A"}, "kind": "unit", "extensions": {"own": {}}});
    assert_eq!(
        model
            .validate(Domain::Organisation, None, data)
            .unwrap_err()[0]
            .code,
        "unknown-extension"
    );
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    assert!(InformationModel::load(&[root.path().join("nothing")]).is_err());
    assert!(InformationModel::load(&[root.path().to_owned()]).is_ok());
}
