//! The mappings that come with the program, on files of our own making: what they make, and that the information model
//! accepts it.

use std::collections::{BTreeMap, BTreeSet};

use grunddata_exchange::code;
use grunddata_exchange::mapping::Key;
use grunddata_exchange::ready::{ALL, Ready};
use grunddata_model::ValidTo;
use serde_json::{Value, json};

use crate::files::windows_1252;
use crate::mappings::{Conversion, run};

fn ready(name: &str, file: &str, content: impl AsRef<[u8]>) -> Conversion {
    let mapping = Ready::named(name).unwrap().mapping().unwrap();
    run(mapping, file, content.as_ref()).validated()
}

fn counted(given: &Conversion) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for draft in &given.drafts {
        *counts.entry(&*draft.record).or_default() += 1;
    }
    counts
}

fn reference(data: &Value, property: &str) -> Value {
    data[property]["identifier"]["value"].clone()
}

#[test]
fn every_one_parses_under_its_name_and_is_listed() {
    let mut files: BTreeSet<String> = BTreeSet::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/mappings");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.insert(name.trim_end_matches(".toml").to_owned());
    }
    let listed: BTreeSet<String> = ALL.iter().map(|ready| ready.name.to_owned()).collect();
    assert_eq!(files, listed);
    let schema: Value = serde_json::from_str(
        &std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/mapping.schema.json"
        ))
        .unwrap(),
    )
    .unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for ready in ALL {
        let mapping = ready
            .mapping()
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(mapping.name(), ready.name);
        assert!(mapping.title().is_some(), "{}", ready.name);
        let json =
            serde_json::to_value(toml::from_str::<toml::Value>(ready.text).unwrap()).unwrap();
        assert!(
            validator.is_valid(&json),
            "{}: {:?}",
            ready.name,
            validator.validate(&json).err()
        );
    }
}

#[test]
fn payroll() {
    let file = "Personnummer;Efternamn;Förnamn;Tilltalsnamn;Anställningsnummer;Anställningsform;Befattning;Sysselsättningsgrad;Anställd fr.o.m.;Anställd t.o.m.;Enhetskod;Enhetsnamn;Överordnad enhetskod;Arbetsgivare orgnr;E-post;Mobiltelefon;Chefens anställningsnummer;Frånvaro\n\
        900101-2385;Ek;Åsa Maria;Maria;1044;Tillsvidare;Undersköterska;75,5;2020-02-01;;A1;Björkhagen;A;2129999997;MARIA@X.EXAMPLE;070-123 45 67;1001;\n\
        900101-2385;Ek;Åsa Maria;Maria;1045;VIK;Sjuksköterska;24,5;2026-01-01;2026-06-30;A2;Ekhagen;A;2129999997;;;;Tjänstledig\n";
    let given = ready("hr-employments", "hr.csv", windows_1252(file));
    assert_eq!(
        counted(&given),
        [("employment", 2), ("person", 2), ("unit", 2)].into()
    );
    let second = &given.drafts[5];
    assert_eq!(
        second.valid_to,
        Some(ValidTo::Date("2026-07-01".parse().unwrap()))
    );
    assert_eq!(second.data["employmentForm"], "substitute");
    assert_eq!(second.data["availability"], json!({"state": "on-leave"}));
    assert_eq!(reference(&given.draft("unit").data, "parent"), "unit:A");
    assert_eq!(
        reference(&given.draft("employment").data, "reportsTo"),
        "employment:1001"
    );
    // The columns marked with a question mark may be missing.
    let short = "Personnummer;Efternamn;Förnamn;Anställningsnummer;Anställningsform;Befattning;Sysselsättningsgrad;Anställd fr.o.m.;Anställd t.o.m.;Enhetskod;Enhetsnamn\n\
        199001012385;Ek;Åsa;1;PAN;;100;20200201;20991231;A1;X\n";
    let given = ready("hr-employments", "hr.csv", short);
    assert_eq!(given.draft("employment").valid_to, Some(ValidTo::Open));
}

