//! Identifier schemes: the rows of the code list `identifier-scheme`, with what a scheme demands of its values.

use std::collections::HashMap;
use std::sync::Arc;

use grunddata_model::{Domain, FormatError, FormatErrorKind, Normalisation, SchemeCode};
use regex::Regex;

use crate::annotation::PrivacyClass;
use crate::code_list::{Code, CodeList};
use crate::format;
use crate::text::{Text, nearest};

/// The name of the code list that holds the schemes.
pub(crate) const SCHEME_LIST: &str = "identifier-scheme";

/// The row that stands for every `source:NAME`.
const ANY_SOURCE: &str = "source:*";

/// Within what an identifier of a scheme names one record only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// For ever: a superseded value still leads to its record.
    Always,
    /// At each date.
    AtDate,
    /// At each date, within one issuer.
    PerIssuer,
    /// Not at all: never proof of sameness.
    None,
}

/// One identifier scheme.
#[derive(Debug, Clone)]
pub struct IdentifierScheme {
    code: SchemeCode,
    label: Text,
    definition: Text,
    normalisation: Normalisation,
    check: Option<Arc<str>>,
    pattern: Option<Regex>,
    uniqueness: Uniqueness,
    class: PrivacyClass,
    domains: Vec<Domain>,
    uri: Option<String>,
    dated: Option<Arc<Code>>,
}

impl IdentifierScheme {
    fn read(code: &Code) -> Result<Self, String> {
        let column = |name: &str| code.further.get(name).map_or("", String::as_str);
        let wrong = |name: &str| format!("{:?}: {name} {:?} is not known", code.code, column(name));
        let check = match column("check") {
            "" | "none" => None,
            name if format::is_known(name) => Some(Arc::from(name)),
            _ => return Err(wrong("check")),
        };
        let pattern = match column("pattern") {
            "" => None,
            pattern => Some(Regex::new(pattern).map_err(|error| {
                format!("{:?}: the pattern does not compile: {error}", code.code)
            })?),
        };
        let domains = column("domains")
            .split_whitespace()
            .map(|domain| {
                domain
                    .parse::<Domain>()
                    .map_err(|error| format!("{:?}: {error}", code.code))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if domains.is_empty() {
            return Err(format!("{:?}: domains is empty", code.code));
        }
        Ok(Self {
            code: SchemeCode::new(&code.code).map_err(|error| error.to_string())?,
            label: code.label.clone(),
            definition: code.definition.clone(),
            normalisation: column("normalisation")
                .parse()
                .map_err(|error| format!("{:?}: {error}", code.code))?,
            check,
            pattern,
            uniqueness: match column("uniqueness") {
                "always" => Uniqueness::Always,
                "at-date" => Uniqueness::AtDate,
                "per-issuer" => Uniqueness::PerIssuer,
                "none" => Uniqueness::None,
                _ => return Err(wrong("uniqueness")),
            },
            class: PrivacyClass::from_name(column("privacy")).ok_or_else(|| wrong("privacy"))?,
            domains,
            uri: Some(column("uri").to_owned()).filter(|uri| !uri.is_empty()),
            dated: Some(Arc::new(code.clone())).filter(|code| code.is_dated()),
        })
    }

    /// The code of the scheme; `source:*` for the row that stands for every source system.
    #[must_use]
    pub fn code(&self) -> &SchemeCode {
        &self.code
    }

    /// What to show.
    #[must_use]
    pub fn label(&self) -> &Text {
        &self.label
    }

    /// What the scheme is.
    #[must_use]
    pub fn definition(&self) -> &Text {
        &self.definition
    }

    /// Within what a value names one record only.
    #[must_use]
    pub fn uniqueness(&self) -> Uniqueness {
        self.uniqueness
    }

    /// The privacy class of the values.
    #[must_use]
    pub fn class(&self) -> PrivacyClass {
        self.class
    }

    /// The domains whose records may carry the scheme.
    #[must_use]
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// The URI of the scheme, where it has one.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The first and last day of the scheme itself, where its list gives them.
    pub(crate) fn is_dated(&self) -> bool {
        self.dated.is_some()
    }

    /// The one way to write a value: what is stored, compared and looked up. Leaves alone what it does not understand,
    /// for [`check`](Self::check) to refuse.
    #[must_use]
    pub fn normalise(&self, value: &str) -> String {
        let normal = self.normalisation.normalise(value);
        match &self.check {
            Some(check) => format::canonical(check, &normal).unwrap_or(normal),
            None => normal,
        }
    }

    /// Checks a normalised value.
    ///
    /// # Errors
    /// [`FormatError`] when the format or the pattern of the scheme does not match.
    pub fn check(&self, normalised: &str) -> Result<(), FormatError> {
        if let Some(check) = &self.check {
            format::check(check, normalised)?;
        }
        let matches = self
            .pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(normalised));
        if matches && !normalised.is_empty() {
            Ok(())
        } else {
            Err(FormatError {
                kind: FormatErrorKind::Malformed,
                message: "the value is not written as its identifier scheme prescribes",
                message_sv: "värdet är inte skrivet som dess identitetsbegrepp föreskriver",
            })
        }
    }
}

/// All schemes that are loaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemes {
    by_code: HashMap<String, IdentifierScheme>,
}

impl Schemes {
    pub(crate) fn read(list: &CodeList) -> Result<Self, String> {
        let mut by_code = HashMap::new();
        for code in list.codes() {
            by_code.insert(code.code.as_ref().to_owned(), IdentifierScheme::read(code)?);
        }
        Ok(Self { by_code })
    }

    /// The scheme of a code; `source:NAME` leads to the row `source:*`.
    pub(crate) fn get(&self, code: &str) -> Option<&IdentifierScheme> {
        match code.strip_prefix("source:") {
            Some("" | "*") => None,
            Some(_) => self
                .by_code
                .get(code)
                .or_else(|| self.by_code.get(ANY_SOURCE)),
            None => self.by_code.get(code),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &IdentifierScheme> {
        self.by_code.values()
    }

    pub(crate) fn nearest(&self, given: &str, domain: Option<Domain>) -> Option<&str> {
        nearest(
            given,
            self.by_code
                .values()
                .filter(|scheme| domain.is_none_or(|domain| scheme.domains.contains(&domain)))
                .map(|scheme| scheme.code.as_str()),
        )
    }
}
