//! From parameters, already split and decoded, to a [`Query`].

use grunddata_information_model::{DomainModel, InformationModel, PrivacyClass, SearchMode};
use grunddata_model::{Domain, OwnerKey, SchemeCode};

use super::{Condition, CountMode, PageChoice, Query, ReferenceCondition, SortBy, SortKey, Test};
use crate::read::Fields;
use crate::registry::Limits;
use crate::write::unknown_scheme;
use crate::{At, Code, Context, CoordinateParameters, Refusal, fact, nearest};

/// The parameters of a search beside the properties of its domain.
pub const PARAMETERS: [&str; 14] = [
    "q",
    "identifier",
    "owner",
    "controller",
    "sort",
    "fields",
    "limit",
    "page",
    "after",
    "count",
    "validAt",
    "knownAt",
    "knownBy",
    "asOf",
];

/// What the interface describes and this version does not offer.
const UNSUPPORTED: [&str; 5] = ["filter", "filter-lang", "filter-crs", "bbox", "include"];

/// What follows the name of a reference where everything below the target counts as well.
const BELOW: &str = ".below";
/// The longest `q`, in characters.
const MAX_TEXT: usize = 200;
/// The most words of `q`.
const MAX_WORDS: usize = 10;
/// The most keys of an order.
const MAX_SORT: usize = 3;
/// The most conditions, and alternatives of one.
const MAX_CONDITIONS: usize = 20;

/// Where the parameters stand: what is personal must not stand in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In an address.
    Address,
    /// In the body of a request.
    Body,
}

impl Query {
    /// Reads the parameters of a search.
    ///
    /// # Errors
    /// A [`Refusal`] that names the parameter and the nearest known one, or says what to write instead.
    pub fn parse<'a>(
        context: &Context,
        model: &InformationModel,
        limits: &Limits,
        domain: Domain,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
        place: Place,
    ) -> Result<Self, Refusal> {
        let mut reading = Reading {
            model,
            domain: model.domain(domain),
            limits,
            place,
            coordinate: CoordinateParameters::default(),
            page: None,
            after: None,
            query: Query {
                domain,
                at: At::now(context),
                owners: Vec::new(),
                controller: None,
                identifier: None,
                conditions: Vec::new(),
                references: Vec::new(),
                text: None,
                sort: Vec::new(),
                fields: None,
                limit: limits.default_page,
                page: PageChoice::Number(1),
                count: CountMode::None,
            },
        };
        for (name, value) in parameters {
            reading.parameter(name, value)?;
        }
        let mut query = reading.finish()?;
        query.at = At::parse(context, reading.coordinate)?;
        Ok(query)
    }
}

struct Reading<'a> {
    model: &'a InformationModel,
    domain: &'a DomainModel,
    limits: &'a Limits,
    place: Place,
    coordinate: CoordinateParameters<'a>,
    page: Option<u32>,
    after: Option<String>,
    query: Query,
}

fn invalid(parameter: &str, problem: impl Into<String>) -> Refusal {
    Refusal::new(
        Code::InvalidParameter,
        format!("{parameter} {}", problem.into()),
    )
    .fact(fact::PARAMETER, parameter)
}

