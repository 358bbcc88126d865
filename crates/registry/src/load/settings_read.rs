//! Settings from JSON, with everything that is wrong with them.

use grunddata_model::Domain;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::collect::Collect;
use super::settings::{SourceSettings, is_within, uncovered};
use crate::write::{check_name, check_text};
use crate::{Code, Fault, OnUnresolved, Refusal, nearest};

/// The longest mapping, in bytes.
const LONGEST_MAPPING: usize = 256 * 1024;
/// The most properties that are named in one setting.
const MOST_PROPERTIES: usize = 200;

/// The names of the settings.
const NAMES: [&str; 21] = [
    "title",
    "domains",
    "controller",
    "contact",
    "format",
    "mapping",
    "schedule",
    "collect",
    "copyOf",
    "precedence",
    "authoritative",
    "validation",
    "onUncovered",
    "onUnresolved",
    "withdraws",
    "referenceDate",
    "changes",
    "guards",
    "approval",
    "staleRows",
    "retired",
];

/// Reads members one by one, so that all that is wrong is told at once.
struct Members {
    members: Map<String, Value>,
    faults: Vec<(Code, Fault)>,
}

impl Members {
    fn fault(&mut self, pointer: &str, en: String, sv: String) {
        let fault = Fault::new(pointer, Code::InvalidSettings, en, sv);
        self.faults.push((Code::InvalidSettings, fault));
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        match serde_json::from_value(value) {
            Ok(read) => Some(read),
            Err(error) => {
                self.fault(
                    &format!("/{name}"),
                    format!("{name} cannot be read: {error}."),
                    format!("{name} kan inte läsas: {error}."),
                );
                None
            }
        }
    }

    fn or_default<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        self.optional(name).unwrap_or_default()
    }
}

impl SourceSettings {
    /// Settings from JSON.
    ///
    /// # Errors
    /// [`Code::InvalidSettings`] with everything that is wrong, unknown names included.
    pub fn read(value: Value) -> Result<Self, Refusal> {
        let Value::Object(members) = value else {
            return Err(Refusal::new(
                Code::InvalidSettings,
                "The settings of a source are a JSON object.",
            ));
        };
        let mut read = Members {
            members,
            faults: Vec::new(),
        };
        let title: String = read.or_default("title");
        let domains: Vec<String> = read.or_default("domains");
        let mut settings = Self::new(title, []);
        for (place, name) in domains.iter().enumerate() {
            match name.parse::<Domain>() {
                Ok(domain) => {
                    settings.domains.insert(domain);
                }
                Err(error) => read.fault(
                    &format!("/domains/{place}"),
                    format!("{error}."),
                    format!("{name:?} är ingen domän."),
                ),
            }
        }
        settings.controller = read.optional("controller");
        settings.contact = read.optional("contact");
        settings.format = read.optional("format");
        settings.mapping = read.optional("mapping");
        settings.schedule = read.optional("schedule");
        settings.collect = read.optional("collect");
        settings.copy_of = read.optional("copyOf");
        let named = settings.copy_of.as_deref();
        if let Some(Err(refusal)) = named.map(|of| check_name("copyOf", of)) {
            read.fault(
                "/copyOf",
                refusal.detail,
                "copyOf är namnet på registret: en kort text.".to_owned(),
            );
        }
        settings.precedence = read.or_default("precedence");
        settings.authoritative = read.or_default("authoritative");
        settings.validation = read.or_default("validation");
        if let Some(word) = read.optional::<String>("onUncovered") {
            match uncovered::of(&word) {
                Some(value) => settings.on_uncovered = value,
                None => read.fault(
                    "/onUncovered",
                    "onUncovered is reject, clip or flag.".to_owned(),
                    "onUncovered är reject, clip eller flag.".to_owned(),
                ),
            }
        }
        if let Some(word) = read.optional::<String>("onUnresolved") {
            match OnUnresolved::of(&word) {
                Some(value) => settings.on_unresolved = value,
                None => read.fault(
                    "/onUnresolved",
                    "onUnresolved is reject or pending.".to_owned(),
                    "onUnresolved är reject eller pending.".to_owned(),
                ),
            }
        }
        settings.withdraws = read.or_default("withdraws");
        settings.reference_date = read.or_default("referenceDate");
        settings.changes = read.or_default("changes");
        settings.guards = read.or_default("guards");
        settings.approval = read.or_default("approval");
        settings.stale_rows = read.or_default("staleRows");
        settings.retired = read.or_default("retired");
        let unknown: Vec<String> = read.members.keys().cloned().collect();
        for name in unknown {
            let hint = nearest(&name, NAMES)
                .map_or(String::new(), |known| format!(" Did you mean {known}?"));
            read.fault(
                &format!("/{name}"),
                format!("A source has no setting {name:?}.{hint}"),
                format!("En källa har ingen inställning {name:?}."),
            );
        }
        settings.check(&mut read);
        match Refusal::of_faults(read.faults) {
            Some(refusal) => Err(refusal),
            None => Ok(settings),
        }
    }

