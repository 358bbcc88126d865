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

/// The indexed properties and the references of a domain as query parameters.
pub(super) fn search_parameters(model: &InformationModel, domain: Domain) -> Vec<Value> {
    let parameter = |name: &str, description: String| {
        json!({
            "name": name,
            "in": "query",
            "required": false,
            "description": description,
            "schema": {"type": "string"},
        })
    };
    let mut parameters: Vec<Value> = model
        .domain(domain)
        .indexed_properties()
        .map(|property| {
            let (sv, en) = (&property.label.sv, &property.label.en);
            parameter(&property.name, format!("{sv} / {en}. Likhet, eller prefix med * där egenskapen tillåter det / equality, or a prefix with * where the property allows it."))
        })
        .collect();
    for relation in model.domain(domain).relations() {
        let (sv, en, name) = (&relation.label.sv, &relation.label.en, &relation.property);
        parameters.push(parameter(name, format!("{sv} / {en}. Id på den post som referensen leder till; flera med komma / id of the record that the reference leads to; several with commas.")));
        let mut targets = relation.targets.iter();
        if targets.any(|target| !model.hierarchies(target.domain).is_empty()) {
            parameters.push(parameter(&format!("{name}.below"), format!("{sv} / {en}. Id på en post; allt som ligger under den räknas också / id of a record; everything below it counts as well.")));
        }
    }
    parameters
}
