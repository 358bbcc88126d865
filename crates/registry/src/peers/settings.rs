//! What is said of a peer.

use grunddata_log_proof::head::PublicKey;
use grunddata_model::{Domain, OwnerKey, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::write::check_text;
use crate::{Code, Fault, Refusal};

/// The longest name of a peer.
const LONGEST_NAME: usize = 63;

/// From where, what, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeerSettings {
    /// The address of the registry, without what comes below it: `https://grunddata.example.se`.
    pub url: String,
    /// The owner that is copied.
    pub owner: OwnerKey,
    /// Only records of these domains; none = of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Domain>,
    /// Only records for which this organisation is responsible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<RecordId>,
    /// The file in which the token lies that the registry is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// What the owner is called here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The keys that its log is to be signed with, in base64; none = those that are seen first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The id of the token with which the other registry brings its changes; none = they are fetched from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_by: Option<String>,
}

impl PeerSettings {
    /// Reads settings as a client writes them.
    ///
    /// # Errors
    /// [`Code::InvalidSettings`] with everything that is wrong.
    pub fn read(value: &Value) -> Result<Self, Refusal> {
        let mut faults = Vec::new();
        let mut wrong = |name: &str, en: String, sv: String| {
            let pointer = format!("/settings/{name}");
            faults.push(Fault::new(pointer, Code::InvalidSettings, en, sv));
        };
        let Some(members) = value.as_object() else {
            return Err(Refusal::new(
                Code::InvalidSettings,
                "settings must be an object with url, owner and more.",
            ));
        };
        const KNOWN: [&str; 8] = [
            "url",
            "owner",
            "domains",
            "controller",
            "tokenFile",
            "title",
            "keys",
            "pushedBy",
        ];
        for name in members
            .keys()
            .filter(|name| !KNOWN.contains(&name.as_str()))
        {
            wrong(
                name,
                format!("Nobody knows {name:?}: it is one of {}.", KNOWN.join(", ")),
                format!("{name:?} finns inte: ange något av {}.", KNOWN.join(", ")),
            );
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let url = text("url").unwrap_or_default().trim_end_matches('/');
        if !is_address(url) {
            wrong(
                "url",
                "url is the address of the registry, such as https://grunddata.example.se, without what comes below it.".to_owned(),
                "url är registrets adress, till exempel https://grunddata.example.se, utan det som ligger under.".to_owned(),
            );
        }
        let owner = text("owner").and_then(|key| OwnerKey::new(key).ok());
        if owner.is_none() {
            wrong(
                "owner",
                "owner is the key of the owner that is copied, such as se-2480.".to_owned(),
                "owner är nyckeln för den informationsägare som kopieras, till exempel se-2480."
                    .to_owned(),
            );
        }
        let mut domains = Vec::new();
        match members.get("domains") {
            None | Some(Value::Null) => {}
            Some(Value::Array(words)) => {
                for (at, word) in words.iter().enumerate() {
                    match word.as_str().and_then(|word| word.parse::<Domain>().ok()) {
                        Some(domain) => domains.push(domain),
                        None => wrong(
                            &format!("domains/{at}"),
                            "A domain is person, role, organisation, geography or service."
                                .to_owned(),
                            "En domän är person, role, organisation, geography eller service."
                                .to_owned(),
                        ),
                    }
                }
            }
            Some(_) => wrong(
                "domains",
                "domains is a list of domains.".to_owned(),
                "domains är en lista med domäner.".to_owned(),
            ),
        }
        domains.sort_unstable();
        domains.dedup();
        let given = members.get("controller").filter(|value| !value.is_null());
        let controller: Option<RecordId> = given.and_then(|value| value.as_str()?.parse().ok());
        if given.is_some() && controller.is_none() {
            wrong(
                "controller",
                "controller is the id of an organisation.".to_owned(),
                "controller är id för en organisation.".to_owned(),
            );
        }
        let keys = read_keys(members.get("keys"), &mut wrong);
        for name in ["tokenFile", "title", "pushedBy"] {
            let given = members.get(name).filter(|value| !value.is_null());
            let good = |text: &str| !text.is_empty() && check_text(name, text, 500).is_ok();
            if given.is_some_and(|value| !value.as_str().is_some_and(good)) {
                wrong(
                    name,
                    format!("{name} is a text of at most 500 characters."),
                    format!("{name} är en text på högst 500 tecken."),
                );
            }
        }
        if text("pushedBy").is_some() && text("tokenFile").is_some() {
            faults.push(Fault::new(
                "/settings/tokenFile".to_owned(),
                Code::InvalidSettings,
                "A peer that is pushed is asked for nothing, and shown no token: leave tokenFile out, or pushedBy.".to_owned(),
                "En part som själv skickar tillfrågas inte och visas ingen nyckel: utelämna tokenFile eller pushedBy.".to_owned(),
            ));
        }
        match owner {
            Some(owner) if faults.is_empty() => Ok(Self {
                url: url.to_owned(),
                owner,
                domains,
                controller,
                token_file: text("tokenFile").map(str::to_owned),
                title: text("title").map(str::to_owned),
                keys,
                pushed_by: text("pushedBy").map(str::to_owned),
            }),
            _ => {
                let mut refusal = Refusal::new(
                    Code::InvalidSettings,
                    "The settings of the peer cannot be used: see errors.",
                );
                refusal.errors = faults;
                Err(refusal)
            }
        }
    }

    /// Whether nothing of the owner is left out.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.domains.is_empty() && self.controller.is_none()
    }

