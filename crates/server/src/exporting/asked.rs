//! What is asked of an export: its own parameters, sorted out from those of the search.

use grunddata_exchange::out::{Delimiter, FileFormat};
use grunddata_model::Domain;
use grunddata_registry::{Code, Refusal, fact, nearest};

/// The parameters of an export beside those of a search.
const OWN: [&str; 6] = [
    "collection",
    "format",
    "history",
    "geometry",
    "delimiter",
    "bom",
];

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Ndjson,
    Csv,
    GeoJson,
    /// One that grows in a file before it is sent.
    File(FileFormat),
}

impl Format {
    /// The formats that are sent as they come.
    const STREAMED: [(&'static str, Self); 3] = [
        ("ndjson", Self::Ndjson),
        ("csv", Self::Csv),
        ("geojson", Self::GeoJson),
    ];

    fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let files = FileFormat::ALL.map(|(name, format)| (name, Self::File(format)));
        Self::STREAMED.into_iter().chain(files)
    }

    /// How the name of a file ends.
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::GeoJson => "geojson",
            Self::File(format) => format.ending(),
        }
    }

    /// What it is called in a sentence.
    const fn called(self) -> &'static str {
        match self {
            Self::Ndjson => "NDJSON",
            Self::Csv => "CSV",
            Self::GeoJson => "GeoJSON",
            Self::File(FileFormat::Xlsx) => "XLSX",
            Self::File(FileFormat::Parquet) => "Parquet",
            Self::File(FileFormat::GeoPackage) => "GeoPackage",
        }
    }
}

/// The parameters, sorted out.
pub(super) struct Asked<'a> {
    pub(super) collections: Vec<Domain>,
    pub(super) format: Format,
    pub(super) history: bool,
    pub(super) geometry: bool,
    pub(super) delimiter: Delimiter,
    pub(super) mark: bool,
    /// Those of the search.
    pub(super) search: Vec<(&'a str, &'a str)>,
}

pub(super) fn invalid(parameter: &str, problem: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidParameter, problem).fact(fact::PARAMETER, parameter)
}

fn flag(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, format!("{name} is true or false."))),
    }
}

impl<'a> Asked<'a> {
    /// Reads the parameters.
    pub(super) fn read(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Refusal> {
        let mut asked = Self {
            collections: Vec::new(),
            format: Format::Ndjson,
            history: false,
            geometry: false,
            delimiter: Delimiter::Comma,
            mark: false,
            search: Vec::new(),
        };
        for (name, value) in parameters {
            match name {
                "collection" => asked.collections = collections(value)?,
                "format" => asked.format = format(value)?,
                "history" => asked.history = flag(name, value)?,
                "geometry" => asked.geometry = flag(name, value)?,
                "bom" => asked.mark = flag(name, value)?,
                "delimiter" => {
                    asked.delimiter = Delimiter::ALL
                        .into_iter()
                        .find(|(word, _)| *word == value)
                        .map(|(_, delimiter)| delimiter)
                        .ok_or_else(|| invalid(name, "delimiter is comma, semicolon or tab."))?;
                }
                "limit" | "after" => {
                    return Err(invalid(
                        name,
                        format!(
                            "An export comes whole: leave {name} out, or use the list of the collection."
                        ),
                    ));
                }
                _ => asked.search.push((name, value)),
            }
        }
        asked.fit()
    }

    /// What goes with which format.
    fn fit(mut self) -> Result<Self, Refusal> {
        let called = self.format.called();
        match self.format {
            Format::GeoJson | Format::File(FileFormat::GeoPackage) => {
                if self.collections.is_empty() {
                    self.collections = vec![Domain::Geography];
                }
                if self.collections != [Domain::Geography] {
                    return Err(invalid(
                        "collection",
                        format!(
                            "{called} is of geographies alone: leave collection out, or choose another format."
                        ),
                    ));
                }
                self.geometry = true;
            }
            Format::Csv | Format::File(_) if self.collections.len() != 1 => {
                return Err(invalid(
                    "collection",
                    format!(
                        "A file in {called} is of one collection, as each has its own columns: say which with collection=persons, roles, organisations, geographies or services."
                    ),
                ));
            }
            _ if self.collections.is_empty() => self.collections = Domain::ALL.to_vec(),
            _ => {}
        }
        if self.history && self.format != Format::Ndjson {
            return Err(invalid(
                "history",
                "All states of a record come in NDJSON alone: choose format=ndjson, or leave history out.",
            ));
        }
        Ok(self)
    }
}

fn format(value: &str) -> Result<Format, Refusal> {
    Format::all()
        .find(|(name, _)| *name == value)
        .map(|(_, format)| format)
        .ok_or_else(|| {
            let known: Vec<&str> = Format::all().map(|(name, _)| name).collect();
            let near = nearest(value, known.iter().copied())
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            invalid(
                "format",
                format!("The formats are {}.{near}", known.join(", ")),
            )
        })
}

fn collections(value: &str) -> Result<Vec<Domain>, Refusal> {
    let mut found: Vec<Domain> = value
        .split(',')
        .map(|name| {
            Domain::from_collection(name).ok_or_else(|| {
                let names = Domain::ALL.map(Domain::collection);
                let shown: String = name.chars().take(40).collect();
                let near = nearest(name, names)
                    .map(|near| format!(" Did you mean {near}?"))
                    .unwrap_or_default();
                invalid(
                    "collection",
                    format!(
                        "There is no collection \"{shown}\": they are {}.{near}",
                        names.join(", ")
                    ),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Says which of several collections does not know a parameter, and that exports have parameters of their own.
pub(super) fn with_own(refusal: Refusal, asked: &Asked<'_>) -> Refusal {
    if refusal.code != Code::UnknownParameter {
        return refusal;
    }
    let named = asked.search.iter().find_map(|(name, _)| nearest(name, OWN));
    match named {
        Some(near) => {
            let detail = format!("{} An export also knows {near}.", refusal.detail);
            Refusal { detail, ..refusal }
        }
        None => refusal,
    }
}
