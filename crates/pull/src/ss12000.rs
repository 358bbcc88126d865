//! Everything from an SS 12000:2020 server (SIS/TK 450, OpenAPI 2.1), written down as one zip archive with a file for each
//! endpoint: what the ready mapping `ss12000` reads.
//!
//! Lists are `{"data": [...], "pageToken": "…"}`. A page token goes with no other parameter than `limit`.

use std::collections::{BTreeMap, HashSet};
use std::io::{Seek, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::client::Client;
use crate::{Access, PullError, Settings};

/// Servers date a change by when its transaction began, so that one that took long shows up behind those that have been
/// read already: the next delta begins so much earlier. What comes twice changes nothing.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A list of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `/organisations`
    Organisations,
    /// `/persons`, with their enrolments.
    Persons,
    /// `/duties`
    Duties,
    /// `/groups`, with their members.
    Groups,
    /// `/placements`
    Placements,
}

impl Endpoint {
    /// All that the registry has a use for.
    pub const ALL: [Self; 5] = [
        Self::Organisations,
        Self::Persons,
        Self::Duties,
        Self::Groups,
        Self::Placements,
    ];

    /// Its name in the address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organisations => "organisations",
            Self::Persons => "persons",
            Self::Duties => "duties",
            Self::Groups => "groups",
            Self::Placements => "placements",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|endpoint| endpoint.name() == name)
    }
}

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The lists, in the order in which they are asked for.
    pub endpoints: Vec<Endpoint>,
    /// Only what has changed after this instant (`meta.modified.after`), and what is gone since (`/deletedEntities`).
    pub modified_after: Option<DateTime<Utc>>,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ss12000 {
    /// How many objects of each list.
    pub objects: BTreeMap<&'static str, u64>,
    /// How many are said to be gone. `None` for a delta where the server does not tell: a full pull is then needed now and
    /// then, since nothing else ends what is gone.
    pub deleted: Option<u64>,
    /// Requests that were answered.
    pub pages: u64,
    /// Bytes that came.
    pub bytes: u64,
    /// From when the next delta is to ask: the newest change that was seen, less ten minutes. `None` where nothing said
    /// when it was changed, or nothing came.
    pub next: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    data: T,
    page_token: Option<String>,
}

/// What is looked at of an object.
#[derive(Deserialize)]
struct Dated {
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    modified: Option<DateTime<Utc>>,
}

