//! The schemas as components of an OpenAPI 3.1 document (whose schemas are JSON Schema 2020-12): references point into
//! `#/components/schemas`, and titles and descriptions are filled from the annotations.

use std::collections::BTreeMap;

use grunddata_model::Domain;
use serde_json::{Map, Value, json};

use crate::CORE;
use crate::model::InformationModel;
use crate::package::Package;

impl InformationModel {
    /// The name of the component that describes the `data` of a domain: `PersonData`.
    #[must_use]
    pub fn component_name(domain: Domain) -> String {
        format!("{}Data", pascal(domain.as_str()))
    }

    /// The schema of the `data` of a domain, with its full example. References lead to
    /// [`openapi_components`](Self::openapi_components).
    #[must_use]
    pub fn domain_schema_for_openapi(&self, domain: Domain) -> Value {
        let Some(core) = self.package(self.current()) else {
            return json!({});
        };
        let Some(schema) = core.schema(domain) else {
            return json!({});
        };
        let mut schema = rewrite(schema, core);
        let extending: Map<String, Value> = self
            .newest_extensions()
            .filter(|package| package.schema(domain).is_some())
            .map(|package| {
                let reference = format!(
                    "#/components/schemas/{}",
                    extension_component(package, domain)
                );
                (package.name().to_owned(), json!({"$ref": reference}))
            })
            .collect();
        if let Value::Object(members) = &mut schema {
            if let Some(Value::Object(extensions)) = members
                .get_mut("properties")
                .and_then(|properties| properties.get_mut("extensions"))
                && !extending.is_empty()
            {
                extensions.insert("properties".to_owned(), Value::Object(extending));
            }
            if let Some(example) = core.examples().get(&(domain, "full".to_owned())) {
                members.insert("examples".to_owned(), json!([example.data]));
            }
        }
        schema
    }

    /// Every component: `PersonData` and so on, the shared definitions under their own names, and the schemas of
    /// extension packages (`SeSkolaRoleData`).
    #[must_use]
    pub fn openapi_components(&self) -> BTreeMap<String, Value> {
        let mut components = BTreeMap::new();
        for domain in Domain::ALL {
            components.insert(
                Self::component_name(domain),
                self.domain_schema_for_openapi(domain),
            );
        }
        let packages = self
            .package(self.current())
            .into_iter()
            .chain(self.newest_extensions());
        for package in packages {
            for (file, schema) in package.schemas() {
                if let Some(domain) = file
                    .strip_suffix(".schema.json")
                    .and_then(|name| name.parse::<Domain>().ok())
                    && package.is_extension()
                {
                    components.insert(
                        extension_component(package, domain),
                        rewrite(schema, package),
                    );
                }
                for (name, definition) in schema
                    .get("$defs")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                {
                    components.insert(
                        definition_component(package.name(), name),
                        rewrite(definition, package),
                    );
                }
            }
        }
        components
    }

    fn newest_extensions(&self) -> impl Iterator<Item = &Package> {
        self.packages().filter(|package| {
            package.is_extension()
                && !self.packages().any(|other| {
                    other.name() == package.name() && other.version() > package.version()
                })
        })
    }
}

/// `se-skola` becomes `SeSkola`.
fn pascal(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut chars = word.chars();
            let first: Vec<char> = chars
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .collect();
            first.into_iter().chain(chars)
        })
        .collect()
}

fn extension_component(package: &Package, domain: Domain) -> String {
    format!("{}{}Data", pascal(package.name()), pascal(domain.as_str()))
}

fn definition_component(package: &str, name: &str) -> String {
    if package == CORE {
        name.to_owned()
    } else {
        format!("{}{name}", pascal(package))
    }
}

/// The component that a `$ref` of a package leads to: a reference into another package ends `NAME/VERSION/FILE`.
fn component_of(reference: &str, package: &Package) -> String {
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let to_core = file.rsplit('/').nth(2) == Some(CORE);
    definition_component(if to_core { CORE } else { package.name() }, name)
}

/// A schema with titles, descriptions and references as OpenAPI wants them. The other annotations stay: OpenAPI allows
/// `x-` everywhere, and a reader of the document learns code lists and privacy classes from them.
fn rewrite(schema: &Value, package: &Package) -> Value {
    let Value::Object(members) = schema else {
        return schema.clone();
    };
    let mut out = Map::new();
    for (keyword, value) in members {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" => {}
            "x-label" => {
                if let Some(label) = value.get("en") {
                    out.insert("title".to_owned(), label.clone());
                }
                out.insert(keyword.clone(), value.clone());
            }
            "x-definition" => {
                let text = |language: &str| {
                    value
                        .get(language)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                };
                out.insert(
                    "description".to_owned(),
                    json!(format!("{}\n\n{}", text("en"), text("sv"))),
                );
            }
            "$ref" => {
                let reference = value.as_str().unwrap_or_default();
                let component = component_of(reference, package);
                out.insert(
                    keyword.clone(),
                    json!(format!("#/components/schemas/{component}")),
                );
            }
            "properties" | "patternProperties" | "dependentSchemas" => {
                let inner = value.as_object().into_iter().flatten();
                let inner = inner
                    .map(|(name, schema)| (name.clone(), rewrite(schema, package)))
                    .collect();
                out.insert(keyword.clone(), Value::Object(inner));
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                let inner = value.as_array().into_iter().flatten();
                out.insert(
                    keyword.clone(),
                    inner.map(|schema| rewrite(schema, package)).collect(),
                );
            }
            "items"
            | "additionalProperties"
            | "propertyNames"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else"
            | "unevaluatedProperties"
            | "unevaluatedItems" => {
                out.insert(keyword.clone(), rewrite(value, package));
            }
            _ => {
                out.insert(keyword.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}
