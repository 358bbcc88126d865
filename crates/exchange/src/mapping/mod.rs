//! The mapping language: how the columns of a file become properties of records (`docs/mapping.md`).
//!
//! A mapping is data: it is parsed once ([`Mapping::parse`], all faults with their line), bound to the columns of a file
//! ([`Mapping::bind`], all missing columns at once) and applied to each row ([`Bound::map`], all faults of the row at
//! once).
//!
//! Must never know a property of the information model by name, except `identifiers`, where a source's own key goes.

mod apply;
mod bind;
mod condition;
mod convert;
mod draft;
mod evaluate;
mod node_parse;
mod number;
mod parse;
mod settings_parse;
mod spec_parse;
mod value;
pub mod vocabulary;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_model::Domain;

pub(crate) use apply::append_identifier;
pub use bind::Bound;
pub(crate) use convert::Fault;
pub use draft::{Complete, Draft, DraftReference, Key, Mapped, Named, Rejected};

use crate::Limits;
use crate::formats::geometry::Crs;
use crate::rows::{Format, Merged, ReadOptions};
use condition::Condition;
use value::DateFormat;

/// A mapping that has been parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    pub(crate) name: String,
    pub(crate) title: Option<(String, String)>,
    pub(crate) input: Input,
    pub(crate) values: Values,
    pub(crate) codes: Vec<CodeTable>,
    pub(crate) records: Vec<RecordSpec>,
    /// The files of a package that the records are made of; none, where the mapping is for one file.
    pub(crate) files: Vec<FileName>,
    /// The columns that are used, each once; everything else names them by their place here.
    pub(crate) columns: Vec<ColumnName>,
}

/// How to read the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Input {
    format: Option<Format>,
    encoding: Option<String>,
    separator: Option<u8>,
    sheet: Option<String>,
    header_row: Option<u64>,
    records: Option<String>,
    merged: Merged,
    totals: Vec<String>,
}

/// How values are written in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    pub(crate) dates: Vec<DateFormat>,
    pub(crate) ends: EndDates,
    pub(crate) open: Vec<String>,
    pub(crate) decimal: DecimalSign,
    pub(crate) empty: Vec<String>,
    pub(crate) ten_digits: TenDigits,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            dates: DateFormat::usual(),
            ends: EndDates::Inclusive,
            open: ["", "9999-12-31", "2099-12-31"].map(str::to_owned).to_vec(),
            decimal: DecimalSign::Either,
            empty: Vec::new(),
            ten_digits: TenDigits::ByReferenceDate,
        }
    }
}

/// Whether the end date of a period belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndDates {
    /// Swedish t.o.m.: the last day on which it holds.
    Inclusive,
    /// The first day on which it no longer holds.
    Exclusive,
}

/// What stands before decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecimalSign {
    Comma,
    Point,
    /// The last of the signs that stands in the number.
    Either,
}

/// What to do with a personal identity number without its century.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TenDigits {
    /// The latest year not after the reference date's; a plus sign means a century earlier.
    ByReferenceDate,
    Refuse,
}

/// A translation of codes. The keys are lower case; `*` takes what no other key does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CodeTable {
    pub(crate) name: String,
    pub(crate) codes: BTreeMap<String, String>,
}

/// A column as a mapping writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnName {
    pub(crate) name: String,
    /// Written with a question mark: may be missing in the file.
    pub(crate) optional: bool,
}

/// The place of a column in [`Mapping::columns`].
pub(crate) type ColumnId = usize;

/// A file of a package as a mapping writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    /// The name without folders; `*` stands for any characters.
    pub(crate) name: String,
    /// Written with a question mark: may be missing in the package.
    pub(crate) optional: bool,
}

/// The place of a file in [`Mapping::files`].
pub(crate) type FileId = usize;

/// One record that is made of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordSpec {
    pub(crate) name: Arc<str>,
    /// The file of a package whose rows it is made of.
    pub(crate) file: Option<FileId>,
    pub(crate) domain: Domain,
    pub(crate) key: TargetSpec,
    pub(crate) each: Option<Each>,
    pub(crate) when: Vec<Condition>,
    /// Where all of these hold the record is gone; never, where there are none.
    pub(crate) removed: Vec<Condition>,
    /// With what the keys of all begin that one row makes, where a row makes all there are.
    pub(crate) complete: Option<Template>,
    pub(crate) valid_from: Option<ValueSpec>,
    pub(crate) valid_to: Option<ValueSpec>,
    pub(crate) data: Vec<(Vec<String>, ValueSpec)>,
    pub(crate) lists: Vec<ListSpec>,
    /// The columns that it uses, in no order.
    pub(crate) columns: Vec<ColumnId>,
}

