//! One version of the core model with the extension packages that build on it, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use grunddata_model::Domain;
use jsonschema::Validator;
use semver::Version;
use serde_json::Value;

use crate::annotation::PrivacyClass;
use crate::code_list::CodeList;
use crate::error::ModelError;
use crate::format;
use crate::package::Package;
use crate::plan::{DomainModel, Input, SchemaSet, compile};
use crate::scheme::{SCHEME_LIST, Schemes};
use crate::text::nearest;

/// One of a thing for each domain.
#[derive(Debug)]
pub(crate) struct PerDomain<T> {
    person: T,
    role: T,
    organisation: T,
    geography: T,
    service: T,
}

impl<T> PerDomain<T> {
    fn build<E>(mut make: impl FnMut(Domain) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            person: make(Domain::Person)?,
            role: make(Domain::Role)?,
            organisation: make(Domain::Organisation)?,
            geography: make(Domain::Geography)?,
            service: make(Domain::Service)?,
        })
    }

    pub(crate) fn get(&self, domain: Domain) -> &T {
        match domain {
            Domain::Person => &self.person,
            Domain::Role => &self.role,
            Domain::Organisation => &self.organisation,
            Domain::Geography => &self.geography,
            Domain::Service => &self.service,
        }
    }

    fn get_mut(&mut self, domain: Domain) -> &mut T {
        match domain {
            Domain::Person => &mut self.person,
            Domain::Role => &mut self.role,
            Domain::Organisation => &mut self.organisation,
            Domain::Geography => &mut self.geography,
            Domain::Service => &mut self.service,
        }
    }
}

/// A compiled schema: the plan for the walk and the validator.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) plan: DomainModel,
    pub(crate) validator: Validator,
}

/// The schemas of one version of an extension package, by domain.
#[derive(Debug)]
struct Extension {
    /// `NAME/VERSION`.
    text: Arc<str>,
    /// Whether it came from another registry.
    foreign: bool,
    domains: BTreeMap<Domain, Compiled>,
}

/// A version of the core, with everything that can be used together with it.
#[derive(Debug)]
pub(crate) struct Release {
    /// `grunddata/VERSION`.
    pub(crate) text: Arc<str>,
    core: PerDomain<Compiled>,
    /// The facts of the core and of the newest extensions together.
    facts: PerDomain<DomainModel>,
    extensions: BTreeMap<String, BTreeMap<Version, Arc<Extension>>>,
    code_lists: BTreeMap<String, Arc<CodeList>>,
    schemes: Schemes,
}

impl Release {
    /// Compiles a version of the core. Extensions that `before` has are taken from there: a package never changes.
    pub(crate) fn compile(
        core: &Package,
        packages: &[Arc<Package>],
        before: Option<&Self>,
    ) -> Result<Self, ModelError> {
        let schemas = schemas_for(core, packages);
        let mut extending: Vec<&Package> = packages
            .iter()
            .map(|package| &**package)
            .filter(|package| package.is_extension() && builds_on(package, core))
            .collect();
        extending.sort_by(|a, b| (a.name(), a.version()).cmp(&(b.name(), b.version())));
        let newest: Vec<&Package> = extending
            .iter()
            .copied()
            .filter(|package| {
                !extending
                    .iter()
                    .any(|other| other.name() == package.name() && rank(other) > rank(package))
            })
            .collect();

        let code_lists = together(core, &newest)?;
        let schemes = match code_lists.get(SCHEME_LIST) {
            Some(list) => Schemes::read(list).map_err(|problem| ModelError::Invalid {
                package: core.model_version().to_string(),
                file: format!("codelists/{SCHEME_LIST}.csv"),
                problem,
            })?,
            None => Schemes::default(),
        };

        if let Some(missing) = Domain::ALL
            .into_iter()
            .find(|domain| core.schema(*domain).is_none())
        {
            return Err(ModelError::Invalid {
                package: core.model_version().to_string(),
                file: format!("{missing}.schema.json"),
                problem: "the core has a schema of every domain, and this one is missing"
                    .to_owned(),
            });
        }
        // Where a schema names no class, nothing is shown to the public.
        let class = PrivacyClass::Internal;
        let domains =
            PerDomain::build(|domain| compiled(core, domain, &schemas, &code_lists, "", class))?;
        let mut facts =
            PerDomain::build(|domain| plan_of(core, domain, &schemas, &code_lists, "", class))?;

        let mut extensions: BTreeMap<String, BTreeMap<Version, Arc<Extension>>> = BTreeMap::new();
        for package in &extending {
            let lists = together(core, &[package])?;
            let schemas = schemas_for(package, packages);
            let prefix = format!("extensions.{}", package.name());
            let compiled_before = before.and_then(|before| {
                before
                    .extensions
                    .get(package.name())?
                    .get(package.version())
            });
            let mut of_domains = BTreeMap::new();
            for domain in Domain::ALL {
                if package.schema(domain).is_none() {
                    continue;
                }
                let class = domains.get(domain).plan.class;
                if newest.iter().any(|other| std::ptr::eq(*other, *package)) {
                    let plan = plan_of(package, domain, &schemas, &lists, &prefix, class)?;
                    join(facts.get_mut(domain), plan, package)?;
                }
                if compiled_before.is_none() {
                    let compiled = compiled(package, domain, &schemas, &lists, &prefix, class)?;
                    of_domains.insert(domain, compiled);
                }
            }
            let extension = compiled_before.cloned().unwrap_or_else(|| {
                Arc::new(Extension {
                    text: Arc::from(package.model_version().to_string()),
                    foreign: package.is_foreign(),
                    domains: of_domains,
                })
            });
            extensions
                .entry(package.name().to_owned())
                .or_default()
                .insert(package.version().clone(), extension);
        }
        Ok(Self {
            text: Arc::from(core.model_version().to_string()),
            core: domains,
            facts,
            extensions,
            code_lists,
            schemes,
        })
    }

