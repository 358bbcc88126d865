//! What the documentation takes from the information model beside its schemas (which it gives ready as components).

use grunddata_information_model::InformationModel;
use grunddata_model::Domain;
use serde_json::{Value, json};

/// The full example of a domain's data.
pub(super) fn example(model: &InformationModel, domain: Domain) -> Value {
    model
        .domain_schema_for_openapi(domain)
        .get("examples")
        .and_then(|examples| examples.get(0))
        .cloned()
        .unwrap_or_default()
}

/// The indexed properties of a domain as query parameters.
pub(super) fn search_parameters(model: &InformationModel, domain: Domain) -> Vec<Value> {
    model
        .domain(domain)
        .indexed_properties()
        .map(|property| {
            json!({
                "name": property.name,
                "in": "query",
                "required": false,
                "description": format!("{} / {}. Likhet, eller prefix med * där egenskapen tillåter det / equality, or a prefix with * where the property allows it.", property.label.sv, property.label.en),
                "schema": {"type": "string"},
            })
        })
        .collect()
}
