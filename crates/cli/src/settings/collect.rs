//! `[collect]`: what sources may reach, and with what.

use std::path::PathBuf;
use std::time::Duration;

use grunddata_model::OwnerKey;
use grunddata_server::config as server;
use serde::Deserialize;

/// `[collect]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Collect {
    /// How often folders are looked at.
    poll_seconds: Option<u64>,
    /// Whether `http://` to this machine itself is allowed.
    http_loopback: bool,
    /// Certificates (PEM) of authorities, in place of the usual ones.
    certificate_authorities: Option<PathBuf>,
    /// An HTTP proxy.
    proxy: Option<String>,
    reaches: Vec<Reach>,
    tokens: Vec<Token>,
}

/// `[[collect.reaches]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reach {
    owner: OwnerKey,
    #[serde(default)]
    folders: Vec<PathBuf>,
    #[serde(default)]
    hosts: Vec<String>,
}

/// `[[collect.tokens]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "TokenText")]
struct Token(server::NamedToken);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenText {
    name: String,
    owner: OwnerKey,
    host: String,
    file: Option<PathBuf>,
    variable: Option<String>,
}

impl TryFrom<TokenText> for Token {
    type Error = String;

    fn try_from(text: TokenText) -> Result<Self, String> {
        let secret = match (text.file, text.variable) {
            (Some(file), None) => server::Secret::File(file),
            (None, Some(variable)) => server::Secret::Variable(variable),
            _ => {
                return Err(format!(
                    "say one of file and variable for the token {:?}: where it is",
                    text.name
                ));
            }
        };
        Ok(Self(server::NamedToken {
            name: text.name,
            owner: text.owner,
            host: text.host,
            secret,
        }))
    }
}

impl Collect {
    /// The same for the server.
    pub(super) fn server(&self) -> server::Collecting {
        let defaults = server::Collecting::default();
        server::Collecting {
            poll: self
                .poll_seconds
                .map_or(defaults.poll, |seconds| Duration::from_secs(seconds.max(1))),
            reaches: self
                .reaches
                .iter()
                .map(|reach| server::Reach {
                    owner: reach.owner.clone(),
                    folders: reach.folders.clone(),
                    hosts: reach.hosts.clone(),
                })
                .collect(),
            tokens: self.tokens.iter().map(|token| token.0.clone()).collect(),
            http_loopback: self.http_loopback,
            certificate_authorities: self.certificate_authorities.clone(),
            proxy: self.proxy.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::arguments::Global;
    use crate::settings::Settings;

    fn read(text: &str) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grunddata.toml");
        std::fs::write(&path, text).unwrap();
        let global = Global {
            config: Some(path),
            ..Global::default()
        };
        Settings::from_sources(&global, []).map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_sources_may_reach_is_read_with_every_fault_told() {
        let settings = read(
            "[collect]\npoll_seconds = 2\n[[collect.reaches]]\nowner = \"se-2480\"\nfolders = [\"/srv/in\"]\nhosts = [\"skola.example.se\"]\n\
             [[collect.tokens]]\nname = \"skola\"\nowner = \"se-2480\"\nhost = \"skola.example.se\"\nfile = \"/etc/skola.token\"\n[loads]\nkeep_days = 0\n",
        )
        .unwrap();
        let collect = settings.server().collect;
        assert_eq!(
            (
                collect.poll.as_secs(),
                collect.reaches.len(),
                collect.tokens.len()
            ),
            (2, 1, 1)
        );
        assert_eq!(settings.keep_loads(), None);
        assert_eq!(
            read("").unwrap().keep_loads().unwrap().as_secs(),
            90 * 86_400
        );
        for (wrong, place) in [
            ("[collect]\npol_seconds = 2\n", "pol_seconds"),
            ("[[collect.reaches]]\nowner = \"Å Å\"\n", "owner"),
            (
                "[[collect.tokens]]\nname = \"skola\"\nowner = \"a\"\nhost = \"b\"\n",
                "file and variable",
            ),
            ("[loads]\nkeep_days = -1\n", "keep_days"),
        ] {
            let failure = read(wrong).unwrap_err();
            assert!(failure.contains(place), "{failure}");
        }
    }
}
