//! What an administrator says about issuers. Checked once, at the start: a setting that is unsafe is no start.

use serde::Deserialize;

use crate::Algorithm;
use grunddata_reach::address::{self, AddressError};

const MOST_ISSUERS: usize = 50;
const LONGEST_NAME: usize = 40;
const LARGEST_SKEW: u32 = 300;
const LONGEST_OUTAGE: u32 = 7 * 86_400;
const LONGEST_TIMEOUT: u32 = 30;

/// The issuers whose tokens are accepted.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// The issuers, each once.
    pub issuers: Vec<IssuerConfig>,
    /// Whether an issuer on this machine may be asked by plain HTTP. For development and tests.
    pub allow_http_loopback: bool,
    /// The proxy through which issuers are asked: `http://proxy.example.se:3128`. The environment is not read.
    pub proxy: Option<String>,
}

/// One issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What the issuer is called in logs: lower-case letters, digits and hyphens. Begins every [`Identity::name`].
    ///
    /// [`Identity::name`]: crate::Identity::name
    pub name: String,
    /// The issuer's identifier, exactly as it stands in `iss`.
    pub issuer: String,
    /// Where the keys are; discovered when left out.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// How the keys are found when `jwks_uri` is left out.
    #[serde(default)]
    pub discovery: Discovery,
    /// What tokens for this registry are made out to (`aud`); at least one.
    pub audiences: Vec<String>,
    /// The signature algorithms accepted.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock may be off, in seconds; at most 300.
    #[serde(default = "default_skew")]
    pub clock_skew_seconds: u32,
    /// How old a token may be since `iat`, in seconds, whatever its `exp` says.
    #[serde(default = "default_age")]
    pub max_token_age_seconds: u32,
    /// Whether `typ` must be `at+jwt` (RFC 9068). Otherwise `JWT` and none at all are accepted too.
    #[serde(default)]
    pub strict_type: bool,
    /// For how long the last good keys are used after they should have been renewed, in seconds; at most a week.
    #[serde(default = "default_outage")]
    pub outage_seconds: u32,
    /// The longest that one request to the issuer may take, in seconds; 1 to 30.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u32,
    /// Certificates in PEM that the issuer's is to be signed by, instead of the public ones.
    #[serde(default)]
    pub certificate_authorities: Option<String>,
    /// Which claim says what.
    #[serde(default)]
    pub claims: ClaimNames,
    /// Names of grants given by values of claims.
    #[serde(default)]
    pub grants: Vec<GrantRule>,
}

/// How an issuer's keys are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discovery {
    /// `ISSUER/.well-known/openid-configuration` (OpenID Connect Discovery).
    #[default]
    Openid,
    /// `/.well-known/oauth-authorization-server` before the issuer's path (RFC 8414).
    Oauth,
}

/// Which claim says what. A path such as `realm_access.roles` leads into objects; an empty one leads nowhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// The name for logs; `sub` stands in where it is missing.
    pub name: String,
    /// Groups or roles: texts or arrays of texts, taken together.
    pub groups: Vec<String>,
    /// The program that the token was given to: the first that there is.
    pub client: Vec<String>,
    /// The unit of the organisation that the subject works for.
    pub unit: String,
    /// In whose name the subject asks, for issuers that say so without `act`.
    pub on_behalf_of: String,
    /// What for.
    pub purpose: String,
}

/// Gives the name of a grant to whoever has a value in a claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRule {
    /// The claim: a path, to a text or an array of texts.
    pub claim: String,
    /// The value, exactly.
    pub value: String,
    /// The name of the grant.
    pub grant: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            name: "sub".to_owned(),
            groups: vec!["groups".to_owned()],
            client: vec!["client_id".to_owned(), "azp".to_owned()],
            unit: String::new(),
            on_behalf_of: String::new(),
            purpose: "purpose".to_owned(),
        }
    }
}

impl IssuerConfig {
    /// An issuer with the defaults.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            jwks_uri: None,
            discovery: Discovery::default(),
            audiences: vec![audience.into()],
            algorithms: default_algorithms(),
            clock_skew_seconds: default_skew(),
            max_token_age_seconds: default_age(),
            strict_type: false,
            outage_seconds: default_outage(),
            timeout_seconds: default_timeout(),
            certificate_authorities: None,
            claims: ClaimNames::default(),
            grants: Vec::new(),
        }
    }
}

fn default_algorithms() -> Vec<Algorithm> {
    Algorithm::DEFAULT.to_vec()
}

const fn default_skew() -> u32 {
    60
}

const fn default_age() -> u32 {
    86_400
}

const fn default_outage() -> u32 {
    86_400
}

const fn default_timeout() -> u32 {
    5
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("identity{}: {what}", .issuer.as_ref().map(|name| format!(", issuer {name:?}")).unwrap_or_default())]
pub struct ConfigError {
    issuer: Option<String>,
    what: String,
}

impl ConfigError {
    pub(crate) fn new(issuer: Option<&IssuerConfig>, what: impl Into<String>) -> Self {
        Self {
            issuer: issuer.map(|issuer| issuer.name.clone()),
            what: what.into(),
        }
    }
}

