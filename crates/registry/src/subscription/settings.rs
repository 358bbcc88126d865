//! What is said of a subscription.

use grunddata_model::{Domain, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::write::check_text;
use crate::{Code, FEED_KINDS, Fault, FeedFilter, Refusal, nearest};

/// The members.
const NAMES: [&str; 9] = [
    "name",
    "target",
    "mode",
    "content",
    "domains",
    "kinds",
    "record",
    "controller",
    "silentAfterHours",
];
/// The longest address, in bytes.
const LONGEST_TARGET: usize = 1_000;
/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// The most hours after which a subscription is silent: a year.
const MOST_HOURS: u64 = 8_784;
/// The same where nothing is said.
const HOURS: u32 = 24;

/// How events are sent (CloudEvents 1.0, HTTP protocol binding).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentMode {
    /// One event in each request, with its attributes in the body.
    #[default]
    Structured,
    /// One event in each request, with its attributes in headers.
    Binary,
    /// Several events in each request.
    Batch,
}

impl ContentMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Structured, Self::Binary, Self::Batch];

    /// The word by which it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Structured => "structured",
            Self::Binary => "binary",
            Self::Batch => "batch",
        }
    }
}

/// What is said of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// What people call it.
    pub name: String,
    /// Where events are sent.
    pub target: String,
    /// How.
    #[serde(default)]
    pub mode: ContentMode,
    /// Whether entries come with the states that were believed at each change.
    #[serde(default)]
    pub states: bool,
    /// Only of records of these domains; empty = of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Domain>,
    /// Only of these kinds ([`FEED_KINDS`]); empty = of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only of this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// Only of records for which this organisation is responsible now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<RecordId>,
    /// After how many hours without a delivery that was accepted it is silent; `None` = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_after_hours: Option<u32>,
}

