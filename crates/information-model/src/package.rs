//! Packages: a directory `NAME/VERSION` of schemas, code lists and examples, as `docs/annotations.md` describes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_model::{Domain, ModelVersion};
use include_dir::{Dir, DirEntry, include_dir};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::annotation::check_keywords;
use crate::canonical::hex;
use crate::code_list::{CodeList, CodeListInfo};
use crate::error::ModelError;
use crate::text::Text;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../schemas");

/// The file of the definitions that the domains share.
const COMMON: &str = "common.schema.json";

/// How far a package has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageStatus {
    /// Not yet to be relied on.
    Draft,
    /// Immutable.
    Published,
    /// Still in force; there is something better.
    Deprecated,
    /// No longer for new data.
    Retired,
}

/// `model.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The name of the package.
    pub name: String,
    /// Its version (semantic versioning).
    pub version: Version,
    /// The title.
    pub title: Text,
    /// What it holds.
    pub description: Text,
    /// How far it has come.
    pub status: PackageStatus,
    /// Who publishes it.
    pub publisher: Value,
    /// Under which licence.
    pub licence: String,
    /// The IRI that the ids of the schemas begin with.
    pub namespace: String,
    /// The day of release.
    pub released: NaiveDate,
    /// What changed since the version before.
    #[serde(default)]
    pub changes: Vec<Text>,
    /// How stored data of earlier versions is carried forward.
    #[serde(default)]
    pub migrations: Vec<Value>,
    /// The packages that this one builds on, by name.
    #[serde(default)]
    pub depends_on: BTreeMap<String, VersionReq>,
    /// The code lists.
    #[serde(default)]
    pub codelists: Vec<CodeListInfo>,
}

/// One example of a package.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    pub description: String,
    /// The day on which codes are checked.
    pub valid_at: NaiveDate,
    /// The data of the record.
    pub data: Value,
    /// The errors that it must give, exactly; empty = it is valid.
    #[serde(default)]
    pub errors: Vec<ExpectedError>,
}

/// An error that an invalid example must give.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// JSON Pointer into the data.
    pub pointer: String,
    /// The code.
    pub code: String,
}

/// A loaded package.
#[derive(Debug, Clone)]
pub struct Package {
    /// Whether it came from another registry.
    foreign: bool,
    manifest: Manifest,
    model_version: ModelVersion,
    digest: String,
    schemas: BTreeMap<String, Arc<Value>>,
    code_lists: BTreeMap<String, Arc<CodeList>>,
    examples: BTreeMap<(Domain, String), Example>,
    files: Files,
}

type Files = BTreeMap<String, Cow<'static, [u8]>>;

impl Package {
    /// The name, such as `grunddata`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.manifest.version
    }

    /// Name and version.
    #[must_use]
    pub fn model_version(&self) -> &ModelVersion {
        &self.model_version
    }

    /// `model.json`.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 over the names and contents of all files, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The schemas as they stand in the files, by file name (`person.schema.json`).
    #[must_use]
    pub fn schemas(&self) -> &BTreeMap<String, Arc<Value>> {
        &self.schemas
    }

    /// The schema of a domain, where the package has one.
    #[must_use]
    pub fn schema(&self, domain: Domain) -> Option<&Arc<Value>> {
        self.schemas.get(&format!("{domain}.schema.json"))
    }

    /// The shared definitions, where the package has some.
    #[must_use]
    pub fn common(&self) -> Option<&Arc<Value>> {
        self.schemas.get(COMMON)
    }

    /// The code lists by name.
    #[must_use]
    pub fn code_lists(&self) -> &BTreeMap<String, Arc<CodeList>> {
        &self.code_lists
    }

    /// The examples, by domain and file name without `.json`.
    #[must_use]
    pub fn examples(&self) -> &BTreeMap<(Domain, String), Example> {
        &self.examples
    }

    /// Every file of the package as it is, by its path inside the package.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_ref()))
    }

    /// Whether the package is one of extensions to the core.
    #[must_use]
    pub fn is_extension(&self) -> bool {
        self.manifest.name != crate::CORE
    }

    /// Whether it came from another registry, and was not given by whoever runs this one.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    pub(crate) fn into_foreign(mut self) -> Self {
        self.foreign = true;
        self
    }

    /// Reads a package from its files, by their paths inside it, and checks it as one of a directory is checked. `name` is
    /// `NAME/VERSION`.
    ///
    /// # Errors
    /// [`ModelError::Invalid`].
    pub fn from_files(
        name: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, ModelError> {
        let files = files
            .into_iter()
            .map(|(path, content)| (path, Cow::Owned(content)))
            .collect();
        Self::read(name, files)
    }

    fn read(directory: &str, files: Files) -> Result<Self, ModelError> {
        let invalid = |file: &str, problem: String| ModelError::Invalid {
            package: directory.to_owned(),
            file: file.to_owned(),
            problem,
        };
        let manifest: Manifest = match files.get("model.json") {
            Some(content) => serde_json::from_slice(content)
                .map_err(|error| invalid("model.json", error.to_string()))?,
            None => return Err(invalid("model.json", "the file is missing".to_owned())),
        };
        let model_version = ModelVersion::new(&manifest.name, &manifest.version.to_string())
            .map_err(|error| invalid("model.json", error.to_string()))?;
        if model_version.to_string() != directory {
            return Err(invalid(
                "model.json",
                format!("says {model_version}, but the directory is {directory}"),
            ));
        }
        let mut schemas = BTreeMap::new();
        let mut code_lists = BTreeMap::new();
        let mut examples = BTreeMap::new();
        for info in &manifest.codelists {
            let file = format!("codelists/{}.csv", info.name);
            let content = files.get(&file).ok_or_else(|| {
                invalid(
                    &file,
                    "model.json names the list, but the file is missing".to_owned(),
                )
            })?;
            let list =
                CodeList::read(info.clone(), content).map_err(|problem| invalid(&file, problem))?;
            if code_lists
                .insert(info.name.clone(), Arc::new(list))
                .is_some()
            {
                return Err(invalid(
                    "model.json",
                    format!("the code list {:?} stands twice", info.name),
                ));
            }
        }
        for (path, content) in &files {
            let json = || {
                serde_json::from_slice::<Value>(content)
                    .map_err(|error| invalid(path, error.to_string()))
            };
            if let Some(name) = path.strip_suffix(".schema.json") {
                if name != "common" && name.parse::<Domain>().is_err() {
                    return Err(invalid(
                        path,
                        "a schema is common.schema.json or DOMAIN.schema.json".to_owned(),
                    ));
                }
                let schema = json()?;
                check_keywords(&schema, "")
                    .map_err(|(pointer, problem)| invalid(&format!("{path}#{pointer}"), problem))?;
                let id = schema.get("$id").and_then(Value::as_str).unwrap_or("");
                let expected = format!("{}{}/{path}", manifest.namespace, manifest.version);
                if id != expected {
                    return Err(invalid(path, format!("$id must be {expected:?}")));
                }
                schemas.insert(path.clone(), Arc::new(schema));
            } else if let Some(name) = path
                .strip_prefix("codelists/")
                .and_then(|name| name.strip_suffix(".csv"))
            {
                if !code_lists.contains_key(name) {
                    return Err(invalid(
                        path,
                        "the list is not named in model.json".to_owned(),
                    ));
                }
            } else if let Some(name) = path
                .strip_prefix("examples/")
                .and_then(|name| name.strip_suffix(".json"))
            {
                let (domain, name) = name.split_once('/').unwrap_or((name, ""));
                let domain = domain
                    .parse::<Domain>()
                    .map_err(|error| invalid(path, error.to_string()))?;
                let example = serde_json::from_slice(content)
                    .map_err(|error| invalid(path, error.to_string()))?;
                examples.insert((domain, name.to_owned()), example);
            }
        }
        let digest = digest(&files);
        Ok(Self {
            foreign: false,
            manifest,
            model_version,
            digest,
            schemas,
            code_lists,
            examples,
            files,
        })
    }
}

