//! The words of the mapping language: every table and what may stand in it. The parser and the published schema
//! (`docs/mapping.schema.json`) are tested against these lists.

/// The version of the language that a mapping states as `mapping = 1`.
pub const VERSION: i64 = 1;

/// The whole file.
pub const MAPPING: &[&str] = &[
    "mapping", "name", "title", "input", "values", "codes", "record",
];
/// `title`.
pub const TITLE: &[&str] = &["sv", "en"];
/// `[input]`.
pub const INPUT: &[&str] = &[
    "format",
    "encoding",
    "separator",
    "sheet",
    "header-row",
    "records",
    "merged",
    "totals",
];
/// `input.format`.
pub const FORMATS: &[&str] = &[
    "delimited",
    "spreadsheet",
    "json",
    "ndjson",
    "paxml",
    "sie",
    "geopackage",
];
/// `input.merged`.
pub const MERGED: &[&str] = &["refuse", "fill"];
/// `[values]`.
pub const VALUES: &[&str] = &[
    "dates",
    "end-dates",
    "open",
    "decimal",
    "empty",
    "ten-digit-numbers",
];
/// `values.end-dates`.
pub const END_DATES: &[&str] = &["inclusive", "exclusive"];
/// `values.decimal`.
pub const DECIMAL: &[&str] = &["comma", "point", "either"];
/// `values.ten-digit-numbers`.
pub const TEN_DIGITS: &[&str] = &["by-reference-date", "refuse"];
/// `[[record]]`.
pub const RECORD: &[&str] = &[
    "name",
    "file",
    "domain",
    "key",
    "each",
    "when",
    "removed",
    "complete",
    "valid-from",
    "valid-to",
    "data",
    "list",
];
/// `[[record.list]]`.
pub const LIST: &[&str] = &["to", "each", "when", "value", "item"];
/// `each`.
pub const EACH: &[&str] = &["column", "split"];
/// A condition in `when`.
pub const CONDITION: &[&str] = &["column", "in", "not-in", "present"];
/// `key`, when it is not a template.
pub const KEY: &[&str] = &["identifier", "scheme", "value"];
/// A value, when it is not the name of a column.
pub const VALUE: &[&str] = &[
    "column",
    "first",
    "join",
    "with",
    "template",
    "constant",
    "reference",
    "key",
    "identifier",
    "scheme",
    "value",
    "record",
    "when",
    "split",
    "part",
    "case",
    "codes",
    "as",
    "dates",
    "crs",
    "times",
    "default",
    "required",
];
/// `as`.
pub const KINDS: &[&str] = &[
    "text",
    "date",
    "end-date",
    "partial-date",
    "decimal",
    "integer",
    "boolean",
    "personal-identifier",
    "organisation-number",
    "phone",
    "postal-code",
    "digits",
    "json",
    "geometry",
    "coordinates",
];
/// `crs`.
pub const CRS: &[&str] = &[
    "EPSG:4326",
    "EPSG:3006",
    "EPSG:3007",
    "EPSG:3008",
    "EPSG:3009",
    "EPSG:3010",
    "EPSG:3011",
    "EPSG:3012",
    "EPSG:3013",
    "EPSG:3014",
    "EPSG:3015",
    "EPSG:3016",
    "EPSG:3017",
    "EPSG:3018",
];
/// `case`.
pub const CASES: &[&str] = &["upper", "lower", "title"];
/// `domain` and `reference`.
pub const DOMAINS: &[&str] = &["person", "role", "organisation", "geography", "service"];
