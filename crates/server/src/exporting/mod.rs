//! An export as bytes, piece by piece: for the interface and for the command line alike.
//!
//! Nothing here waits or gathers: each step is one page of records in the form that was asked for. What is shown by it is
//! noted in the context before the piece is given out, and must be logged before it is shown. A format that cannot be
//! written from beginning to end in one go grows in a file without a name first: until it is whole the steps give nothing
//! out, and then the file piece by piece.

mod asked;

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use grunddata_exchange::out::{
    CellKind, Csv, FileAbout, FileFormat, GeoJson, OutColumn, OutEnvelope, OutError, OutFile,
    OutRecord,
};
use grunddata_information_model::{ColumnKind, InformationModel};
use grunddata_model::Domain;
use grunddata_registry::{
    Code, Context, Export, ExportRequest, Exported, Form, Origin, Place, Query, Record, Refusal,
    Registry,
};
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use crate::envelope::{self, Frame};
use asked::{Asked, Format, invalid, with_own};

/// Bytes of a piece of a file.
const PIECE: u64 = 256 * 1024;

/// Where files grow until they are whole, and how large they may become.
#[derive(Debug, Clone)]
pub struct Aside {
    /// A directory that only the one who runs the program can read.
    pub directory: PathBuf,
    /// Bytes of a file.
    pub most: u64,
}

/// In which form.
#[derive(Debug)]
enum Shape {
    Ndjson,
    Csv(Csv),
    GeoJson(GeoJson),
    /// A file that grows.
    Growing(Box<OutFile>),
    /// A file that is whole, with the bytes that are left to give out. Empty: it is between the two, or broken.
    Whole(Option<File>, u64),
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Records,
    /// The pieces of a file that is whole.
    Pieces,
    Done,
}

/// An export that is under way.
#[derive(Debug)]
pub struct ExportStream {
    export: Export,
    format: Format,
    shape: Shape,
    stage: Stage,
    /// Over everything that was given out.
    hash: Sha256,
    count: u64,
    api: String,
    coordinate: String,
    name: String,
}

impl ExportStream {
    /// Begins an export. `api` is the address of the API in links, and `coordinate` what they carry on: as in lists. What
    /// must grow in a file does so in `aside`. Blocks shortly.
    ///
    /// # Errors
    /// Those of a search and of [`Registry::export`]; [`Code::Internal`] when the file cannot be made.
    pub fn begin<'a>(
        registry: &Registry,
        context: &Context,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
        place: Place,
        (api, coordinate): (String, String),
        aside: &Aside,
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
        let name = format!("{name}.{}", asked.format.ending());
        let request = ExportRequest {
            queries,
            history: asked.history,
            geometry: asked.geometry,
        };
        let export = registry.export(context, request)?;
        let domain = asked.collections.first().copied();
        let columns = || domain.map_or_else(Vec::new, |domain| columns(registry.model(), domain));
        let shape = match (asked.format, domain) {
            (Format::Csv, _) => Shape::Csv(Csv::new(columns(), asked.delimiter, asked.mark)),
            (Format::GeoJson, _) => Shape::GeoJson(GeoJson::new()),
            (Format::File(format), Some(domain)) => {
                let about = FileAbout {
                    domain,
                    columns: columns(),
                    coordinate: coordinate_of(&export),
                    at: context.now,
                };
                let file = grown(format, about, aside).map_err(|error| refused(&error))?;
                Shape::Growing(Box::new(file))
            }
            (Format::Ndjson | Format::File(_), _) => Shape::Ndjson,
        };
        Ok(Self {
            export,
            format: asked.format,
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
        match self.format {
            Format::Ndjson => crate::body::NDJSON,
            Format::Csv => "text/csv; charset=utf-8",
            Format::GeoJson => "application/geo+json",
            Format::File(format) => format.media_type(),
        }
    }

    /// Whether it grows in a file before anything of it is given out.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.format, Format::File(_))
    }

    /// The bytes of a file that is whole and of which nothing was given out yet.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self.shape {
            Shape::Whole(Some(_), left) => Some(left),
            _ => None,
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

