//! The services of the municipality, for residents and inside.

use chrono::NaiveDate;
use grunddata_model::{Domain, ValidFrom};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::places;
use super::staff::Staff;
use super::units::{Unit, Units, unit_id};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, both, day, reference, swedish};
use crate::{SeedError, files};

/// From when the catalogue of services holds.
const CATALOGUE: NaiveDate = day(2022, 1, 1);
/// The new Social Services Act (SFS 2025:400) takes the place of SFS 2001:453.
pub(super) const NEW_SOCIAL_ACT: NaiveDate = day(2025, 7, 1);

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    key: String,
    unit: String,
    kind: String,
    channels: String,
    name_sv: String,
    name_en: String,
}

impl Service {
    pub(super) fn id(&self) -> Uuid {
        seed_id(Domain::Service, &format!("norrberga/{}", self.key))
    }

    fn is_internal(&self) -> bool {
        self.kind == "internal-service"
    }

    /// A service with a fee that is set anew every year.
    pub(super) fn has_fee(&self) -> bool {
        matches!(
            self.unit.as_str(),
            "va" | "renhallning" | "bygglov" | "miljo" | "simhall"
        ) && self.name_sv.starts_with(['A', 'T', 'S'])
    }

    /// A service that was planned at first and opened later.
    pub(super) fn opened(&self) -> Option<NaiveDate> {
        match self.key.as_str() {
            "anmalan-om-varmepump" => Some(day(2024, 3, 1)),
            "tomtko" => Some(day(2024, 9, 2)),
            "flytta-vattenabonnemang" => Some(day(2025, 2, 3)),
            "fritidsbanken" => Some(day(2025, 5, 12)),
            "hjalp-med-digitala-tjanster" => Some(day(2026, 1, 12)),
            "bestallning-av-nybyggnadskarta" => Some(day(2026, 9, 1)),
            _ => None,
        }
    }
}

pub(super) fn load() -> Result<Vec<Service>, SeedError> {
    files::SERVICES.rows()
}

/// Whether the Social Services Act is the legal ground.
pub(super) fn under_social_act(service: &Service, units: &Units) -> bool {
    !service.is_internal()
        && units
            .find(&service.unit)
            .is_some_and(|unit| unit.controller == "soc")
}

/// Theme, process and the main legal ground of a committee's services.
fn field(
    unit: &Unit,
) -> (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
) {
    let building = ("Plan- och bygglag", "2010:900");
    match (unit.controller.as_str(), unit.key.as_str()) {
        ("bun", _) => ("education", "education", Some(("Skollag", "2010:800"))),
        ("soc", "hemsjukvard" | "rehab") => (
            "health",
            "municipal-health-care",
            Some(("Hälso- och sjukvårdslag", "2017:30")),
        ),
        ("soc", "funktionsstod") => (
            "care-and-support",
            "disability-support",
            Some((
                "Lag om stöd och service till vissa funktionshindrade",
                "1993:387",
            )),
        ),
        ("soc", "bistand" | "aldreomsorg") => ("care-and-support", "elderly-care", None),
        ("soc", _) => ("care-and-support", "individual-and-family", None),
        ("overformyndaren", _) => (
            "care-and-support",
            "guardianship",
            Some(("Föräldrabalk", "1949:381")),
        ),
        ("mbn", "miljo") => (
            "environment",
            "environmental-protection",
            Some(("Miljöbalk", "1998:808")),
        ),
        ("mbn", _) => ("building-and-housing", "building-permits", Some(building)),
        ("kfn", _) => ("culture-and-leisure", "culture-and-leisure", None),
        ("ten", "trafik" | "gata") => ("traffic-and-transport", "streets-and-traffic", None),
        ("ten", "va") => (
            "building-and-housing",
            "water-and-waste",
            Some(("Lag om allmänna vattentjänster", "2006:412")),
        ),
        ("ten", "renhallning") => (
            "environment",
            "water-and-waste",
            Some(("Avfallsförordning", "2020:614")),
        ),
        ("ten", _) => ("building-and-housing", "premises-management", None),
        (_, "raddning" | "sakerhet") => ("safety-and-preparedness", "rescue-services", None),
        (_, "naringsliv") => ("business-and-work", "business-development", None),
        (_, "bostader" | "energi") => ("building-and-housing", "community-planning", None),
        _ => ("democracy-and-administration", "support", None),
    }
}

fn audience(theme: &str) -> &'static str {
    match theme {
        "education" => "families",
        "business-and-work" => "businesses",
        "building-and-housing" => "property-owners",
        _ => "residents",
    }
}

fn law(title: &str, number: &str) -> Value {
    json!({ "title": swedish(&format!("{title} ({number})")), "reference": format!("SFS {number}") })
}