#[test]
fn school_administration() {
    let file = "Elev-id;Personnummer;Efternamn;Förnamn;Kön;Skolenhetskod;Klass;Inskriven fr.o.m.;Inskriven t.o.m.;Skyddade personuppgifter\n\
        e1;20150101-2395;Ek;Åsa;Flicka;12345678;3A;2024-08-19;2027-06-15;Sekretessmarkering\n\
        e2;20130101TF01;Öst;Bo;Pojke;12345678;;2024-08-19;;N\n";
    let given = ready("school-pupils", "elever.csv", file);
    assert_eq!(
        counted(&given),
        [
            ("class", 1),
            ("enrolment", 2),
            ("membership", 1),
            ("pupil", 2)
        ]
        .into()
    );
    assert_eq!(
        given.drafts[0].data["protection"],
        json!({"level": "confidentiality-marking"})
    );
    assert_eq!(given.drafts[0].data["sex"], "female");
    assert_eq!(
        reference(&given.draft("membership").data, "basedOn"),
        "enrolment:e1:12345678"
    );
    let temporary = &given.drafts[4];
    assert!(
        matches!(&temporary.key, Key::Identifier { scheme, .. } if scheme == "se-temporary-school-number")
    );
}

#[test]
fn care_and_register_of_school_units() {
    let file = "HSA-id;Personnummer;Namn;Titel;Enhetens HSA-id;Enhet;Fr.o.m.;T.o.m.\n\
        se2129999997-a1b2;199001012385;Ek, Åsa;Leg. sjuksköterska;SE2129999997-U1;Björkhagen;2020-01-01;\n";
    let given = ready("care-staff", "hsa.csv", file);
    assert_eq!(
        given.draft("person").data["name"],
        json!({"family": "Ek", "preferredGiven": "Åsa"})
    );
    assert_eq!(given.draft("assignment").data["function"], "nurse");
    assert_eq!(
        given.draft("assignment").data["identifiers"][0]["value"],
        "SE2129999997-A1B2"
    );

    let file = "Skolenhetskod;Skolenhetsnamn;Kommunkod;Skolform;Huvudmannatyp;Huvudman;Huvudman organisationsnummer;Besöksadress;Besökspostnr;Besöksort;Telefon;Startdatum;Nedläggningsdatum\n\
        12345678;Björkskolan;2480;Grundskola;Kommun;Björkviks kommun;2129999997;Skolvägen 1;903 99;Björkvik;090-12 34 56;1998-07-01;\n\
        87654321;Friskolan;2480;Förskola;Enskild;Friskolan AB;2129999997;;;;;;2025-06-30\n";
    let given = ready("school-units", "skolenheter.csv", file);
    assert_eq!(
        counted(&given),
        [("organiser", 1), ("school-unit", 2)].into()
    );
    assert_eq!(
        given.draft("school-unit").data["addresses"][0]["municipalityCode"],
        "2480"
    );
    let closed = &given.drafts[2];
    assert_eq!(closed.data.get("addresses"), None);
    assert_eq!(closed.data["kind"], "preschool-unit");
    assert_eq!(
        closed.valid_to,
        Some(ValidTo::Date("2025-07-01".parse().unwrap()))
    );
}

