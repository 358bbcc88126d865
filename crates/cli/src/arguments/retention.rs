//! The arguments of what the law asks for: extracts, retention, holds, erasure.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand};

/// `extract-person`
#[derive(Debug, Args)]
pub(crate) struct ExtractPerson {
    /// The id of the person's record
    pub(crate) id: String,
    /// File for the extract as a page to read and print, in Swedish, readable by you alone; JSON on standard output when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Tell who wrote and read by name: only when that has been decided
    #[arg(long)]
    pub(crate) by_name: bool,
    /// Only the records of this controller: the id of an organisation, or own for those of the owner itself
    #[arg(long, value_name = "ID")]
    pub(crate) controller: Option<String>,
}

/// `retention`
#[derive(Debug, Subcommand)]
pub(crate) enum Retention {
    /// Put, list and end rules: for how long records are kept, by which decision
    #[command(subcommand)]
    Rule(RetentionRules),
    /// Note what was handed over to an archive: what a rule preserves is erased here only after that
    #[command(after_long_help = "\
Example:
  grunddata retention deliver se-2480 --rule 01990c3e-7a5b-7000-8000-00000000000e \\
    --date 2026-11-20 --reference 'SA 2026/4'

From then on a plan erases what the rule covers, had ended, and was last changed, before that day.")]
    Deliver {
        /// The owner whose records they are
        owner: String,
        /// The rule that preserves them, as the list of rules shows it
        #[arg(long, value_name = "ID")]
        rule: String,
        /// The day of the delivery
        #[arg(long)]
        date: NaiveDate,
        /// Where the archive's receipt is found
        #[arg(long)]
        reference: String,
        /// The archive [default: the one that the rule names]
        #[arg(long)]
        archive: Option<String>,
    },
    /// List the deliveries to archives
    Deliveries {
        /// The owner whose records they are
        owner: String,
    },
    /// Show what would be erased today, what is held, and what is still referred to; changes nothing
    #[command(after_long_help = "\
Example:
  grunddata retention plan se-2480

Each record is listed with the day on which it ended and since when it is due. At the end stands
the command that carries out exactly this plan: when anything that is due changes meanwhile, the
run is refused and there is a new plan to look at.")]
    Plan {
        /// The owner whose records they are
        owner: String,
    },
    /// Erase what a plan says, and write the record of the disposal
    #[command(after_long_help = "\
Example:
  grunddata retention run se-2480 --plan 6f1ed002ab5595859014ebf0951522d9

What is erased is gone for good, from all recorded time: what is left is that there was a record
with that id. Back-ups keep it until they are overwritten. On SQLite the database file is written
anew at the end: run it when few use the registry. Ends with 1 when something of the plan was left
because it was held or referred to meanwhile.")]
    Run {
        /// The owner whose records they are
        owner: String,
        /// The token of the plan that you have looked at
        #[arg(long, value_name = "TOKEN")]
        plan: String,
    },
}

/// `retention rule`
#[derive(Debug, Subcommand)]
pub(crate) enum RetentionRules {
    /// Put a rule
    #[command(after_long_help = "\
Examples:
  grunddata retention rule add se-2480 --domain role --kind employment --erase-after 10 \\
    --decision 'Anställningar gallras 10 år efter avslut' --reference 'KS 2026/17 § 3'
  grunddata retention rule add se-2480 --domain organisation --preserve --archive Stadsarkivet \\
    --decision 'Organisationer bevaras' --reference 'KS 2026/17 § 4'

Where several rules speak of a record, the one counts that names the kind, then the one that names
the controller, then the one that names the domain; of two alike, the one that keeps longer. What
no rule speaks of is kept. A rule is never changed: end it and put another.")]
    Add(NewRule),
    /// List the rules of an owner
    List {
        /// The owner
        owner: String,
    },
    /// End a rule
    End {
        /// The owner
        owner: String,
        /// The id that the list shows
        id: String,
        /// The first day on which it does not hold [default: today]
        #[arg(long, value_name = "DATE")]
        from: Option<NaiveDate>,
    },
}

/// `retention rule add`
#[derive(Debug, Args)]
pub(crate) struct NewRule {
    /// The owner whose records it is about
    pub(crate) owner: String,
    /// Only records for which this organisation is responsible
    #[arg(long, value_name = "ID")]
    pub(crate) controller: Option<String>,
    /// Only this domain: person, role, organisation, geography or service
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// Only this kind: a code of the domain
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Erase so many years after the end
    #[arg(
        long,
        value_name = "YEARS",
        required_unless_present = "preserve",
        conflicts_with = "preserve"
    )]
    pub(crate) erase_after: Option<u32>,
    /// Keep for good
    #[arg(long)]
    pub(crate) preserve: bool,
    /// The archive to which it is to be delivered
    #[arg(long, requires = "preserve")]
    pub(crate) archive: Option<String>,
    /// What was decided, in a sentence without personal data
    #[arg(long)]
    pub(crate) decision: String,
    /// Where the decision is found
    #[arg(long)]
    pub(crate) reference: String,
    /// The first day [default: today]
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// The first day on which it does not hold any more [default: until further notice]
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
}

/// `erasures`
#[derive(Debug, Subcommand)]
pub(crate) enum Erasures {
    /// Write the list of everything that was erased: ids, owners, when and by which decision, no content
    #[command(after_long_help = "\
Example:
  grunddata erasures export /srv/elsewhere/erasures.json

Make it after every erasure and keep it apart from the database and its back-ups: it must not be
lost with them.")]
    Export {
        /// The file, readable by you alone; one that is there is replaced
        file: PathBuf,
    },
    /// Erase again, after a restore, what the list says and the back-up has brought back
    #[command(after_long_help = "\
Example:
  grunddata erasures apply /srv/elsewhere/erasures.json

What is erased already or is not there is passed over, so that it can be run again at any time. What
a legal hold keeps, or others refer to, is left and named; then the command ends with 1.")]
    Apply {
        /// A file that `grunddata erasures export` has written
        file: PathBuf,
    },
}

/// `hold` and `restriction`
#[derive(Debug, Subcommand)]
pub(crate) enum Hold {
    /// Put one on a record
    Add {
        /// The id of the record
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// List those of an owner, lifted ones included
    List {
        /// The owner
        owner: String,
    },
    /// Lift one
    Lift {
        /// The owner
        owner: String,
        /// The id that the list shows
        id: String,
    },
}

/// `erase`
#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// The ids of the records; what refers to them must be among them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// What was decided, in a sentence without personal data
    #[arg(long)]
    pub(crate) decision: String,
    /// Where the decision is found
    #[arg(long)]
    pub(crate) reference: String,
}
