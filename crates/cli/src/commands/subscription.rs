//! `grunddata subscription`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Context, NewSubscription, Registry, SecretRotation, SentDelivery, Subscription,
    SubscriptionEdit, SubscriptionSettings,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::arguments::{NewSubscription as Asked, Subscription as Arguments};
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{line, note};
use crate::settings::Settings;

/// Looks after subscriptions.
pub(crate) fn run(settings: &Settings, arguments: Arguments) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let desk = Desk {
        settings,
        registry: &registry,
        context: &context,
    };
    match arguments {
        Arguments::List { owner } => {
            let owner = owner.as_deref().map(owner_key).transpose()?;
            for subscription in registry.subscriptions(&context, owner.as_ref())? {
                line(told(&subscription, context.now));
            }
        }
        Arguments::Show(of) => {
            let found = registry.subscription(&context, of.id)?;
            line(told(&found, context.now));
            let shown = serde_json::to_string_pretty(&found.settings);
            line(shown.map_err(|error| Failure::new(Kind::Failed, error))?);
        }
        Arguments::Pause(of) => desk.edit("subscription-pause", of.id, SubscriptionEdit::Pause)?,
        Arguments::Resume(of) => {
            desk.edit("subscription-resume", of.id, SubscriptionEdit::Resume)?;
        }
        Arguments::Replay {
            subscription,
            after,
        } => {
            let edit = SubscriptionEdit::Replay(after);
            desk.edit("subscription-replay", subscription.id, edit)?;
        }
        Arguments::SendAgain {
            subscription,
            number,
        } => {
            let edit = SubscriptionEdit::SendAgain(number);
            desk.edit("subscription-send-again", subscription.id, edit)?;
        }
        Arguments::RotateSecret {
            subscription,
            overlap_days,
        } => {
            let act = about("subscription-rotate-secret", subscription.id);
            let (_, secret) = console::act(settings, &context, act, || {
                let rotation = SecretRotation { overlap_days };
                registry.rotate_subscription_secret(&context, subscription.id, None, rotation)
            })?;
            note(format!(
                "The old secret signs as well for {overlap_days} days more."
            ));
            shown_once(&secret);
        }
        Arguments::Deliveries {
            subscription,
            limit,
        } => {
            let found = registry.subscription(&context, subscription.id)?;
            let limit = limit.clamp(1, 1_000);
            for sent in registry.sent_deliveries(&context, &found, None, limit)? {
                line(delivered(&sent));
            }
        }
        Arguments::Remove(of) => {
            let act = about("subscription-remove", of.id);
            console::act(settings, &context, act, || {
                registry.remove_subscription(&context, of.id, None)
            })?;
            line(format!("The subscription {} is removed.", of.id));
        }
        Arguments::Add(new) => desk.add(*new)?,
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}

struct Desk<'a> {
    settings: &'a Settings,
    registry: &'a Registry,
    context: &'a Context,
}

impl Desk<'_> {
    fn edit(
        &self,
        operation: &'static str,
        id: Uuid,
        edit: SubscriptionEdit,
    ) -> Result<(), Failure> {
        let changed = console::act(self.settings, self.context, about(operation, id), || {
            self.registry
                .edit_subscription(self.context, id, None, edit)
        })?;
        line(told(&changed, self.context.now));
        Ok(())
    }

    fn add(&self, new: Asked) -> Result<(), Failure> {
        let owner = owner_key(&new.owner)?;
        let hours = (new.silent_after > 0).then_some(new.silent_after);
        let said = json!({
            "name": new.name, "target": new.target, "mode": new.mode, "content": new.content, "domains": new.domains,
            "kinds": new.kinds, "record": new.record, "controller": new.controller, "silentAfterHours": hours,
        });
        let sending = self.settings.subscriptions.server();
        let settings = SubscriptionSettings::read(said, |target| sending.fault(target))?;
        let reader = self.registry.reader_of_token(self.context, &new.reader)?;
        let detail =
            json!({"name": settings.name, "target": settings.target, "reader": reader.name});
        let act = Act::about("subscription-add", &owner, detail);
        let (made, secret) = console::act(self.settings, self.context, act, || {
            let new = NewSubscription {
                owner: owner.clone(),
                settings,
                after: Some(new.after),
                reader,
            };
            self.registry.create_subscription(self.context, new)
        })?;
        note(told(&made, self.context.now));
        shown_once(&secret);
        Ok(())
    }
}

fn about(operation: &'static str, id: Uuid) -> Act {
    let detail: Value = json!({ "subscription": id });
    Act::new(LogKind::Administration, operation, detail)
}

fn owner_key(text: &str) -> Result<OwnerKey, Failure> {
    OwnerKey::new(text).map_err(|error| Failure::new(Kind::Usage, error))
}

fn shown_once(secret: &str) {
    note("This is shown once: give it to the receiver, which checks signatures with it.");
    line(secret);
}

fn told(subscription: &Subscription, now: Instant) -> String {
    let standing = &subscription.standing;
    let mut text = format!(
        "{}  {}  {}  {}  {}  {} deliveries",
        subscription.id,
        subscription.owner,
        standing.state.as_str(),
        subscription.settings.name,
        subscription.settings.target,
        subscription.deliveries
    );
    if let Some(since) = subscription.silent_since(now) {
        text.push_str(&format!("  silent since {since}"));
    }
    if let Some(since) = standing.failing_since {
        text.push_str(&format!("  failing since {since}"));
    }
    for why in [&standing.reason, &standing.failure].into_iter().flatten() {
        text.push_str("  ");
        text.push_str(why);
    }
    text
}

fn delivered(sent: &SentDelivery) -> String {
    let status = sent
        .status
        .map_or("no answer".to_owned(), |status| status.to_string());
    let places = match (&sent.from, &sent.to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => "-".to_owned(),
    };
    let again = sent
        .again_of
        .map_or(String::new(), |number| format!("  again {number}"));
    format!(
        "{}  {}  {}  {places}  {} entries  {status}  {} ms{again}  {}",
        sent.number,
        sent.sent_at,
        sent.kind.as_str(),
        sent.entries,
        sent.millis,
        sent.failure.as_deref().unwrap_or("accepted")
    )
}