/// Without the proxy, whose address may hold a password.
impl std::fmt::Debug for IdentityConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityConfig")
            .field("issuers", &self.issuers)
            .field("allow_http_loopback", &self.allow_http_loopback)
            .finish_non_exhaustive()
    }
}

impl IdentityConfig {
    /// Checks everything that can be checked without asking an issuer.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.issuers.len() > MOST_ISSUERS {
            return Err(ConfigError::new(
                None,
                format!("at most {MOST_ISSUERS} issuers"),
            ));
        }
        for (index, issuer) in self.issuers.iter().enumerate() {
            let earlier = self.issuers.iter().take(index);
            if earlier.clone().any(|other| other.name == issuer.name) {
                return Err(ConfigError::new(Some(issuer), "two issuers have this name"));
            }
            if earlier.clone().any(|other| other.issuer == issuer.issuer) {
                return Err(ConfigError::new(
                    Some(issuer),
                    "the same issuer stands there twice; audiences are a list",
                ));
            }
            issuer
                .check(self.allow_http_loopback)
                .map_err(|what| ConfigError::new(Some(issuer), what))?;
        }
        Ok(())
    }
}

impl IssuerConfig {
    fn check(&self, allow_http_loopback: bool) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.chars().all(plain) {
            return Err(format!(
                "name must be 1 to {LONGEST_NAME} lower-case letters, digits and hyphens"
            ));
        }
        let wrong = |setting: &str, error: AddressError| format!("{setting}: {error}");
        let url = address::checked(&self.issuer, allow_http_loopback)
            .map_err(|error| wrong("issuer", error))?;
        if url.query().is_some() {
            return Err("issuer: it must hold no query".to_owned());
        }
        if let Some(jwks_uri) = &self.jwks_uri {
            address::checked(jwks_uri, allow_http_loopback)
                .map_err(|error| wrong("jwks_uri", error))?;
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err("audiences: at least one, and none empty".to_owned());
        }
        if self.algorithms.is_empty() {
            return Err("algorithms: at least one".to_owned());
        }
        for (setting, value, least, most) in [
            (
                "clock_skew_seconds",
                self.clock_skew_seconds,
                0,
                LARGEST_SKEW,
            ),
            (
                "max_token_age_seconds",
                self.max_token_age_seconds,
                1,
                u32::MAX,
            ),
            ("outage_seconds", self.outage_seconds, 0, LONGEST_OUTAGE),
            ("timeout_seconds", self.timeout_seconds, 1, LONGEST_TIMEOUT),
        ] {
            if value < least || value > most {
                return Err(format!("{setting}: {least} to {most}"));
            }
        }
        let incomplete = |rule: &GrantRule| {
            rule.claim.is_empty() || rule.value.is_empty() || rule.grant.is_empty()
        };
        if self.grants.iter().any(incomplete) {
            return Err("grants: claim, value and grant must not be empty".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IdentityConfig, String> {
        let config: IdentityConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    const SMALL: &str = "[[issuers]]\nname = \"kommun\"\nissuer = \"https://idp.example.se\"\naudiences = [\"grunddata\"]\n";

    #[test]
    fn three_lines_are_enough_and_the_defaults_are_safe() {
        let config = read(SMALL).unwrap();
        let issuer = &config.issuers[0];
        assert_eq!(issuer.algorithms, Algorithm::DEFAULT);
        assert_eq!(
            (issuer.clock_skew_seconds, issuer.max_token_age_seconds),
            (60, 86_400)
        );
        assert_eq!((issuer.outage_seconds, issuer.timeout_seconds), (86_400, 5));
        assert!(!issuer.strict_type && !config.allow_http_loopback);
    }

    #[test]
    fn what_is_unsafe_or_unknown_is_refused() {
        for (addition, part) in [
            ("algorithms = [\"HS256\"]", "HS256"),
            ("algorithms = [\"none\"]", "none"),
            ("algorithms = []", "algorithms"),
            ("clock_skew_seconds = 301", "clock_skew_seconds"),
            ("max_token_age_seconds = 0", "max_token_age_seconds"),
            ("outage_seconds = 604801", "outage_seconds"),
            ("timeout_seconds = 0", "timeout_seconds"),
            ("jwks_uri = \"http://idp.example.se/keys\"", "https"),
            ("jwks_url = \"https://idp.example.se/keys\"", "jwks_url"),
            ("[issuers.claims]\ngroup = \"x\"", "group"),
            (
                "[[issuers.grants]]\nclaim = \"groups\"\nvalue = \"\"\ngrant = \"x\"",
                "grants",
            ),
            (SMALL, "two issuers"),
        ] {
            let error = read(&format!("{SMALL}{addition}\n")).unwrap_err();
            assert!(error.contains(part), "{addition}: {error}");
        }
        for (from, to, part) in [
            ("https:", "http:", "https"),
            ("idp.example.se", "idp.example.se?x", "query"),
            ("[\"grunddata\"]", "[]", "audiences"),
            ("\"kommun\"", "\"Kommun:\"", "name"),
        ] {
            let error = read(&SMALL.replace(from, to)).unwrap_err();
            assert!(error.contains(part), "{to}: {error}");
        }
        let twice = format!("{SMALL}{}", SMALL.replace("kommun", "annan"));
        assert!(read(&twice).unwrap_err().contains("twice"));
    }
}