impl<'a> Reading<'a> {
    fn parameter(&mut self, name: &'a str, value: &'a str) -> Result<(), Refusal> {
        if value.is_empty() && name != "q" {
            return Err(invalid(name, "is empty: give it a value or leave it out."));
        }
        if value.chars().any(char::is_control) {
            return Err(invalid(name, "holds a control character: leave it out."));
        }
        match name {
            "validAt" => self.coordinate.valid_at = Some(value),
            "knownAt" => self.coordinate.known_at = Some(value),
            "knownBy" => self.coordinate.known_by = Some(value),
            "asOf" => self.coordinate.as_of = Some(value),
            "q" => self.text(value)?,
            "identifier" => {
                let identifier = identifier(self.model, value, self.place)?;
                if self.query.identifier.replace(identifier).is_some() {
                    return Err(invalid(
                        "identifier",
                        "is given twice: look several up at records/lookup.",
                    ));
                }
            }
            "owner" => {
                for key in value.split(',') {
                    let key = OwnerKey::new(key)
                        .map_err(|error| invalid("owner", format!("cannot be read: {error}.")))?;
                    self.query.owners.push(key);
                }
            }
            "controller" => {
                let id = value
                    .parse()
                    .map_err(|_| invalid("controller", "is the id (a UUID) of an organisation."))?;
                self.query.controller = Some(id);
            }
            "sort" => self.sort(value)?,
            "fields" => self.fields(value)?,
            "limit" => self.query.limit = limit(value, self.limits.page)?,
            "page" => {
                let page = value.parse().ok().filter(|page| *page > 0);
                self.page = Some(page.ok_or_else(|| invalid("page", "is a number from 1."))?);
            }
            "after" => self.after = Some(value.to_owned()),
            "count" => {
                self.query.count = match value {
                    "none" => CountMode::None,
                    "estimate" => CountMode::Estimate,
                    "exact" => CountMode::Exact,
                    _ => return Err(invalid("count", "is none, estimate or exact.")),
                }
            }
            property => self.condition(property, value)?,
        }
        let query = &self.query;
        let terms = query.conditions.len() + query.references.len() + query.owners.len();
        if terms > MAX_CONDITIONS {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "A search has at most {MAX_CONDITIONS} conditions and owners: leave some out, or search several times."
                ),
            ));
        }
        Ok(())
    }

    fn text(&mut self, value: &str) -> Result<(), Refusal> {
        if value.chars().count() > MAX_TEXT {
            return Err(invalid(
                "q",
                format!("is longer than {MAX_TEXT} characters: search for a few telling words."),
            ));
        }
        let words = grunddata_information_model::words(value);
        if words.is_empty() {
            return Err(invalid(
                "q",
                "holds no word: write what to look for, or leave it out.",
            ));
        }
        if words.len() > MAX_WORDS {
            return Err(invalid(
                "q",
                format!("holds more than {MAX_WORDS} words: leave the common ones out."),
            ));
        }
        self.query.text = Some(value.to_owned());
        Ok(())
    }

    fn sort(&mut self, value: &str) -> Result<(), Refusal> {
        for key in value.split(',') {
            let (descending, name) = match key.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, key),
            };
            let by = match name {
                "validFrom" => SortBy::ValidFrom,
                "recordedAt" => SortBy::RecordedAt,
                "display" => SortBy::Display,
                name => match self.domain.indexed(name) {
                    Some(property) if property.sortable => SortBy::Property(name.to_owned()),
                    _ => {
                        let sortable = self
                            .domain
                            .indexed_properties()
                            .filter(|property| property.sortable);
                        let known = sortable.map(|property| &*property.name).chain([
                            "validFrom",
                            "recordedAt",
                            "display",
                        ]);
                        return Err(unknown(
                            Code::UnknownProperty,
                            format!(
                                "{} cannot be sorted by {name:?}.",
                                self.query.domain.collection()
                            ),
                            name,
                            known,
                        )
                        .fact(fact::PARAMETER, "sort"));
                    }
                },
            };
            self.query.sort.push(SortKey { by, descending });
        }
        if self.query.sort.len() > MAX_SORT {
            return Err(invalid(
                "sort",
                format!("has at most {MAX_SORT} keys: leave out the last ones."),
            ));
        }
        Ok(())
    }

    fn fields(&mut self, value: &str) -> Result<(), Refusal> {
        self.query.fields = Some(read_fields(self.domain, value)?);
        Ok(())
    }

    fn condition(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        if UNSUPPORTED.contains(&name) {
            return Err(Refusal::new(
                Code::UnsupportedParameter,
                format!("{name} is not offered yet. Search by property (kind=unit), by prefix (name=Ume*), by where a reference leads (organisation=ID, organisation.below=ID), by q and by identifier."),
            )
            .fact(fact::PARAMETER, name));
        }
        let Some(property) = self.domain.indexed(name) else {
            return self.reference(name, value);
        };
        let has = |mode: SearchMode| property.modes.contains(&mode);
        // A code holds no comma; a name may.
        let values: Vec<&str> = if has(SearchMode::Exact) {
            value.split(',').collect()
        } else {
            vec![value]
        };
        if values.len() > MAX_CONDITIONS {
            return Err(invalid(
                name,
                format!(
                    "has more than {MAX_CONDITIONS} alternatives: ask for some of them at a time."
                ),
            ));
        }
        if values.iter().any(|value| value.is_empty()) {
            return Err(invalid(
                name,
                "has an empty alternative: write values between the commas.",
            ));
        }
        let prefixes: Vec<String> = values
            .iter()
            .filter_map(|value| value.strip_suffix('*'))
            .filter(|prefix| !prefix.ends_with('\\'))
            .map(str::to_owned)
            .collect();
        let test = if prefixes.is_empty() {
            if has(SearchMode::Text) && !has(SearchMode::Exact) && !has(SearchMode::Prefix) {
                return Err(invalid(name, "is searched as text only: use q."));
            }
            if property.modes.as_slice() == [SearchMode::Date] {
                for value in &values {
                    grunddata_model::parse_date(value)
                        .map_err(|error| invalid(name, format!("is a date: {error}.")))?;
                }
            }
            if property.modes.as_slice() == [SearchMode::Number]
                && let Some(bad) = values
                    .iter()
                    .find(|value| grunddata_information_model::number_key(value).is_none())
            {
                return Err(invalid(name, format!("is a number, not {bad:?}.")));
            }
            Test::Equals(
                values
                    .iter()
                    .map(|value| value.replace("\\*", "*"))
                    .collect(),
            )
        } else {
            let (1, [prefix]) = (values.len(), prefixes.as_slice()) else {
                return Err(invalid(
                    name,
                    "has alternatives with *: a beginning stands alone.",
                ));
            };
            if !has(SearchMode::Prefix) && !has(SearchMode::Exact) {
                return Err(invalid(
                    name,
                    "cannot be searched by its beginning: write the whole value.",
                ));
            }
            if prefix.is_empty() {
                return Err(invalid(
                    name,
                    "is only *: write what it begins with, or leave it out.",
                ));
            }
            Test::Prefix(prefix.clone())
        };
        self.query.conditions.push(Condition {
            property: name.to_owned(),
            test,
        });
        Ok(())
    }

    /// `organisation=ID`, `organisation=ID,ID`, `organisation.below=ID`
    fn reference(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let (property, below) = match name.strip_suffix(BELOW) {
            Some(property) => (property, true),
            None => (name, false),
        };
        let Some(relation) = self
            .domain
            .relations()
            .find(|relation| *relation.property == *property)
        else {
            return Err(self.unknown_parameter(name));
        };
        let hierarchies = || {
            let domains = relation.targets.iter().map(|target| target.domain);
            domains.filter(|domain| !self.model.hierarchies(*domain).is_empty())
        };
        if below && hierarchies().next().is_none() {
            return Err(invalid(
                name,
                "leads to records that nothing stands below: leave .below out.",
            ));
        }
        let targets = value
            .split(',')
            .map(|id| {
                id.parse().map_err(|_| {
                    invalid(
                        name,
                        "is the id (a UUID) of the record that it leads to: look it up with /records?identifier=SCHEME:VALUE.",
                    )
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if below && self.query.references.iter().any(|known| known.below) {
            return Err(invalid(
                name,
                "is the second with .below: a search goes down from one record.",
            ));
        }
        if below && targets.len() > 1 {
            return Err(invalid(name, "is one id: search once for each."));
        }
        if targets.len() > MAX_CONDITIONS {
            return Err(invalid(
                name,
                format!(
                    "has more than {MAX_CONDITIONS} alternatives: ask for some of them at a time."
                ),
            ));
        }
        self.query.references.push(ReferenceCondition {
            property: property.to_owned(),
            targets,
            below,
        });
        Ok(())
    }

    fn unknown_parameter(&self, name: &str) -> Refusal {
        // `organisation.parent.name`: a path over a reference.
        let over_reference = self.domain.relations().any(|relation| {
            name.strip_prefix(&*relation.property)
                .is_some_and(|rest| rest.starts_with('.'))
        });
        if over_reference {
            return Refusal::new(
                Code::UnsupportedParameter,
                format!("{name} leads on over a reference, which searches do not follow yet. Ask where the reference leads (organisation=ID, organisation.below=ID), or read the links of the records."),
            )
            .fact(fact::PARAMETER, name);
        }
        let names = self
            .domain
            .indexed_properties()
            .map(|property| &*property.name);
        let references = self.domain.relations().map(|relation| &*relation.property);
        unknown(
            Code::UnknownParameter,
            format!(
                "{} has no parameter and no indexed property {name:?}.",
                self.query.domain.collection()
            ),
            name,
            PARAMETERS.into_iter().chain(names).chain(references),
        )
        .fact(fact::PARAMETER, name)
    }

    fn finish(&mut self) -> Result<Query, Refusal> {
        let mut query = self.query.clone();
        query.page = match (self.page, self.after.take()) {
            (Some(_), Some(_)) => {
                return Err(Refusal::new(
                    Code::InvalidParameter,
                    "page and after exclude each other: take the next link as it is.",
                ));
            }
            (_, Some(after)) => PageChoice::After(after),
            (page, None) => PageChoice::Number(page.unwrap_or(1)),
        };
        if let PageChoice::Number(page) = query.page {
            let first = u64::from(page - 1).saturating_mul(u64::from(query.limit));
            if first >= self.limits.hits_by_page {
                return Err(Refusal::new(
                    Code::PageTooDeep,
                    format!(
                        "Pages by number reach the first {} hits. Follow the next link (after) instead, or narrow the search.",
                        self.limits.hits_by_page
                    ),
                )
                .fact(fact::PARAMETER, "page"));
            }
        }
        Ok(query)
    }
}

/// A choice of properties: paths separated by commas.
pub(crate) fn read_fields(domain: &DomainModel, value: &str) -> Result<Fields, Refusal> {
    let paths: Vec<&str> = value.split(',').collect();
    for path in &paths {
        let known = domain.properties().iter().any(|property| {
            property
                .name
                .strip_prefix(*path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let open = path.starts_with("extensions.");
        if !known && !open {
            return Err(unknown(
                Code::UnknownProperty,
                format!("{} has no property {path:?}.", domain.domain().collection()),
                path,
                domain.properties().iter().map(|property| &*property.name),
            )
            .fact(fact::PARAMETER, "fields"));
        }
    }
    Ok(Fields::of(paths))
}

/// A number of records, within the limits.
fn limit(value: &str, most: u32) -> Result<u32, Refusal> {
    let number: u32 = value
        .parse()
        .map_err(|_| invalid("limit", format!("is a number from 1 to {most}.")))?;
    if (1..=most).contains(&number) {
        Ok(number)
    } else {
        Err(Refusal::new(
            Code::LimitOutOfRange,
            format!("limit is a number from 1 to {most}; {number} is not. Follow the next link for more."),
        )
        .fact(fact::PARAMETER, "limit")
        .fact("most", most))
    }
}

/// `SCHEME:VALUE`, normalised and checked; `source:NAME:VALUE` too.
pub(crate) fn identifier(
    model: &InformationModel,
    text: &str,
    place: Place,
) -> Result<(SchemeCode, String), Refusal> {
    let form = || {
        invalid(
            "identifier",
            "is SCHEME:VALUE, such as se-organisation-number:2021002480.",
        )
    };
    let (scheme, value) = match text.strip_prefix("source:") {
        Some(rest) => {
            let (name, value) = rest.split_once(':').ok_or_else(form)?;
            let scheme = text.get(.."source:".len() + name.len()).ok_or_else(form)?;
            (scheme, value)
        }
        None => text.split_once(':').ok_or_else(form)?,
    };
    let (code, normal) = normalise(model, scheme, value)?;
    if place == Place::Address
        && let Some(known) = model.scheme(scheme)
        && known.class() >= PrivacyClass::Personal
    {
        return Err(Refusal::new(
            Code::PersonalIdentifierInAddress,
            format!("The {scheme} is personal and must not stand in an address, where it would end up in logs. POST it to records/lookup, or to the collection's search."),
        )
        .fact(fact::PARAMETER, "identifier"));
    }
    Ok((code, normal))
}

/// The scheme and the normalised, checked value.
pub(crate) fn normalise(
    model: &InformationModel,
    scheme: &str,
    value: &str,
) -> Result<(SchemeCode, String), Refusal> {
    let known = model
        .scheme(scheme)
        .ok_or_else(|| unknown_scheme(model, scheme))?;
    if value.chars().any(char::is_control) {
        return Err(invalid("identifier", "holds a control character."));
    }
    let normal = known.normalise(value);
    // The value may be somebody's number: it is not repeated.
    known.check(&normal).map_err(|error| {
        invalid(
            "identifier",
            format!(
                "is no valid {scheme}: {}. Check it for mistakes in writing.",
                error.message
            ),
        )
    })?;
    let code = SchemeCode::new(scheme)
        .map_err(|error| invalid("identifier", format!("cannot be read: {error}.")))?;
    Ok((code, normal))
}

/// A name that is not known, with the nearest one that is.
fn unknown<'n>(
    code: Code,
    problem: String,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Refusal {
    let near = nearest(name, known);
    let hint = near.map_or(String::new(), |near| format!(" Did you mean {near}?"));
    Refusal::new(code, format!("{problem}{hint}")).fact_if(fact::NEAREST, near)
}
