//! The page that a browser sees at the root address.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_model::{Domain, RecordId};
use grunddata_registry::{At, Place, Query, Record};
use grunddata_web::{Count, Landing, Language, RecordLink};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::{Reply, refused};

/// How many records the page leads to.
const RECORDS: usize = 5;
/// How long what the page shows to those without a token is believed.
const REMEMBERED: Duration = Duration::from_secs(5);

/// `GET /`
pub(crate) async fn page(caller: Option<Authorised<Read>>, call: Call) -> Reply {
    let language = {
        let parameters = call.query()?;
        Language::asked(parameters.get("lang"), call.header("accept-language"))
    };
    let api = call.base().api();
    let shown = match caller {
        Some(caller) if caller.context().actor.is_anonymous() => match call.app.landing.known() {
            Some(shown) => shown,
            None => {
                let shown = Arc::new(call.app.pool.run(move || shown(&caller)).await?);
                call.app.landing.remember(&shown);
                shown
            }
        },
        Some(caller) => Arc::new(call.app.pool.run(move || shown(&caller)).await?),
        None => Arc::default(),
    };
    let counts = shown
        .counts
        .iter()
        .map(|(domain, count)| Count {
            label: name(*domain, language).to_owned(),
            shown: grouped(*count, language),
            href: format!("{api}/{}", domain.collection()),
        })
        .collect();
    let records = shown
        .records
        .iter()
        .map(|record| RecordLink {
            label: record.label.clone(),
            kind: one(record.domain, language).to_owned(),
            href: format!("{api}/{}/{}", record.domain.collection(), record.id),
        })
        .collect();
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
    let html = page
        .render()
        .map_err(|error| Problem::internal(error.to_string()))?;
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
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// What the page shows, in no language yet.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    counts: Vec<(Domain, u64)>,
    records: Vec<Example>,
}

/// A record that the page leads to.
#[derive(Debug)]
struct Example {
    domain: Domain,
    id: RecordId,
    label: String,
}

/// What the page shows to everybody without a token, for a few seconds: nobody makes the database count by reloading.
#[derive(Debug, Default)]
pub(crate) struct Landings(Mutex<Option<(Instant, Arc<Shown>)>>);

impl Landings {
    fn known(&self) -> Option<Arc<Shown>> {
        self.0
            .lock()
            .as_ref()
            .filter(|(at, _)| at.elapsed() < REMEMBERED)
            .map(|(_, shown)| Arc::clone(shown))
    }

    fn remember(&self, shown: &Arc<Shown>) {
        *self.0.lock() = Some((Instant::now(), Arc::clone(shown)));
    }

    /// After an owner has opened or closed its data.
    pub(crate) fn forget(&self) {
        *self.0.lock() = None;
    }
}

fn shown(caller: &Authorised<Read>) -> Result<Shown, Problem> {
    let context = caller.context();
    let found = caller
        .registry()
        .counts(context, &At::now(context))
        .map_err(refused)?;
    let count = |domain: Domain| found.get(&domain).copied().unwrap_or_default();
    // A few of each domain, the well-known kinds first; then one of each in turn until there are enough.
    let mut waiting = Vec::new();
    for (domain, kind) in [
        (Domain::Organisation, Some("municipality")),
        (Domain::Geography, Some("county")),
        (Domain::Service, None),
        (Domain::Role, None),
        (Domain::Person, None),
    ] {
        if count(domain) == 0 {
            continue;
        }
        let mut some = first(caller, domain, kind)?;
        if some.len() < RECORDS && kind.is_some() {
            for other in first(caller, domain, None)? {
                if !some.iter().any(|known| known.id == other.id) {
                    some.push(other);
                }
            }
        }
        waiting.push((domain, some.into_iter()));
    }
    let mut records = Vec::new();
    while records.len() < RECORDS {
        let before = records.len();
        for (domain, some) in &mut waiting {
            records.extend(some.next().map(|record| Example {
                domain: *domain,
                id: record.id,
                label: record.display.unwrap_or_else(|| record.id.to_string()),
            }));
        }
        if records.len() == before {
            break;
        }
    }
    records.truncate(RECORDS);
    Ok(Shown {
        counts: Domain::ALL
            .iter()
            .map(|domain| (*domain, count(*domain)))
            .collect(),
        records,
    })
}

fn first(
    caller: &Authorised<Read>,
    domain: Domain,
    kind: Option<&str>,
) -> Result<Vec<Record>, Problem> {
    let (context, registry) = (caller.context(), caller.registry());
    let parameters = [Some(("limit", "5")), kind.map(|kind| ("kind", kind))];
    let given = parameters.into_iter().flatten();
    let query = Query::parse(
        context,
        registry.model(),
        registry.limits(),
        domain,
        given,
        Place::Address,
    )
    .map_err(refused)?;
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
