//! [`InformationModel`]: the packages that are loaded, compiled once and shared by everyone.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::NaiveDate;
use grunddata_model::{Domain, ModelVersion};
use semver::Version;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::CORE;
use crate::annotation::PrivacyClass;
use crate::canonical::{canonical_json, sha256};
use crate::code_list::CodeList;
use crate::error::{ModelError, ValidationError, code};
use crate::package::{self, Package, PackageStatus};
use crate::plan::{DomainModel, Relation};
use crate::record::{
    CodeUse, Extract, Form, LinkUse, Open, PendingUse, ReferenceUse, Resolved, Target, Validated,
};
use crate::release::Release;
use crate::scheme::{IdentifierScheme, SCHEME_LIST};
use crate::validate;
use crate::walk::Walk;

/// The information model: packages of schemas and code lists, compiled. Cheap to clone; what is
/// [installed](InformationModel::install) later is seen by every clone at once.
#[derive(Clone)]
pub struct InformationModel(Arc<Generations>);

/// What was loaded first, and what has come since. Nothing that was given out is ever taken back: whoever holds a part of an
/// earlier generation keeps it for as long as the model lives.
struct Generations {
    first: Generation,
    /// One installs at a time.
    installing: Mutex<()>,
}

struct Generation {
    loaded: Loaded,
    next: OnceLock<Box<Generation>>,
}

impl Generation {
    fn new(loaded: Loaded) -> Self {
        Self {
            loaded,
            next: OnceLock::new(),
        }
    }

    fn last(&self) -> &Self {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }
}

struct Loaded {
    packages: Vec<Arc<Package>>,
    releases: BTreeMap<Version, Arc<Release>>,
    current: Arc<Release>,
    current_model: ModelVersion,
}

impl fmt::Debug for InformationModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                self.now()
                    .packages
                    .iter()
                    .map(|package| package.model_version().to_string()),
            )
            .finish()
    }
}

impl Loaded {
    /// Compiles packages; what of them was compiled before is not compiled again.
    fn compile(mut packages: Vec<Arc<Package>>, before: Option<&Self>) -> Result<Self, ModelError> {
        let known = |core: &Package| {
            before
                .and_then(|before| before.releases.get(core.version()))
                .map(|release| &**release)
        };
        packages.sort_by(|a, b| {
            (a.is_extension(), a.name(), a.version()).cmp(&(
                b.is_extension(),
                b.name(),
                b.version(),
            ))
        });
        let mut releases = BTreeMap::new();
        for core in packages.iter().filter(|package| package.name() == CORE) {
            releases.insert(
                core.version().clone(),
                Arc::new(Release::compile(core, &packages, known(core))?),
            );
        }
        let newest = |status: Option<PackageStatus>| {
            packages
                .iter()
                .filter(|package| package.name() == CORE && !package.is_foreign())
                .filter(|package| status.is_none_or(|status| package.manifest().status == status))
                .max_by_key(|package| package.version())
        };
        let core = newest(Some(PackageStatus::Published))
            .or_else(|| newest(None))
            .ok_or(ModelError::NoCore)?;
        let current = releases
            .get(core.version())
            .cloned()
            .ok_or(ModelError::NoCore)?;
        let current_model = core.model_version().clone();
        Ok(Self {
            packages,
            releases,
            current,
            current_model,
        })
    }
}

impl InformationModel {
    /// The packages that are built into the program.
    ///
    /// # Errors
    /// [`ModelError`] when a package is wrong.
    pub fn embedded() -> Result<Self, ModelError> {
        Self::load(&[])
    }

    /// The packages that are built in, and every `NAME/VERSION` of the given directories.
    ///
    /// # Errors
    /// [`ModelError`] when a package cannot be read or is wrong, or when two differ under one name and version.
    pub fn load(directories: &[PathBuf]) -> Result<Self, ModelError> {
        let mut packages = package::embedded()?;
        for directory in directories {
            for package in package::from_directory(directory)? {
                match packages
                    .iter()
                    .find(|known| known.model_version() == package.model_version())
                {
                    Some(known) if known.digest() == package.digest() => {}
                    Some(_) => {
                        return Err(ModelError::Conflict {
                            package: package.model_version().to_string(),
                            problem: format!(
                                "{} holds other content under a name and version that is already loaded; a published package never changes, give it a new version",
                                directory.display()
                            ),
                        });
                    }
                    None => packages.push(package),
                }
            }
        }
        Ok(Self(Arc::new(Generations {
            first: Generation::new(Loaded::compile(
                packages.into_iter().map(Arc::new).collect(),
                None,
            )?),
            installing: Mutex::new(()),
        })))
    }

