//! The OpenAPI 3.1 document, generated from the table of operations, the table of problem types and the information
//! model. Nothing in it is written twice.

mod model_schemas;

use std::collections::BTreeMap;

use grunddata_information_model::InformationModel;
use grunddata_model::Domain;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::config::{Limits, Operator};
use crate::operations::{Answer, Operation, Parameter, TAGS, TRACEPARENT};
use crate::problem::{self, Text};
use crate::reply;

const COMPONENTS: &str = include_str!("components.json");
const LOAD_COMPONENTS: &str = include_str!("load-components.json");
const PEER_COMPONENTS: &str = include_str!("peer-components.json");
const TRANSFER_COMPONENTS: &str = include_str!("transfer-components.json");
const FEED_COMPONENTS: &str = include_str!("feed-components.json");
const SUBSCRIPTION_COMPONENTS: &str = include_str!("subscription-components.json");
const RECORD_COMPONENTS: &str = include_str!("record-components.json");

/// Stands where the server's address is put in when the document is sent.
pub(crate) const BASE_PLACEHOLDER: &str = "https://grunddata.example.se";

/// Problems that every operation may answer with.
const EVERYWHERE: [&str; 12] = [
    "method-not-allowed",
    "too-many-requests",
    "locked-out",
    "unknown-parameter",
    "repeated-parameter",
    "address-too-long",
    "headers-too-large",
    "not-acceptable",
    "internal",
    "busy",
    "storage-full",
    "timeout",
];

/// The document.
///
/// # Errors
/// When one of the embedded fragments is not JSON: a fault of the build.
pub(crate) fn document(
    operations: &[Operation],
    model: &InformationModel,
    operator: &Operator,
    limits: &Limits,
) -> Result<Value, serde_json::Error> {
    let (mut schemas, mut examples) = components(model)?;
    for pointer in [
        "/Transaction/properties/operations",
        "/Validation/properties/items",
    ] {
        let (name, rest) = pointer
            .trim_start_matches('/')
            .split_once('/')
            .unwrap_or_default();
        if let Some(list) = schemas
            .get_mut(name)
            .and_then(|schema| schema.pointer_mut(&format!("/{rest}")))
        {
            reply::set(list, "maxItems", limits.list_length);
        }
    }
    for kind in problem::types() {
        examples.insert(
            format!("problem-{}", kind.code),
            example(problem_example(kind)),
        );
    }
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| !operation.root) {
        let domains: Vec<Option<Domain>> = if operation.path.contains("{collection}") {
            Domain::ALL.iter().copied().map(Some).collect()
        } else {
            vec![None]
        };
        for domain in domains {
            let path = match domain {
                Some(domain) => operation.path.replace("{collection}", domain.collection()),
                None => operation.path.to_owned(),
            };
            let path = if path.is_empty() {
                "/".to_owned()
            } else {
                path
            };
            let method = operation.method.as_str().to_ascii_lowercase();
            paths
                .entry(path)
                .or_default()
                .insert(method, describe(operation, domain, model, limits));
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "grunddata",
            "summary": "Register för grunddata i offentlig sektor / Master-data registry for the public sector",
            "description": description(operator, limits),
            "version": crate::API_VERSION,
            "contact": {"name": operator.name, "url": operator.url, "email": operator.email},
            "license": {"name": "EUPL-1.2", "url": "https://eupl.eu/1.2/sv/"},
            "termsOfService": operator.url,
            "x-sla": operator.service_level,
        },
        "externalDocs": {"description": "SLA, användarvillkor och dokumentation / SLA, terms of use and documentation", "url": operator.url},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": format!("{BASE_PLACEHOLDER}/api/v1"), "description": "Denna installation / this installation"}],
        "tags": TAGS.iter().map(|(name, en, sv)| json!({"name": name, "description": format!("{sv} / {en}")})).collect::<Vec<_>>(),
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "En nyckel från POST /tokens, i huvudet Authorization. / A token from POST /tokens, in the header Authorization."}},
            "schemas": schemas,
            "examples": examples,
        },
    }))
}

