//! The arguments of hand-offs.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Subcommand;
use uuid::Uuid;

/// `hand-off`
#[derive(Debug, Subcommand)]
pub(crate) enum HandOff {
    /// Let another owner take chosen properties of a person
    #[command(after_long_help = "\
Example:
  grunddata hand-off make 01990c3e-7a5b-7000-8000-000000000003 --owner se-2480 --receiver friskolan \\
    --properties name,birthDate --consent 'Guardian, 2026-05-12' --expires 2026-12-31

The receiver begins a record of its own; this one stays as it is. See docs/transfers.md.")]
    Make {
        /// The person
        person: String,
        /// Whose record
        #[arg(long)]
        owner: String,
        /// Who is to take it
        #[arg(long)]
        receiver: String,
        /// Which properties, separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        properties: Vec<String>,
        /// To what the person has agreed, and when
        #[arg(long, required_unless_present = "law", conflicts_with = "law")]
        consent: Option<String>,
        /// By which provision
        #[arg(long)]
        law: Option<String>,
        /// The last day on which it can be taken
        #[arg(long, value_name = "DATE")]
        expires: NaiveDate,
        /// Tell of a protected person too; the protection goes along
        #[arg(long)]
        protected: bool,
        /// Address of the registry of the receiver; without it, this one
        #[arg(long, value_name = "URL", requires = "client")]
        registry: Option<String>,
        /// Name of the token by which that registry asks here
        #[arg(long, value_name = "NAME")]
        client: Option<String>,
    },
    /// List the hand-offs of an owner
    List {
        /// The owner
        #[arg(long)]
        owner: String,
    },
    /// Print a hand-off as JSON
    Show {
        /// The hand-off
        id: Uuid,
    },
    /// Take a hand-off: begin a record of one's own
    Take {
        /// The hand-off
        id: Uuid,
        /// Address of the registry of the giver; without it, this one
        #[arg(long, value_name = "URL", requires = "owner")]
        registry: Option<String>,
        /// The owner here that takes it
        #[arg(long)]
        owner: Option<String>,
        /// File with the token that the registry is shown
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
    /// Take a hand-off back that was not taken
    Withdraw {
        /// The hand-off
        id: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
    },
}
