//! Several files that are one delivery: a zip archive whose files a mapping names, such as OneRoster or the answers of an
//! SS 12000 server.
//!
//! Must never take a delivery for whole that lacks a file: what is missing would be taken to have ended.

use std::cell::Cell as Counter;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use crate::conversion::{Converted, Outcome, Progress};
use crate::formats::oneroster::{self, Terms};
use crate::mapping::{Context, Mapping};
use crate::rows::{self, Cell, Content, Event, ReadOptions, Sink, Summary};
use crate::{Limits, Place, Problem, code};

/// What a delivery says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Everything there is: what is missing has ended.
    Full,
    /// What has changed.
    Delta,
}

/// The name of the file in which OneRoster says what the others hold.
const MANIFEST: &str = "manifest.csv";
/// The versions of OneRoster whose files look as the ready mapping has them.
const ONEROSTER: [&str; 2] = ["1.1", "1.2"];

/// Reads all files that the mapping names, in its order.
pub(crate) fn convert<R: Read + Seek>(
    mut input: R,
    file: &str,
    mapping: &Arc<Mapping>,
    context: &Context,
    limits: &Limits,
    sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
) -> Result<Outcome, Vec<Problem>> {
    let options = mapping.read_options(file, limits.clone());
    let place = Place::of_file(file);
    let members = rows::members(&mut input, &options).map_err(|problem| vec![problem])?;
    let archive = members.is_some();
    let members = members.unwrap_or_else(|| vec![unpacked(file).to_owned()]);
    let manifest = match members.iter().find(|name| base(name) == MANIFEST) {
        Some(name) => {
            Manifest::read(&mut input, name, &options).map_err(|problem| vec![problem])?
        }
        None => None,
    };
    let (chosen, mut problems) = choose(mapping, &members, &place);
    if let Some(manifest) = &manifest {
        problems.extend(manifest.check(&members, &place));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut progress = Progress::default();
    let terms = if archive && Terms::are_wanted(mapping) {
        let named: Vec<(String, &String)> = members.iter().map(|name| (base(name), name)).collect();
        Some(Terms::read(&mut input, &named, &options).map_err(|problem| vec![problem])?)
    } else {
        None
    };
    if let Some(note) = terms.as_ref().and_then(|terms| terms.note(&place))
        && sink(Converted::Note(note)).is_break()
    {
        return Ok(progress.outcome(Summary::nothing(), None));
    }
    let is_read = |name: &str| name == MANIFEST || terms.is_some() && name == oneroster::SESSIONS;
    for name in members.iter().filter(|name| !is_read(&base(name))) {
        if !chosen.iter().any(|(_, chosen)| *chosen == name) {
            let note = unused(&place, name);
            if sink(Converted::Note(note)).is_break() {
                return Ok(progress.outcome(Summary::nothing(), None));
            }
        }
    }
    let mut summary: Option<Summary> = None;
    let out = Rc::new(Counter::new(0));
    for (id, name) in chosen {
        let inner = ReadOptions {
            file: if archive {
                format!("{file}/{name}")
            } else {
                file.to_owned()
            },
            ..options.clone()
        };
        let read = progress.file(mapping, context, Some(id), sink, |events| {
            if archive {
                let mut read =
                    |events: &mut Sink<'_>| rows::member(&mut input, name, &inner, &out, events);
                match &terms {
                    Some(terms) => terms.added(&base(name), events, read),
                    None => read(events),
                }
            } else {
                input
                    .seek(SeekFrom::Start(0))
                    .map_err(|error| rows::io_problem(&error, &place))?;
                rows::read(&mut input, &inner, events)
            }
        })?;
        summary = Some(match summary {
            None => read,
            Some(before) => Summary {
                rows: before.rows + read.rows,
                ..before
            },
        });
        if progress.enough {
            break;
        }
    }
    let completeness = manifest.and_then(|manifest| manifest.completeness(&members));
    Ok(progress.outcome(summary.unwrap_or_else(Summary::nothing), completeness))
}

/// Which file of the delivery is which of the mapping, and what is missing.
fn choose<'n>(
    mapping: &Mapping,
    members: &'n [String],
    place: &Place,
) -> (Vec<(usize, &'n String)>, Vec<Problem>) {
    let mut chosen = Vec::new();
    let mut problems = Vec::new();
    for (id, wanted) in mapping.files.iter().enumerate() {
        let mut found: Vec<&String> = members
            .iter()
            .filter(|name| matches(&wanted.name, &base(name)))
            .collect();
        found.sort();
        match found.as_slice() {
            [] if wanted.optional => {}
            [] => problems.push(missing(place, &wanted.name, members)),
            [_, _, ..] if !wanted.name.contains('*') => problems.push(Problem::new(
                code::ARCHIVE,
                place.clone(),
                format!(
                    "The archive holds several files named \"{}\"; nobody can tell which one is meant.",
                    wanted.name
                ),
                format!(
                    "Arkivet innehåller flera filer som heter \"{}\"; det går inte att veta vilken som avses.",
                    wanted.name
                ),
            )),
            found => chosen.extend(found.iter().map(|name| (id, *name))),
        }
    }
    (chosen, problems)
}

fn missing(place: &Place, wanted: &str, members: &[String]) -> Problem {
    let names: Vec<&str> = members.iter().take(20).map(String::as_str).collect();
    Problem::new(
        code::MISSING_FILE,
        place.clone(),
        format!(
            "The file \"{wanted}\", which the mapping needs, is not in the delivery; it has: {}. Nothing is loaded, since what is missing would be taken to have ended.",
            names.join(", ")
        ),
        format!(
            "Filen \"{wanted}\", som mappningen behöver, finns inte i leveransen; den har: {}. Inget läses in, eftersom det som saknas skulle räknas som avslutat.",
            names.join(", ")
        ),
    )
}

fn unused(place: &Place, name: &str) -> Problem {
    Problem::new(
        code::UNUSED_FILE,
        place.clone(),
        format!("The mapping does not use the file \"{name}\" of the delivery."),
        format!("Mappningen använder inte filen \"{name}\" i leveransen."),
    )
}

/// The name without folders, lower case.
fn base(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.to_lowercase()
}

/// The name that a compressed file has when it is unpacked.
fn unpacked(file: &str) -> &str {
    [".gz", ".zst"]
        .iter()
        .find_map(|suffix| file.strip_suffix(suffix))
        .unwrap_or(file)
}

/// Whether the name is one of the pattern; `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|after| {
            after
                .char_indices()
                .map(|(at, _)| at)
                .chain([after.len()])
                .any(|at| after.get(at..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

/// What OneRoster says of the files (1EdTech, OneRoster 1.2 CSV binding, manifest.csv).
struct Manifest {
    name: String,
    properties: BTreeMap<String, String>,
}

impl Manifest {
    /// `None` where a file of that name is something else.
    fn read<R: Read + Seek>(
        input: &mut R,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Option<Self>, Problem> {
        let inner = ReadOptions {
            file: format!("{}/{name}", options.file),
            limits: Limits {
                rows: 1_000,
                ..options.limits.clone()
            },
            ..ReadOptions::default()
        };
        let mut columns = None;
        let mut properties = BTreeMap::new();
        let out = Rc::new(Counter::new(0));
        rows::member(input, name, &inner, &out, &mut |event| {
            match event {
                Event::Header(header) => {
                    columns = header
                        .find("propertyName")
                        .ok()
                        .zip(header.find("value").ok());
                }
                Event::Row(row) => {
                    if let (Some((name, value)), Content::Cells(cells)) = (columns, &row.content) {
                        let text = |index: usize| {
                            let text = cells.get(index).and_then(Cell::as_text);
                            text.unwrap_or_default().trim().to_lowercase()
                        };
                        properties.insert(text(name), text(value));
                    }
                }
                Event::Refused(_) | Event::Note(_) => {}
            }
            ControlFlow::Continue(())
        })?;
        Ok(columns.map(|_| Self {
            name: name.to_owned(),
            properties,
        }))
    }

    /// What it says of each file: the name of the file, and `bulk`, `delta` or `absent`.
    fn files(&self) -> impl Iterator<Item = (String, &str)> {
        self.properties.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("file.")?;
            Some((format!("{name}.csv"), value.as_str()))
        })
    }

    fn check(&self, members: &[String], place: &Place) -> Vec<Problem> {
        let mut problems = Vec::new();
        let place = Place::of_file(&format!("{}/{}", place.file, self.name));
        let mut fault = |message: String, message_sv: String| {
            problems.push(Problem::new(
                code::MANIFEST,
                place.clone(),
                message,
                message_sv,
            ));
        };
        let version = self.properties.get("oneroster.version");
        let version = version.map_or("", String::as_str);
        if !ONEROSTER.contains(&version) {
            fault(
                format!("The manifest says OneRoster \"{version}\"; 1.1 and 1.2 can be read."),
                format!("Manifestet anger OneRoster \"{version}\"; 1.1 och 1.2 går att läsa."),
            );
        }
        for (file, how) in self.files() {
            let there = members.iter().any(|name| base(name) == file);
            match (how, there) {
                ("bulk" | "delta", true) | ("absent", false) => {}
                ("bulk" | "delta", false) => fault(
                    format!(
                        "The manifest promises {file}, which is not in the archive; the delivery is not whole, send it again."
                    ),
                    format!(
                        "Manifestet utlovar {file}, som inte finns i arkivet; leveransen är inte hel, skicka den igen."
                    ),
                ),
                ("absent", true) => fault(
                    format!(
                        "The manifest says that {file} is absent, and it is there; correct one of them."
                    ),
                    format!("Manifestet anger att {file} saknas, men den finns; rätta ett av dem."),
                ),
                (other, _) => fault(
                    format!(
                        "The manifest says \"{other}\" of {file}; it must be bulk, delta or absent."
                    ),
                    format!(
                        "Manifestet anger \"{other}\" om {file}; det ska vara bulk, delta eller absent."
                    ),
                ),
            }
        }
        problems
    }

    /// Full only where every file that is there is.
    fn completeness(&self, members: &[String]) -> Option<Completeness> {
        let mut told = self
            .files()
            .filter(|(file, how)| {
                *how != "absent" && members.iter().any(|name| base(name) == *file)
            })
            .map(|(_, how)| how)
            .peekable();
        told.peek()?;
        Some(if told.all(|how| how == "bulk") {
            Completeness::Full
        } else {
            Completeness::Delta
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{base, matches};

    #[test]
    fn names_are_matched_with_stars() {
        for (pattern, name, fits) in [
            ("persons.json", "persons.json", true),
            ("persons.*", "persons.ndjson", true),
            ("persons*.json", "persons-å-2.json", true),
            ("*", "", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("persons.json", "persons.json.gz", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
        assert_eq!(base("Uttag\\Skola/Persons.JSON"), "persons.json");
    }
}