#[test]
fn population_register() {
    let file = "Personnummer;Tidigare personnummer;Förnamn;Tilltalsnamn;Efternamn;Kön;Medborgarskap;Avregistrering;Avregistrerad;Skydd;Skydd fr.o.m.;C/o;Gatuadress;Lägenhetsnummer;Postnummer;Postort;Län;Kommun;Fastighetsbeteckning;Förmedlingsadress;Förmedlingspostnummer;Förmedlingspostort;Utlandsadress;Utland;Civilstånd;Civilstånd fr.o.m.;Make eller partner;Vårdnadshavare;Föräldrar\n\
        199001012385;;Åsa Maria;Maria;Ek;K;SE FI;;;;;;Storgatan 1;1101;903 99;UMEÅ;24;80;;;;;;;G;2015-06-06;199001022384;;\n\
        20150101-2395;;Bo;;Ek;M;SE;;;Skyddad folkbokföring;2025-03-01;;;;;;01;80;;Skattekontoret Box 1;12345;STOCKHOLM;;;OG;;;199001012385, 199001022384;199001012385\n\
        199001022384;199001012385;Ulf;;Öst;M;SE;UV;2026-02-01;N;;;;;;;;;;;;;\"Rue X 1, Paris\";FR;G;;;;\n";
    let given = ready("population-register", "folkbokforing.csv", file);
    let [asa, bo, ulf] = given.drafts.as_slice() else {
        panic!("{given:#?}");
    };
    assert_eq!(
        asa.data["name"],
        json!({"given": ["Åsa", "Maria"], "preferredGiven": "Maria", "family": "Ek"})
    );
    assert_eq!(asa.data["registrationStatus"], "resident");
    assert_eq!(asa.data["citizenships"], json!(["SE", "FI"]));
    assert_eq!(
        asa.data["addresses"],
        json!([{"kind": "registered", "thoroughfare": "Storgatan 1", "apartmentNumber": "1101", "postalCode": "90399",
            "locality": "Umeå", "municipalityCode": "2480"}])
    );
    assert_eq!(
        asa.data["relationships"],
        json!([{"kind": "spouse-or-partner", "validFrom": "2015-06-06",
            "person": {"identifier": {"scheme": "se-personal-identity-number", "value": "199001022384"}}}])
    );
    assert_eq!(asa.data.get("protection"), None);
    assert_eq!(
        bo.data["protection"],
        json!({"level": "protected-registration", "source": "tax-agency", "from": "2025-03-01"})
    );
    let kinds: Vec<&Value> = bo.data["relationships"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| &relation["kind"])
        .collect();
    assert_eq!(kinds, ["custodian", "custodian", "parent"]);
    assert_eq!(bo.data["addresses"][1]["kind"], "forwarding");
    assert_eq!(bo.data["addresses"][1]["locality"], "Stockholm");
    assert_eq!(ulf.data["registrationStatus"], "emigrated");
    assert_eq!(ulf.data["registrationStatusFrom"], "2026-02-01");
    assert_eq!(ulf.data["identifiers"][1]["status"], "superseded");
    assert_eq!(
        ulf.data["addresses"],
        json!([{"kind": "foreign", "lines": ["Rue X 1", "Paris"], "country": "FR"}])
    );
    assert_eq!(
        ulf.data.get("relationships"),
        None,
        "a spouse who is not named"
    );
    // Most columns may be missing; whether somebody is protected may not.
    let short = "Personnummer;Förnamn;Efternamn;Skydd\n199001012385;Åsa;Ek;\n";
    ready("population-register", "folkbokforing.csv", short);
    let mapping = Ready::named("population-register").unwrap().mapping();
    let without = "Personnummer;Förnamn;Efternamn\n199001012385;Åsa;Ek\n";
    let given = run(mapping.unwrap(), "folkbokforing.csv", without.as_bytes());
    assert_eq!(given.failed[0].code, code::MISSING_COLUMN);
}

const SCHOOL: &str = "00000000-0000-4000-8000-0000000000a1";
const PERSON: &str = "00000000-0000-4000-8000-0000000000b1";

