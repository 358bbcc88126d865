//! The arguments of subscriptions.

use clap::{Args, Subcommand};
use uuid::Uuid;

/// `subscription`
#[derive(Debug, Subcommand)]
pub(crate) enum Subscription {
    /// Make a subscription and print its secret once
    #[command(after_long_help = "\
Example:
  grunddata subscription add --owner se-2480 --reader 5f0c1d2e3a4b5c6d --name Passersystemet \\
    --target https://hooks.example.se/grunddata --domain person --domain role

It has the access of the token that --reader names, as it is when something is sent: when the token is
revoked, it stops. `grunddata token list` shows the ids of tokens. The host of the target must stand in
[subscriptions] of the settings. A running server asks the target whether it wants events, and delivers.
What a receiver does is told in docs/subscriptions.md.")]
    Add(Box<NewSubscription>),
    /// List the subscriptions, and what is wrong with them
    List {
        /// Of this owner alone
        #[arg(long)]
        owner: Option<String>,
    },
    /// Print one subscription
    Show(OfSubscription),
    /// Send nothing until it is resumed
    Pause(OfSubscription),
    /// Send again, at once; also what was stopped
    Resume(OfSubscription),
    /// Give it a new secret and print it once; the old one signs as well for some days
    RotateSecret {
        #[command(flatten)]
        subscription: OfSubscription,
        /// Days for which the old secret signs as well; at most 90
        #[arg(long, default_value_t = grunddata_registry::OVERLAP_DAYS)]
        overlap_days: u32,
    },
    /// Send again what comes after a place in the log
    Replay {
        #[command(flatten)]
        subscription: OfSubscription,
        /// 0 = everything, now, or a place that the feed or a delivery has given
        #[arg(long)]
        after: String,
    },
    /// List what was sent, the latest first
    Deliveries {
        #[command(flatten)]
        subscription: OfSubscription,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Have a running server send a delivery again
    SendAgain {
        #[command(flatten)]
        subscription: OfSubscription,
        /// Its number, as the list of deliveries shows it
        number: u64,
    },
    /// Remove a subscription
    Remove(OfSubscription),
}

/// A subscription.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OfSubscription {
    /// Its id, as `grunddata subscription list` shows it
    pub(crate) id: Uuid,
}

/// `subscription add`
#[derive(Debug, Args)]
pub(crate) struct NewSubscription {
    /// Whose log
    #[arg(long)]
    pub(crate) owner: String,
    /// The id of the token whose access it has
    #[arg(long, value_name = "TOKEN")]
    pub(crate) reader: String,
    /// What people call it
    #[arg(long)]
    pub(crate) name: String,
    /// Where events are sent
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: String,
    /// structured, binary or batch
    #[arg(long, default_value = "structured")]
    pub(crate) mode: String,
    /// thin or states
    #[arg(long, default_value = "thin")]
    pub(crate) content: String,
    /// Only records of this domain; may be said several times
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    /// Only changes of this kind; may be said several times
    #[arg(long = "kind", value_name = "KIND")]
    pub(crate) kinds: Vec<String>,
    /// Only this record
    #[arg(long, value_name = "ID")]
    pub(crate) record: Option<String>,
    /// Only records for which this organisation is responsible
    #[arg(long, value_name = "ID")]
    pub(crate) controller: Option<String>,
    /// Hours without an accepted delivery after which it is silent; 0 = never
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    pub(crate) silent_after: u32,
    /// Where it begins: 0 = everything, now, or a place that the feed has given
    #[arg(long, default_value = "now")]
    pub(crate) after: String,
}