    /// What is loaded by now.
    fn now(&self) -> &Loaded {
        &self.0.first.last().loaded
    }

    /// Adds packages from elsewhere, together. They explain the records that name them: the current version of the core stays
    /// what it is, and where a version of an extension is loaded that is not from elsewhere, the newest of those is used by
    /// whoever names no version. What is there already with the same content is passed over. Whether anything is new.
    ///
    /// # Errors
    /// [`ModelError`] when one is wrong, clashes with what is loaded, or has other content than the package that is loaded under
    /// its name and version; nothing is added then.
    pub fn install(&self, foreign: Vec<Package>) -> Result<bool, ModelError> {
        let _one = self
            .0
            .installing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let last = self.0.first.last();
        let mut packages = last.loaded.packages.clone();
        let known = packages.len();
        for package in foreign {
            if package.code_lists().contains_key(SCHEME_LIST) {
                return Err(ModelError::Conflict {
                    package: package.model_version().to_string(),
                    problem: "it has identifier schemes, which would say here how numbers are checked, kept and shown; whoever runs this registry installs it".to_owned(),
                });
            }
            match packages
                .iter()
                .find(|known| known.model_version() == package.model_version())
            {
                Some(known) if known.digest() == package.digest() => {}
                Some(_) => {
                    return Err(ModelError::Conflict {
                        package: package.model_version().to_string(),
                        problem: "a package with other content is loaded under this name and version; a published package never changes, so one of the two needs a new version".to_owned(),
                    });
                }
                None => packages.push(Arc::new(package.into_foreign())),
            }
        }
        if packages.len() == known {
            return Ok(false);
        }
        let next = Generation::new(Loaded::compile(packages, Some(&last.loaded))?);
        // Nobody else installs meanwhile.
        drop(last.next.set(Box::new(next)));
        Ok(true)
    }
    /// The newest published version of the core.
    #[must_use]
    pub fn current(&self) -> &ModelVersion {
        &self.now().current_model
    }

