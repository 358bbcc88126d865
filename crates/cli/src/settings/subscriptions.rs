//! `[subscriptions]`: where webhooks may go, and how patiently they are sent.

use std::path::PathBuf;
use std::time::Duration;

use grunddata_reach::{Network, Reach};
use grunddata_server::config as server;
use serde::Deserialize;

/// `[subscriptions]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Subscriptions {
    /// Hosts that may be sent to: `hooks.example.se`, `*.example.se`, `*`. None when left out.
    hosts: Vec<String>,
    /// Ports beside 443 (and 80 with `http`).
    ports: Vec<u16>,
    /// Networks that are not public and may be sent to all the same.
    networks: Vec<NetworkText>,
    /// Whether `http://` is allowed.
    http: bool,
    /// Hosts that are not asked with OPTIONS.
    without_handshake: Vec<String>,
    /// Certificates (PEM) of authorities, in place of the usual ones.
    certificate_authorities: Option<PathBuf>,
    connect_seconds: Option<u64>,
    answer_seconds: Option<u64>,
    first_retry_seconds: Option<u64>,
    last_retry_seconds: Option<u64>,
    batch_events: Option<usize>,
    batch_bytes: Option<usize>,
    /// Targets that are sent to at the same time.
    at_once: Option<u32>,
    /// The same of those that fail or are slow.
    slow_at_once: Option<u32>,
    /// The same of one host.
    of_host_at_once: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct NetworkText(Network);

impl TryFrom<String> for NetworkText {
    type Error = grunddata_reach::NetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl Subscriptions {
    /// The same for the server.
    pub(crate) fn server(&self) -> server::Sending {
        let defaults = server::Sending::default();
        let seconds = |given: Option<u64>, usual| given.map_or(usual, Duration::from_secs);
        server::Sending {
            reach: Reach {
                hosts: self.hosts.clone(),
                ports: self.ports.clone(),
                networks: self.networks.iter().map(|network| network.0).collect(),
                http: self.http,
            },
            without_handshake: self.without_handshake.clone(),
            certificate_authorities: self.certificate_authorities.clone(),
            poll: defaults.poll,
            connect: seconds(self.connect_seconds, defaults.connect),
            answer: seconds(self.answer_seconds, defaults.answer),
            first_retry: seconds(self.first_retry_seconds, defaults.first_retry),
            last_retry: seconds(self.last_retry_seconds, defaults.last_retry),
            batch_events: self.batch_events.unwrap_or(defaults.batch_events),
            batch_bytes: self.batch_bytes.unwrap_or(defaults.batch_bytes),
            at_once: self.at_once.unwrap_or(defaults.at_once),
            slow_at_once: self.slow_at_once.unwrap_or(defaults.slow_at_once),
            of_host_at_once: self.of_host_at_once.unwrap_or(defaults.of_host_at_once),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::arguments::Global;
    use crate::settings::Settings;

    #[test]
    fn where_webhooks_may_go_is_read_with_every_fault_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grunddata.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let global = Global {
                config: Some(path.clone()),
                ..Global::default()
            };
            Settings::from_sources(&global, []).map_err(|failure| failure.to_string())
        };
        let sending = read("[subscriptions]\nhosts = [\"*.example.se\"]\nnetworks = [\"10.1.0.0/16\"]\nlast_retry_seconds = 600\n")
            .unwrap()
            .server()
            .subscriptions;
        assert!(sending.reach.target("https://a.example.se/x").is_ok());
        assert!(sending.reach.admits("10.1.2.3".parse().unwrap()));
        assert_eq!(sending.last_retry.as_secs(), 600);
        assert!(
            read("")
                .unwrap()
                .server()
                .subscriptions
                .reach
                .hosts
                .is_empty()
        );
        let failure = read("[subscriptions]\nnetworks = [\"10.1.0.0/40\"]\n").unwrap_err();
        assert!(failure.contains("10.1.0.0/40"), "{failure}");
        let variables = [
            ("HOSTS", "a.example.se, b.example.se"),
            ("PORTS", "8443,9443"),
            ("NETWORKS", "10.1.0.0/16"),
        ]
        .map(|(name, value)| (format!("GRUNDDATA_SUBSCRIPTIONS_{name}"), value.to_owned()));
        let settings = Settings::from_sources(&Global::default(), variables).unwrap();
        let reach = settings.server().subscriptions.reach;
        assert_eq!(reach.hosts, ["a.example.se", "b.example.se"]);
        assert_eq!((reach.ports, reach.networks.len()), (vec![8443, 9443], 1));
        let peers = [(
            "GRUNDDATA_PEERS_HOSTS".to_owned(),
            "a.example.se,b.example.se".to_owned(),
        )];
        let settings = Settings::from_sources(&Global::default(), peers).unwrap();
        assert_eq!(
            settings.server().peers.hosts,
            ["a.example.se", "b.example.se"]
        );
    }
}
