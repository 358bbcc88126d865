//! The arguments of peers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `peer`
#[derive(Debug, Subcommand)]
pub(crate) enum Peer {
    /// Copy an owner of another registry, from now on; or change how
    #[command(after_long_help = "\
Examples:
  grunddata peer add scb --url https://grunddata.example.se --owner se-scb --token-file /etc/grunddata/scb.token
  grunddata peer add umea --url https://umea.example.se --owner se-2480 --domain organisation,geography \\
    --token-file /etc/grunddata/umea.token

Where this registry cannot connect to the other, and the other connects to this one:
  grunddata peer add umea --url https://umea.example.se --owner se-2480 --pushed-by TOKEN-ID     # here
  grunddata peer add nation --push --url https://nation.example.se --owner se-2480 --as umea \\
    --token-file /etc/grunddata/nation.token --reader-token-file /etc/grunddata/own.token        # there

The host must be listed in [peers] of the settings. A running server begins at once; without one,
`grunddata peer sync` fetches what there is. The owner is read-only here. See docs/peers.md.")]
    Add(Box<NewPeer>),
    /// List the peers
    List,
    /// Print a peer as JSON
    Show {
        /// The peer
        name: String,
    },
    /// Ask a peer, and tell how far behind the copy is; ends with 1 when something is wrong
    Check {
        /// This peer alone
        name: Option<String>,
    },
    /// Fetch what there is now, and end
    Sync {
        /// The peer
        name: String,
    },
    /// Trust the keys that a peer signs its log with now, in place of those that were trusted
    Trust {
        /// The peer
        name: String,
        /// These keys alone, and not those that the peer publishes
        #[arg(long, value_name = "FILE|KEY")]
        key: Vec<String>,
    },
    /// Let nothing come until it is resumed
    Pause {
        /// The peer
        name: String,
    },
    /// Follow again, from where it stopped
    Resume {
        /// The peer
        name: String,
    },
    /// Follow no more
    Remove {
        /// The peer
        name: String,
        /// Remove the owner and everything that was copied; without it all stays as it is, read-only
        #[arg(long)]
        records: bool,
    },
}

/// A peer as it is given.
#[derive(Debug, Args)]
pub(crate) struct NewPeer {
    /// By which it is known here: small letters, digits and hyphens
    pub(crate) name: String,
    /// Address of the registry
    #[arg(long)]
    pub(crate) url: String,
    /// The owner that is copied
    #[arg(long)]
    pub(crate) owner: String,
    /// Only these domains, separated by commas
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Only records for which this organisation is responsible
    #[arg(long, value_name = "ID")]
    pub(crate) controller: Option<String>,
    /// File with the token that the registry is shown
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// What the owner is called here
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Key that the peer's log is to be signed with, in base64, or a file of what its /.well-known/grunddata-log-keys
    /// answers; without it those that are seen first
    #[arg(long, value_name = "FILE|KEY")]
    pub(crate) key: Vec<String>,
    /// Id of the token with which the other registry connects to this one and brings its changes itself
    #[arg(long, value_name = "TOKEN-ID", conflicts_with_all = ["token_file", "push"])]
    pub(crate) pushed_by: Option<String>,
    /// The other way round: bring the changes of an owner of this registry to the other one, which copies it
    #[arg(long, requires_all = ["as_", "token_file", "reader_token_file"], conflicts_with_all = ["domain", "controller", "title", "key"])]
    pub(crate) push: bool,
    /// With --push: the name of the peer that waits for this registry there
    #[arg(long = "as", value_name = "NAME", requires = "push")]
    pub(crate) as_: Option<String>,
    /// With --push: file with a token of this registry; what it is shown is what is pushed
    #[arg(long, value_name = "FILE", requires = "push")]
    pub(crate) reader_token_file: Option<PathBuf>,
}