fn description(operator: &Operator, limits: &Limits) -> String {
    format!(
        "## Svenska\n\
         API:et läser och skriver grunddata: personer, roller, organisationer, platser (geographies) och tjänster enligt en gemensam informationsmodell. \
         Varje post är validerad, versionshanterad på två klockor och länkad. `validAt` säger vilken dag det ska gälla, `knownAt` vad som var känt; båda gäller för hela frågan.\n\n\
         **Autentisering.** `Authorization: Bearer NYCKEL`. Nycklar ges ut av en administratör, per informationsägare, med rätt att läsa, skriva eller administrera. Öppna data läses utan nyckel.\n\n\
         **Skrivning.** En befintlig post skrivs med `If-Match`. `Idempotency-Key` gör en upprepning ofarlig. `Grunddata-Outcome` säger vad som hände.\n\n\
         **Länkar.** `_links` bär `rel`, `href` och `method`; bara åtgärder som du får göra erbjuds.\n\n\
         **Fel** följer RFC 9457. Adressen i `type` beskriver feltypen och åtgärden.\n\n\
         **Begränsningar och kända problem.** Innehåll högst {body} byte, adress högst {address} tecken, huvuden högst {header} byte, JSON-djup högst {depth}, listor högst {list} poster, sidor högst 1 000 poster, de första 10 000 träffarna nås med `page`. `filter` (CQL2) och länkade poster med `include` erbjuds ännu inte. Datum i `Deprecation` och `Sunset` skrivs enligt RFC 9745 och RFC 8594, vilket avviker från profilens VER.09.\n\n\
         **Livscykel.** Versionen följer semver; API:et är aktivt och inget datum för utfasning är känt. **Servicenivå.** {sla}\n\n\
         ## English\n\
         The API reads and writes master data: persons, roles, organisations, geographies and services under one shared information model. \
         Every record is validated, versioned on two clocks and linked. `validAt` says on which day things shall hold, `knownAt` what was known; both apply to the whole request.\n\n\
         **Authentication.** `Authorization: Bearer TOKEN`. Tokens are issued by an administrator, per owner, with the right to read, write or administer. Open data is read without one.\n\n\
         **Writing.** An existing record is written with `If-Match`. `Idempotency-Key` makes a repetition safe. `Grunddata-Outcome` says what happened.\n\n\
         **Links.** `_links` carries `rel`, `href` and `method`; only actions that you may do are offered.\n\n\
         **Errors** follow RFC 9457. The address in `type` describes the problem and its cure.\n\n\
         **Limits and known problems.** Bodies at most {body} bytes, addresses at most {address} characters, headers at most {header} bytes, JSON depth at most {depth}, lists at most {list} items, pages at most 1,000 records, the first 10,000 hits are reached with `page`. `filter` (CQL2) and linked records with `include` are not offered yet. Dates in `Deprecation` and `Sunset` are written as RFC 9745 and RFC 8594 say, which deviates from VER.09 of the profile.\n\n\
         **Life cycle.** The version follows semver; the API is active and no date of retirement is known. **Service level (SLA).** {sla}",
        body = limits.body_bytes,
        address = limits.address_length,
        header = limits.header_bytes,
        depth = limits.json_depth,
        list = limits.list_length,
        sla = operator.service_level,
    )
}

fn both(text: Text) -> String {
    format!("{} / {}", text.sv, text.en)
}