/// Reads members, and gathers what is wrong with them.
struct Members {
    members: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Members {
    fn fault(&mut self, name: &str, en: impl Into<String>, sv: &str) {
        self.faults.push(Fault::new(
            format!("/{name}"),
            Code::InvalidSettings,
            en,
            sv,
        ));
    }

    /// A text, one of several words, or whatever else a text is read as.
    fn read<T>(
        &mut self,
        name: &str,
        what: &str,
        sv: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        let found = read(&value);
        if found.is_none() {
            self.fault(name, format!("{name} is {what}."), sv);
        }
        found
    }

    fn list<T>(
        &mut self,
        name: &str,
        what: &str,
        sv: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let Some(items) = self.read(name, "a list of words", sv, |value| {
            value.as_array().cloned()
        }) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (at, item) in items.iter().take(20).enumerate() {
            match item.as_str().and_then(&read) {
                Some(one) => found.push(one),
                None => self.fault(&format!("{name}/{at}"), format!("This is {what}."), sv),
            }
        }
        if items.len() > 20 {
            self.fault(name, format!("{name} has at most 20 items."), sv);
        }
        found
    }
}

impl SubscriptionSettings {
    /// Reads what is said, and says everything that is wrong with it. `target` says what is wrong with an address, in English
    /// and in Swedish: where requests may go is not for the registry to know.
    ///
    /// # Errors
    /// [`Code::InvalidSettings`] with every fault.
    pub fn read(
        value: Value,
        target: impl FnOnce(&str) -> Option<(String, String)>,
    ) -> Result<Self, Refusal> {
        let Value::Object(members) = value else {
            return Err(refusal(vec![Fault::new(
                "",
                Code::InvalidSettings,
                format!(
                    "A JSON object is expected, with the members {}.",
                    NAMES.join(", ")
                ),
                "Ett JSON-objekt väntas.",
            )]));
        };
        // What is left out is what is usual; null says that it is never silent.
        let never = members.get("silentAfterHours").is_some_and(Value::is_null);
        let mut read = Members {
            members,
            faults: Vec::new(),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = read.read("name", "a text", "name är en text.", text);
        match &name {
            None if read.faults.is_empty() => read.fault(
                "name",
                "name is missing: say what people call the subscription.",
                "name saknas: ange vad prenumerationen kallas.",
            ),
            Some(name) => {
                if let Err(refusal) = check_text("name", name, LONGEST_NAME) {
                    read.fault("name", refusal.detail, "name är inte rätt.");
                }
            }
            None => {}
        }
        let faults = read.faults.len();
        let address = read.read("target", "an address", "target är en adress.", text);
        match &address {
            None if read.faults.len() == faults => read.fault(
                "target",
                "target is missing: say where events are sent, such as https://hooks.example.se/grunddata.",
                "target saknas: ange vart händelser ska skickas.",
            ),
            Some(address) if address.len() > LONGEST_TARGET => read.fault(
                "target",
                format!("target has at most {LONGEST_TARGET} characters."),
                "target är för lång.",
            ),
            Some(address) => {
                if let Some((en, sv)) = target(address) {
                    read.fault("target", en, &sv);
                }
            }
            None => {}
        }
        let mode = read.read(
            "mode",
            "structured, binary or batch",
            "mode är structured, binary eller batch.",
            |value| {
                let word = value.as_str()?;
                ContentMode::ALL
                    .into_iter()
                    .find(|mode| mode.as_str() == word)
            },
        );
        let states = read.read(
            "content",
            "thin or states",
            "content är thin eller states.",
            |value| match value.as_str() {
                Some("thin") => Some(false),
                Some("states") => Some(true),
                _ => None,
            },
        );
        let domains = read.list(
            "domains",
            "person, role, organisation, geography or service",
            "domains anger domäner.",
            |word| word.parse::<Domain>().ok(),
        );
        let kinds = read.list(
            "kinds",
            &format!("one of {}", FEED_KINDS.join(", ")),
            "kinds anger slag av ändringar.",
            |word| FEED_KINDS.contains(&word).then(|| word.to_owned()),
        );
        let id = |value: &Value| value.as_str()?.parse::<RecordId>().ok();
        let record = read.read("record", "the id of a record", "record är en posts id.", id);
        let controller = read.read(
            "controller",
            "the id of an organisation",
            "controller är en organisations id.",
            id,
        );
        let hours = read.read(
            "silentAfterHours",
            &format!("a whole number from 1 to {MOST_HOURS}, or null"),
            "silentAfterHours är ett heltal.",
            |value| {
                let hours = value.as_u64()?;
                (1..=MOST_HOURS).contains(&hours).then_some(hours)
            },
        );
        let hours = hours.and_then(|hours| u32::try_from(hours).ok());
        let unknown: Vec<String> = read.members.keys().take(20).cloned().collect();
        for name in unknown {
            let shown: String = name.chars().take(60).collect();
            let hint = nearest(&name, NAMES)
                .map_or(String::new(), |known| format!(" Did you mean {known}?"));
            let pointer = shown.replace('~', "~0").replace('/', "~1");
            read.fault(
                &pointer,
                format!("A subscription has no member {shown:?}.{hint}"),
                "En prenumeration har ingen sådan medlem.",
            );
        }
        if !read.faults.is_empty() {
            return Err(refusal(read.faults));
        }
        Ok(Self {
            name: name.unwrap_or_default(),
            target: address.unwrap_or_default(),
            mode: mode.unwrap_or_default(),
            states: states.unwrap_or_default(),
            domains,
            kinds,
            record,
            controller,
            silent_after_hours: if never {
                None
            } else {
                Some(hours.unwrap_or(HOURS))
            },
        })
    }

    /// Which entries of the log it chooses.
    ///
    /// # Errors
    /// [`Code::InvalidParameter`] for a kind that there is not.
    pub fn filter(&self) -> Result<FeedFilter, Refusal> {
        FeedFilter::default()
            .of_domains(self.domains.clone())
            .of_record(self.record)
            .of_controller(self.controller)
            .with_states(self.states)
            .of_kinds(self.kinds.iter().map(String::as_str))
    }
}

fn refusal(faults: Vec<Fault>) -> Refusal {
    let detail = match faults.as_slice() {
        [only] => only.message.clone(),
        several => format!(
            "The subscription is wrong in {} places; errors lists them all.",
            several.len()
        ),
    };
    Refusal::new(Code::InvalidSettings, detail).errors(faults)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<SubscriptionSettings, Vec<String>> {
        SubscriptionSettings::read(value, |text| {
            (!text.starts_with("https://"))
                .then(|| ("not https".to_owned(), "inte https".to_owned()))
        })
        .map_err(|refusal| {
            assert_eq!(refusal.code, Code::InvalidSettings);
            let faults = refusal.errors.iter();
            faults.map(|fault| fault.pointer.clone()).collect()
        })
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        assert_eq!(read(json!({})).unwrap_err(), ["/name", "/target"]);
        let wrong = json!({
            "name": 1, "target": "ftp://x", "mode": "xml", "content": "all", "domains": ["person", "peson"], "kinds": ["creat"],
            "record": "1", "controller": 2, "silentAfterHours": 0, "filter": "x",
        });
        assert_eq!(
            read(wrong).unwrap_err(),
            [
                "/name",
                "/target",
                "/mode",
                "/content",
                "/domains/1",
                "/kinds/0",
                "/record",
                "/controller",
                "/silentAfterHours",
                "/filter"
            ]
        );
        assert_eq!(read(json!([])).unwrap_err(), [""]);
        let many: Vec<&str> = vec!["person"; 21];
        let wrong = json!({"name": "a", "target": "https://a", "domains": many});
        assert_eq!(read(wrong).unwrap_err(), ["/domains"]);
    }

    #[test]
    fn what_is_left_out_is_what_is_usual() {
        let plain = read(json!({"name": "a", "target": "https://a"})).unwrap();
        assert_eq!(
            (plain.mode, plain.states, plain.silent_after_hours),
            (ContentMode::Structured, false, Some(24))
        );
        let never = json!({"name": "a", "target": "https://a", "silentAfterHours": null});
        assert_eq!(read(never).unwrap().silent_after_hours, None);
        let written = serde_json::to_value(&plain).unwrap();
        assert_eq!(
            serde_json::from_value::<SubscriptionSettings>(written).unwrap(),
            plain
        );
    }
}