    fn check(&self, read: &mut Members) {
        let known = |read: &Members, pointer: &str| {
            read.faults
                .iter()
                .any(|(_, fault)| is_within(&fault.pointer, pointer))
        };
        let texts = [
            ("title", Some(&self.title), 200),
            ("contact", self.contact.as_ref(), 200),
            ("format", self.format.as_ref(), 50),
        ];
        for (name, text, longest) in texts {
            let pointer = format!("/{name}");
            if let Some(text) = text
                && !known(read, &pointer)
                && let Err(refusal) = check_text(name, text, longest)
            {
                read.fault(&pointer, refusal.detail, format!("{name} är inte rätt."));
            }
        }
        if self.domains.is_empty() && !known(read, "/domains") {
            read.fault(
                "/domains",
                "Say which domains the source feeds: person, role, organisation, geography, service."
                    .to_owned(),
                "Ange vilka domäner källan matar.".to_owned(),
            );
        }
        if self
            .mapping
            .as_ref()
            .is_some_and(|text| text.len() > LONGEST_MAPPING)
        {
            read.fault(
                "/mapping",
                format!("A mapping has at most {LONGEST_MAPPING} bytes."),
                format!("En mappning har högst {LONGEST_MAPPING} byte."),
            );
        }
        let lists = [
            (
                "precedence/properties",
                self.precedence.properties.keys().collect::<Vec<_>>(),
            ),
            ("withdraws", self.withdraws.iter().collect()),
        ];
        for (name, pointers) in lists {
            if pointers.len() > MOST_PROPERTIES {
                read.fault(
                    &format!("/{name}"),
                    format!("{name} names at most {MOST_PROPERTIES} properties."),
                    format!("{name} anger högst {MOST_PROPERTIES} egenskaper."),
                );
            }
            for pointer in pointers {
                if !pointer.starts_with('/') || pointer.len() < 2 {
                    read.fault(
                        &format!("/{name}"),
                        format!("{pointer:?} is no JSON Pointer to a property: write it as /contactPoints or /name/family."),
                        format!("{pointer:?} är ingen JSON Pointer: skriv till exempel /contactPoints."),
                    );
                }
            }
        }
        if self
            .withdraws
            .iter()
            .any(|pointer| is_within(pointer, "/identifiers"))
        {
            read.fault(
                "/withdraws",
                "Identifiers are withdrawn one by one, when a source lists others than before: leave /identifiers out.".to_owned(),
                "Identiteter dras tillbaka en och en: utelämna /identifiers.".to_owned(),
            );
        }
        for fault in self.collect.iter().flat_map(Collect::faults) {
            let pointer = format!("/collect/{}", fault.name);
            read.fault(&pointer, fault.en, fault.sv);
        }
        let percents = [
            ("ends", self.guards.ends.percent),
            ("changes", self.guards.changes.percent),
            ("errors", self.guards.errors.percent),
            ("shorterPercent", self.guards.shorter_percent),
        ];
        for (name, percent) in percents {
            if percent.is_some_and(|percent| percent > 100) {
                read.fault(
                    &format!("/guards/{name}"),
                    "A share is 0 to 100 percent.".to_owned(),
                    "En andel är 0 till 100 procent.".to_owned(),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::settings::{Precedence, Threshold};
    use super::*;
    use crate::OnUncovered;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let refusal = SourceSettings::read(json!({
            "domains": ["person", "preson"], "precedense": {}, "onUncovered": "x", "onUnresolved": "x", "withdraws": ["name", "/identifiers"],
            "guards": {"ends": {"percent": 200}}, "schedule": {"every": 1},
        }))
        .unwrap_err();
        let mut places: Vec<&str> = refusal
            .errors
            .iter()
            .map(|fault| fault.pointer.as_str())
            .collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                "/domains/1",
                "/guards/ends",
                "/onUncovered",
                "/onUnresolved",
                "/precedense",
                "/schedule",
                "/title",
                "/withdraws",
                "/withdraws"
            ]
        );
        assert!(
            refusal
                .errors
                .iter()
                .any(|fault| fault.message.contains("precedence?"))
        );
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        let mut settings = SourceSettings::new("HR", [Domain::Person, Domain::Role]);
        settings
            .precedence
            .properties
            .insert("/contactPoints".to_owned(), -10);
        settings.authoritative.ends = true.into();
        settings.on_uncovered = OnUncovered::Clip;
        settings.on_unresolved = OnUnresolved::Pending;
        settings.copy_of = Some("Folkbokföringen".to_owned());
        let written = serde_json::to_value(&settings).unwrap();
        assert_eq!(SourceSettings::read(written.clone()).unwrap(), settings);
        assert_eq!(
            serde_json::from_value::<SourceSettings>(written).unwrap(),
            settings
        );
        let least = SourceSettings::read(json!({"title": "HR", "domains": ["person"]})).unwrap();
        assert_eq!(least, SourceSettings::new("HR", [Domain::Person]));
    }

    #[test]
    fn the_longest_pointer_gives_the_rank() {
        let precedence = Precedence {
            default: 1,
            properties: BTreeMap::from([("/name".to_owned(), 2), ("/name/family".to_owned(), 3)]),
        };
        assert_eq!(precedence.of("/name/given"), 2);
        assert_eq!(precedence.of("/name/family"), 3);
        assert_eq!(precedence.of("/names"), 1);
    }

    #[test]
    fn few_rows_exceed_no_percentage() {
        let ten = Threshold {
            count: None,
            percent: Some(10),
        };
        assert!(!ten.is_exceeded(5, 10, 5) && ten.is_exceeded(6, 10, 5));
        assert!(!ten.is_exceeded(10, 100, 5) && ten.is_exceeded(11, 100, 5));
        let count = Threshold {
            count: Some(3),
            percent: None,
        };
        assert!(!count.is_exceeded(3, 100, 5) && count.is_exceeded(4, 100, 5));
    }
}
