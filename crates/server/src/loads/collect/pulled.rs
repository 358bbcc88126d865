//! A file from an address, and everything or what has changed from an SS 12000 server.

use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use chrono::{DateTime, Utc};
use grunddata_model::{Instant, OwnerKey};
use grunddata_pull::{Access, Endpoint, Fetched, PullError, Settings, Token, Validators};
use grunddata_registry::{
    Collect, CollectKind, CollectPlace, Context, Load, LoadKind, LoadStatus, Refusal, Source,
    stockholm_day,
};

use super::folder::counts;
use super::{Collector, NamedToken, Outcome, Secret, Staged, is_clean};
use crate::loads::{Collected, Delivery};

/// How many loads back it is looked when something was last accepted.
const LOADS: u32 = 200;
/// The longest token, in bytes.
const LONGEST_TOKEN: u64 = 64 << 10;

/// How much of a file tells whether it is a page of HTML.
const START: u64 = 4 << 10;

/// What came of a file at an address.
enum Pulled {
    File(Delivery),
    /// The file of this name is as the last one that was applied.
    Unchanged(String),
}

/// What is asked of an SS 12000 server.
struct Asked {
    kind: LoadKind,
    /// From when; `None` for everything.
    after: Option<DateTime<Utc>>,
}

impl Collector<'_> {
    /// Pulls what there is now, and loads it.
    pub(super) fn pull(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
        begin: &mut dyn FnMut(&str) -> Result<(), Refusal>,
    ) -> Result<Outcome, String> {
        let (staged, file) = Staged::create(self.directory).map_err(unwritten)?;
        let (delivery, kind) = match collect.place() {
            Some(CollectPlace::Url(address)) => {
                match self.pull_file(context, source, collect, address, file)? {
                    Pulled::File(delivery) => (delivery, super::kind_of(collect)),
                    Pulled::Unchanged(file) => return Ok(Outcome::Same { file }),
                }
            }
            Some(CollectPlace::Ss12000(address)) => {
                self.pull_ss12000(context, source, collect, address, file)?
            }
            _ => return Err("The settings do not say from where it is pulled.".to_owned()),
        };
        begin(&delivery.name).map_err(super::said)?;
        let load = self.load(context, source, collect, kind, delivery, staged)?;
        Ok(load.map_or(Outcome::Stopped, |load| Outcome::Load(Box::new(load))))
    }

    fn pull_file(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
        address: &str,
        file: std::fs::File,
    ) -> Result<Pulled, String> {
        let access = self.access(&source.owner);
        let settings = self.settings(&source.owner, collect, address, &access)?;
        let known = self.known(context, source, collect)?;
        let mut out = BufWriter::new(file);
        let fetched = grunddata_pull::file(&settings, &access, &known, &mut out).map_err(told)?;
        let fetched = match fetched {
            Fetched::File(fetched) => fetched,
            Fetched::Unchanged(name) => return Ok(Pulled::Unchanged(name)),
        };
        let mut file = out
            .into_inner()
            .map_err(|error| unwritten(error.into_error()))?;
        file.sync_data().map_err(unwritten)?;
        if is_page(&mut file).map_err(unwritten)? {
            return Err(format!(
                "The server answers with a page of HTML in the place of {}: probably one to sign in or of an error, by the server or something on the way to it. Look at the address and the token.",
                fetched.name
            ));
        }
        let date = fetched
            .last_modified
            .as_deref()
            .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
            .map(|at| stockholm_day(Instant::from(at.to_utc())));
        let name: String = fetched.name.chars().take(200).collect();
        let mut delivery = delivery(name, date, "url", None);
        if let Some(collected) = &mut delivery.collected {
            collected.validators = fetched.validators;
        }
        Ok(Pulled::File(delivery))
    }

    /// What the server called the file that stands for the one that is there now: it need not be fetched again.
    fn known(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
    ) -> Result<Validators, String> {
        let latest = self.latest(context, source)?.filter(|load| {
            load.status == LoadStatus::Applied
                && load.kind == super::kind_of(collect)
                && load.file.collected.as_deref() == Some("url")
                && counts(load, source)
        });
        let file = latest.map(|load| load.file).unwrap_or_default();
        Ok(Validators {
            etag: file.etag,
            last_modified: file.last_modified,
        })
    }

    fn pull_ss12000(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
        address: &str,
        mut file: std::fs::File,
    ) -> Result<(Delivery, LoadKind), String> {
        let access = self.access(&source.owner);
        let settings = self.settings(&source.owner, collect, address, &access)?;
        let endpoints = endpoints(collect)?;
        let mut asked = self.asked(context, source, collect)?;
        let fetched = loop {
            let wanted = grunddata_pull::Wanted {
                endpoints: endpoints.clone(),
                modified_after: asked.after,
            };
            let out = BufWriter::new(&file);
            match grunddata_pull::ss12000(&settings, &access, &wanted, out) {
                // A server that does not tell what has changed tells everything.
                Err(PullError::NoDelta { .. }) if asked.after.is_some() => {
                    asked = Asked {
                        kind: LoadKind::Full,
                        after: None,
                    };
                    file.set_len(0).map_err(unwritten)?;
                    file.seek(SeekFrom::Start(0)).map_err(unwritten)?;
                }
                other => break other.map_err(told)?,
            }
        };
        file.flush().map_err(unwritten)?;
        file.sync_data().map_err(unwritten)?;
        // Where nothing had changed it is asked for the same changes again.
        let next = fetched.next.max(asked.after).map(Instant::from);
        let name = match asked.kind {
            LoadKind::Delta => "ss12000-delta.zip",
            _ => "ss12000.zip",
        };
        Ok((delivery(name.to_owned(), None, "ss12000", next), asked.kind))
    }

    /// Everything, or what has changed since what was accepted last.
    fn asked(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
    ) -> Result<Asked, String> {
        let everything = Asked {
            kind: LoadKind::Full,
            after: None,
        };
        if collect.kind == CollectKind::Full {
            return Ok(everything);
        }
        let page = self
            .registry
            .loads(context, &source.owner, Some(&source.key), None, LOADS)
            .map_err(super::said)?;
        let accepted: Vec<&Load> = page
            .items
            .iter()
            .filter(|load| load.status == LoadStatus::Applied)
            .filter(|load| load.file.collected.as_deref() == Some("ss12000"))
            .collect();
        let full_after = i64::try_from(collect.full_after().as_micros()).unwrap_or(i64::MAX);
        let oldest = self.registry.now().micros().saturating_sub(full_after);
        let is_fresh = accepted
            .iter()
            .any(|load| load.kind == LoadKind::Full && load.created_at.micros() > oldest);
        // What was rejected or set aside is not told again by a server that is asked for later changes.
        let after = accepted
            .iter()
            .find(|load| is_clean(load))
            .and_then(|load| load.file.changes_after);
        Ok(match after {
            Some(after) if is_fresh => Asked {
                kind: LoadKind::Delta,
                after: Some(after.date_time()),
            },
            _ => everything,
        })
    }

    /// The hosts that sources of the owner may ask.
    fn access(&self, owner: &OwnerKey) -> Access {
        Access {
            hosts: self
                .collecting
                .reaches
                .iter()
                .filter(|reach| reach.owner == *owner)
                .flat_map(|reach| reach.hosts.iter().cloned())
                .collect(),
            allow_http_loopback: self.collecting.http_loopback
                && self
                    .collecting
                    .reaches
                    .iter()
                    .any(|reach| reach.owner == *owner),
        }
    }

    fn settings(
        &self,
        owner: &OwnerKey,
        collect: &Collect,
        address: &str,
        access: &Access,
    ) -> Result<Settings, String> {
        let url = access.checked(address).map_err(told)?;
        let host = url.host_str().unwrap_or_default();
        let token = collect
            .token
            .as_deref()
            .map(|name| self.token(owner, name, host))
            .transpose()?;
        let certificate_authorities = self
            .collecting
            .certificate_authorities
            .as_ref()
            .map(std::fs::read_to_string)
            .transpose()
            .map_err(|error| {
                format!(
                    "The certificates of collect.certificate_authorities cannot be read: {error}."
                )
            })?;
        Ok(Settings {
            address: address.to_owned(),
            token,
            certificate_authorities,
            proxy: self.collecting.proxy.clone(),
            limits: grunddata_pull::Limits::default(),
        })
    }

    /// The token of that name, when it is the owner's and for the host.
    fn token(&self, owner: &OwnerKey, name: &str, host: &str) -> Result<Token, String> {
        let unknown = || {
            format!(
                "There is no token {name:?} of {owner} for {host}: whoever runs the registry adds it in the settings (collect.tokens)."
            )
        };
        let found: &NamedToken = self
            .collecting
            .tokens
            .iter()
            .find(|token| {
                token.name == name && token.owner == *owner && token.host.eq_ignore_ascii_case(host)
            })
            .ok_or_else(unknown)?;
        let text = match &found.secret {
            Secret::File(path) => std::fs::metadata(path)
                .and_then(|metadata| {
                    if metadata.len() > LONGEST_TOKEN {
                        return Err(std::io::Error::other("it is too long"));
                    }
                    std::fs::read_to_string(path)
                })
                .map_err(|error| format!("The token {name:?} cannot be read: {error}."))?,
            Secret::Variable(variable) => std::env::var(variable).map_err(|_| {
                format!("The token {name:?} is not in the environment: set {variable}.")
            })?,
        };
        if text.trim().is_empty() {
            return Err(format!("The token {name:?} is empty."));
        }
        Ok(Token::new(&text))
    }
}