    /// The keys that the log is to be signed with.
    pub(super) fn pinned(&self) -> Vec<PublicKey> {
        let keys = self.keys.iter().map(|key| PublicKey::decoded(key));
        keys.filter_map(Result::ok).collect()
    }

    /// What is copied, and from where: when it changes, everything is fetched anew.
    pub(super) fn choice(&self) -> (&str, &[Domain], Option<RecordId>) {
        (&self.url, &self.domains, self.controller)
    }
}

/// The most keys that are pinned.
const MOST_KEYS: usize = 20;

fn read_keys(given: Option<&Value>, wrong: &mut impl FnMut(&str, String, String)) -> Vec<String> {
    let given = match given {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(keys)) if keys.len() <= MOST_KEYS => keys,
        Some(_) => {
            wrong(
                "keys",
                format!("keys is a list of at most {MOST_KEYS} keys."),
                format!("keys är en lista med högst {MOST_KEYS} nycklar."),
            );
            return Vec::new();
        }
    };
    let mut keys = Vec::new();
    for (at, key) in given.iter().enumerate() {
        match key.as_str().filter(|key| PublicKey::decoded(key).is_ok()) {
            Some(key) => keys.push(key.to_owned()),
            None => wrong(
                &format!("keys/{at}"),
                "A key is the publicKey that /.well-known/grunddata-log-keys of the peer tells: 32 bytes in base64.".to_owned(),
                "En nyckel är det publicKey som /.well-known/grunddata-log-keys hos motparten anger: 32 byte i base64.".to_owned(),
            ),
        }
    }
    keys
}

/// Scheme, host and perhaps a port and a path; nothing that could hold a secret.
pub(super) fn is_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() <= 200
            && !rest.starts_with('/')
            && rest
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "-._~:/[]".contains(char))
    })
}

pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let good = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit())
        && name
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-');
    if good {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidSettings,
        format!(
            "The name of a peer has 1 to {LONGEST_NAME} lower-case letters a to z, digits and hyphens, and begins with none of the last."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_is_wrong_is_told() {
        let refusal = PeerSettings::read(&json!({
            "url": "https://a@b", "owner": "Å", "domains": ["person", "people"], "controller": 7, "tokenFile": "", "nme": "x",
        }))
        .unwrap_err();
        let places: Vec<&str> = refusal
            .errors
            .iter()
            .map(|fault| fault.pointer.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "/settings/nme",
                "/settings/url",
                "/settings/owner",
                "/settings/domains/1",
                "/settings/controller",
                "/settings/tokenFile"
            ]
        );
    }

    #[test]
    fn what_is_good_is_kept() {
        let read = PeerSettings::read(
            &json!({"url": "http://127.0.0.1:8080/", "owner": "se-scb", "domains": ["geography"]}),
        )
        .unwrap();
        assert_eq!(
            (read.url.as_str(), read.is_whole()),
            ("http://127.0.0.1:8080", false)
        );
        assert!(check_name("scb-1").is_ok());
        for bad in ["", "-a", "A", "å", "a b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
