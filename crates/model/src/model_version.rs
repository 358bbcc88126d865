//! The name and version of an information-model package.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A released package such as `grunddata/1.0.0`. Cheap to clone; every stored state names one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelVersion {
    /// The name of the package: lower-case letters, digits and hyphens.
    pub name: Arc<str>,
    /// The version of the package: semantic versioning, `MAJOR.MINOR.PATCH` with an optional `-prerelease`.
    pub version: Arc<str>,
}

/// The text is not `NAME/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a model version: write NAME/MAJOR.MINOR.PATCH, such as grunddata/1.0.0")]
pub struct ModelVersionError {
    /// What was given.
    pub given: String,
}

impl ModelVersion {
    /// Checks both parts.
    ///
    /// # Errors
    /// [`ModelVersionError`] when the name or the version does not have its form.
    pub fn new(name: &str, version: &str) -> Result<Self, ModelVersionError> {
        if valid_name(name) && valid_version(version) {
            Ok(Self {
                name: Arc::from(name),
                version: Arc::from(version),
            })
        } else {
            Err(ModelVersionError {
                given: format!("{name}/{version}").chars().take(200).collect(),
            })
        }
    }
}

fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn valid_version(version: &str) -> bool {
    let (core, prerelease) = match version.split_once('-') {
        Some((core, prerelease)) => (core, Some(prerelease)),
        None => (version, None),
    };
    let number = |part: &str| {
        !part.is_empty()
            && part.len() <= 9
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    core.split('.').count() == 3
        && core.split('.').all(number)
        && prerelease.is_none_or(|text| {
            text.len() <= 63
                && text.split('.').all(|part| {
                    !part.is_empty()
                        && part
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                })
        })
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

impl FromStr for ModelVersion {
    type Err = ModelVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((name, version)) => Self::new(name, version),
            None => Err(ModelVersionError {
                given: text.chars().take(200).collect(),
            }),
        }
    }
}

impl TryFrom<String> for ModelVersion {
    type Error = ModelVersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ModelVersion> for String {
    fn from(version: ModelVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_name_and_version() {
        let version: ModelVersion = "grunddata/1.0.0".parse().unwrap();
        assert_eq!((&*version.name, &*version.version), ("grunddata", "1.0.0"));
        assert_eq!(version.to_string(), "grunddata/1.0.0");
        assert_eq!(
            serde_json::to_string(&version).unwrap(),
            "\"grunddata/1.0.0\""
        );
        assert!("se-skola/1.2.0-rc.1".parse::<ModelVersion>().is_ok());
        for bad in [
            "",
            "grunddata",
            "grunddata/1",
            "grunddata/1.0",
            "/1.0.0",
            "a/01.0.0",
            "a/1.0.0-",
            "A/1.0.0",
        ] {
            assert!(bad.parse::<ModelVersion>().is_err(), "{bad}");
        }
    }
}
