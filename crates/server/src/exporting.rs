//! An export as bytes, piece by piece: for the interface and for the command line alike.
//!
//! Nothing here waits or gathers: each piece is one page of records in the form that was asked for. What is shown by it is
//! noted in the context before the piece is given out, and must be logged before it is shown.

use grunddata_exchange::out::{
    CellKind, Csv, Delimiter, GeoJson, OutColumn, OutEnvelope, OutRecord,
};
use grunddata_information_model::{ColumnKind, InformationModel};
use grunddata_model::Domain;
use grunddata_registry::{
    Code, Context, Export, ExportRequest, Exported, Form, Origin, Place, Query, Record, Refusal,
    Registry, fact, nearest,
};
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use crate::envelope::{self, Frame};

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
#[derive(Debug)]
enum Shape {
    Ndjson,
    Csv(Csv),
    GeoJson(GeoJson),
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Records,
    Done,
}

/// An export that is under way.
#[derive(Debug)]
pub struct ExportStream {
    export: Export,
    shape: Shape,
    stage: Stage,
    /// Over everything that was given out.
    hash: Sha256,
    count: u64,
    api: String,
    coordinate: String,
    name: String,
}

/// The parameters, sorted out.
struct Asked<'a> {
    collections: Vec<Domain>,
    format: &'a str,
    history: bool,
    geometry: bool,
    delimiter: Delimiter,
    mark: bool,
    /// Those of the search.
    search: Vec<(&'a str, &'a str)>,
}

