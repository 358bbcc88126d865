//! From the errors of the `jsonschema` crate to ours: a stable code, a message that says what to do in both languages,
//! and the nearest right name.

use std::borrow::Cow;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::error::{ValidationError, code};
use crate::format;
use crate::path::escape;
use crate::plan::{Node, Role};
use crate::text::nearest;
use crate::validate::MOST_COLLECTED;
use crate::walk::reference_malformed;

/// Adds what an error of the schema means. `root` is the plan that the pointers of the error lead into, `prefix` where
/// that plan stands in the data.
pub(crate) fn explain(
    error: &jsonschema::ValidationError<'_>,
    root: &Node,
    prefix: &str,
    out: &mut Vec<ValidationError>,
) {
    let inside = error.instance_path().as_str();
    let pointer = format!("{prefix}{inside}");
    let node = root.at(inside);
    let instance: &Value = error.instance();
    let mut say = |code: &'static str, en: Cow<'static, str>, sv: Cow<'static, str>| {
        out.push(ValidationError::new(pointer.clone(), code, en, sv));
    };
    if instance.as_str() == Some("")
        && matches!(
            error.kind(),
            ValidationErrorKind::MinLength { .. }
                | ValidationErrorKind::Pattern { .. }
                | ValidationErrorKind::Format { .. }
                | ValidationErrorKind::Enum { .. }
        )
    {
        say(
            code::EMPTY_STRING,
            "The text is empty; write a value, or leave the property out.".into(),
            "Texten är tom; skriv ett värde eller utelämna egenskapen.".into(),
        );
        return;
    }
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            out.push(
                ValidationError::new(
                    pointer,
                    code::REQUIRED_PROPERTY,
                    format!("The property \"{property}\" is missing; it is required."),
                    format!("Egenskapen \"{property}\" saknas; den är obligatorisk."),
                )
                .with_property(property),
            );
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for property in unexpected.iter().take(MOST_COLLECTED) {
                let known = node.into_iter().flat_map(Node::member_names);
                // A name that the object already has is not the one that was meant.
                let free = known.filter(|name| instance.get(name).is_none());
                out.push(
                    ValidationError::new(
                        format!("{pointer}/{}", escape(property)),
                        code::UNKNOWN_PROPERTY,
                        format!("The model has no property \"{property}\" here; remove or rename it."),
                        format!("Modellen har ingen egenskap \"{property}\" här; ta bort den eller byt namn."),
                    )
                    .with_property(property)
                    .with_suggestion(nearest(property, free)),
                );
            }
        }
        ValidationErrorKind::Type { kind } => {
            let expected: Vec<&str> = match kind {
                TypeKind::Single(one) => vec![one.as_str()],
                TypeKind::Multiple(many) => many.iter().map(|one| one.as_str()).collect(),
            };
            say(
                code::WRONG_TYPE,
                format!(
                    "The value must be {}.",
                    expected
                        .iter()
                        .map(|name| type_en(name))
                        .collect::<Vec<_>>()
                        .join(" or ")
                )
                .into(),
                format!(
                    "Värdet ska vara {}.",
                    expected
                        .iter()
                        .map(|name| type_sv(name))
                        .collect::<Vec<_>>()
                        .join(" eller ")
                )
                .into(),
            );
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            if node.is_some_and(|node| matches!(node.role, Role::Reference(_))) {
                out.push(reference_malformed(pointer));
                return;
            }
            let (en, sv) = alternatives(context, root, prefix);
            say(code::NO_ALTERNATIVE, en.into(), sv.into());
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            if node.is_some_and(|node| matches!(node.role, Role::Reference(_))) {
                out.push(reference_malformed(pointer));
                return;
            }
            say(
                code::NO_ALTERNATIVE,
                "Several alternatives match, and only one may; remove what belongs to the others.".into(),
                "Flera alternativ stämmer, och bara ett får göra det; ta bort det som hör till de andra.".into(),
            );
        }
        ValidationErrorKind::MinLength { limit } => say(
            code::TOO_SHORT,
            format!("The text is too short; write at least {limit} characters.").into(),
            format!("Texten är för kort; skriv minst {limit} tecken.").into(),
        ),
        ValidationErrorKind::MaxLength { limit } => say(
            code::TOO_LONG,
            format!("The text is too long; write at most {limit} characters.").into(),
            format!("Texten är för lång; skriv högst {limit} tecken.").into(),
        ),
        ValidationErrorKind::MinItems { limit } => say(
            code::TOO_FEW_ITEMS,
            format!("The list is too short; it has at least {limit} items, or is left out.").into(),
            format!("Listan är för kort; den har minst {limit} poster, eller utelämnas.").into(),
        ),
        ValidationErrorKind::MaxItems { limit } => say(
            code::TOO_MANY_ITEMS,
            format!("The list is too long; it has at most {limit} items.").into(),
            format!("Listan är för lång; den har högst {limit} poster.").into(),
        ),
        ValidationErrorKind::AdditionalItems { limit } => say(
            code::TOO_MANY_ITEMS,
            format!("The list is too long; it has at most {limit} items.").into(),
            format!("Listan är för lång; den har högst {limit} poster.").into(),
        ),
        ValidationErrorKind::MinProperties { limit } => say(
            code::TOO_FEW_PROPERTIES,
            format!("The object has too few properties; it has at least {limit}, or is left out.")
                .into(),
            format!("Objektet har för få egenskaper; det har minst {limit}, eller utelämnas.")
                .into(),
        ),
        ValidationErrorKind::MaxProperties { limit } => say(
            code::TOO_MANY_PROPERTIES,
            format!("The object has too many properties; it has at most {limit}.").into(),
            format!("Objektet har för många egenskaper; det har högst {limit}.").into(),
        ),
        ValidationErrorKind::UniqueItems => say(
            code::DUPLICATE_ITEM,
            "The list holds the same item twice; remove one.".into(),
            "Listan innehåller samma post två gånger; ta bort den ena.".into(),
        ),
        ValidationErrorKind::Minimum { limit } => say(
            code::OUT_OF_RANGE,
            format!("The number is too small; it is at least {limit}.").into(),
            format!("Talet är för litet; det är minst {limit}.").into(),
        ),
        ValidationErrorKind::Maximum { limit } => say(
            code::OUT_OF_RANGE,
            format!("The number is too large; it is at most {limit}.").into(),
            format!("Talet är för stort; det är högst {limit}.").into(),
        ),
        ValidationErrorKind::ExclusiveMinimum { limit } => say(
            code::OUT_OF_RANGE,
            format!("The number is too small; it is more than {limit}.").into(),
            format!("Talet är för litet; det är större än {limit}.").into(),
        ),
        ValidationErrorKind::ExclusiveMaximum { limit } => say(
            code::OUT_OF_RANGE,
            format!("The number is too large; it is less than {limit}.").into(),
            format!("Talet är för stort; det är mindre än {limit}.").into(),
        ),
        ValidationErrorKind::MultipleOf { multiple_of } => say(
            code::OUT_OF_RANGE,
            format!("The number must be a multiple of {multiple_of}.").into(),
            format!("Talet ska vara en multipel av {multiple_of}.").into(),
        ),
        ValidationErrorKind::Pattern { pattern } => say(
            code::PATTERN_MISMATCH,
            format!("The text is not written in the form that is expected here: {pattern}").into(),
            format!("Texten är inte skriven i den form som väntas här: {pattern}").into(),
        ),
        ValidationErrorKind::Format { format: name } => {
            let text = instance.as_str().unwrap_or_default();
            match format::check(name, text) {
                Err(problem) => {
                    // A partial date is a date, however it is wrong.
                    let code = if name == "date" || name == "partial-date" {
                        code::INVALID_DATE
                    } else {
                        problem.code()
                    };
                    let (message, message_sv) = problem.sentences();
                    say(code, message.into(), message_sv.into());
                }
                Ok(()) => say(
                    code::INVALID_FORMAT,
                    format!("The text does not have the format {name}.").into(),
                    format!("Texten har inte formatet {name}.").into(),
                ),
            }
        }
        ValidationErrorKind::Enum { options } => {
            let allowed: Vec<&str> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            out.push(
                ValidationError::new(
                    pointer,
                    code::NOT_ALLOWED,
                    format!(
                        "The value is not allowed here; write one of: {}.",
                        allowed.join(", ")
                    ),
                    format!(
                        "Värdet är inte tillåtet här; skriv ett av: {}.",
                        allowed.join(", ")
                    ),
                )
                .with_suggestion(
                    instance
                        .as_str()
                        .and_then(|given| nearest(given, allowed.iter().copied())),
                ),
            );
        }
        ValidationErrorKind::Constant { expected_value } => say(
            code::NOT_ALLOWED,
            format!("The value must be {expected_value}.").into(),
            format!("Värdet ska vara {expected_value}.").into(),
        ),
        // The error is about the name of the property that the inner error quotes.
        ValidationErrorKind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default().to_owned();
            out.push(
                ValidationError::new(
                    format!("{pointer}/{}", escape(&name)),
                    property_name_code(inner.kind()),
                    format!("The name \"{name}\" is not written as names are here; rename the property."),
                    format!("Namnet \"{name}\" är inte skrivet som namn ska vara här; byt namn på egenskapen."),
                )
                .with_property(&name),
            );
        }
        ValidationErrorKind::Not { .. }
        | ValidationErrorKind::FalseSchema
        | ValidationErrorKind::Contains
        | ValidationErrorKind::UnevaluatedItems { .. }
        | ValidationErrorKind::BacktrackLimitExceeded { .. }
        | ValidationErrorKind::RegexEngineFailure { .. }
        | ValidationErrorKind::ContentEncoding { .. }
        | ValidationErrorKind::ContentMediaType { .. }
        | ValidationErrorKind::FromUtf8 { .. }
        | ValidationErrorKind::Custom { .. }
        | ValidationErrorKind::Referencing(_) => say(
            code::NOT_ALLOWED,
            "This is not allowed here together with the rest of the data.".into(),
            "Detta är inte tillåtet här tillsammans med övriga uppgifter.".into(),
        ),
    }
}

