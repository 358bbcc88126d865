//! `changes`, `export`, `import`, `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

pub(super) const CHANGES: &str = "\
Examples:
  grunddata changes se-2480
  grunddata changes se-2480 --after 4711 --follow
  grunddata changes se-2480 --domain person --states > persons.ndjson

Writes one entry of the owner's log on each line (JSON), in the order of commit: position, record,
version, what was done, and the valid period that it was about. With --follow it goes on as long as
it runs, and tells of what servers on the same database commit. What is shown of persons is logged
before it is written. docs/feed.md tells what entries mean.";

pub(super) const EXPORT: &str = "\
Examples:
  grunddata export organisations --format csv --bom --delimiter semicolon --out units.csv
  grunddata export organisations --format xlsx --out units.xlsx
  grunddata export persons roles --history --valid-at 2026-12-31 --out people.ndjson
  grunddata export --lossless all.ndjson.zst
  grunddata export --lossless two.ndjson.zst --owner se-2480 --owner se-scb

Records come in the form of the lists, at one coordinate, whatever is written meanwhile. What is
shown is logged before it is written. A file appears when it is whole; NDJSON ends with a line that
has the number of records and a SHA-256. docs/exports.md has formats and columns.

A lossless export holds everything that the answers depend on, as it is at one moment, while writes
go on: owners, all states in both times, versions with their changes, tombstones, marks, rules,
disposals, deliveries, and of a whole installation tokens (as hashes) and grants. It holds
personal data under protection in the clear: keep it as you keep the database. `grunddata import`
rebuilds an installation from it, on either database. The access log is not in it: `grunddata
backup` takes that along. A name that ends with .zst is compressed.";

pub(super) const IMPORT: &str = "\
Examples:
  grunddata import --lossless all.ndjson.zst
  grunddata import --lossless all.ndjson.zst --database postgres://grunddata@db/grunddata

The database must be empty; its tables are made when they are missing. Nothing becomes visible
before checksum, numbers, hashes and all rules of `grunddata verify` have held: a file that is cut
or changed leaves the database empty. Tokens and grants come along. What was erased after the
export was made comes back with it: run `grunddata erasures apply` before anybody reads.";

pub(super) const BACKUP: &str = "\
Examples:
  grunddata backup /backup/grunddata-2026-11-22.tar.zst
  grunddata backup \"/backup/$(date +%F).tar.zst\" && grunddata erasures export /elsewhere/erasures.json

Takes the database as it is at one moment and the access log up to at least that moment, while
serving. The file appears when it is whole, readable by you alone. It holds everything in the clear:
encrypt it where it leaves the machine. Of PostgreSQL it is a lossless export; whoever needs a
restore to a point in time sets up WAL archiving as well.";

pub(super) const RESTORE: &str = "\
Examples:
  grunddata restore /backup/grunddata-2026-11-22.tar.zst --data /srv/restored
  grunddata erasures apply /elsewhere/erasures.json --data /srv/restored

The target must be empty: no database or one without anything in it, and no access log. Checksums
are checked before anything is put in place, and the whole database is verified afterwards. What
was erased since the backup was made comes back with it: run `grunddata erasures apply` before
anybody reads.";

/// `changes`
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// Key of the owner whose log it is
    pub(crate) owner: String,
    /// Only what comes after this position: 0 = everything, now = nothing that is there already
    #[arg(long, value_name = "POSITION", default_value = "0")]
    pub(crate) after: String,
    /// Go on with what is committed from now on
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// With the states as believed at each change, and with who wrote and why
    #[arg(long)]
    pub(crate) states: bool,
    /// Only records of this domain: person, role, organisation, geography, service; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Vec<String>,
    /// Only this kind, such as create or end; may be repeated
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Vec<String>,
    /// Only this record
    #[arg(long, value_name = "ID")]
    pub(crate) record: Option<String>,
}

/// `export`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["collections", "lossless"]))]
pub(crate) struct Export {
    /// Records of these collections: persons, roles, organisations, geographies, services
    #[arg(value_name = "COLLECTION")]
    pub(crate) collections: Vec<String>,
    /// The form of the records: ndjson, csv, geojson, xlsx, parquet or geopackage
    #[arg(long, default_value = "ndjson", conflicts_with = "lossless")]
    pub(crate) format: String,
    /// The file that receives the records; standard output when left out
    #[arg(long, value_name = "FILE", conflicts_with = "lossless")]
    pub(crate) out: Option<PathBuf>,
    /// A parameter of the list, such as kind=unit or q=skola; may be given several times
    #[arg(long = "where", value_name = "NAME=VALUE", conflicts_with = "lossless")]
    pub(crate) wheres: Vec<String>,
    /// The day on which things hold [default: today]
    #[arg(long, value_name = "DATE", conflicts_with = "lossless")]
    pub(crate) valid_at: Option<String>,
    /// The instant at which they are known [default: everything recorded so far]
    #[arg(long, value_name = "INSTANT", conflicts_with = "lossless")]
    pub(crate) known_at: Option<String>,
    /// NDJSON: all states of each record as known
    #[arg(long, conflicts_with = "lossless")]
    pub(crate) history: bool,
    /// NDJSON: geometry as well; GeoJSON and GeoPackage always have it
    #[arg(long, conflicts_with = "lossless")]
    pub(crate) geometry: bool,
    /// CSV: comma, semicolon or tab
    #[arg(long, conflicts_with = "lossless")]
    pub(crate) delimiter: Option<String>,
    /// CSV: begin with a byte order mark, for Excel
    #[arg(long, conflicts_with = "lossless")]
    pub(crate) bom: bool,
    /// Write everything without loss to this file; .zst = compressed
    #[arg(long, value_name = "FILE")]
    pub(crate) lossless: Option<PathBuf>,
    /// Only this owner; may be given several times. Without loss they must not refer to records of others
    #[arg(long, value_name = "KEY")]
    pub(crate) owner: Vec<String>,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file, compressed or not
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) lossless: PathBuf,
    /// Check the file's own checksum, numbers and hashes alone, and leave `grunddata verify` for later
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write; it must not be there yet
    pub(crate) file: PathBuf,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A file that `grunddata backup` has written
    pub(crate) file: PathBuf,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