fn invalid(parameter: &str, problem: impl Into<String>) -> Refusal {
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
    fn read(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Refusal> {
        let mut asked = Self {
            collections: Vec::new(),
            format: "ndjson",
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
        match self.format {
            "geojson" => {
                if self.collections.is_empty() {
                    self.collections = vec![Domain::Geography];
                }
                if self.collections != [Domain::Geography] {
                    return Err(invalid(
                        "collection",
                        "GeoJSON is of geographies alone: leave collection out, or choose another format.",
                    ));
                }
                self.geometry = true;
            }
            "csv" if self.collections.len() != 1 => {
                return Err(invalid(
                    "collection",
                    "A CSV file is of one collection, as each has its own columns: say which with collection=persons, roles, organisations, geographies or services.",
                ));
            }
            _ if self.collections.is_empty() => self.collections = Domain::ALL.to_vec(),
            _ => {}
        }
        if self.history && self.format != "ndjson" {
            return Err(invalid(
                "history",
                "All states of a record come in NDJSON alone: choose format=ndjson, or leave history out.",
            ));
        }
        Ok(self)
    }
}

fn format(value: &str) -> Result<&'static str, Refusal> {
    let known = ["ndjson", "csv", "geojson"];
    known
        .into_iter()
        .find(|known| *known == value)
        .ok_or_else(|| {
            let near = nearest(value, known)
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

impl ExportStream {
    /// Begins an export. `api` is the address of the API in links, and `coordinate` what they carry on: as in lists.
    /// Blocks shortly.
    ///
    /// # Errors
    /// Those of a search and of [`Registry::export`].
    pub fn begin<'a>(
        registry: &Registry,
        context: &Context,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
        place: Place,
        (api, coordinate): (String, String),
    ) -> Result<Self, Refusal> {
        let asked = Asked::read(parameters)?;
        let queries = asked
            .collections
            .iter()
            .map(|domain| registry.query(context, *domain, asked.search.iter().copied(), place))
            .collect::<Result<Vec<Query>, Refusal>>()
            .map_err(|refusal| with_own(refusal, &asked))?;
        let name = match asked.collections.as_slice() {
            [only] => only.collection(),
            _ => "records",
        };
        let name = format!("{name}.{}", asked.format);
        let shape = match (asked.format, asked.collections.first()) {
            ("csv", Some(domain)) => Shape::Csv(Csv::new(
                columns(registry.model(), *domain),
                asked.delimiter,
                asked.mark,
            )),
            ("geojson", _) => Shape::GeoJson(GeoJson::new()),
            _ => Shape::Ndjson,
        };
        let request = ExportRequest {
            queries,
            history: asked.history,
            geometry: asked.geometry,
        };
        Ok(Self {
            export: registry.export(context, request)?,
            shape,
            stage: Stage::Head,
            hash: Sha256::new(),
            count: 0,
            api,
            coordinate,
            name,
        })
    }

    /// The media type.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self.shape {
            Shape::Ndjson => crate::body::NDJSON,
            Shape::Csv(_) => "text/csv; charset=utf-8",
            Shape::GeoJson(_) => "application/geo+json",
        }
    }

    /// What a file with it is called.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.name
    }

    /// The token of the coordinate.
    #[must_use]
    pub fn as_of(&self) -> String {
        self.export.as_of().token()
    }

    /// How many records were given out.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// In whose name it is made, and where it is noted what each piece shows.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.export.context()
    }

    /// The next piece; `None` = that was all, and everything is whole. Blocks for one page.
    ///
    /// # Errors
    /// [`Refusal`] of the registry. What was given out until then is not whole.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let mut out = Vec::new();
        if self.stage == Stage::Done {
            return Ok(None);
        }
        // Read first: what could not be read may be tried again.
        let page = self.export.next_page()?;
        if self.stage == Stage::Head {
            self.head(&mut out);
            self.stage = Stage::Records;
        }
        match page {
            Some(page) => {
                out.reserve(page.len() * 1_200);
                for exported in &page {
                    self.record(&mut out, exported);
                }
                self.count += page.len() as u64;
            }
            None => {
                self.tail(&mut out);
                self.stage = Stage::Done;
            }
        }
        if self.stage != Stage::Done {
            self.hash.update(&out);
        }
        Ok(Some(out))
    }

    fn head(&self, out: &mut Vec<u8>) {
        match &self.shape {
            Shape::Ndjson => {}
            Shape::Csv(csv) => csv.head(out),
            Shape::GeoJson(collection) => collection.head(out, &self.coordinate_members()),
        }
    }

    fn record(&mut self, out: &mut Vec<u8>, exported: &Exported) {
        match &mut self.shape {
            Shape::Ndjson => {
                let frame = Frame {
                    api: &self.api,
                    coordinate: &self.coordinate,
                };
                envelope::record(out, &exported.record, &frame);
                if let Some(states) = &exported.states {
                    // Inside the object that was just closed.
                    out.pop();
                    envelope::put(out, ",\"states\":");
                    envelope::list(out, states, |out, state| {
                        envelope::put(out, "{");
                        envelope::period(out, &state.period);
                        envelope::put(out, ",\"data\":");
                        envelope::put(out, &state.data);
                        envelope::put(out, ",\"model\":");
                        envelope::json(out, &*state.model);
                        envelope::put(out, "}");
                    });
                    envelope::put(out, "}");
                }
                out.push(b'\n');
            }
            Shape::Csv(csv) => csv.record(out, &flat(&exported.record)),
            Shape::GeoJson(collection) => collection.record(out, &flat(&exported.record)),
        }
    }

    /// How the end of a whole file is known: NDJSON by its last line with the number of records and the SHA-256 of all
    /// bytes before it, GeoJSON by its closing member.
    fn tail(&mut self, out: &mut Vec<u8>) {
        match &self.shape {
            Shape::Ndjson => {
                self.hash.update(&*out);
                let sha256: String = self
                    .hash
                    .clone()
                    .finalize()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                let mut meta = Map::new();
                meta.insert("count".to_owned(), self.count.into());
                meta.insert("sha256".to_owned(), sha256.into());
                meta.extend(self.coordinate_members());
                envelope::json(out, &json!({ "_meta": meta }));
                out.push(b'\n');
            }
            Shape::Csv(_) => {}
            Shape::GeoJson(collection) => collection.tail(out),
        }
    }

    fn coordinate_members(&self) -> Map<String, serde_json::Value> {
        let as_of = self.export.as_of();
        let mut members = Map::new();
        members.insert("validAt".to_owned(), as_of.valid_at.to_string().into());
        let known = as_of.known_at().map(|instant| instant.to_string());
        members.insert("knownAt".to_owned(), known.into());
        members.insert("asOf".to_owned(), as_of.token().into());
        members
    }
}

/// Says which of several collections does not know a parameter, and that exports have parameters of their own.
fn with_own(refusal: Refusal, asked: &Asked<'_>) -> Refusal {
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

fn columns(model: &InformationModel, domain: Domain) -> Vec<OutColumn> {
    let columns = model.domain(domain).columns().into_iter();
    columns
        .map(|column| OutColumn {
            name: column.name,
            path: column.path,
            kind: match column.kind {
                ColumnKind::Value => CellKind::Value,
                ColumnKind::Json => CellKind::Json,
                ColumnKind::OtherLanguages => CellKind::OtherLanguages,
            },
        })
        .collect()
}

fn flat(record: &Record) -> OutRecord<'_> {
    OutRecord {
        id: record.id,
        domain: record.domain,
        owner: record.owner.as_str(),
        envelope: (record.form >= Form::NameOnly).then(|| OutEnvelope {
            controller: record.controller,
            model: &record.model,
            version: record.version,
            period: record.period,
            recorded_at: record.recorded_at,
            change_kind: record.change_kind.as_str(),
            origin: match &record.origin {
                Origin::Own => None,
                Origin::Copy { of, .. } => Some(of.as_str()),
            },
            display: record.display.as_deref(),
        }),
        data: &record.data,
    }
}
