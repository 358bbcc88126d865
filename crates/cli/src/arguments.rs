//! What can be written on the command line.

mod hand_off;
mod load;
mod model;
mod out;
mod peer;
mod retention;
mod subscription;
mod transfer;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use hand_off::HandOff;
pub(crate) use load::{Load, Loads, OfLoad, OfSource, Source, Why};
pub(crate) use model::Model;
pub(crate) use out::{Backup, Changes, Export, Import, Restore};
pub(crate) use peer::{NewPeer, Peer};
pub(crate) use retention::{
    Erase, Erasures, ExtractPerson, Hold, NewRule, Retention, RetentionRules,
};

pub(crate) use subscription::{NewSubscription, Subscription};
pub(crate) use transfer::Transfer;

/// A master-data registry: persons, roles, organisations, geography and services, validated, versioned on two clocks
/// and linked.
#[derive(Debug, Parser)]
#[command(name = "grunddata", version, max_term_width = 100, after_long_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Begin here:
  grunddata demo               a working registry with Swedish data on http://127.0.0.1:8080
  grunddata help serve         what a command does, with examples

Set up a registry of your own, in the directory grunddata-data unless told otherwise:
  grunddata migrate
  grunddata owner add se-2480 --name 'Umeå kommun' --open-data
  grunddata serve              prints a token of an administrator, the first time

Settings are taken from, in rising order: the built-in defaults, a file (TOML), the environment,
and the command line. The file is the one given with --config, or else
/etc/grunddata/grunddata.toml where it exists. In the environment a setting is written
GRUNDDATA_NAME, and one inside a table GRUNDDATA_TABLE_NAME:
  GRUNDDATA_DATABASE=postgres://grunddata@db.example.se/grunddata
  GRUNDDATA_LOG_FORMAT=json

The same settings in a file:
  database = \"postgres://grunddata@db.example.se/grunddata\"
  listen = \"0.0.0.0:8080\"
  public_address = \"https://grunddata.example.se\"
  [log]
  format = \"json\"

Exit codes:
  0  done
  1  the command failed or found something wrong
  2  wrong use of the command line or a setting
  3  the database cannot be reached or is locked
  4  the database lacks its tables
  5  the address cannot be listened on
  6  a file or directory cannot be written";

