//! `grunddata transfer`

use std::fmt::Display;
use std::process::ExitCode;
use std::str::FromStr;

use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::{NewTransfer, Transfer as Shown};
use grunddata_server::handing;
use grunddata_server::loads::collect::Worker;
use serde_json::json;

use crate::arguments::Transfer;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Hands over.
pub(crate) fn run(settings: &Settings, transfer: Transfer) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let peering = settings.server().peers;
    match transfer {
        Transfer::Offer {
            records,
            owner,
            receiver,
            registry: address,
            client,
            alone,
            except,
            reason,
        } => {
            let owner: OwnerKey = read("owner", &owner)?;
            let receiver: OwnerKey = read("receiver", &receiver)?;
            if let Some(address) = &address {
                handing::place(address, &receiver, None)?;
            }
            let new = NewTransfer {
                owner: owner.clone(),
                receiver,
                registry: address,
                client,
                records: ids("record", &records)?,
                branch: !alone,
                except: ids("except", &except)?,
                reason,
            };
            let act = Act::about("transfer-offer", &owner, json!({"receiver": new.receiver}));
            let made = console::act(settings, &context, act, || {
                registry.offer_transfer(&context, new)
            })?;
            told(&made);
            line(format!(
                "Nothing is done until {} accepts: `grunddata transfer accept {}`.",
                made.receiver, made.id
            ));
        }
        Transfer::List { owner } => {
            for one in registry.transfers(&context, &read("owner", &owner)?)? {
                line(format!(
                    "{}  {} → {}  {} records  {}",
                    one.id,
                    one.giver,
                    one.receiver,
                    one.content.items.len(),
                    states(&one)
                ));
            }
        }
        Transfer::Show { id } => {
            let found = registry.transfer(&context, id)?;
            let text = serde_json::to_string_pretty(&found)
                .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
            line(text);
        }
        Transfer::Fetch {
            id,
            owner,
            registry: address,
            token_file,
        } => {
            let owner: OwnerKey = read("owner", &owner)?;
            let token_file = token_file
                .as_deref()
                .map(super::peer::absolute)
                .transpose()?;
            let place = handing::place(&address, &owner, token_file)?;
            let act = Act::about(
                "transfer-fetch",
                &owner,
                json!({"transfer": id, "url": address}),
            );
            let noted = console::act(settings, &context, act, || {
                handing::note_offer(&registry, &peering, &context, id, &place)
            })?;
            told(&noted);
        }
        Transfer::Accept { id, controller } => {
            let controller: Option<RecordId> = controller
                .as_deref()
                .map(|text| read("controller", text))
                .transpose()?;
            let receiver = registry.transfer(&context, id)?.receiver;
            let act = Act::about("transfer-accept", &receiver, json!({"transfer": id}));
            let worker = Worker::new(settings.server().lease);
            let done = console::act(settings, &context, act, || {
                handing::accept(&registry, &peering, &worker, &context, id, controller)
            })?;
            line(format!(
                "{} records of {} are {}'s now. Their old ids lead there.",
                done.content.items.len(),
                done.giver,
                done.receiver
            ));
        }
        Transfer::Refuse { id, reason } => {
            let receiver = registry.transfer(&context, id)?.receiver;
            let act = Act::about("transfer-refuse", &receiver, json!({"transfer": id}));
            console::act(settings, &context, act, || {
                handing::refuse(&registry, &peering, &context, id, &reason)
            })?;
            line("It is refused. The giver can write to its records as before.");
        }
        Transfer::Withdraw { id, reason } => {
            let giver = registry.transfer(&context, id)?.giver;
            let act = Act::about("transfer-withdraw", &giver, json!({"transfer": id}));
            console::act(settings, &context, act, || {
                registry.withdraw_transfer(&context, id, &reason)
            })?;
            line("It is withdrawn.");
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}

pub(super) fn read<T>(what: &str, text: &str) -> Result<T, Failure>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse()
        .map_err(|error| Failure::new(Kind::Usage, format!("{what} {text:?}: {error}")))
}

fn ids(what: &str, texts: &[String]) -> Result<Vec<RecordId>, Failure> {
    texts.iter().map(|text| read(what, text)).collect()
}

fn states(transfer: &Shown) -> String {
    let sides = transfer.sides.iter();
    let sides: Vec<String> = sides
        .map(|side| format!("{}: {}", side.side, side.state))
        .collect();
    let mut told = sides.join(", ");
    if let Some(progress) = &transfer.progress {
        told.push_str(&format!(
            "; tried {} times, again at {}",
            progress.attempts, progress.next_at
        ));
        if let Some(failure) = &progress.failure {
            told.push_str(&format!(" ({failure})"));
        }
    }
    told
}

/// What it would be.
fn told(transfer: &Shown) {
    let content = &transfer.content;
    line(format!(
        "{}  {} → {}  {}",
        transfer.id,
        transfer.giver,
        transfer.receiver,
        states(transfer)
    ));
    let mut counts = std::collections::BTreeMap::new();
    for item in &content.items {
        *counts.entry(item.domain.collection()).or_insert(0_usize) += 1;
    }
    for (collection, count) in counts {
        line(format!("  go: {count} {collection}"));
    }
    line(format!(
        "  references: {} kept among them, {} that lead to them follow, {} lead to what stays or is others'",
        content.references.kept, content.references.following, content.references.outward
    ));
    for left in &content.left {
        let why = serde_json::to_value(left.why).unwrap_or_default();
        line(format!(
            "  stays: {} {} ({})",
            left.domain.collection(),
            left.record,
            why.as_str().unwrap_or_default()
        ));
    }
}
