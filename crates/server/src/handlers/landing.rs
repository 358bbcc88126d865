//! The page that a browser sees at the root address.

use actix_web::HttpResponse;
use actix_web::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_model::Domain;
use grunddata_registry::{At, Place, Query, Record};
use grunddata_web::{Count, Landing, Language, RecordLink};
use sha2::{Digest as _, Sha256};

use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::{Reply, refused};

/// How many records the page leads to.
const RECORDS: usize = 5;

/// `GET /`
pub(crate) async fn page(caller: Option<Authorised<Read>>, call: Call) -> Reply {
    let language = {
        let parameters = call.query()?;
        Language::asked(parameters.get("lang"), call.header("accept-language"))
    };
    let api = call.base().api();
    let (counts, records) = match caller {
        Some(caller) => {
            let api = api.clone();
            call.app.pool.run(move || shown(&caller, &api, language)).await?
        }
        None => (Vec::new(), Vec::new()),
    };
    let operator = &call.app.config.operator;
    let page = Landing {
        language,
        api,
        counts,
        records,
        operator: operator.name.clone(),
        operator_url: operator.url.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let html = page.render().map_err(|error| Problem::internal(error.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, language.tag()))
        .insert_header((header::VARY, "Accept-Language, Authorization"))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy()))
        .body(html))
}

/// Nothing but the page's own style, named by its hash.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(Landing::STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

type Shown = (Vec<Count>, Vec<RecordLink>);

fn shown(caller: &Authorised<Read>, api: &str, language: Language) -> Result<Shown, Problem> {
    let context = caller.context();
    let registry = caller.registry();
    let found = registry.counts(context, &At::now(context)).map_err(refused)?;
    let counts = Domain::ALL
        .iter()
        .map(|domain| Count {
            label: name(*domain, language).to_owned(),
            shown: grouped(found.get(domain).copied().unwrap_or_default(), language),
            href: format!("{api}/{}", domain.collection()),
        })
        .collect();
    // A few of each domain, the well-known kinds first; then one of each in turn until there are enough.
    let mut waiting = Vec::new();
    for (domain, kind) in [
        (Domain::Organisation, Some("municipality")),
        (Domain::Geography, Some("county")),
        (Domain::Service, None),
        (Domain::Role, None),
        (Domain::Person, None),
    ] {
        if found.get(&domain).copied().unwrap_or_default() == 0 {
            continue;
        }
        let mut some = first(caller, domain, kind)?;
        if some.is_empty() && kind.is_some() {
            some = first(caller, domain, None)?;
        }
        waiting.push((domain, some.into_iter()));
    }
    let mut records = Vec::new();
    while records.len() < RECORDS {
        let before = records.len();
        for (domain, some) in &mut waiting {
            records.extend(some.next().map(|record| RecordLink {
                label: record.display.clone().unwrap_or_else(|| record.id.to_string()),
                kind: one(*domain, language).to_owned(),
                href: format!("{api}/{}/{}", domain.collection(), record.id),
            }));
        }
        if records.len() == before {
            break;
        }
    }
    records.truncate(RECORDS);
    Ok((counts, records))
}

fn first(caller: &Authorised<Read>, domain: Domain, kind: Option<&str>) -> Result<Vec<Record>, Problem> {
    let (context, registry) = (caller.context(), caller.registry());
    let parameters = [Some(("limit", "5")), kind.map(|kind| ("kind", kind))];
    let given = parameters.into_iter().flatten();
    let query = Query::parse(context, registry.model(), registry.limits(), domain, given, Place::Address).map_err(refused)?;
    Ok(registry.search(context, &query).map_err(refused)?.items)
}

const fn name(domain: Domain, language: Language) -> &'static str {
    match (language, domain) {
        (Language::Swedish, Domain::Person) => "Personer",
        (Language::Swedish, Domain::Role) => "Roller",
        (Language::Swedish, Domain::Organisation) => "Organisationer",
        (Language::Swedish, Domain::Geography) => "Platser",
        (Language::Swedish, Domain::Service) => "Tjänster",
        (Language::English, Domain::Person) => "Persons",
        (Language::English, Domain::Role) => "Roles",
        (Language::English, Domain::Organisation) => "Organisations",
        (Language::English, Domain::Geography) => "Geographies",
        (Language::English, Domain::Service) => "Services",
    }
}

const fn one(domain: Domain, language: Language) -> &'static str {
    match (language, domain) {
        (Language::Swedish, Domain::Person) => "person",
        (Language::Swedish, Domain::Role) => "roll",
        (Language::Swedish, Domain::Organisation) => "organisation",
        (Language::Swedish, Domain::Geography) => "plats",
        (Language::Swedish, Domain::Service) => "tjänst",
        (Language::English, Domain::Person) => "person",
        (Language::English, Domain::Role) => "role",
        (Language::English, Domain::Organisation) => "organisation",
        (Language::English, Domain::Geography) => "geography",
        (Language::English, Domain::Service) => "service",
    }
}

/// 12 000 in Swedish (with a space that does not break), 12,000 in English.
fn grouped(number: u64, language: Language) -> String {
    let separator = match language {
        Language::Swedish => '\u{a0}',
        Language::English => ',',
    };
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_the_language_does() {
        assert_eq!(grouped(12_000, Language::Swedish), "12\u{a0}000");
        assert_eq!(grouped(1_234_567, Language::English), "1,234,567");
        assert_eq!(grouped(7, Language::Swedish), "7");
    }
}