    /// The plan and validator of a domain of the core.
    pub(crate) fn core(&self, domain: Domain) -> &Compiled {
        self.core.get(domain)
    }

    /// The plan of a domain of the core.
    pub(crate) fn plan(&self, domain: Domain) -> &DomainModel {
        &self.core(domain).plan
    }

    /// What is known about a domain, extensions included.
    pub(crate) fn facts(&self, domain: Domain) -> &DomainModel {
        self.facts.get(domain)
    }

    /// The extension of a domain by a package: of that version, or of the newest that is loaded.
    pub(crate) fn extension(
        &self,
        name: &str,
        version: Option<&str>,
        domain: Domain,
    ) -> Option<(&Arc<str>, &Compiled)> {
        let versions = self.extensions.get(name)?;
        let pinned = version
            .and_then(|version| version.parse::<Version>().ok())
            .and_then(|version| versions.get(&version));
        let extension = match pinned {
            Some(extension) => extension,
            None => newest(versions)?,
        };
        Some((&extension.text, extension.domains.get(&domain)?))
    }

    /// Whether that version of an extension package is loaded.
    pub(crate) fn has_extension(&self, text: &str) -> bool {
        text.split_once('/').is_some_and(|(name, version)| {
            self.extensions.get(name).is_some_and(|versions| {
                version
                    .parse()
                    .is_ok_and(|version: Version| versions.contains_key(&version))
            })
        })
    }

    pub(crate) fn nearest_extension(&self, name: &str, domain: Domain) -> Option<&str> {
        nearest(
            name,
            self.extensions
                .iter()
                .filter(|(_, versions)| {
                    newest(versions).is_some_and(|newest| newest.domains.contains_key(&domain))
                })
                .map(|(name, _)| name.as_str()),
        )
    }

    pub(crate) fn code_lists(&self) -> &BTreeMap<String, Arc<CodeList>> {
        &self.code_lists
    }

    pub(crate) fn schemes(&self) -> &Schemes {
        &self.schemes
    }
}

/// Of two versions the higher one is the newest, and any that whoever runs this registry gave is before those from elsewhere.
fn rank(package: &Package) -> (bool, &Version) {
    (!package.is_foreign(), package.version())
}

/// The version that is meant by who names none.
fn newest(versions: &BTreeMap<Version, Arc<Extension>>) -> Option<&Arc<Extension>> {
    let mut given = versions.values().rev().filter(|version| !version.foreign);
    given.next().or_else(|| versions.values().next_back())
}

/// Whether an extension package may be used with that core. One that names no core says nothing that forbids it.
fn builds_on(package: &Package, core: &Package) -> bool {
    package
        .manifest()
        .depends_on
        .get(core.name())
        .is_none_or(|required| required.matches(core.version()))
}