/// Settings that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// File of settings (TOML)
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "GRUNDDATA_CONFIG"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Directory in which the embedded database lies [default: grunddata-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Database: a path of SQLite, or postgres://USER@HOST/NAME [default: grunddata.sqlite in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the registry over HTTP
    #[command(after_long_help = "\
Examples:
  grunddata serve
  grunddata serve --listen 0.0.0.0:8080 --database postgres://grunddata@db/grunddata
  GRUNDDATA_LOG_FORMAT=json grunddata serve --config /etc/grunddata.toml

Stop it with Ctrl-C or SIGTERM: it takes no new requests, finishes those in flight, and ends.
The database must have its tables: run `grunddata migrate` first, and after every upgrade.

The first start of a registry that has no token, and no issuer in its settings, makes one for an
administrator of everything and tells it once: on standard error, or in --token-file.")]
    Serve(Serve),
    /// Make a registry with Swedish data and a fictional municipality, and serve it
    #[command(after_long_help = "\
Examples:
  grunddata demo
  grunddata demo --listen 127.0.0.1:9000 --data /tmp/demo --token-file /tmp/token
  grunddata demo --database postgres://grunddata@localhost/demo

The first run makes the data through the ordinary write pipeline, with three years of history,
and prints what it made, an administrator's token and five commands to try. A later run finds
its data. A run that was interrupted goes on where it stopped. To begin anew, remove the data
directory.")]
    Demo(Demo),
    /// Write the seed data into the database without serving
    #[command(after_long_help = "\
Example:
  grunddata migrate && grunddata seed

Writes 21 counties, 290 municipalities and 5,984 statistical areas, municipalities, regions and
state agencies under the owner se-scb, and the fictional municipality of Norrberga under
se-norrberga. What is there already is not written again.")]
    Seed(Seed),
    /// Make the database's tables, or bring them to this version
    #[command(after_long_help = "\
Examples:
  grunddata migrate
  grunddata migrate --database postgres://grunddata@db/grunddata

Changes nothing when the tables are up to date. Back up before an upgrade.")]
    Migrate,
    /// Check the whole database for contradictions
    #[command(after_long_help = "\
Example:
  grunddata verify

Looks at every record: periods that overlap, links that lead nowhere, index rows that disagree
with the data, gaps in the log. Prints each problem and ends with 1 if there is any. Changes
nothing.")]
    Verify,
    /// Add and list owners: the organisations that answer for records
    #[command(subcommand)]
    Owner(Owner),
    /// Make, rotate, list and revoke tokens: the keys of clients
    #[command(subcommand)]
    Token(Token),
    /// Give, list and take back grants: what users, groups and clients of other issuers may do
    #[command(subcommand)]
    Grant(Grant),
    /// Search the access log, or check that nothing of it was changed
    #[command(subcommand)]
    Log(Log),
    /// Print everything that is kept about a person (registerutdrag)
    #[command(after_long_help = "\
Examples:
  grunddata extract-person 01990c3e-7a5b-7000-8000-000000000001 --html utdrag.html
  grunddata extract-person 01990c3e-7a5b-7000-8000-000000000001 > utdrag.json

All states in both times, versions, identifiers, links in both directions, sources, and who has
read them by unit and time, by the body that is responsible. What the extract shows is noted in the
access log, as any reading is.")]
    ExtractPerson(ExtractPerson),
    /// For how long records are kept: rules, plans and runs
    #[command(subcommand)]
    Retention(Retention),
    /// Legal holds: keep records from being erased
    #[command(subcommand)]
    Hold(Hold),
    /// Restrictions of processing: hide records from all but stewards
    #[command(subcommand)]
    Restriction(Hold),
    /// Erase records for good, by a decision of their own
    #[command(after_long_help = "\
Example:
  grunddata erase 01990c3e-7a5b-7000-8000-000000000001 \
    --decision 'Uppgiften var aldrig avsedd för registret' --reference 'KS 2026/31'

All or none are erased. What refers to them must be named too; a legal hold stops it. What is left
is that there was a record with that id: reads answer 410. On SQLite the database file is written
anew at the end.")]
    Erase(Erase),
    /// Keep the list of what was erased, and erase it again after a restore
    #[command(subcommand)]
    Erasures(Erasures),
    /// Put and list the systems that feed records, and propose mappings for their files
    #[command(subcommand)]
    Source(Source),
    /// Load a file of a source: plan it, and apply the plan
    #[command(after_long_help = load::LOAD)]
    Load(Load),
    /// Look after loads: list, show, apply, pass guards, cancel, reverse
    #[command(subcommand)]
    Loads(Loads),
    /// Copy owners of other registries, and keep the copies as new as they are there
    #[command(subcommand)]
    Peer(Peer),
    /// Look after the packages of the information model that came from peers
    #[command(subcommand)]
    Model(Model),
    /// Hand records over to another owner, in this registry or in another one
    #[command(subcommand)]
    Transfer(Transfer),
    /// Let another owner begin a record of its own about a person who moves
    #[command(subcommand)]
    HandOff(HandOff),
    /// Tell where the values of a record come from
    #[command(after_long_help = load::WHY)]
    Why(Why),
    /// Write what has changed, and what changes, one entry on each line
    #[command(after_long_help = out::CHANGES)]
    Changes(Changes),
    /// Send an owner's log to an address, entry by entry (webhooks)
    #[command(subcommand)]
    Subscription(Subscription),
    /// Write records to a file, or the whole installation without loss
    #[command(after_long_help = out::EXPORT)]
    Export(Export),
    /// Rebuild an installation from a lossless export
    #[command(after_long_help = out::IMPORT)]
    Import(Import),
    /// Back up the database and the access log, while serving
    #[command(after_long_help = out::BACKUP)]
    Backup(Backup),
    /// Put back what `grunddata backup` has written
    #[command(after_long_help = out::RESTORE)]
    Restore(Restore),
    /// Check files of records against the information model, without a database
    #[command(after_long_help = "\
Examples:
  grunddata validate persons.ndjson
  grunddata validate --domain organisation unit.json
  grunddata validate --model ./schemas/our-package/1.0.0 persons.ndjson

A file holds one JSON record, an array of them, or one on each line (NDJSON). A record is the
data itself, or an object with `data` and perhaps `domain` and `validFrom`. The domain is taken
from the record, from --domain, or from the name of the file (persons.ndjson). Each error is
given with file, line, place and what to do.")]
    Validate(Validate),
    /// Print the description of the interface (OpenAPI 3.1)
    #[command(after_long_help = "\
Examples:
  grunddata openapi > openapi.json
  grunddata openapi --origin https://grunddata.example.se --out openapi.json")]
    Openapi(Openapi),
    /// Print completions for a shell
    #[command(after_long_help = "\
Examples:
  grunddata completions bash > /etc/bash_completion.d/grunddata
  grunddata completions zsh > ~/.zfunc/_grunddata
  grunddata completions fish > ~/.config/fish/completions/grunddata.fish")]
    Completions(Completions),
}

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// File that receives the administrator's token of the first start, readable by you alone; standard error when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// File that receives the administrator's token, readable by you alone [default: admin-token in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// `seed`
#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `owner`
#[derive(Debug, Subcommand)]
pub(crate) enum Owner {
    /// Add an owner, or change its name or openness
    #[command(after_long_help = "\
Example:
  grunddata owner add se-2480 --name 'Umeå kommun' --open-data")]
    Add {
        /// Its key, for good: small letters, digits and hyphens, such as se-2480
        key: String,
        /// What it is called
        #[arg(long)]
        name: String,
        /// Let anybody read what the information model classes as public
        #[arg(long)]
        open_data: bool,
    },
    /// List the owners with the length of their logs
    List,
}