/// The Social Services Act in force before or from [`NEW_SOCIAL_ACT`].
pub(super) fn social_act(new: bool) -> Value {
    json!([law(
        "Socialtjänstlag",
        if new { "2025:400" } else { "2001:453" }
    )])
}

/// The fee of a year, in kronor.
pub(super) fn fee(index: usize, year: i32) -> Value {
    let base = 300 + index % 7 * 150;
    let years = usize::try_from(year - 2022).unwrap_or(0);
    json!([{ "value": (base + base * 3 * years / 100).to_string(), "currency": "SEK" }])
}

fn channel(kind: char, service: &Service, unit: &Unit) -> Value {
    let hours = json!([{
        "days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "opens": "08:00",
        "closes": "16:30",
    }]);
    match kind {
        'e' if service.is_internal() => json!({
            "id": "portal", "kind": "e-service", "url": format!("https://intranat.norrberga.example/bestall/{}", service.key),
            "authenticationMethods": ["federated-login"], "authenticationLevel": "loa2",
        }),
        'e' => json!({
            "id": "e-tjanst", "kind": "e-service", "url": format!("https://etjanst.norrberga.example/{}", service.key),
            "authenticationMethods": ["e-identification", "foreign-e-identification"], "authenticationLevel": "loa3",
            "signing": service.name_sv.starts_with("Ansökan"),
        }),
        'p' => {
            json!({ "id": "telefon", "kind": "phone", "number": "+46846500400", "openingHours": hours })
        }
        'v' => {
            let mut visit = json!({ "id": "besok", "kind": "visit", "openingHours": hours });
            if !unit.site.is_empty() {
                visit["place"] = reference(places::site(&unit.site));
            }
            visit
        }
        _ => json!({ "id": "brev", "kind": "letter" }),
    }
}

/// The creation of a service.
pub(super) fn creation(
    index: usize,
    service: &Service,
    units: &Units,
    staff: &Staff,
) -> Option<SeedOperation> {
    let at = units.0.iter().position(|unit| unit.key == service.unit)?;
    let unit = &units.0[at];
    let (theme, process, legal) = field(unit);
    let authority = if unit.is_body() {
        unit.id()
    } else {
        unit.controller()
    };
    let mut data = json!({
        "identifiers": [{ "scheme": "source:services", "value": format!("T{:03}", index + 1) }],
        "name": both(&service.name_sv, &service.name_en),
        "description": both(
            &format!("{}. Ges av {}, Norrberga kommun.", service.name_sv, unit.name_sv),
            &format!("{}. Provided by {}, Norrberga Municipality.", service.name_en, unit.name_en),
        ),
        "kind": service.kind,
        "status": if service.opened().is_some() { "planned" } else { "active" },
        "competentAuthority": reference(authority),
        "deliveredBy": [reference(unit.id())],
        "coverage": [reference(places::area())],
        "channels": service.channels.chars().map(|kind| channel(kind, service, unit)).collect::<Vec<_>>(),
        "languages": ["sv"],
    });
    if service.is_internal() {
        data["themes"] = json!(["internal-support"]);
        data["audiences"] = json!(["employees"]);
        data["customers"] =
            json!(["bun", "soc", "ten"].map(|committee| reference(unit_id(committee))));
        data["price"] = json!({ "value": (400 + index % 9 * 50).to_string(), "currency": "SEK" });
        data["unit"] = both("timme", "hour");
        data["serviceLevel"] = both("Svar inom en arbetsdag", "Answer within one working day");
    } else {
        data["themes"] = json!([theme]);
        data["process"] = json!(process);
        data["audiences"] = json!([audience(theme)]);
    }
    if let Some((title, number)) = legal {
        data["legalResources"] = json!([law(title, number)]);
    } else if under_social_act(service, units) {
        data["legalResources"] = social_act(false);
    }
    if service.has_fee() {
        data["costs"] = fee(index, 2022);
    }
    if service.name_sv.starts_with("Ansökan") {
        data["processingTime"] = json!(if theme == "building-and-housing" {
            "P10W"
        } else {
            "P30D"
        });
        data["outputs"] = json!([{ "title": both("Beslut", "Decision") }]);
    }
    if !unit.site.is_empty() && service.channels.contains('v') {
        data["deliveryPlaces"] = json!([reference(places::site(&unit.site))]);
    }
    if let Some(head) = staff.head(at) {
        data["responsibleRole"] = reference(head);
    }
    Some(SeedOperation::create(
        Domain::Service,
        service.id(),
        data,
        ValidFrom::Date(CATALOGUE),
    ))
}

/// Whether the legal ground of a service is the Social Services Act and therefore changes in 2025.
pub(super) fn changes_act(service: &Service, units: &Units) -> bool {
    under_social_act(service, units)
        && units
            .find(&service.unit)
            .is_some_and(|unit| field(unit).2.is_none())
}