/// The schemas that a package may refer to: its own, and those of the packages that it says it depends on. A fault in one
/// package is then never blamed on another.
fn schemas_for(package: &Package, packages: &[Arc<Package>]) -> SchemaSet {
    let mut schemas = SchemaSet::default();
    schemas.add(package);
    for other in packages {
        let required = package.manifest().depends_on.get(other.name());
        if required.is_some_and(|required| required.matches(other.version())) {
            schemas.add(other);
        }
    }
    schemas
}

/// The code lists of the core and of extension packages. Identifier schemes may be added to; any other list belongs to
/// one package.
fn together(
    core: &Package,
    extensions: &[&Package],
) -> Result<BTreeMap<String, Arc<CodeList>>, ModelError> {
    let mut lists = core.code_lists().clone();
    for package in extensions {
        let conflict = |problem: String| ModelError::Conflict {
            package: package.model_version().to_string(),
            problem,
        };
        for (name, list) in package.code_lists() {
            let joined = match lists.get(name) {
                None => Arc::clone(list),
                Some(known) if name == SCHEME_LIST => {
                    let mut joined = CodeList::clone(known);
                    if !joined.extend(list) {
                        return Err(conflict(
                            "an identifier scheme of the package is already declared by another"
                                .to_owned(),
                        ));
                    }
                    Arc::new(joined)
                }
                Some(_) => {
                    return Err(conflict(format!(
                        "another package already has the code list {name:?}"
                    )));
                }
            };
            lists.insert(name.clone(), joined);
        }
    }
    Ok(lists)
}

fn id_of(package: &Package, domain: Domain) -> String {
    package
        .schema(domain)
        .and_then(|schema| schema.get("$id"))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn plan_of(
    package: &Package,
    domain: Domain,
    schemas: &SchemaSet,
    code_lists: &BTreeMap<String, Arc<CodeList>>,
    prefix: &str,
    class: PrivacyClass,
) -> Result<DomainModel, ModelError> {
    compile(&Input {
        schemas,
        code_lists,
        domain,
        id: &id_of(package, domain),
        prefix,
        class,
    })
    .map_err(|fault| ModelError::Invalid {
        package: package.model_version().to_string(),
        file: fault.at,
        problem: fault.problem,
    })
}

fn compiled(
    package: &Package,
    domain: Domain,
    schemas: &SchemaSet,
    code_lists: &BTreeMap<String, Arc<CodeList>>,
    prefix: &str,
    class: PrivacyClass,
) -> Result<Compiled, ModelError> {
    let plan = plan_of(package, domain, schemas, code_lists, prefix, class)?;
    let invalid = |problem: String| ModelError::Invalid {
        package: package.model_version().to_string(),
        file: format!("{domain}.schema.json"),
        problem,
    };
    let schema = package
        .schema(domain)
        .ok_or_else(|| invalid("the schema is missing".to_owned()))?;
    let validator = validator(schema, schemas).map_err(invalid)?;
    Ok(Compiled { plan, validator })
}

/// Formats are asserted, unknown ones refused, and nothing is fetched: only loaded schemas can be referred to.
fn validator(schema: &Value, schemas: &SchemaSet) -> Result<Validator, String> {
    let registry = jsonschema::Registry::new()
        .extend(schemas.iter().map(|(id, schema)| (id, schema.as_ref())))
        .map_err(|error| error.to_string())?
        .prepare()
        .map_err(|error| error.to_string())?;
    let mut options = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_registry(&registry)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false);
    for name in grunddata_model::format::NAMES {
        options = options.with_format(name, move |value: &str| format::check(name, value).is_ok());
    }
    options.build(schema).map_err(|error| error.to_string())
}

/// Adds the facts of an extension to those of the core.
fn join(
    facts: &mut DomainModel,
    extension: DomainModel,
    package: &Package,
) -> Result<(), ModelError> {
    facts.properties.extend(extension.properties);
    facts.indexed.extend(extension.indexed);
    for (name, relation) in extension.relations {
        if facts
            .relations
            .insert(Arc::clone(&name), relation)
            .is_some()
        {
            return Err(ModelError::Conflict {
                package: package.model_version().to_string(),
                problem: format!(
                    "the domain {} already has the relation {name:?}",
                    facts.domain
                ),
            });
        }
    }
    Ok(())
}