/// `token`
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token and print it once
    #[command(after_long_help = "\
Examples:
  grunddata token create --name admin --grant '*:administrator'
  grunddata token create --name hr-system --grant se-2480:editor --days 365
  grunddata token create --name report --grant se-2480:reader --grant se-scb:reader

The token is printed once and kept as a hash alone. Clients send it as `Authorization: Bearer
TOKEN`.")]
    Create {
        /// The name by which its changes are signed in the history
        #[arg(long)]
        name: String,
        /// OWNER:ROLE with the role open-data-reader, reader, editor, steward, administrator, auditor or publisher; the owner * is every owner
        #[arg(long = "grant", value_name = "OWNER:ROLE", required = true)]
        grants: Vec<String>,
        /// Days until it is refused; never when left out
        #[arg(long)]
        days: Option<u32>,
        /// Let it feed copies of other registers
        #[arg(long)]
        feeds_copies: bool,
        /// The unit that uses it: stands in the access log and in register extracts
        #[arg(long)]
        unit: Option<String>,
    },
    /// Give a token a new secret and print it once; the old one is good for some days more
    #[command(after_long_help = "\
Examples:
  grunddata token rotate 5f0c1d2e3a4b5c6d
  grunddata token rotate 5f0c1d2e3a4b5c6d --overlap-days 1 --days 365

Name and rights stay the same, and so does the client in the access log. `grunddata token list` shows
when each of the two was last used: revoke the old one once it is not used any longer.")]
    Rotate {
        /// The id that `grunddata token list` shows
        id: String,
        /// Days for which the old secret is still good; at most 90
        #[arg(long, default_value_t = grunddata_registry::OVERLAP_DAYS)]
        overlap_days: u32,
        /// Days until the new one is refused; as many as the old one was made for when left out
        #[arg(long)]
        days: Option<u32>,
    },
    /// List the tokens, newest first
    List,
    /// Refuse a token from now on
    Revoke {
        /// The id that `grunddata token list` shows
        id: String,
    },
}

/// `grant`
#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    /// Give a grant and print its id
    #[command(after_long_help = "\
Examples:
  grunddata grant give --kind group https://login.example.se#skolassistenter --grant se-2480:reader
  grunddata grant give --kind client https://login.example.se#hr-export --grant se-2480:editor --reason 'Beslut 2026-11'

The subject is written ISSUER#NAME: the same name at another issuer is somebody else. Grants for one
controller, domain, class or purpose are given over the interface (POST /api/v1/grants).")]
    Give {
        /// Whom it is for: ISSUER#NAME
        subject: String,
        /// What the subject is: user, group or client
        #[arg(long)]
        kind: String,
        /// OWNER:ROLE, as for tokens
        #[arg(long, value_name = "OWNER:ROLE")]
        grant: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// List the grants, those that were taken back included
    List,
    /// Take a grant back
    TakeBack {
        /// The id that `grunddata grant list` shows
        id: String,
    },
}