fn expand(text: &str, domain: Option<Domain>) -> String {
    match domain {
        None => text.to_owned(),
        Some(domain) => text
            .replace("{Records}", &capitalised(domain.collection()))
            .replace("{Record}", &capitalised(domain.as_str()))
            .replace("{domain}", domain.as_str()),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn describe(
    operation: &Operation,
    domain: Option<Domain>,
    model: &InformationModel,
    limits: &Limits,
) -> Value {
    let mut parameters: Vec<Value> = operation
        .parameters
        .iter()
        .map(|one| parameter(one))
        .collect();
    if operation.open_query
        && let Some(domain) = domain
    {
        parameters.extend(model_schemas::search_parameters(model, domain));
    }
    parameters.push(parameter(&TRACEPARENT));
    let mut responses = Map::new();
    for answer in &operation.answers {
        let mut good = good_answer(operation, answer, domain);
        let known = responses.get_mut(&answer.status.to_string());
        // The same answer in another media type.
        match known.and_then(|known| known.get_mut("content")?.as_object_mut()) {
            Some(content) => {
                let more = good.get_mut("content").map(Value::take);
                content.extend(
                    more.as_ref()
                        .and_then(Value::as_object)
                        .cloned()
                        .into_iter()
                        .flatten(),
                );
            }
            None => drop(responses.insert(answer.status.to_string(), good)),
        }
    }
    for (status, codes) in refusals(operation) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| refusal(status, &codes));
    }
    let mut description = json!({
        "operationId": expand(operation.id, domain),
        "tags": [operation.tag],
        "summary": both(operation.summary),
        "description": format!(
            "{}\n\n{}\n\nBehörighet / permission: `{}`",
            operation.description.sv,
            operation.description.en,
            operation.access().as_str()
        )
        .replace("{list}", &limits.list_length.to_string()),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(object) = description.as_object_mut() {
        if operation.access() == Access::Public {
            object.insert("security".into(), json!([]));
        } else if operation.access() == Access::Read {
            object.insert("security".into(), json!([{}, {"bearer": []}]));
        }
        if !operation.bodies.is_empty() {
            let content: Map<String, Value> = operation
                .bodies
                .iter()
                .map(|(media_type, schema)| {
                    ((*media_type).to_owned(), media(&expand(schema, domain)))
                })
                .collect();
            object.insert(
                "requestBody".into(),
                json!({"required": !operation.body_optional, "content": content}),
            );
        }
    }
    description
}

fn parameter(parameter: &Parameter) -> Value {
    let schema: Value = serde_json::from_str(parameter.schema).unwrap_or_default();
    let number = schema.get("type").and_then(Value::as_str) == Some("integer");
    let example: Value = if number {
        serde_json::from_str(parameter.example).unwrap_or_default()
    } else {
        parameter.example.into()
    };
    json!({
        "name": parameter.name,
        "in": parameter.place.as_str(),
        "required": parameter.place == crate::operations::Place::Path,
        "description": both(parameter.text),
        "schema": schema,
        "example": example,
    })
}

/// A body by its schema, with the schema's own example; `A|B` is one of both, with the example of the first.
fn media(schema: &str) -> Value {
    if let Some((first, _)) = schema.split_once('|') {
        let one_of: Vec<Value> = schema
            .split('|')
            .map(|name| json!({"$ref": format!("#/components/schemas/{name}")}))
            .collect();
        return json!({
            "schema": {"oneOf": one_of},
            "examples": {"example": {"$ref": format!("#/components/examples/{first}")}},
        });
    }
    json!({
        "schema": {"$ref": format!("#/components/schemas/{schema}")},
        "examples": {"example": {"$ref": format!("#/components/examples/{schema}")}},
    })
}

fn example(value: Value) -> Value {
    json!({"summary": "Exempel / example", "value": value})
}

fn text_header(description: &str) -> Value {
    json!({"description": description, "schema": {"type": "string"}})
}

fn good_answer(operation: &Operation, answer: &Answer, domain: Option<Domain>) -> Value {
    let mut headers = json!({
        "traceparent": {"description": "W3C Trace Context.", "schema": {"type": "string"}},
    });
    let writes = operation
        .parameters
        .iter()
        .any(|parameter| parameter.name == "Prefer" && parameter.example == "return=minimal");
    if writes {
        reply::set(
            &mut headers,
            "Grunddata-Outcome",
            text_header("created, updated eller/or unchanged."),
        );
        reply::set(
            &mut headers,
            "Preference-Applied",
            text_header("return=minimal, om det begärdes / if asked for (RFC 7240)."),
        );
        if !operation.path.starts_with("/transactions") {
            reply::set(
                &mut headers,
                "Idempotency-Replayed",
                text_header(
                    "true: svaret på ett tidigare likadant anrop / the answer to an earlier identical request.",
                ),
            );
            if answer.status != 201 {
                reply::set(
                    &mut headers,
                    "Content-Location",
                    json!({"description": "Adressen till det som visas / the address of what is shown.", "schema": {"type": "string", "format": "uri"}}),
                );
            }
            if answer.status == 204 {
                reply::set(
                    &mut headers,
                    "ETag",
                    text_header("Version och representation / version and representation."),
                );
            }
        }
    }
    let mut response = json!({"description": both(answer.text)});
    if let Some((media_type, schema)) = answer.body {
        let schema = expand(schema, domain);
        if schema.contains("Record")
            && schema.split('|').any(|name| name.ends_with("Record"))
            && let Some(headers) = headers.as_object_mut()
        {
            headers.insert("ETag".into(), json!({"description": "\"N-hash\": version och representation / version and representation.", "schema": {"type": "string"}}));
            headers.insert("Grunddata-As-Of".into(), json!({"description": "Koordinatens markör / the token of the coordinate.", "schema": {"type": "string"}}));
            if answer.status == 201 {
                headers.insert("Location".into(), json!({"description": "Postens adress / the record's address.", "schema": {"type": "string", "format": "uri"}}));
            }
        }
        if schema == "Owner" && answer.status == 201 || schema == "NewToken" {
            reply::set(
                &mut headers,
                "Location",
                json!({"description": "Adressen / the address.", "schema": {"type": "string", "format": "uri"}}),
            );
        }
        reply::set(
            &mut response,
            "content",
            json!({media_type: media(&schema)}),
        );
    } else if matches!(answer.status, 303 | 307)
        && let Some(headers) = headers.as_object_mut()
    {
        headers.insert("Location".into(), json!({"description": "Adressen / the address.", "schema": {"type": "string", "format": "uri"}}));
    }
    reply::set(&mut response, "headers", headers);
    response
}

/// The problem types of an operation by status.
fn refusals(operation: &Operation) -> BTreeMap<u16, Vec<&'static str>> {
    let mut codes: Vec<&'static str> = operation.problems.clone();
    codes.extend(EVERYWHERE);
    if operation.access() != Access::Public {
        codes.push("unauthenticated");
    }
    if matches!(
        operation.access(),
        Access::Write | Access::Load | Access::Admin
    ) {
        codes.push("forbidden");
    }
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for kind in codes.into_iter().filter_map(problem::find) {
        let list = by_status.entry(kind.status).or_default();
        if !list.contains(&kind.code) {
            list.push(kind.code);
        }
    }
    by_status
}

/// The headers that belong to a status.
fn refusal_headers(status: u16) -> Value {
    let mut headers = json!({"traceparent": text_header("W3C Trace Context.")});
    match status {
        401 => reply::set(&mut headers, "WWW-Authenticate", text_header("Bearer.")),
        405 => reply::set(
            &mut headers,
            "Allow",
            text_header("Metoderna som finns / the methods that there are."),
        ),
        412 => reply::set(
            &mut headers,
            "ETag",
            text_header("Den nuvarande versionen / the present version."),
        ),
        429 | 503 => reply::set(
            &mut headers,
            "Retry-After",
            json!({"description": "Sekunder att vänta / seconds to wait.", "schema": {"type": "integer"}}),
        ),
        _ => {}
    }
    if status == 429 {
        for name in ["RateLimit", "RateLimit-Policy"] {
            reply::set(
                &mut headers,
                name,
                text_header("draft-ietf-httpapi-ratelimit-headers."),
            );
        }
    }
    headers
}

fn refusal(status: u16, codes: &[&'static str]) -> Value {
    let kinds: Vec<_> = codes
        .iter()
        .filter_map(|code| problem::find(code))
        .collect();
    let examples: Map<String, Value> = kinds
        .iter()
        .map(|kind| {
            (
                kind.code.to_owned(),
                json!({"$ref": format!("#/components/examples/problem-{}", kind.code)}),
            )
        })
        .collect();
    let lines: Vec<String> = kinds
        .iter()
        .map(|kind| format!("- `{}`: {} / {}", kind.code, kind.title.sv, kind.title.en))
        .collect();
    json!({
        "description": lines.join("\n"),
        "headers": refusal_headers(status),
        "content": {reply::PROBLEM_JSON: {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": examples,
        }},
    })
}

fn problem_example(kind: &problem::ProblemType) -> Value {
    json!({
        "type": format!("{BASE_PLACEHOLDER}/api/v1/problems/{}", kind.code),
        "title": kind.title.en,
        "status": kind.status,
        "detail": kind.cure.en,
        "instance": "urn:uuid:4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        "code": kind.code,
    })
}

/// The schemas by name, and the example of each.
type Components = (Map<String, Value>, Map<String, Value>);

fn components(model: &InformationModel) -> Result<Components, serde_json::Error> {
    let mut schemas: Map<String, Value> = serde_json::from_str(COMPONENTS)?;
    schemas.extend(serde_json::from_str::<Map<String, Value>>(LOAD_COMPONENTS)?);
    schemas.extend(serde_json::from_str::<Map<String, Value>>(PEER_COMPONENTS)?);
    schemas.extend(serde_json::from_str::<Map<String, Value>>(
        TRANSFER_COMPONENTS,
    )?);
    schemas.extend(serde_json::from_str::<Map<String, Value>>(FEED_COMPONENTS)?);
    schemas.extend(serde_json::from_str::<Map<String, Value>>(
        SUBSCRIPTION_COMPONENTS,
    )?);
    let mut examples = Map::new();
    for (name, schema) in &mut schemas {
        // An example stands once, where every body of that schema refers to it.
        let own = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("examples"));
        if let Some(value) = own.as_ref().and_then(|examples| examples.get(0)) {
            examples.insert(name.clone(), example(value.clone()));
        }
    }
    schemas.extend(model.openapi_components());
    for domain in Domain::ALL {
        let of_domain: Map<String, Value> =
            serde_json::from_str(&expand(RECORD_COMPONENTS, Some(domain)))?;
        let data = model_schemas::example(model, domain);
        for name in of_domain.keys() {
            examples.insert(name.clone(), example(record_example(name, domain, &data)));
        }
        schemas.extend(of_domain);
    }
    Ok((schemas, examples))
}

fn record_example(name: &str, domain: Domain, data: &Value) -> Value {
    let collection = domain.collection();
    let id = "01990c3e-7a5b-7000-8000-000000000001";
    let href = format!("{BASE_PLACEHOLDER}/api/v1/{collection}/{id}");
    let as_of = json!({"validAt": "2026-11-21", "knownAt": "2026-11-21T10:15:30.123456Z", "asOf": "AQALXY0A"});
    let record = json!({
        "id": id, "domain": domain.as_str(), "owner": "se-2480", "controller": null, "model": "grunddata/1.0.0", "version": 3,
        "validFrom": "2026-01-01", "validTo": null, "recordedAt": "2026-11-21T10:15:30.123456Z", "changeKind": "change",
        "origin": {"kind": "own"}, "data": data,
        "_links": [
            {"rel": "self", "href": href, "method": "GET"},
            {"rel": "version-history", "href": format!("{href}/history"), "method": "GET"},
            {"rel": "timemap", "href": format!("{href}/timeline"), "method": "GET"},
            {"rel": "edit", "href": href, "method": "PATCH"},
        ],
    });
    let links = json!([{"rel": "self", "href": href, "method": "GET"}]);
    if name.ends_with("Create") {
        json!({"owner": "se-2480", "validFrom": "2026-01-01", "validTo": null, "reason": "Nyupplagd", "data": data})
    } else if name.ends_with("Replace") {
        json!({"validFrom": "2027-01-01", "overwritePlanned": false, "reason": "Beslut KF 2026-10-12 § 114", "data": data})
    } else if name.ends_with("Revival") {
        json!({"validFrom": "2027-06-01", "validTo": null, "data": data})
    } else if name.ends_with("Timeline") {
        json!({"id": id, "domain": domain.as_str(), "owner": "se-2480", "version": 3, "_meta": as_of, "_links": links,
            "items": [{"validFrom": "2026-01-01", "validTo": null, "model": "grunddata/1.0.0", "data": data}]})
    } else if name.ends_with("Hierarchy") {
        json!({"_meta": as_of, "_links": links, "items": [{"depth": 1, "via": id, "record": record}]})
    } else if name.ends_with("Page") {
        json!({"_meta": {"page": 1, "limit": 20, "count": 1, "validAt": "2026-11-21", "knownAt": "2026-11-21T10:15:30.123456Z", "asOf": "AQALXY0A"},
            "_links": [{"rel": "self", "href": format!("{BASE_PLACEHOLDER}/api/v1/{collection}"), "method": "GET"}], "items": [record]})
    } else {
        record
    }
}

#[cfg(test)]
mod tests;