/// Each name and content with its length before it, so that no two packages have one digest.
fn digest(files: &Files) -> String {
    let mut hasher = Sha256::new();
    for (path, content) in files {
        for part in [path.as_bytes(), content.as_ref()] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
    }
    hex(&hasher.finalize())
}

/// The packages that are built into the library.
pub(crate) fn embedded() -> Result<Vec<Package>, ModelError> {
    let mut packages = Vec::new();
    for name in EMBEDDED.dirs() {
        for version in name.dirs() {
            let mut files = Files::new();
            collect_embedded(version, version.path(), &mut files);
            if files.contains_key("model.json") {
                packages.push(Package::read(&version.path().to_string_lossy(), files)?);
            }
        }
    }
    Ok(packages)
}

fn collect_embedded(dir: &Dir<'static>, root: &Path, files: &mut Files) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(inner) => collect_embedded(inner, root, files),
            DirEntry::File(file) => {
                if let Ok(path) = file.path().strip_prefix(root) {
                    files.insert(
                        path.to_string_lossy().into_owned(),
                        Cow::Borrowed(file.contents()),
                    );
                }
            }
        }
    }
}

/// The packages of a directory: every `NAME/VERSION` with a `model.json`.
pub(crate) fn from_directory(directory: &Path) -> Result<Vec<Package>, ModelError> {
    let mut packages = Vec::new();
    for name in subdirectories(directory)? {
        for version in subdirectories(&name)? {
            if !version.join("model.json").is_file() {
                continue;
            }
            let label = |path: &Path| {
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default()
            };
            let mut files = Files::new();
            collect_files(&version, &version, &mut files)?;
            packages.push(Package::read(
                &format!("{}/{}", label(&name), label(&version)),
                files,
            )?);
        }
    }
    Ok(packages)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let failed = |source| ModelError::Read {
        path: directory.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        found.push(entry.map_err(failed)?.path());
    }
    found.sort();
    Ok(found)
}

fn subdirectories(directory: &Path) -> Result<Vec<PathBuf>, ModelError> {
    Ok(entries(directory)?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}

fn collect_files(directory: &Path, root: &Path, files: &mut Files) -> Result<(), ModelError> {
    for path in entries(directory)? {
        if path.is_dir() {
            collect_files(&path, root, files)?;
        } else if let Ok(inside) = path.strip_prefix(root) {
            let content = fs::read(&path).map_err(|source| ModelError::Read {
                path: path.clone(),
                source,
            })?;
            // One separator in the digest on every system.
            let inside = inside
                .components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join("/");
            files.insert(inside, Cow::Owned(content));
        }
    }
    Ok(())
}