/// `log`
#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// Print entries, newest first
    #[command(after_long_help = "\
Examples:
  grunddata log search --record 01990c3e-7a5b-7000-8000-000000000001
  grunddata log search --actor kommun:anna --from 2026-11-01T00:00:00Z
  grunddata log search --kind administration --limit 1000

Each line: when, what was done, who, by which operation, for what purpose, which records.")]
    Search {
        /// Only where this record was shown
        #[arg(long)]
        record: Option<String>,
        /// Only of this user or client
        #[arg(long)]
        actor: Option<String>,
        /// Only about records of this owner
        #[arg(long)]
        owner: Option<String>,
        /// Only of this kind: read, search, history, links, write, administration, log-read
        #[arg(long)]
        kind: Option<String>,
        /// Not before this instant
        #[arg(long)]
        from: Option<String>,
        /// Before this instant
        #[arg(long)]
        to: Option<String>,
        /// Only what ended so: ok, refused, or the code of a refusal, such as identifier-in-use
        #[arg(long)]
        outcome: Option<String>,
        /// The most entries
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Read the whole access log and the logs of changes, and tell what is missing or was changed
    #[command(after_long_help = "\
Examples:
  grunddata log verify
  grunddata log verify --file norrberga.ndjson.zst --key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=

With --file nothing but the file is read: a lossless export. Every entry is compared with its leaf, the leaves with the
root, and the root with the signed head. Without --key the head is checked with the keys in the file itself, which says
only that the file is as it was written.")]
    Verify {
        /// A lossless export, instead of this installation
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// A key that the head must be signed with, in base64; may be given several times
        #[arg(long, value_name = "KEY", requires = "file")]
        key: Vec<String>,
    },
    /// Print the signed head of an owner's log of changes, to be kept elsewhere
    Head {
        /// The owner
        #[arg(value_name = "OWNER")]
        owner: String,
    },
    /// Print the keys that heads are and were signed with
    Keys,
    /// Sign heads with a new key from now on; the old one stays published
    RotateKey,
}

/// `validate`
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Files to check; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Domain of the records: person, role, organisation, geography or service
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// Directory of a further package of the information model; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Vec<PathBuf>,
    /// Say what is wrong in Swedish
    #[arg(long)]
    pub(crate) swedish: bool,
}

/// `openapi`
#[derive(Debug, Args)]
pub(crate) struct Openapi {
    /// Address of the server that the document describes
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) origin: String,
    /// File to write instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn long_help(path: &[&str]) -> String {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let mut chosen = &mut command;
        for name in path {
            chosen = chosen.find_subcommand_mut(name).unwrap();
        }
        chosen.render_long_help().to_string()
    }

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_teaches() {
        insta::assert_snapshot!("help", long_help(&[]));
        for name in [
            "serve",
            "demo",
            "seed",
            "migrate",
            "verify",
            "validate",
            "openapi",
            "completions",
        ] {
            insta::assert_snapshot!(format!("help-{name}"), long_help(&[name]));
        }
        insta::assert_snapshot!("help-token-create", long_help(&["token", "create"]));
        insta::assert_snapshot!("help-token-rotate", long_help(&["token", "rotate"]));
        insta::assert_snapshot!("help-grant-give", long_help(&["grant", "give"]));
        insta::assert_snapshot!("help-log-search", long_help(&["log", "search"]));
        insta::assert_snapshot!("help-owner-add", long_help(&["owner", "add"]));
        for path in [
            &["extract-person"][..],
            &["erase"],
            &["erasures", "export"],
            &["erasures", "apply"],
            &["hold", "add"],
            &["changes"],
            &["export"],
            &["import"],
            &["backup"],
            &["restore"],
            &["retention", "deliver"],
            &["retention", "plan"],
            &["retention", "run"],
            &["retention", "rule", "add"],
        ] {
            insta::assert_snapshot!(format!("help-{}", path.join("-")), long_help(path));
        }
    }
}
