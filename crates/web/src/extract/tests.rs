use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_registry::{ChangeKind, ControllerExtract, IdentifierExtract, VersionExtract};
use serde_json::json;

use super::*;

fn extract() -> PersonExtract {
    let id: RecordId = "01990c3e-0000-7000-8000-000000000001".parse().unwrap();
    let at: Instant = "2026-11-21T22:15:30Z".parse().unwrap();
    let state = |name: &str, superseded_at| StateExtract {
        period: Period::since("2020-01-01".parse().unwrap()).unwrap(),
        version: 1,
        recorded_at: at,
        superseded_at,
        model: "grunddata/1.0.0".to_owned(),
        data: json!({"name": {"full": name}, "registrationStatus": "resident",
            "residence": {"id": "01990c3e-0000-7000-8000-0000000000aa", "display": "Storgatan 1"},
            "addresses": [{"kind": "registered", "lines": ["Storgatan 1", "123 45 Ort"]}]}),
    };
    PersonExtract {
        person: id,
        display: Some("Åsa <Ek>".to_owned()),
        owner: OwnerKey::new("se-2480").unwrap(),
        owner_name: "Umeå kommun".to_owned(),
        made_at: at,
        controllers: vec![ControllerExtract {
            controller: None,
            name: "Umeå kommun".to_owned(),
            records: vec![RecordExtract {
                id,
                domain: Domain::Person,
                display: Some("Åsa <Ek>".to_owned()),
                states: vec![state("Åsa Fel", Some(at)), state("Åsa <Ek>", None)],
                versions: vec![VersionExtract {
                    version: 1,
                    recorded_at: at,
                    operation: "create".to_owned(),
                    change_kind: ChangeKind::Change,
                    corrects: None,
                    source: Some("hr".to_owned()),
                    reason: None,
                    actor: None,
                }],
                identifiers: vec![IdentifierExtract {
                    scheme: "se-personal-identity-number".to_owned(),
                    value: "199205042394".to_owned(),
                    issuer: None,
                    status: None,
                    believed: true,
                }],
                links: Vec::new(),
                referrers: Vec::new(),
            }],
        }],
        sources: vec!["hr".to_owned()],
        readers: Some(vec![ExtractReader {
            unit: Some("Skolan".to_owned()),
            actor: None,
            on_behalf_of: None,
            first: at,
            last: at,
            count: 3,
        }]),
        readers_complete: false,
    }
}

fn page(extract: &PersonExtract) -> String {
    extract_page(extract, &InformationModel::embedded().unwrap()).unwrap()
}

#[test]
fn the_extract_is_accessible_printable_and_self_contained() {
    let page = page(&extract());
    for part in [
        "<html lang=\"sv\">",
        "class=\"skip\" href=\"#content\"",
        "<main id=\"content\"",
        "<caption>Versioner</caption>",
        "<th scope=\"col\">",
        "<th scope=\"row\">",
        "@media print",
        "@page{size:A4",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["<script", "src=", "@import", "url(", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn the_extract_says_everything_in_swedish() {
    let page = page(&extract());
    for part in [
        "Registerutdrag för Åsa &#60;Ek&#62;",
        // In Swedish time.
        "2026-11-21 kl. 23.15",
        "Tidigare uppgift, angiven gälla från och med 2020-01-01",
        "Gäller från och med 2020-01-01",
        "Personnummer",
        "199205042394",
        "Storgatan 1, 123 45 Ort",
        "upplagd",
        "Skolan",
        "Listan kan vara ofullständig",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<Ek>") && !page.contains("Vem</th>"));
    // Codes by their labels, and a reference by the name of what it leads to.
    for part in [
        "<td>Folkbokförd</td>",
        "<td>Folkbokföringsadress</td>",
        "<td>Storgatan 1</td>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("resident") && !page.contains("0000000000aa"),
        "{page}"
    );
    // What is believed stands before what was put right.
    assert!(page.find("Åsa &#60;Ek&#62;</td>") < page.find("Åsa Fel"));
}

#[test]
fn an_extract_without_the_access_log_says_so() {
    let page = page(&PersonExtract {
        readers: None,
        ..extract()
    });
    assert!(page.contains("Åtkomstloggen ingår inte i detta utdrag"));
}