#[test]
fn ss12000() {
    let page = |record: Value| json!({"data": [record], "pageToken": null}).to_string();
    let meta = json!({"created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z"});
    let given = ready(
        "ss12000-organisations",
        "organisations.json",
        page(json!({
            "id": SCHOOL, "meta": meta, "displayName": "Björkskolan", "organisationType": "Skolenhet", "schoolUnitCode": "12345678",
            "parentOrganisation": {"id": "00000000-0000-4000-8000-0000000000a0", "displayName": "Björkvik"}, "schoolTypes": ["GR"],
            "organisationNumber": "212999-9997", "startDate": "1998-07-01", "phoneNumber": "090-12 34 56",
        })),
    );
    assert_eq!(given.draft("organisation").data["kind"], "school-unit");
    assert_eq!(given.draft("organisation").key, Key::Source(SCHOOL.into()));

    let given = ready(
        "ss12000-persons",
        "persons.json",
        page(json!({
            "id": PERSON, "meta": meta, "givenName": "Åsa Maria", "familyName": "Ek", "civicNo": {"value": "201501012395", "nationality": "SWE"},
            "birthDate": "2015-01-01", "sex": "Kvinna", "securityMarking": "Ingen", "personStatus": "Aktiv",
            "eduPersonPrincipalNames": ["asa@bjorkvik.example"],
            "emails": [{"value": "Asa@skola.example", "type": "Skola elev"}, {"value": "hemma@x.example", "type": "Privat"}],
            "responsibles": [{"person": {"id": "00000000-0000-4000-8000-0000000000b2"}, "relationType": "Vårdnadshavare"}],
            "enrolments": [
                {"enroledAt": {"id": SCHOOL}, "schoolType": "GR", "startDate": "2022-08-15", "endDate": "2025-06-13", "cancelled": false},
                {"enroledAt": {"id": SCHOOL}, "schoolType": "GR", "startDate": "2025-08-18", "cancelled": true},
            ],
        })),
    );
    assert_eq!(counted(&given), [("enrolment", 1), ("person", 1)].into());
    let person = &given.draft("person").data;
    assert_eq!(
        person["contactPoints"].as_array().unwrap().len(),
        1,
        "no private address"
    );
    assert_eq!(person["relationships"][0]["kind"], "custodian");
    assert_eq!(person.get("protection"), None);
    let enrolment = given.draft("enrolment");
    assert_eq!(
        enrolment.valid_to,
        Some(ValidTo::Date("2025-06-14".parse().unwrap()))
    );
    assert_eq!(reference(&enrolment.data, "organisation"), SCHOOL);

    let given = ready(
        "ss12000-duties",
        "duties.json",
        page(json!({
            "id": "d1", "meta": meta, "person": {"id": PERSON}, "dutyAt": {"id": SCHOOL}, "dutyRole": "Rektor", "dutyPercent": 80.5,
            "startDate": "2026-01-01",
        })),
    );
    assert_eq!(given.draft("duty").data["function"], "principal");
    assert_eq!(given.draft("duty").data["employmentRate"], "80.5");

    let given = ready(
        "ss12000-groups",
        "groups.json",
        page(json!({
            "id": "g1", "meta": meta, "displayName": "3A", "groupType": "Klass", "startDate": "2025-08-18", "endDate": "2026-06-12",
            "organisation": {"id": SCHOOL}, "groupMemberships": [{"person": {"id": PERSON}, "startDate": "2025-09-01"}],
        })),
    );
    assert_eq!(
        given.draft("membership").key,
        Key::Source(format!("g1:{PERSON}"))
    );
    assert_eq!(
        given.draft("membership").valid_to,
        Some(ValidTo::Date("2026-06-13".parse().unwrap()))
    );

    let given = ready(
        "ss12000-placements",
        "placements.json",
        page(json!({
            "id": "p1", "meta": meta, "child": {"id": PERSON}, "placedAt": {"id": SCHOOL}, "schoolType": "FS", "startDate": "2025-08-18",
            "reason": "Arbete",
        })),
    );
    assert_eq!(given.draft("placement").data["kind"], "pupil");
    assert!(!given.draft("placement").data.to_string().contains("Arbete"));
}