    /// The next piece, empty while a file grows; `None` = that was all, and everything is whole. Blocks for one page.
    ///
    /// # Errors
    /// [`Refusal`] of the registry, or of a format that cannot hold the records. What was given out until then is not
    /// whole.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let mut out = Vec::new();
        match self.stage {
            Stage::Done => return Ok(None),
            Stage::Pieces => return self.piece(),
            Stage::Head | Stage::Records => {}
        }
        // Read first: what could not be read may be tried again.
        let page = self.export.next_page()?;
        if self.stage == Stage::Head {
            self.head(&mut out);
            self.stage = Stage::Records;
        }
        match page {
            Some(page) => {
                if !self.is_file() {
                    out.reserve(page.len() * 1_200);
                }
                for exported in &page {
                    self.record(&mut out, exported)
                        .inspect_err(|_| self.stage = Stage::Done)?;
                }
                self.count += page.len() as u64;
            }
            None if self.is_file() => self.grown().inspect_err(|_| self.stage = Stage::Done)?,
            None => {
                self.tail(&mut out);
                self.stage = Stage::Done;
            }
        }
        if self.stage == Stage::Records {
            self.hash.update(&out);
        }
        Ok(Some(out))
    }

    /// Makes the file whole.
    fn grown(&mut self) -> Result<(), Refusal> {
        if let Shape::Growing(file) = std::mem::replace(&mut self.shape, Shape::Whole(None, 0)) {
            let (file, length) = file.finish().map_err(|error| refused(&error))?;
            self.shape = Shape::Whole(Some(file), length);
            self.stage = Stage::Pieces;
        }
        Ok(())
    }

    /// A piece of the file.
    fn piece(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let Shape::Whole(Some(file), left) = &mut self.shape else {
            self.stage = Stage::Done;
            return Ok(None);
        };
        let mut out = Vec::new();
        let read = file.take(PIECE.min(*left)).read_to_end(&mut out);
        match read {
            Ok(read) if read > 0 => {
                *left -= read as u64;
                Ok(Some(out))
            }
            Ok(_) if *left == 0 => {
                // The file goes with its last handle.
                self.shape = Shape::Whole(None, 0);
                self.stage = Stage::Done;
                Ok(None)
            }
            Ok(_) => Err(refused(&OutError::Format("it was cut".to_owned()))),
            Err(error) => Err(refused(&OutError::Io(error))),
        }
    }

    fn head(&self, out: &mut Vec<u8>) {
        match &self.shape {
            Shape::Ndjson | Shape::Growing(_) | Shape::Whole(..) => {}
            Shape::Csv(csv) => csv.head(out),
            Shape::GeoJson(collection) => collection.head(out, &self.coordinate_members()),
        }
    }

    fn record(&mut self, out: &mut Vec<u8>, exported: &Exported) -> Result<(), Refusal> {
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
            Shape::Growing(file) => {
                return file
                    .record(&flat(&exported.record))
                    .map_err(|error| refused(&error));
            }
            Shape::Whole(..) => {}
        }
        Ok(())
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
            Shape::Csv(_) | Shape::Growing(_) | Shape::Whole(..) => {}
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

/// Begins a file. It is nobody else's to read, and loses its name at once: whatever becomes of this process, nothing of it
/// is left.
fn grown(format: FileFormat, about: FileAbout, aside: &Aside) -> Result<OutFile, OutError> {
    let file = tempfile::Builder::new()
        .prefix("export-")
        // What the process that made it could not remove goes when another begins.
        .suffix(".whole")
        .tempfile_in(&aside.directory)?;
    let (file, path) = file.into_parts();
    let grown = OutFile::begin(format, about, (file, &path), &aside.directory, aside.most)?;
    path.close()?;
    Ok(grown)
}

/// Why a format does not hold what was asked for.
fn refused(error: &OutError) -> Refusal {
    match error {
        OutError::TooManyRows { most } => {
            Refusal::new(Code::TooManyItems, error.to_string()).fact("limit", *most)
        }
        OutError::TooLarge { most } => {
            Refusal::new(Code::TooManyItems, error.to_string()).fact("limit", *most)
        }
        OutError::CellTooLong { .. } => invalid("format", error.to_string()),
        OutError::Io(_) | OutError::Format(_) => {
            tracing::error!(%error, "an export was broken off");
            Refusal::new(
                Code::Internal,
                "The file of the export could not be made on this side. Choose NDJSON or CSV, or tell the operator.",
            )
        }
    }
}

fn coordinate_of(export: &Export) -> Vec<(String, String)> {
    let as_of = export.as_of();
    let known = as_of.known_at().map(|instant| instant.to_string());
    [
        Some(("validAt", as_of.valid_at.to_string())),
        known.map(|known| ("knownAt", known)),
        Some(("asOf", as_of.token())),
    ]
    .into_iter()
    .flatten()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn columns(model: &InformationModel, domain: Domain) -> Vec<OutColumn> {
    let columns = model.domain(domain).columns().into_iter();
    columns
        .map(|column| OutColumn {
            name: column.name,
            path: column.path,
            kind: match column.kind {
                ColumnKind::Text => CellKind::Text,
                ColumnKind::Integer => CellKind::Integer,
                ColumnKind::Number => CellKind::Number,
                ColumnKind::Boolean => CellKind::Boolean,
                ColumnKind::Date => CellKind::Date,
                ColumnKind::TextList => CellKind::TextList,
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
                Origin::Own | Origin::Received(_) | Origin::Transferred(_) => None,
                Origin::Copy { of, .. } => Some(of.as_str()),
            },
            display: record.display.as_deref(),
        }),
        data: &record.data,
    }
}
