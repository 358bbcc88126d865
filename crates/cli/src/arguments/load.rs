//! The arguments of sources and loads.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand};

/// `source`
#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    /// Add a source, or change its settings
    #[command(after_long_help = "\
Examples:
  grunddata source put hr --owner se-2480 --settings hr-source.toml --mapping hr.toml
  grunddata source put skola --owner se-2480 --settings skola.toml --mapping ready:ss12000-persons

The file of settings, TOML or JSON:
  title = 'Personalsystemet'
  domains = ['person', 'role']
  [authoritative]
  ends = true

Settings are versioned: `grunddata source history` shows what they were. What can be said there is
told in docs/loads.md, and how a mapping is written in docs/mapping.md.")]
    Put {
        /// Its key: small letters, digits and hyphens, as in the scheme source:KEY of its identifiers
        key: String,
        /// Whose records it feeds
        #[arg(long)]
        owner: String,
        /// File of its settings
        #[arg(long, value_name = "FILE")]
        settings: PathBuf,
        /// File of its mapping, or ready:NAME for one that comes with the program [default: what the settings say]
        #[arg(long, value_name = "FILE")]
        mapping: Option<String>,
        /// Why the settings are as they are: stands in their history
        #[arg(long)]
        reason: Option<String>,
    },
    /// List the sources
    List {
        /// Of this owner alone
        #[arg(long)]
        owner: Option<String>,
    },
    /// Print the settings of a source as JSON
    Show(OfSource),
    /// List the versions of a source's settings
    History(OfSource),
    /// Collect what there is of a source now, as its settings say: from its folder, its address or its server
    #[command(after_long_help = "\
Examples:
  grunddata source collect skola --dry-run
  grunddata source collect skola

A running server does the same by itself when it is time. What sources may reach stands in [collect] of
the settings, told in docs/operations.md. A dry run makes the plan, and leaves files where they are.

Ends with 1 when there is something in the way, or a load needs somebody to look at it.")]
    Collect {
        #[command(flatten)]
        source: OfSource,
        /// Make the plan and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Tell which sources are silent or cannot be collected; ends with 1 when there is one
    Check {
        /// Of this owner alone
        #[arg(long)]
        owner: Option<String>,
    },
    /// Propose a mapping from the headers and first rows of a file
    #[command(after_long_help = "\
Examples:
  grunddata source suggest anstallda.csv --name hr > hr.toml
  grunddata source suggest --ready
  grunddata source suggest --ready ss12000 > skola.toml

What each column was taken for stands beside it as a comment: read it, and correct it.")]
    Suggest {
        /// The file
        #[arg(required_unless_present = "ready")]
        file: Option<PathBuf>,
        /// Print the mapping of that name that comes with the program; without a name, list them
        #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "file")]
        ready: Option<String>,
        /// The name of the mapping [default: the name of the file]
        #[arg(long)]
        name: Option<String>,
    },
}

/// A source that is named.
#[derive(Debug, Args)]
pub(crate) struct OfSource {
    /// The key of the source
    pub(crate) key: String,
    /// Whose it is; needed when several owners have a source of that key
    #[arg(long)]
    pub(crate) owner: Option<String>,
}

pub(super) const LOAD: &str = "\
Examples:
  grunddata load hr anstallda.csv --dry-run
  grunddata load hr anstallda.csv
  grunddata load hr anstallda.csv --override ends --reason 'Hemtjänsten övergår till entreprenör'

A dry run makes the plan and keeps it: what it says is exactly what is done when the same file is
loaded afterwards, or by `grunddata loads apply`. What has changed meanwhile is set aside and told.
A full load (the default) says that what the file leaves out is gone; with --delta it says nothing
of it. A load that was broken off goes on where it stopped when the same file is loaded again.

Ends with 1 when a guard stopped the plan, or rows were rejected, in conflict or set aside.";