#[test]
fn oneroster() {
    let given = ready(
        "oneroster-orgs",
        "orgs.csv",
        "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\no1,,,Björkskolan,school,12345678,o0\no2,tobedeleted,2026-01-01T00:00:00.000Z,,,,\n",
    );
    assert_eq!(given.draft("org").data["kind"], "school-unit");
    assert!(given.drafts[1].removed && given.drafts[1].key == Key::Source("o2".into()));
    let given = ready(
        "oneroster-users",
        "users.csv",
        "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password\nu1,,,true,asa,,Åsa,Ek,,,ASA@X.EXAMPLE,,,,,hemligt\n",
    );
    assert!(!given.draft("user").data.to_string().contains("hemligt"));
    let given = ready(
        "oneroster-roles",
        "roles.csv",
        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\nr1,,,u1,primary,student,2025-08-18,2026-06-13,o1,\nr2,,,u2,secondary,teacher,,,o1,\nr3,,,u3,primary,guardian,,,o1,\n",
    );
    assert_eq!(counted(&given), [("role", 2)].into());
    assert_eq!(given.drafts[0].data["kind"], "pupil");
    assert_eq!(given.drafts[0].data["primary"], true);
    assert_eq!(
        given.drafts[0].valid_to,
        Some(ValidTo::Date("2026-06-13".parse().unwrap())),
        "exclusive"
    );
    assert_eq!(given.drafts[1].data["function"], "teacher");
    let given = ready(
        "oneroster-classes",
        "classes.csv",
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId\nc1,,,3A,,,,homeroom,,o1\n",
    );
    assert_eq!(reference(&given.draft("class").data, "parent"), "o1");
    let given = ready(
        "oneroster-enrollments",
        "enrollments.csv",
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\ne1,,,c1,o1,u1,student,,2025-08-18,\n",
    );
    assert_eq!(
        reference(&given.draft("enrollment").data, "organisation"),
        "c1"
    );
}

const PAXML: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<paxml>
  <header><format>LÖNIN</format><version>2.0</version></header>
  <lonetransaktioner><lonetrans anstid="1044"><belopp>30000</belopp></lonetrans></lonetransaktioner>
  <personal>
    <person anstid="1044" persnr="199001012385">
      <fornamn>Åsa &amp; Maria</fornamn><efternamn>&#214;st</efternamn><postadress>Hemliga gatan 1</postadress>
      <eposthem>hemma@x.example</eposthem><epostarb>ASA@X.EXAMPLE</epostarb>
      <anstform>Tillsvidare</anstform><anstdatum>2020-02-01</anstdatum><sysgrad>75.50</sysgrad>
      <befattning>Undersköterska</befattning><manlon>31500</manlon><bankkonto>123</bankkonto>
      <resenheter><resenhet dim="1" id="100" andel="60"/><resenhet dim="1" id="200" andel="40"/></resenheter>
    </person>
    <person anstid="1045" delete="true"/>
  </personal>
</paxml>
"#;

#[test]
fn paxml() {
    for bytes in [windows_1252(PAXML), PAXML.as_bytes().to_vec()] {
        let given = ready("paxml-personnel", "lon.xml", bytes);
        assert_eq!(counted(&given), [("employment", 2), ("person", 1)].into());
        assert_eq!(
            given.draft("person").data["name"],
            json!({"given": ["Åsa", "&", "Maria"], "family": "Öst"})
        );
        let employment = &given.draft("employment").data;
        assert_eq!(reference(employment, "organisation"), "1:100");
        assert_eq!(employment["allocations"][1]["share"], "40");
        assert!(given.drafts[2].removed);
        let all = given
            .drafts
            .iter()
            .map(|draft| draft.data.to_string())
            .collect::<String>();
        for secret in ["31500", "30000", "Hemliga", "hemma@", "123\""] {
            assert!(!all.contains(secret), "{secret}");
        }
    }
    let mapping = || Ready::named("paxml-personnel").unwrap().mapping().unwrap();
    let failure = |content: &str| run(mapping(), "lon.xml", content.as_bytes()).failed[0].code;
    assert_eq!(failure(&PAXML[..PAXML.len() / 2]), code::TRUNCATED_FILE);
    assert_eq!(failure("<other/>"), code::XML);
    assert_eq!(
        failure("<!DOCTYPE x [<!ENTITY a \"aaaa\">]><paxml><personal/></paxml>"),
        code::XML
    );
    assert_eq!(failure("<paxml><personal></person></paxml>"), code::XML);
}

