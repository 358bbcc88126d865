//! The mapping of a source: a text of its own, one that comes with the program, or none.

use std::sync::Arc;

use grunddata_exchange::Problem;
use grunddata_exchange::mapping::Mapping;
use grunddata_exchange::ready::{ALL, Ready};
use grunddata_registry::{Code, Fault, Refusal};

use super::SharedMapping;

/// How a source says that it uses a mapping that comes with the program.
const READY: &str = "ready:";
/// Where the mapping stands in the settings.
const POINTER: &str = "/mapping";

/// A mapping that has been read.
#[derive(Debug, Clone)]
pub struct Mapped(SharedMapping);

impl Mapped {
    /// The mapping.
    #[must_use]
    pub fn mapping(&self) -> &SharedMapping {
        &self.0
    }
}

/// Reads the mapping of a source: the text, or the one named with `ready:NAME`. `None` where the source has none: its files
/// are in the native format.
///
/// # Errors
/// [`Code::InvalidSettings`] with every fault and its line.
pub fn read(text: Option<&str>) -> Result<Option<Mapped>, Refusal> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let parsed = match text.trim().strip_prefix(READY) {
        Some(name) => match Ready::named(name.trim()) {
            Some(ready) => ready.mapping(),
            None => return Err(unknown(name.trim())),
        },
        None => Mapping::parse("mapping", text),
    };
    match parsed {
        Ok(mapping) => Ok(Some(Mapped(Arc::new(mapping)))),
        Err(problems) => Err(refused(&problems)),
    }
}

/// That the mapping can be read, and makes no records but of the domains that the source feeds.
///
/// # Errors
/// [`Code::InvalidSettings`].
pub fn check(settings: &grunddata_registry::SourceSettings) -> Result<(), Refusal> {
    let Some(mapped) = read(settings.mapping.as_deref())? else {
        return Ok(());
    };
    let strange: Vec<&str> = mapped
        .mapping()
        .domains()
        .into_iter()
        .filter(|domain| !settings.domains.contains(domain))
        .map(|domain| domain.as_str())
        .collect();
    if strange.is_empty() {
        return Ok(());
    }
    let names = strange.join(", ");
    Err(of(vec![Fault::new(
        "/domains",
        Code::InvalidSettings,
        format!(
            "The mapping makes records of {names}, which the source does not feed. Add them to domains, or take them out of the mapping."
        ),
        format!(
            "Mappningen skapar poster i {names}, som källan inte matar. Lägg till dem i domains eller ta bort dem ur mappningen."
        ),
    )]))
}

fn unknown(name: &str) -> Refusal {
    let shown: String = name.chars().take(60).collect();
    let names: Vec<&str> = ALL.iter().map(|ready| ready.name).collect();
    let names = names.join(", ");
    of(vec![Fault::new(
        POINTER,
        Code::InvalidSettings,
        format!("No mapping named \"{shown}\" comes with the program. It has: {names}."),
        format!("Ingen mappning med namnet \"{shown}\" följer med programmet. Det har: {names}."),
    )])
}

fn refused(problems: &[Problem]) -> Refusal {
    of(problems
        .iter()
        .map(|problem| {
            Fault::new(
                POINTER,
                Code::InvalidSettings,
                problem.to_string(),
                problem.in_swedish(),
            )
            .with("line", problem.place.row)
        })
        .collect())
}

fn of(faults: Vec<Fault>) -> Refusal {
    let faults = faults
        .into_iter()
        .map(|fault| (Code::InvalidSettings, fault))
        .collect();
    Refusal::of_faults(faults).unwrap_or_else(Refusal::internal)
}

#[cfg(test)]
mod tests {
    use grunddata_model::Domain;
    use grunddata_registry::SourceSettings;

    use super::*;

    #[test]
    fn mappings_are_named_written_or_missing() {
        assert!(read(None).expect("none").is_none());
        let ready = read(Some("ready:ss12000")).expect("ready").expect("one");
        assert_eq!(ready.mapping().name(), "ss12000");
        let unknown = read(Some("ready:ss12")).expect_err("unknown");
        assert_eq!(unknown.code, Code::InvalidSettings);
        assert!(unknown.detail.contains("ss12000"), "{}", unknown.detail);
        let wrong = read(Some("mapping = 1\nname = 7\n")).expect_err("wrong");
        assert!(wrong.errors.len() > 1, "{wrong:?}");
        assert_eq!(wrong.errors[0].pointer, POINTER);
    }

    #[test]
    fn a_mapping_feeds_what_its_source_feeds() {
        let mut settings = SourceSettings::new("HR", [Domain::Person, Domain::Role]);
        settings.mapping = Some("ready:hr-employments".to_owned());
        let refusal = check(&settings).expect_err("organisations too");
        assert!(refusal.detail.contains("organisation"));
        settings.domains.insert(Domain::Organisation);
        check(&settings).expect("all that it makes");
    }
}
