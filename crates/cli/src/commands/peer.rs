//! `grunddata peer`

mod push;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use grunddata_log_proof::head::PublicKey;
use grunddata_model::OwnerKey;
use grunddata_registry::{Context, IfMatch, PeerSettings, Registry};
use grunddata_server::loads::collect::Worker;
use grunddata_server::peers;
use grunddata_store::PeerRow;
use serde_json::json;

use crate::arguments::{NewPeer, Peer};
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// How often progress is told.
const TOLD: Duration = Duration::from_secs(2);

/// Keeps the peers.
pub(crate) fn run(settings: &Settings, peer: Peer) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let mut good = true;
    match peer {
        Peer::Add(asked) if asked.push => push::add(settings, &registry, &context, *asked)?,
        Peer::Add(asked) => add(settings, &registry, &context, *asked)?,
        Peer::List => {
            for peer in registry.peers(&context)? {
                let state = &peer.state;
                let complete = state.complete_to.map_or_else(
                    || "nothing yet".to_owned(),
                    |at| format!("complete to {at}"),
                );
                line(format!(
                    "{}  {}  {}  {}  {complete}",
                    peer.name, peer.settings.owner, peer.settings.url, state.status
                ));
            }
            push::list(&registry, &context)?;
        }
        Peer::Show { name } if push::is(&registry, &context, &name)? => {
            push::show(&registry, &context, &name)?;
        }
        Peer::Pause { name } if push::is(&registry, &context, &name)? => {
            push::follow(settings, &registry, &context, &name, false)?;
        }
        Peer::Resume { name } if push::is(&registry, &context, &name)? => {
            push::follow(settings, &registry, &context, &name, true)?;
        }
        Peer::Remove { name, .. } if push::is(&registry, &context, &name)? => {
            push::remove(settings, &registry, &context, &name)?;
        }
        Peer::Show { name } => {
            let found = registry.peer(&context, &name)?;
            let text = serde_json::to_string_pretty(&found)
                .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
            line(text);
        }
        Peer::Check { name } => {
            let mut any = false;
            for row in rows(&registry)? {
                if name.as_ref().is_some_and(|name| *name != row.name) {
                    continue;
                }
                any = true;
                let looked = peers::look(&settings.server().peers, &row, registry.now());
                good &= looked.is_good(&row);
                line(format!("{}: {}", row.name, looked.summary));
            }
            for push in registry.pushes(&context)? {
                if name.as_ref().is_some_and(|name| *name != push.name) {
                    continue;
                }
                any = true;
                let (told, well) = push.told(registry.now());
                good &= well;
                line(format!("{}: {told}", push.name));
            }
            if let (false, Some(name)) = (any, name) {
                registry.peer(&context, &name)?;
            }
        }
        Peer::Sync { name } => sync(settings, &registry, &context, &name)?,
        Peer::Trust { name, key } => {
            let row = rows(&registry)?.into_iter().find(|row| row.name == name);
            let trusted = match row {
                Some(row) if key.is_empty() => {
                    peers::published_keys(&settings.server().peers, &row)
                        .map_err(|why| Failure::new(Kind::Failed, why))?
                }
                _ => keys(&key)?
                    .iter()
                    .filter_map(|key| PublicKey::decoded(key).ok())
                    .collect(),
            };
            let names: Vec<String> = trusted.iter().map(PublicKey::id).collect();
            let act = about(&registry, &context, "peer-trust", &name)?;
            console::act(settings, &context, act, || {
                registry.trust_peer(&context, &name, Some(IfMatch::Any), &trusted)
            })?;
            line(format!(
                "The log of {name} is believed when it is signed with {}.",
                names.join(" or ")
            ));
        }
        Peer::Pause { name } => {
            let act = about(&registry, &context, "peer-pause", &name)?;
            console::act(settings, &context, act, || {
                registry.follow_peer(&context, &name, Some(IfMatch::Any), false)
            })?;
            line(format!(
                "{name} is paused: nothing comes until it is resumed."
            ));
        }
        Peer::Resume { name } => {
            let act = about(&registry, &context, "peer-resume", &name)?;
            console::act(settings, &context, act, || {
                registry.follow_peer(&context, &name, Some(IfMatch::Any), true)
            })?;
            line(format!(
                "{name} is followed again by the server that runs on this database."
            ));
        }
        Peer::Remove { name, records } => {
            let act = about(&registry, &context, "peer-remove", &name)?;
            console::act(settings, &context, act, || {
                registry.remove_peer(&context, &name, Some(IfMatch::Any), records)
            })?;
            line(if records {
                format!("{name} is removed, with the owner and everything that was copied.")
            } else {
                format!("{name} is followed no more. What was copied stays as it is, read-only.")
            });
        }
    }
    registry.store().shutdown();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Failed as u8)
    })
}

