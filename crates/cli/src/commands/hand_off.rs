//! `grunddata hand-off`

use std::process::ExitCode;

use grunddata_model::OwnerKey;
use grunddata_registry::{Basis, BasisKind, NewHandOff};
use grunddata_server::handing;
use serde_json::json;

use super::transfer::read;
use crate::arguments::HandOff;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Makes, lists and takes hand-offs.
pub(crate) fn run(settings: &Settings, hand_off: HandOff) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    match hand_off {
        HandOff::Make {
            person,
            owner,
            receiver,
            properties,
            consent,
            law,
            expires,
            protected,
            registry: address,
            client,
        } => {
            let owner: OwnerKey = read("owner", &owner)?;
            let receiver: OwnerKey = read("receiver", &receiver)?;
            if let Some(address) = &address {
                handing::place(address, &receiver, None)?;
            }
            let kind = if consent.is_some() {
                BasisKind::Consent
            } else {
                BasisKind::Law
            };
            let new = NewHandOff {
                owner: owner.clone(),
                receiver,
                registry: address,
                client,
                person: read("person", &person)?,
                properties,
                basis: Basis {
                    kind,
                    text: consent.or(law).unwrap_or_default(),
                },
                expires,
                protected,
            };
            let mut act = Act::about("hand-off-make", &owner, json!({"receiver": new.receiver}));
            act.records.push(new.person);
            let made = console::act(settings, &context, act, || {
                registry.make_hand_off(&context, new)
            })?;
            line(format!(
                "{} may take {} until {}: `grunddata hand-off take {}`.",
                made.receiver,
                made.content.properties.join(", "),
                made.content.expires,
                made.id
            ));
        }
        HandOff::List { owner } => {
            for one in registry.hand_offs(&context, &read("owner", &owner)?)? {
                line(format!(
                    "{}  {} → {}  until {}  {}",
                    one.id, one.giver, one.receiver, one.content.expires, one.state
                ));
            }
        }
        HandOff::Show { id } => {
            let found = registry.hand_off(&context, id)?;
            let text = serde_json::to_string_pretty(&found)
                .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
            line(text);
        }
        HandOff::Take {
            id,
            registry: address,
            owner,
            token_file,
        } => {
            let token_file = token_file
                .as_deref()
                .map(super::peer::absolute)
                .transpose()?;
            let (receiver, place) = match (address, owner) {
                (Some(address), Some(owner)) => {
                    let owner: OwnerKey = read("owner", &owner)?;
                    let place = handing::place(&address, &owner, token_file)?;
                    (owner, Some(place))
                }
                _ => (registry.hand_off(&context, id)?.receiver, None),
            };
            let peering = settings.server().peers;
            let act = Act::about("hand-off-take", &receiver, json!({"handOff": id}));
            let taken = console::act(settings, &context, act, || {
                handing::take(&registry, &peering, &context, id, place.as_ref())
            })?;
            line(format!(
                "{} has its own record {} now.",
                taken.receiver, taken.content.to
            ));
        }
        HandOff::Withdraw { id, reason } => {
            let giver = registry.hand_off(&context, id)?.giver;
            let act = Act::about("hand-off-withdraw", &giver, json!({"handOff": id}));
            console::act(settings, &context, act, || {
                registry.withdraw_hand_off(&context, id, &reason)
            })?;
            line("It is withdrawn.");
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