/// `load`
#[derive(Debug, Args)]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) source: OfSource,
    /// The file that the source has put somewhere
    pub(crate) file: PathBuf,
    /// Make the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The file holds changes alone: of what it leaves out it says nothing
    #[arg(long)]
    pub(crate) delta: bool,
    /// The day on which the file was made [default: today]
    #[arg(long, value_name = "DATE")]
    pub(crate) date: Option<NaiveDate>,
    /// Give up a plan of the source that was made of another file and has not been begun on
    #[arg(long)]
    pub(crate) replace: bool,
    /// Go on although this guard stops the plan; needs --reason
    #[arg(long = "override", value_name = "GUARD", requires = "reason")]
    pub(crate) overrides: Vec<String>,
    /// Why a guard is overridden: stands with the load
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `loads`
#[derive(Debug, Subcommand)]
pub(crate) enum Loads {
    /// List the loads of an owner, the latest first
    List {
        /// The owner
        owner: String,
        /// Of this source alone
        #[arg(long)]
        source: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show how a load stands
    Show(OfLoad),
    /// List the rows of a plan that do something, or with which something is wrong
    #[command(after_long_help = "\
Examples:
  grunddata loads rows se-2480 01990c3e-7a5b-7000-8000-00000000000e --outcome change --outcome end
  grunddata loads rows se-2480 01990c3e-7a5b-7000-8000-00000000000e --outcome rejected --json
  grunddata loads rows se-2480 01990c3e-7a5b-7000-8000-00000000000e --out plan.xlsx --swedish

The outcomes are create, change, end, revive, confirm, release, rejected and conflict.")]
    Rows {
        #[command(flatten)]
        load: OfLoad,
        /// Rows of this outcome alone
        #[arg(long = "outcome", value_name = "OUTCOME")]
        outcomes: Vec<String>,
        /// Rows that were set aside alone
        #[arg(long)]
        set_aside: bool,
        /// The most rows
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
        /// One JSON object on each line, with the operations as they are applied
        #[arg(long)]
        json: bool,
        /// File for whoever decides about it: one line for each property; a name that ends with .xlsx becomes a workbook, any other CSV
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        out: Option<PathBuf>,
        /// The file in Swedish
        #[arg(long, requires = "out")]
        swedish: bool,
    },
    /// Approve the plan of somebody else, where the source wants four eyes
    Approve {
        #[command(flatten)]
        load: OfLoad,
        /// Who approves: another than whoever had the plan made
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Apply a plan, or go on with a load that was broken off
    Apply {
        #[command(flatten)]
        load: OfLoad,
        /// Show no progress
        #[arg(long, short)]
        quiet: bool,
    },
    /// Let a plan pass a guard that has stopped it
    Override {
        #[command(flatten)]
        load: OfLoad,
        /// The guards, by name
        #[arg(long = "guard", value_name = "GUARD", required = true)]
        guards: Vec<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Give a plan up; nothing of it is applied
    Cancel {
        #[command(flatten)]
        load: OfLoad,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Plan the taking back of an applied load; apply it with `grunddata loads apply`
    Reverse(OfLoad),
    /// Remove the rows of old loads: facts, counts and provenance stay, but they cannot be taken back any more
    #[command(after_long_help = "\
Example:
  grunddata loads prune --days 30

A running server does it every day, after the days of loads.keep_days in the settings (90). Plans that
nobody has decided about for as long are given up.")]
    Prune {
        /// Days for which rows are kept [default: what the settings say]
        #[arg(long)]
        days: Option<u32>,
    },
}

/// A load that is named.
#[derive(Debug, Args)]
pub(crate) struct OfLoad {
    /// Whose records
    pub(crate) owner: String,
    /// The id of the load
    pub(crate) id: String,
}

/// `why`
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The id of the record
    pub(crate) record: String,
    /// This property alone: a JSON Pointer such as /name/family
    pub(crate) property: Option<String>,
}

pub(super) const WHY: &str = "\
Example:
  grunddata why 01990c3e-7a5b-7000-8000-000000000001 /contactPoints

For each value: the change that introduced it, with its source and load, and what every source says
of it.";