/// What is gone: ids by list, as the standard has it, or one object for each, as some servers do.
#[derive(Deserialize)]
#[serde(untagged)]
enum Gone {
    ByList(BTreeMap<String, Option<Vec<String>>>),
    OneByOne(Vec<GoneOne>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoneOne {
    #[serde(alias = "entity", alias = "type")]
    entity_type: String,
    id: String,
}

/// Fetches the lists and writes the archive.
///
/// # Errors
/// [`PullError`]; what has been written is then no archive.
pub fn ss12000<W: Write + Seek>(
    settings: &Settings,
    access: &Access,
    wanted: &Wanted,
    out: W,
) -> Result<Ss12000, PullError> {
    let mut pull = Pull {
        client: Client::new(settings, access)?,
        archive: ZipWriter::new(out),
        pages: 0,
        newest: None,
    };
    let mut objects = BTreeMap::new();
    for endpoint in &wanted.endpoints {
        let count = pull.list(endpoint.name(), wanted.modified_after)?;
        objects.insert(endpoint.name(), count);
    }
    let deleted = match wanted.modified_after {
        Some(after) => pull.deleted(after, &wanted.endpoints)?,
        None => Some(0),
    };
    pull.archive.finish().map_err(unwritten)?.flush()?;
    Ok(Ss12000 {
        objects,
        deleted,
        pages: pull.pages,
        bytes: pull.client.bytes,
        // What changed after the first page was read may stand on a page that was read before: it is asked for again. A
        // change of the future would keep all others from being asked for.
        next: pull.newest.map(|newest| {
            let began = pull.client.began.unwrap_or(newest);
            newest.min(began) - OVERLAP
        }),
    })
}

struct Pull<W: Write + Seek> {
    client: Client,
    archive: ZipWriter<W>,
    pages: u64,
    newest: Option<DateTime<Utc>>,
}

impl<W: Write + Seek> Pull<W> {
    /// One list to its end.
    fn list(&mut self, name: &str, after: Option<DateTime<Utc>>) -> Result<u64, PullError> {
        let mut file = ListFile::begin(&mut self.archive, name)?;
        let mut url = self.client.endpoint(name, None);
        if let Some(after) = after {
            url.query_pairs_mut()
                .append_pair("meta.modified.after", &instant(after));
        }
        let mut tokens = HashSet::new();
        loop {
            let body = page(&mut self.client, &mut self.pages, &url, name, after)?;
            let read: Page<Vec<&RawValue>> = parsed(&body, name)?;
            for object in &read.data {
                let dated: Dated =
                    serde_json::from_str(object.get()).map_err(|_| PullError::Answer {
                        place: name.to_owned(),
                        what: "has something else than objects in its list, or an instant that is none",
                    })?;
                let modified = dated.meta.and_then(|meta| meta.modified);
                self.newest = self.newest.max(modified);
                file.put(&mut self.archive, object.get())?;
            }
            match next(read.page_token, &mut tokens, name)? {
                Some(token) => url = self.client.endpoint(name, Some(&token)),
                None => break,
            }
        }
        file.end(&mut self.archive)
    }

    /// What is gone since; `None` where the server does not tell.
    fn deleted(
        &mut self,
        after: DateTime<Utc>,
        endpoints: &[Endpoint],
    ) -> Result<Option<u64>, PullError> {
        const NAME: &str = "deletedEntities";
        let mut url = self.client.endpoint(NAME, None);
        url.query_pairs_mut().append_pair("after", &instant(after));
        let mut file: Option<ListFile> = None;
        let mut tokens = HashSet::new();
        loop {
            let body = match page(&mut self.client, &mut self.pages, &url, NAME, None) {
                // The endpoint may be missing; once it has answered it may not fail.
                Err(PullError::Status {
                    status: 400 | 404 | 405 | 501,
                    ..
                }) if file.is_none() => return Ok(None),
                other => other?,
            };
            let read: Page<Gone> = parsed(&body, NAME)?;
            let gone: Vec<(String, String)> = match read.data {
                Gone::ByList(lists) => lists
                    .into_iter()
                    .flat_map(|(entity, ids)| {
                        let entity = plural(&entity);
                        ids.into_iter()
                            .flatten()
                            .map(move |id| (entity.clone(), id))
                    })
                    .collect(),
                Gone::OneByOne(list) => list
                    .into_iter()
                    .map(|one| (plural(&one.entity_type), one.id))
                    .collect(),
            };
            let file = match &mut file {
                Some(file) => file,
                none => none.insert(ListFile::begin(&mut self.archive, NAME)?),
            };
            for (entity, id) in gone {
                if endpoints.iter().any(|endpoint| endpoint.name() == entity) {
                    let object = serde_json::json!({"entity": entity, "id": id});
                    file.put(&mut self.archive, &object.to_string())?;
                }
            }
            match next(read.page_token, &mut tokens, NAME)? {
                Some(token) => url = self.client.endpoint(NAME, Some(&token)),
                None => break,
            }
        }
        match file {
            Some(file) => file.end(&mut self.archive).map(Some),
            None => Ok(None),
        }
    }
}

impl Client {
    /// The address of a list, or of its next page.
    fn endpoint(&self, name: &str, token: Option<&str>) -> Url {
        let mut url = self.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(name);
        }
        let limit = self.limits.page.to_string();
        let mut query = url.query_pairs_mut();
        query.clear().append_pair("limit", &limit);
        if let Some(token) = token {
            query.append_pair("pageToken", token);
        }
        drop(query);
        url
    }
}

/// One page.
fn page(
    client: &mut Client,
    pages: &mut u64,
    url: &Url,
    name: &str,
    after: Option<DateTime<Utc>>,
) -> Result<Vec<u8>, PullError> {
    *pages += 1;
    if *pages > client.limits.pages {
        return Err(PullError::Limit {
            place: name.to_owned(),
            limit: client.limits.pages,
            of: "pages",
        });
    }
    let response = match client.get(url, "application/json", name) {
        Err(PullError::Status {
            place,
            status: status @ (400 | 501),
        }) if after.is_some() => return Err(PullError::NoDelta { place, status }),
        other => other?,
    };
    client.body(response, name)
}

fn parsed<'p, T: Deserialize<'p>>(body: &'p [u8], name: &str) -> Result<Page<T>, PullError> {
    serde_json::from_slice(body).map_err(|_| PullError::Answer {
        place: name.to_owned(),
        what: match body.trim_ascii_start() {
            [b'<', ..] => {
                "is a page (HTML or XML) and no JSON: probably one to sign in or of an error, by the server or something on the way to it; look at the address and the token"
            }
            _ => "is not JSON with data and pageToken",
        },
    })
}

/// The token of the next page. A server that gives one again would be asked for ever.
fn next(
    token: Option<String>,
    seen: &mut HashSet<String>,
    name: &str,
) -> Result<Option<String>, PullError> {
    match token.filter(|token| !token.is_empty()) {
        None => Ok(None),
        Some(token) if seen.insert(token.clone()) => Ok(Some(token)),
        Some(_) => Err(PullError::Answer {
            place: name.to_owned(),
            what: "has a page token that has been there before",
        }),
    }
}

/// A file of the archive with a list in it.
struct ListFile {
    count: u64,
}

impl ListFile {
    fn begin<W: Write + Seek>(archive: &mut ZipWriter<W>, name: &str) -> Result<Self, PullError> {
        let options = SimpleFileOptions::default().large_file(true);
        archive
            .start_file(format!("{name}.json"), options)
            .map_err(unwritten)?;
        archive.write_all(b"{\"data\":[")?;
        Ok(Self { count: 0 })
    }

    fn put<W: Write + Seek>(
        &mut self,
        archive: &mut ZipWriter<W>,
        object: &str,
    ) -> Result<(), PullError> {
        if self.count > 0 {
            archive.write_all(b",\n")?;
        }
        self.count += 1;
        archive.write_all(object.as_bytes())?;
        Ok(())
    }

    fn end<W: Write + Seek>(self, archive: &mut ZipWriter<W>) -> Result<u64, PullError> {
        archive.write_all(b"]}\n")?;
        Ok(self.count)
    }
}

fn unwritten(error: zip::result::ZipError) -> PullError {
    PullError::Write(std::io::Error::other(error))
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `Person`, `person` and `persons` are `persons`.
fn plural(entity: &str) -> String {
    let lower = entity.to_lowercase();
    Endpoint::ALL
        .into_iter()
        .map(Endpoint::name)
        .find(|name| {
            *name == lower
                || name.strip_suffix('s') == Some(&lower)
                || name.strip_suffix("ies").map(|stem| format!("{stem}y")) == Some(lower.clone())
        })
        .map_or(lower, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn names_of_lists_are_found() {
        for (entity, list) in [
            ("Person", "persons"),
            ("persons", "persons"),
            ("Duty", "duties"),
            ("duties", "duties"),
            ("Organisation", "organisations"),
            ("rooms", "rooms"),
        ] {
            assert_eq!(plural(entity), list);
        }
    }
}
