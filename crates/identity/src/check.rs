//! The claims that decide whether a token holds: times, audience, kind. Pure.

use grunddata_model::Instant;
use serde_json::{Map, Value};

use crate::Refused;
use crate::config::IssuerConfig;

const MICROS: i64 = 1_000_000;

/// Checks what the header calls the token.
pub(crate) fn media_type(given: Option<&str>, strict: bool) -> Result<(), Refused> {
    let given = given.map(str::to_ascii_lowercase);
    let fits = match given.as_deref() {
        Some("at+jwt" | "application/at+jwt") => true,
        Some("jwt" | "application/jwt") | None => !strict,
        Some(_) => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Refused::WrongType)
    }
}

/// Checks the claims and says when the token ends.
pub(crate) fn claims(
    claims: &Map<String, Value>,
    config: &IssuerConfig,
    now: Instant,
) -> Result<Instant, Refused> {
    // An ID token says something to the client that it was made for, and nothing to us.
    let kind = claims.get("typ").and_then(Value::as_str);
    if kind == Some("ID") || kind == Some("Refresh") || claims.contains_key("at_hash") {
        return Err(Refused::WrongType);
    }
    // Whoever bears a bound token has proved nothing with that.
    if claims.contains_key("cnf") {
        return Err(Refused::ProofRequired);
    }
    audience(claims.get("aud"), &config.audiences)?;
    let skew = i64::from(config.clock_skew_seconds) * MICROS;
    let age = i64::from(config.max_token_age_seconds) * MICROS;
    let now = now.micros();
    let expires = instant(claims, "exp")?.ok_or(Refused::MissingClaim)?;
    let issued = instant(claims, "iat")?.ok_or(Refused::MissingClaim)?;
    let begins = instant(claims, "nbf")?.unwrap_or(issued).max(issued);
    if now >= expires.saturating_add(skew) {
        return Err(Refused::Expired);
    }
    if now.saturating_add(skew) < begins {
        return Err(Refused::NotYetValid);
    }
    if now >= issued.saturating_add(age).saturating_add(skew) {
        return Err(Refused::TooOld);
    }
    Ok(Instant::from_micros(
        expires.min(issued.saturating_add(age)),
    ))
}

fn audience(given: Option<&Value>, accepted: &[String]) -> Result<(), Refused> {
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|given| accepted.iter().any(|audience| audience == given))
    };
    let found = match given {
        None | Some(Value::Null) => return Err(Refused::MissingClaim),
        Some(Value::Array(values)) => values.iter().any(ours),
        Some(value @ Value::String(_)) => ours(value),
        Some(_) => return Err(Refused::Malformed),
    };
    if found {
        Ok(())
    } else {
        Err(Refused::WrongAudience)
    }
}

/// A NumericDate (seconds since 1970, possibly with decimals) in microseconds.
fn instant(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refused> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    if let Some(seconds) = value.as_i64() {
        return seconds
            .checked_mul(MICROS)
            .map(Some)
            .ok_or(Refused::Malformed);
    }
    let seconds = value.as_f64().ok_or(Refused::Malformed)?;
    if !(0.0..1e12).contains(&seconds) {
        return Err(Refused::Malformed);
    }
    Ok(Some((seconds * 1e6) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn check_at(now_micros: i64, changes: Value) -> Result<i64, Refused> {
        let mut config = IssuerConfig::new("a", "https://a.example", "grunddata");
        config.max_token_age_seconds = 600;
        let mut set = json!({"aud": "grunddata", "iat": NOW, "exp": NOW + 300});
        for (name, value) in changes.as_object().unwrap() {
            if value == "absent" {
                set.as_object_mut().unwrap().remove(name);
            } else {
                set[name] = value.clone();
            }
        }
        claims(
            set.as_object().unwrap(),
            &config,
            Instant::from_micros(now_micros),
        )
        .map(Instant::micros)
    }

    fn check(changes: Value) -> Result<i64, Refused> {
        check_at(NOW * MICROS, changes)
    }

    #[test]
    fn the_allowance_for_clocks_ends_to_the_microsecond() {
        let none = || json!({});
        let end = (NOW + 300 + 60) * MICROS;
        assert_eq!(check_at(end - 1, none()), Ok((NOW + 300) * MICROS));
        assert_eq!(check_at(end, none()), Err(Refused::Expired));
        let begin = (NOW - 60) * MICROS;
        assert!(check_at(begin, none()).is_ok());
        assert_eq!(check_at(begin - 1, none()), Err(Refused::NotYetValid));
        let later = || json!({"nbf": NOW + 100});
        assert!(check_at((NOW + 40) * MICROS, later()).is_ok());
        assert_eq!(
            check_at((NOW + 40) * MICROS - 1, later()),
            Err(Refused::NotYetValid)
        );
        // An nbf before the issue does not make the token older than it is.
        let earlier = || json!({"nbf": NOW - 1000});
        assert_eq!(check_at(begin - 1, earlier()), Err(Refused::NotYetValid));
    }

    #[test]
    fn a_token_for_ever_ends_with_its_age() {
        let long = || json!({"exp": NOW * 2});
        assert_eq!(check(long()), Ok((NOW + 600) * MICROS));
        assert!(check_at((NOW + 660) * MICROS - 1, long()).is_ok());
        assert_eq!(check_at((NOW + 660) * MICROS, long()), Err(Refused::TooOld));
    }

    #[test]
    fn claims_that_are_missing_or_of_the_wrong_type() {
        for name in ["aud", "exp", "iat"] {
            assert_eq!(
                check(json!({name: "absent"})),
                Err(Refused::MissingClaim),
                "{name}"
            );
        }
        for bad in [
            json!("soon"),
            json!(true),
            json!(i64::MAX),
            json!(1e300),
            json!(-1.5),
            json!([]),
        ] {
            assert_eq!(check(json!({"exp": bad})), Err(Refused::Malformed), "{bad}");
        }
        assert_eq!(
            check(json!({"exp": NOW as f64 + 0.5})),
            Ok(NOW * MICROS + 500_000)
        );
        assert_eq!(check(json!({"aud": 7})), Err(Refused::Malformed));
    }

    #[test]
    fn one_audience_of_several_must_be_ours() {
        assert!(check(json!({"aud": ["other", "grunddata"]})).is_ok());
        for wrong in [
            json!(["other"]),
            json!("other"),
            json!([]),
            json!("Grunddata"),
            json!([7]),
        ] {
            assert_eq!(
                check(json!({"aud": wrong})),
                Err(Refused::WrongAudience),
                "{wrong}"
            );
        }
    }

    #[test]
    fn other_kinds_of_token_are_told_apart() {
        for other in [
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
            json!({"at_hash": "x"}),
        ] {
            assert_eq!(check(other), Err(Refused::WrongType));
        }
        assert!(check(json!({"typ": "Bearer"})).is_ok());
        assert_eq!(
            check(json!({"cnf": {"jkt": "x"}})),
            Err(Refused::ProofRequired)
        );
        for (given, lax, strict) in [
            (Some("at+jwt"), true, true),
            (Some("application/AT+JWT"), true, true),
            (Some("JWT"), true, false),
            (None, true, false),
            (Some("dpop+jwt"), false, false),
            (Some("logout+jwt"), false, false),
            (Some(""), false, false),
        ] {
            assert_eq!(media_type(given, false).is_ok(), lax, "{given:?}");
            assert_eq!(media_type(given, true).is_ok(), strict, "{given:?}");
        }
    }
}