/// One record or item for each part of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Each {
    pub(crate) column: ColumnId,
    pub(crate) split: Option<String>,
}

/// Items that are added to a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListSpec {
    pub(crate) to: Vec<String>,
    pub(crate) each: Option<Each>,
    pub(crate) when: Vec<Condition>,
    pub(crate) item: ItemSpec,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemSpec {
    Value(ValueSpec),
    Object(Vec<(Vec<String>, ValueSpec)>),
}

/// How a value is made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueSpec {
    pub(crate) source: Source,
    pub(crate) when: Vec<Condition>,
    pub(crate) split: Option<String>,
    pub(crate) part: Option<i64>,
    pub(crate) case: Option<Case>,
    pub(crate) codes: Option<usize>,
    pub(crate) kind: Kind,
    pub(crate) dates: Option<Vec<DateFormat>>,
    pub(crate) times: Option<f64>,
    pub(crate) crs: Crs,
    pub(crate) default: Option<String>,
    pub(crate) required: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Column(ColumnId),
    /// The first that is not empty.
    First(Vec<ColumnId>),
    /// Those that are not empty, with the text between.
    Join(Vec<ColumnId>, String),
    Template(Template),
    Constant(serde_json::Value),
    Reference(Domain, Box<TargetSpec>),
}

impl Source {
    /// Whether it needs nothing of the row.
    pub(crate) const fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}

/// What names a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TargetSpec {
    /// The key of the source.
    Key(Template),
    /// A value that is a whole identifier.
    Identifier(ValueSpec),
    /// A scheme and a value.
    Scheme(String, Template),
    /// Another record of the row.
    Record(Arc<str>),
}

/// Text with columns in it: `unit:{Enhet}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) Vec<Piece>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Column(ColumnId),
}

/// The case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Upper,
    Lower,
    /// The first letter of each word upper case: for names that a system keeps in capitals.
    Title,
}

/// What kind of value it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Date,
    /// The last day of a period; becomes the day after it where the mapping says that ends are inclusive.
    EndDate,
    PartialDate,
    Decimal,
    Integer,
    Boolean,
    /// A personal identity number, coordination number or temporary number as an identifier with its scheme.
    PersonalIdentifier,
    OrganisationNumber,
    Phone,
    PostalCode,
    Digits,
    Json,
    /// A geometry of GeoJSON in WGS 84.
    Geometry,
    /// Northing and easting in SWEREF 99 TM.
    Coordinates,
}

/// What a load knows beyond the mapping.
#[derive(Debug, Clone)]
pub struct Context {
    /// The name of the source in the registry: its keys are identifiers of the scheme `source:NAME`.
    pub source: String,
    /// The day by which numbers without a century are read, as a rule that of the file. Without it they are refused.
    pub reference_date: Option<NaiveDate>,
    /// Whether a personal identity number with a wrong check digit is taken, with a note.
    pub tolerate_check_digits: bool,
}

impl Mapping {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its title, Swedish and English.
    #[must_use]
    pub fn title(&self) -> Option<(&str, &str)> {
        self.title
            .as_ref()
            .map(|(sv, en)| (sv.as_str(), en.as_str()))
    }

    /// Whether it is for a package of several files, such as a zip archive.
    #[must_use]
    pub const fn is_for_package(&self) -> bool {
        !self.files.is_empty()
    }

    /// The domains that it makes records of, each once.
    #[must_use]
    pub fn domains(&self) -> Vec<Domain> {
        let mut domains: Vec<Domain> = self.records.iter().map(|record| record.domain).collect();
        domains.sort();
        domains.dedup();
        domains
    }

    /// How a file for it is read.
    #[must_use]
    pub fn read_options(&self, file: &str, limits: Limits) -> ReadOptions {
        let input = self.input.clone();
        ReadOptions {
            file: file.to_owned(),
            format: input.format,
            encoding: input.encoding,
            separator: input.separator,
            sheet: input.sheet,
            header_row: input.header_row,
            records: input.records,
            merged: input.merged,
            totals: input.totals,
            limits,
        }
    }
}