fn delivery(
    name: String,
    date: Option<chrono::NaiveDate>,
    from: &'static str,
    changes_after: Option<Instant>,
) -> Delivery {
    Delivery {
        path: std::path::PathBuf::new(),
        name,
        date,
        sha256: None,
        collected: Some(Collected {
            from,
            changes_after,
            validators: Validators::default(),
        }),
    }
}

/// Whether what has been written down is a page of HTML.
fn is_page(file: &mut std::fs::File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(START).read_to_end(&mut start)?;
    Ok(grunddata_exchange::rows::is_page(&start))
}

/// The lists that are asked for.
fn endpoints(collect: &Collect) -> Result<Vec<Endpoint>, String> {
    if collect.endpoints.is_empty() {
        return Ok(Endpoint::ALL.to_vec());
    }
    collect
        .endpoints
        .iter()
        .map(|name| {
            Endpoint::named(name).ok_or_else(|| {
                let known: Vec<&str> = Endpoint::ALL.iter().map(|one| one.name()).collect();
                format!(
                    "There is no list {name:?} to pull. There are: {}.",
                    known.join(", ")
                )
            })
        })
        .collect()
}

fn told(error: PullError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn unwritten(error: std::io::Error) -> String {
    format!("What was pulled cannot be written: {error}.")
}