#[test]
fn scim() {
    let given = ready("scim-users", "users.json", json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 2,
        "Resources": [
            {"id": "u1", "userName": "Asa@Bjorkvik.example", "active": true, "name": {"givenName": "Åsa", "familyName": "Ek"}, "displayName": "Åsa Ek",
             "emails": [{"value": "ASA@x.example", "type": "work"}, {"value": "hemma@x.example", "type": "home"}],
             "phoneNumbers": [{"value": "tel:+46-70-123 45 67", "type": "fax"}, {"value": "070-123 45 67", "type": "mobile"}], "preferredLanguage": "sv-SE"},
            {"id": "u2", "userName": "bo@x.example", "active": false},
        ],
    }).to_string());
    let data = &given.draft("user").data;
    assert_eq!(
        data["identifiers"][0],
        json!({"scheme": "user-principal-name", "value": "asa@bjorkvik.example"})
    );
    assert_eq!(data["contactPoints"].as_array().unwrap().len(), 2);
    assert!(given.drafts[1].removed);
}

#[test]
fn geojson() {
    let given = ready("geojson-areas", "omraden.geojson", json!({
        "type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3006"}},
        "features": [{"type": "Feature", "properties": {"kod": "U1", "namn": "Upptagningsområde 1", "kommunkod": "2480", "giltig_fran": "2026-01-01"},
            "geometry": {"type": "Polygon", "coordinates": [[[773251.054, 6326392.707], [452024.069, 6095048.642], [284626.066, 6546096.724], [773251.054, 6326392.707]]]}}],
    }).to_string());
    let data = &given.draft("area").data;
    assert_eq!(data["geometry"]["coordinates"][0][1], json!([14.25, 55.0]));
    assert_eq!(data["within"][0]["identifier"]["value"], "2480");
}

#[test]
fn sie() {
    let text = "#FLAGGA 0\r\n#FORMAT PC8\r\n#SIETYP 4\r\n#ORGNR 212999-9997\r\n#FNAMN \"Björkviks kommun\"\r\n#DIM 1 \"Resultatenhet\"\r\n#OBJEKT 1 \"100\" \"Björkskolan åk 7-9\"\r\n#OBJEKT 6 \"P1\" \"Projekt\"\r\n#VER A 1 20260101 \"hemlig\"\r\n";
    let bytes = oem(text);
    let given = ready("sie-dimensions", "bokslut.se", &bytes);
    assert_eq!(counted(&given), [("unit", 1)].into());
    let unit = given.draft("unit");
    assert_eq!(unit.key, Key::Source("1:100".into()));
    assert_eq!(unit.data["name"]["sv"], "Björkskolan åk 7-9");
    assert_eq!(reference(&unit.data, "legalEntity"), "212999-9997");
    let mapping = Ready::named("sie-dimensions").unwrap().mapping().unwrap();
    let wrong = run(mapping, "bokslut.se", &windows_1252(text));
    assert_eq!(wrong.problems[0].code, code::ENCODING);
    assert_eq!(wrong.problems[0].place.row, Some(5));
}

/// Code page 437, by the letters that the test uses.
fn oem(text: &str) -> Vec<u8> {
    text.chars()
        .map(|char| match char {
            'å' => 0x86,
            'ä' => 0x84,
            'ö' => 0x94,
            ascii => u8::try_from(ascii).unwrap(),
        })
        .collect()
}