fn property_name_code(kind: &ValidationErrorKind) -> &'static str {
    match kind {
        ValidationErrorKind::Format { .. } => code::INVALID_FORMAT,
        ValidationErrorKind::MaxLength { .. } => code::TOO_LONG,
        ValidationErrorKind::MinLength { .. } => code::TOO_SHORT,
        ValidationErrorKind::Enum { .. } => code::NOT_ALLOWED,
        _ => code::PATTERN_MISMATCH,
    }
}

/// What each alternative would have needed.
fn alternatives(
    context: &[Vec<jsonschema::ValidationError<'_>>],
    root: &Node,
    prefix: &str,
) -> (String, String) {
    let mut en = "None of the alternatives matches; one of these must be put right:".to_owned();
    let mut sv = "Inget av alternativen stämmer; ett av dessa ska rättas:".to_owned();
    for (index, errors) in context.iter().enumerate() {
        let mut found = Vec::new();
        for error in errors {
            explain(error, root, prefix, &mut found);
        }
        let number = index + 1;
        let join = |pick: fn(&ValidationError) -> &String| {
            found
                .iter()
                .map(|error| pick(error).as_str())
                .collect::<Vec<_>>()
                .join(" ")
        };
        en.push_str(&format!(" ({number}) {}", join(|error| &error.message)));
        sv.push_str(&format!(" ({number}) {}", join(|error| &error.message_sv)));
    }
    (en, sv)
}

fn type_en(name: &str) -> &str {
    match name {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "null" => "null",
        "number" => "a number",
        "object" => "an object",
        "string" => "a text in quotation marks",
        other => other,
    }
}

fn type_sv(name: &str) -> &str {
    match name {
        "array" => "en lista",
        "boolean" => "true eller false",
        "integer" => "ett heltal",
        "null" => "null",
        "number" => "ett tal",
        "object" => "ett objekt",
        "string" => "en text inom citattecken",
        other => other,
    }
}
