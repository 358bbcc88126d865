//! Who asks, read out of claims whose signature has been checked.

use std::sync::Arc;

use grunddata_model::Instant;
use serde_json::{Map, Value};

use crate::config::IssuerConfig;
use crate::{ClaimNames, GrantRule, Refused};

/// The longest text that is taken over from a claim, in characters.
const LONGEST_TEXT: usize = 255;

/// Who asks, as an issuer has said it. What they may do is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The issuer's identifier (`iss`): an address without fragment.
    pub issuer: Arc<str>,
    /// Whose rights the token carries (`sub`): unique within the issuer only, see [`Identity::key`].
    pub subject: String,
    /// The name for logs: the name of the issuer in the settings, a colon, and the claim that the settings name. Not
    /// necessarily unique, and nothing may be decided by it.
    pub name: String,
    /// The program that the token was given to.
    pub client: Option<String>,
    /// The unit that the subject works for. It gives no rights.
    pub unit: Option<String>,
    /// Groups, sorted, each once.
    pub groups: Vec<String>,
    /// Names of the grants that the issuer's rules give, sorted, each once. What they allow is the registry's to say.
    pub grants: Vec<String>,
    /// Who really acts when the token is used in its subject's name (`act.sub`, RFC 8693), as [`name`](Self::name) is
    /// written: the same account at another issuer is somebody else.
    pub acting: Option<String>,
    /// In whose name the request is made: the subject when somebody else acts, otherwise the claim that the settings
    /// name.
    pub on_behalf_of: Option<String>,
    /// What for.
    pub purpose: Option<String>,
    /// When the token ends (`exp`, without the allowance for clocks). Nobody may believe it longer on the strength of
    /// having seen it.
    pub expires_at: Instant,
}

impl Identity {
    /// What tells subjects apart across issuers: the issuer, `#`, the subject. An issuer has no `#` in it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}#{}", self.issuer, self.subject)
    }

    pub(crate) fn from_claims(
        claims: &Map<String, Value>,
        config: &IssuerConfig,
        issuer: &Arc<str>,
        expires_at: Instant,
    ) -> Result<Self, Refused> {
        let subject = match claims.get("sub") {
            None | Some(Value::Null) => return Err(Refused::MissingClaim),
            Some(value) => text(value).ok_or(Refused::Malformed)?,
        };
        let ClaimNames {
            name,
            groups,
            client,
            unit,
            on_behalf_of,
            purpose,
        } = &config.claims;
        let shown = single(claims, name).unwrap_or_else(|| subject.clone());
        let acting = acting(claims)?;
        let on_behalf_of = match acting {
            Some(_) => Some(subject.clone()),
            None => single(claims, on_behalf_of),
        };
        Ok(Self {
            issuer: Arc::clone(issuer),
            name: format!("{}:{shown}", config.name),
            subject,
            client: client.iter().find_map(|path| single(claims, path)),
            unit: single(claims, unit),
            groups: unique(groups.iter().flat_map(|path| several(claims, path))),
            grants: unique(
                config
                    .grants
                    .iter()
                    .filter(|rule| holds(rule, claims))
                    .map(|rule| rule.grant.clone()),
            ),
            acting: acting.map(|acting| format!("{}:{acting}", config.name)),
            on_behalf_of,
            purpose: single(claims, purpose),
            expires_at,
        })
    }
}

/// Who acts, by the outermost `act`; one that says nothing is no token to believe.
fn acting(claims: &Map<String, Value>) -> Result<Option<String>, Refused> {
    let Some(act) = claims.get("act") else {
        return Ok(None);
    };
    ["sub", "client_id"]
        .iter()
        .find_map(|name| act.get(name).and_then(text))
        .map(Some)
        .ok_or(Refused::Malformed)
}

fn holds(rule: &GrantRule, claims: &Map<String, Value>) -> bool {
    several(claims, &rule.claim).contains(&rule.value)
}

/// The value at a path: the claim of exactly that name, otherwise step by step at the full stops. An empty path leads
/// nowhere.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

fn single(claims: &Map<String, Value>, path: &str) -> Option<String> {
    at(claims, path).and_then(text)
}