    /// Every loaded package: the core first, then extensions, by name and version.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.now().packages.iter().map(|package| &**package)
    }

    /// The package of that name and version.
    #[must_use]
    pub fn package(&self, version: &ModelVersion) -> Option<&Package> {
        self.packages()
            .find(|package| package.model_version() == version)
    }

    /// What is known about a domain in the current core and the newest extensions.
    #[must_use]
    pub fn domain(&self, domain: Domain) -> &DomainModel {
        self.now().current.facts(domain)
    }

    /// A relation from the records of a domain; `relationship.custodian` leads to `relationship`.
    #[must_use]
    pub fn relation(&self, domain: Domain, relation: &str) -> Option<&Relation> {
        self.domain(domain).relation(relation)
    }

    /// The names of the relations of a domain that form hierarchies.
    #[must_use]
    pub fn hierarchies(&self, domain: Domain) -> Vec<String> {
        self.domain(domain)
            .relations()
            .filter(|relation| relation.hierarchical)
            .map(|relation| relation.name.to_string())
            .collect()
    }

    /// A code list by name.
    #[must_use]
    pub fn code_list(&self, name: &str) -> Option<&CodeList> {
        self.now()
            .current
            .code_lists()
            .get(name)
            .map(|list| &**list)
    }

    /// Every code list, by name.
    pub fn code_lists(&self) -> impl Iterator<Item = &CodeList> {
        self.now().current.code_lists().values().map(|list| &**list)
    }

    /// An identifier scheme; `source:NAME` leads to the row `source:*`.
    #[must_use]
    pub fn scheme(&self, code: &str) -> Option<&IdentifierScheme> {
        self.now().current.schemes().get(code)
    }

    /// Every identifier scheme.
    pub fn schemes(&self) -> impl Iterator<Item = &IdentifierScheme> {
        self.now().current.schemes().all()
    }

    /// The scheme that is most likely meant by an unknown one.
    #[must_use]
    pub fn nearest_scheme(&self, unknown: &str) -> Option<&str> {
        self.now().current.schemes().nearest(unknown, None)
    }

    fn release(&self, model: Option<&ModelVersion>) -> Result<&Arc<Release>, Box<ValidationError>> {
        let Some(model) = model.filter(|model| **model != self.now().current_model) else {
            return Ok(&self.now().current);
        };
        Some(model)
            .filter(|model| &*model.name == CORE)
            .and_then(|model| self.now().releases.get(&model.version.parse::<Version>().ok()?))
            .ok_or_else(|| {
                let current = &self.now().current_model;
                Box::new(ValidationError::new(
                    "",
                    code::UNKNOWN_MODEL,
                    format!("This version of the information model is not loaded; leave it out, or write \"{current}\"."),
                    format!("Den versionen av informationsmodellen är inte inläst; utelämna den, eller skriv \"{current}\"."),
                ))
            })
    }

    /// Checks the data of a record against the model: its schema, code lists, identifiers, references and extensions.
    /// Identifiers come out normalised, references without `display`, geometries taken out.
    ///
    /// # Errors
    /// Every error of the data, sorted by pointer.
    pub fn validate(
        &self,
        domain: Domain,
        model: Option<&ModelVersion>,
        mut data: Value,
    ) -> Result<Validated, Vec<ValidationError>> {
        let release = self.release(model).map_err(|error| vec![*error])?;
        let mut errors = validate::check_schema(release, domain, &data)?;
        let mut walk = Walk::checking(release, domain);
        walk.run(&mut data);
        errors.append(&mut walk.errors);
        if !errors.is_empty() {
            return Err(validate::tidy(errors));
        }
        let model = match walk.extensions.as_slice() {
            [] => Arc::clone(&release.text),
            extensions => {
                let mut text = String::from(&*release.text);
                let mut sorted = extensions.to_vec();
                sorted.sort();
                for extension in sorted {
                    text.push('+');
                    text.push_str(&extension);
                }
                Arc::from(text)
            }
        };
        let mut extract = walk.extract;
        let mut ready = true;
        for reference in &walk.references {
            match &reference.target {
                Target::Id(id) => extract.links.push(LinkUse {
                    relation: Arc::clone(&reference.relation),
                    target: *id,
                    class: reference.class.bit(),
                }),
                Target::Identifier { .. } | Target::Temporary(_) => ready = false,
            }
        }
        extract.finish();
        let form = if ready {
            Form::Ready(Resolved::new(
                self.clone(),
                domain,
                model,
                canonical_json(&data),
                extract,
                walk.geometries,
            ))
        } else {
            Form::Open(Box::new(Open {
                information_model: self.clone(),
                domain,
                model,
                value: data,
                extract,
                geometries: walk.geometries,
            }))
        };
        Ok(Validated {
            references: walk.references,
            form,
        })
    }

    /// Checks codes whose list gives them a first or last day against the first day on which they would be held.
    /// A code that the list does not know (an open list) passes.
    #[must_use]
    pub fn check_codes(&self, uses: &[CodeUse], on: NaiveDate) -> Vec<ValidationError> {
        let mut errors = Vec::new();
        for used in uses {
            let Some(code) = self
                .code_list(&used.list)
                .and_then(|list| list.get(&used.code))
            else {
                continue;
            };
            if code.holds_on(on) {
                continue;
            }
            let (mut en, mut sv) = match (code.valid_from, code.valid_to) {
                (Some(from), _) if on < from => (
                    format!("The code holds only from {from}, and would be used from {on}."),
                    format!("Koden gäller först från {from} och skulle användas från {on}."),
                ),
                (_, to) => {
                    let last = to.and_then(|to| to.pred_opt()).unwrap_or(on);
                    (
                        format!(
                            "The code held until {last} inclusive, and would be used from {on}."
                        ),
                        format!("Koden gällde t.o.m. {last} och skulle användas från {on}."),
                    )
                }
            };
            let successors = code
                .successors
                .iter()
                .map(|code| &**code)
                .collect::<Vec<_>>()
                .join(", ");
            if successors.is_empty() {
                en.push_str(" Choose a code that holds on that day.");
                sv.push_str(" Välj en kod som gäller den dagen.");
            } else {
                en.push_str(&format!(" Its successor is: {successors}."));
                sv.push_str(&format!(" Den har ersatts av: {successors}."));
            }
            let mut error =
                ValidationError::new(&used.pointer, code::CODE_NOT_VALID_AT_DATE, en, sv);
            error.suggestion = code.successors.first().map(|code| code.as_ref().to_owned());
            errors.push(error);
        }
        errors
    }

    /// A body as it was stored. Nothing is validated again; what it holds is extracted when somebody asks.
    ///
    /// # Errors
    /// [`ModelError::UnknownVersion`] when a package that the body was validated against is not loaded, and
    /// [`ModelError::StoredBody`] when the body is no JSON object.
    pub fn reload(
        &self,
        domain: Domain,
        model: &str,
        body: Arc<str>,
    ) -> Result<Resolved, ModelError> {
        let (release, extensions) = self.stored_release(model)?;
        let text = if extensions.is_empty() {
            Arc::clone(&release.text)
        } else {
            Arc::from(model)
        };
        if !body.starts_with('{') {
            return Err(ModelError::StoredBody(
                "it begins with another character than {".to_owned(),
            ));
        }
        serde_json::from_str::<IgnoredAny>(&body)
            .map_err(|error| ModelError::StoredBody(error.to_string()))?;
        Ok(Resolved::stored(self.clone(), domain, text, body))
    }

    /// The core and the extensions (`NAME/VERSION`) that a stored model text names.
    pub(crate) fn stored_release<'a>(
        &self,
        model: &'a str,
    ) -> Result<(&Arc<Release>, Vec<&'a str>), ModelError> {
        if *model == *self.now().current.text {
            return Ok((&self.now().current, Vec::new()));
        }
        let unknown = || ModelError::UnknownVersion(model.to_owned());
        let mut parts = model.split('+');
        let release = parts
            .next()
            .and_then(|core| {
                core.strip_prefix(CORE)?
                    .strip_prefix('/')?
                    .parse::<Version>()
                    .ok()
            })
            .and_then(|version| self.now().releases.get(&version))
            .ok_or_else(unknown)?;
        let extensions: Vec<&str> = parts.collect();
        if extensions
            .iter()
            .all(|extension| release.has_extension(extension))
        {
            Ok((release, extensions))
        } else {
            Err(unknown())
        }
    }

    /// Takes out of a stored body what is indexed. [`InformationModel::reload`] has made sure that the packages are there.
    pub(crate) fn extract_stored(&self, domain: Domain, model: &str, mut value: Value) -> Extract {
        let (release, extensions) = self
            .stored_release(model)
            .unwrap_or_else(|_| (&self.now().current, Vec::new()));
        let mut walk = Walk::stored(release, domain, extensions);
        walk.run(&mut value);
        walk.extract.finish();
        walk.extract
    }

    /// A reference of data that was just validated, as one that is kept by its identifier.
    pub(crate) fn pending_use(&self, model: &str, reference: &ReferenceUse) -> Option<PendingUse> {
        let (release, _) = self.stored_release(model).ok()?;
        crate::walk::pending_use(release, reference)
    }

    /// SHA-256 of the canonical JSON of a value as it stands: nothing is normalised.
    #[must_use]
    pub fn canonical_hash(value: &Value) -> [u8; 32] {
        sha256(&canonical_json(value))
    }

    /// The classes that the mask of a reader allows, for a message: `["public", "internal"]`.
    #[must_use]
    pub fn class_names(mask: u8) -> Vec<&'static str> {
        PrivacyClass::ALL
            .into_iter()
            .filter(|class| class.bit() & mask != 0)
            .map(PrivacyClass::as_str)
            .collect()
    }
}
