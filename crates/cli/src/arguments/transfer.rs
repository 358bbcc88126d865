//! The arguments of hand-overs.

use std::path::PathBuf;

use clap::Subcommand;
use uuid::Uuid;

/// `transfer`
#[derive(Debug, Subcommand)]
pub(crate) enum Transfer {
    /// Offer records, with what is below them, to another owner; nothing is done until it accepts
    #[command(after_long_help = "\
Examples:
  grunddata transfer offer 01990c3e-7a5b-7000-8000-000000000001 --owner se-2480 --receiver friskolan --reason 'New organiser'
  grunddata transfer offer 01990c3e-7a5b-7000-8000-000000000001 --owner se-2480 --receiver friskolan \\
    --registry https://friskolan.example.se --client friskolan --reason 'New organiser'

Prints what would go, what stays and why. See docs/transfers.md.")]
    Offer {
        /// The records from which it begins
        #[arg(required = true, value_name = "ID")]
        records: Vec<String>,
        /// Whose records
        #[arg(long)]
        owner: String,
        /// Who is to have them
        #[arg(long)]
        receiver: String,
        /// Address of the registry of the receiver; without it, this one
        #[arg(long, value_name = "URL", requires = "client")]
        registry: Option<String>,
        /// Name of the token by which that registry asks here
        #[arg(long, value_name = "NAME")]
        client: Option<String>,
        /// These records alone, without what is below them
        #[arg(long)]
        alone: bool,
        /// A record that stays, with what is below it; may be given several times
        #[arg(long, value_name = "ID")]
        except: Vec<String>,
        /// Why; it stands in both logs
        #[arg(long)]
        reason: String,
    },
    /// List the hand-overs of an owner
    List {
        /// The owner
        #[arg(long)]
        owner: String,
    },
    /// Print a hand-over as JSON
    Show {
        /// The hand-over
        id: Uuid,
    },
    /// Fetch an offer of another registry, to look at it
    Fetch {
        /// The hand-over
        id: Uuid,
        /// The owner here that is to receive
        #[arg(long)]
        owner: String,
        /// Address of the registry of the giver
        #[arg(long, value_name = "URL")]
        registry: String,
        /// File with the token that the registry is shown
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
    /// Accept what is offered and carry it out; what was broken off goes on
    Accept {
        /// The hand-over
        id: Uuid,
        /// The receiver's organisation that is responsible for the personal data
        #[arg(long, value_name = "ID")]
        controller: Option<String>,
    },
    /// Refuse what is offered
    Refuse {
        /// The hand-over
        id: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take an offer back that was not accepted
    Withdraw {
        /// The hand-over
        id: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
    },
}