fn several(claims: &Map<String, Value>, path: &str) -> Vec<String> {
    match at(claims, path) {
        Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A text that can stand in a log: not empty, not long, without control characters.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fit = !text.is_empty()
        && text.chars().count() <= LONGEST_TEXT
        && !text.chars().any(char::is_control);
    fit.then(|| text.to_owned())
}

fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config() -> IssuerConfig {
        let mut config = IssuerConfig::new("kommun", "https://idp.example.se", "grunddata");
        config.claims.groups = vec!["groups".to_owned(), "realm_access.roles".to_owned()];
        config.grants = vec![GrantRule {
            claim: "realm_access.roles".to_owned(),
            value: "steward".to_owned(),
            grant: "steward-2480".to_owned(),
        }];
        config
    }

    fn read(config: &IssuerConfig, claims: Value) -> Result<Identity, Refused> {
        let issuer = Arc::from(config.issuer.as_str());
        let Value::Object(claims) = claims else {
            panic!("no object")
        };
        Identity::from_claims(&claims, config, &issuer, Instant::from_micros(0))
    }

    #[test]
    fn claims_are_read_by_their_paths() {
        let identity = read(
            &config(),
            json!({
                "sub": "anna", "azp": "hr-system",
                "groups": "editors", "realm_access": {"roles": ["steward", "editors", 7]},
            }),
        )
        .unwrap();
        assert_eq!(identity.name, "kommun:anna");
        assert_eq!(identity.key(), "https://idp.example.se#anna");
        assert_eq!(identity.client.as_deref(), Some("hr-system"));
        assert_eq!(identity.groups, ["editors", "steward"]);
        assert_eq!(identity.grants, ["steward-2480"]);
        assert_eq!((identity.acting, identity.on_behalf_of), (None, None));
    }

    #[test]
    fn the_unit_is_read_where_the_settings_say() {
        let claims = json!({"sub": "anna", "org": {"unit": "Socialkontoret"}});
        assert_eq!(read(&config(), claims.clone()).unwrap().unit, None);
        let mut config = config();
        config.claims.unit = "org.unit".to_owned();
        let identity = read(&config, claims).unwrap();
        assert_eq!(identity.unit.as_deref(), Some("Socialkontoret"));
    }

    #[test]
    fn a_claim_named_by_an_address_is_found_whole() {
        let mut config = config();
        config.claims.groups = vec!["https://idp.example.se/roles".to_owned()];
        let claims = json!({"sub": "a", "https://idp.example.se/roles": ["x"]});
        assert_eq!(read(&config, claims).unwrap().groups, ["x"]);
    }

    #[test]
    fn whoever_acts_is_told_from_the_one_in_whose_name() {
        let claims = json!({"sub": "anna", "act": {"sub": "system-a", "act": {"sub": "system-b"}}});
        let identity = read(&config(), claims).unwrap();
        assert_eq!(identity.acting, Some(format!("{}:system-a", config().name)));
        assert_eq!(identity.on_behalf_of.as_deref(), Some("anna"));
        assert_eq!(
            read(&config(), json!({"sub": "a", "act": {}})),
            Err(Refused::Malformed)
        );
        let mut config = config();
        config.claims.on_behalf_of = "user".to_owned();
        let identity = read(&config, json!({"sub": "system-a", "user": "anna"})).unwrap();
        assert_eq!(
            (identity.acting, identity.on_behalf_of.as_deref()),
            (None, Some("anna"))
        );
    }

    #[test]
    fn a_subject_is_required_and_nothing_forges_a_line_of_the_log() {
        assert_eq!(read(&config(), json!({})), Err(Refused::MissingClaim));
        for bad in [
            json!(7),
            json!(""),
            json!("a\nb"),
            json!("x".repeat(256)),
            json!(["a"]),
        ] {
            assert_eq!(
                read(&config(), json!({"sub": bad})),
                Err(Refused::Malformed),
                "{bad}"
            );
        }
        let mut config = config();
        config.claims.name = "preferred_username".to_owned();
        let identity = read(&config, json!({"sub": "a", "preferred_username": "x\ny"})).unwrap();
        assert_eq!(identity.name, "kommun:a");
    }
}