/// Keys as they were given, in base64: as they are, or in files of what a registry publishes.
fn keys(given: &[String]) -> Result<Vec<String>, Failure> {
    #[derive(serde::Deserialize)]
    struct Published {
        keys: Vec<Key>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key {
        public_key: String,
        #[serde(default)]
        retired_at: Option<String>,
    }
    let mut keys = Vec::new();
    for text in given {
        if PublicKey::decoded(text).is_ok() {
            keys.push(text.clone());
            continue;
        }
        let wrong = |why: String| Failure::new(Kind::Usage, format!("the key {text}: {why}"));
        let file = std::fs::read_to_string(text)
            .map_err(|error| wrong(format!("it is no key in base64, and no file: {error}")))?;
        let found: Published = serde_json::from_str(&file).map_err(|_| {
            wrong("the file is not what /.well-known/grunddata-log-keys answers".to_owned())
        })?;
        let found = found
            .keys
            .into_iter()
            .filter(|key| key.retired_at.is_none());
        keys.extend(found.map(|key| key.public_key));
    }
    Ok(keys)
}

/// Where a file is, wherever the server is started.
pub(super) fn absolute(path: &Path) -> Result<String, Failure> {
    let path = path.canonicalize().map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("the token file {}: {error}", path.display()),
        )
    })?;
    Ok(path.to_string_lossy().into_owned())
}

fn add(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    asked: NewPeer,
) -> Result<(), Failure> {
    let name = asked.name.as_str();
    let keys = keys(&asked.key)?;
    let domains: Option<Vec<&str>> = asked
        .domain
        .as_deref()
        .map(|text| text.split(',').collect());
    let token_file = asked.token_file.as_deref().map(absolute).transpose()?;
    let mut given = json!({"url": asked.url, "owner": asked.owner});
    for (member, value) in [
        ("domains", json!(domains)),
        ("controller", json!(asked.controller)),
        ("tokenFile", json!(token_file)),
        ("title", json!(asked.title)),
        ("pushedBy", json!(asked.pushed_by)),
        ("keys", json!((!keys.is_empty()).then_some(keys))),
    ] {
        if !value.is_null()
            && let Some(members) = given.as_object_mut()
        {
            members.insert(member.to_owned(), value);
        }
    }
    let read = PeerSettings::read(&given)?;
    let (owner, url) = (read.owner.clone(), read.url.clone());
    let pushed = read.pushed_by.is_some();
    let act = Act::about("peer-add", &owner, json!({"peer": name, "url": url}));
    let put = console::act(settings, context, act, || {
        // Who is at the console means the settings as they are.
        let known = registry.peer(context, name).ok();
        registry.put_peer(context, name, read, known.map(|_| IfMatch::Any))
    })?;
    line(format!(
        "{} of {} is copied here as the peer {}, in version {} of its settings. It is read-only here.",
        put.settings.owner, put.settings.url, put.name, put.version
    ));
    if pushed {
        line(
            "A server that runs on this database waits for the other registry to bring its changes.",
        );
        return Ok(());
    }
    line(
        "A server that runs on this database begins by itself; `grunddata peer sync` fetches what there is now.",
    );
    Ok(())
}

fn about(
    registry: &Registry,
    context: &Context,
    operation: &'static str,
    name: &str,
) -> Result<Act, Failure> {
    let owner: OwnerKey = registry.peer(context, name)?.settings.owner;
    Ok(Act::about(operation, &owner, json!({"peer": name})))
}

fn rows(registry: &Registry) -> Result<Vec<PeerRow>, Failure> {
    registry
        .store()
        .read(|reader| reader.peers())
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))
}

fn sync(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    name: &str,
) -> Result<(), Failure> {
    let server = settings.server();
    registry.peer(context, name)?;
    let worker = Worker::new(server.lease);
    let (begun, mut told) = (Instant::now(), Instant::now());
    let row = peers::sync(registry, &server.peers, &worker, name, &mut |row| {
        if told.elapsed() >= TOLD {
            told = Instant::now();
            line(format!("{} changes so far", row.position));
        }
    })
    .map_err(|why| Failure::new(Kind::Failed, why))?;
    line(format!(
        "{} has everything: {} changes, complete to {}, after {:.1} seconds.",
        row.owner,
        row.position,
        row.complete_at
            .map_or_else(|| "nothing".to_owned(), |at| at.to_string()),
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}
