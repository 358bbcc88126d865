//! The coordinate of a read: the day on which things hold and the instant at which they are known, given once per
//! request; and the `asOf` token that makes an answer repeatable.
//!
//! A token pins, for every owner that the answer could draw on, the instant of the last change that was seen. Every
//! later write of that owner gets a later instant, so the same token gives the same answer for ever (erasure aside).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Datelike as _, NaiveDate};
use grunddata_model::{Instant, OwnerKey, parse_date};
use sha2::{Digest as _, Sha256};

use crate::{Code, Context, Refusal, fact};

/// What is known at the coordinate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KnownAt {
    /// Everything recorded so far.
    #[default]
    Latest,
    /// Everything recorded up to and at an instant, not in the future.
    Instant(Instant),
    /// What was known here at an instant: of copies what had come by then.
    Held(Instant),
    /// What a token pins.
    Pinned(Pins),
}

/// The instants that a token holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    /// Per owner, sorted by key.
    pub owners: Vec<(OwnerKey, Instant)>,
    /// For owners that are not listed; `None` = they did not exist, or had recorded nothing.
    pub others: Option<Instant>,
}

/// Where on the two clocks a request reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The day on which things hold.
    pub valid_at: NaiveDate,
    /// What is known.
    pub known: KnownAt,
}

/// The parameters of the coordinate as a request writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoordinateParameters<'a> {
    /// `validAt`: a date. Default: today.
    pub valid_at: Option<&'a str>,
    /// `knownAt`: RFC 3339. Default: everything recorded so far.
    pub known_at: Option<&'a str>,
    /// `knownBy`: `origin` (the default: when it was recorded) or `holder` (when it came here).
    pub known_by: Option<&'a str>,
    /// `asOf`: a token; together with neither of the others, except the same `validAt`.
    pub as_of: Option<&'a str>,
}

impl At {
    /// Today, with everything recorded so far.
    #[must_use]
    pub fn now(context: &Context) -> Self {
        Self {
            valid_at: context.today,
            known: KnownAt::Latest,
        }
    }

    /// A day, with everything recorded so far.
    #[must_use]
    pub fn on(valid_at: NaiveDate) -> Self {
        Self {
            valid_at,
            known: KnownAt::Latest,
        }
    }

    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Code::InvalidDate`], [`Code::KnownAtInFuture`], [`Code::InvalidAsOf`], or [`Code::InvalidParameter`] where a
    /// token and other bounds are mixed.
    pub fn parse(context: &Context, given: CoordinateParameters<'_>) -> Result<Self, Refusal> {
        let valid_at = given
            .valid_at
            .map(|text| {
                parse_date(text).map_err(|error| {
                    Refusal::new(Code::InvalidDate, format!("validAt: {error}"))
                        .fact(fact::PARAMETER, "validAt")
                })
            })
            .transpose()?;
        let held = match given.known_by {
            None | Some("origin") => false,
            Some("holder") => true,
            Some(_) => {
                return Err(Refusal::new(
                    Code::InvalidParameter,
                    "knownBy is origin (when it was recorded) or holder (when it came to this registry).",
                )
                .fact(fact::PARAMETER, "knownBy"));
            }
        };
        if let Some(token) = given.as_of {
            let token = AsOf::parse(token)?;
            // An owner that writes often is a little ahead of the clock: each of its instants is a new one.
            let latest = context.now.micros().saturating_add(AHEAD);
            if token
                .known_at()
                .is_some_and(|known| known.micros() > latest)
            {
                return Err(Refusal::new(
                    Code::InvalidAsOf,
                    "asOf lies in the future: nobody knows yet what will be recorded until then.",
                )
                .fact(fact::PARAMETER, "asOf"));
            }
            if given.known_at.is_some()
                || given.known_by.is_some()
                || valid_at.is_some_and(|date| date != token.valid_at)
            {
                return Err(Refusal::new(
                    Code::InvalidParameter,
                    "asOf already says validAt and knownAt: leave them out, or leave asOf out.",
                )
                .fact(fact::PARAMETER, "asOf"));
            }
            return Ok(Self {
                valid_at: token.valid_at,
                known: KnownAt::Pinned(token.pins),
            });
        }
        let known = match given.known_at {
            None => KnownAt::Latest,
            Some(text) => {
                let instant: Instant = text.parse().map_err(|error| {
                    Refusal::new(Code::InvalidDate, format!("knownAt: {error}"))
                        .fact(fact::PARAMETER, "knownAt")
                })?;
                if instant > context.now {
                    return Err(Refusal::new(
                        Code::KnownAtInFuture,
                        format!(
                            "knownAt {instant} lies in the future: nobody knows yet what will be recorded until then. Leave it out to read everything recorded so far."
                        ),
                    )
                    .fact(fact::PARAMETER, "knownAt")
                    .fact("now", context.now.to_string()));
                }
                if held {
                    KnownAt::Held(instant)
                } else {
                    KnownAt::Instant(instant)
                }
            }
        };
        Ok(Self {
            valid_at: valid_at.unwrap_or(context.today),
            known,
        })
    }
}

/// A resolved coordinate: what a reply echoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsOf {
    /// The day on which things hold.
    pub valid_at: NaiveDate,
    /// The pinned instants.
    pub pins: Pins,
}

/// The version of the token's form.
const VERSION: u8 = 1;
const CHECK_BYTES: usize = 4;
/// The most owners that a token pins.
const MOST_OWNERS: usize = 512;
/// How far ahead of the clock an instant may lie, in microseconds.
const AHEAD: i64 = 1_000_000;

impl AsOf {
    /// The latest instant pinned: for humans, the `knownAt` of the answer.
    #[must_use]
    pub fn known_at(&self) -> Option<Instant> {
        let owners = self.pins.owners.iter().map(|(_, instant)| *instant).max();
        owners.max(self.pins.others)
    }

    /// The opaque token: base64url over version, day, instants and a checksum.
    #[must_use]
    pub fn token(&self) -> String {
        let mut bytes = Vec::with_capacity(32 + 24 * self.pins.owners.len());
        bytes.push(VERSION);
        bytes.extend(self.valid_at.num_days_from_ce().to_be_bytes());
        match self.pins.others {
            None => bytes.push(0),
            Some(instant) => {
                bytes.push(1);
                bytes.extend(instant.micros().to_be_bytes());
            }
        }
        for (owner, instant) in &self.pins.owners {
            // An owner key is at most 63 bytes.
            bytes.push(u8::try_from(owner.as_str().len()).unwrap_or(u8::MAX));
            bytes.extend(owner.as_str().as_bytes());
            bytes.extend(instant.micros().to_be_bytes());
        }
        let check = Sha256::digest(&bytes);
        bytes.extend(check.iter().take(CHECK_BYTES));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`Code::InvalidAsOf`] for anything that this registry has not given.
    pub fn parse(token: &str) -> Result<Self, Refusal> {
        Self::read(token).ok_or_else(|| {
            Refusal::new(
                Code::InvalidAsOf,
                "asOf is not a token of this registry: take it whole from the asOf or the header Grunddata-As-Of of an earlier answer.",
            )
            .fact(fact::PARAMETER, "asOf")
        })
    }

    fn read(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (content, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_BYTES)?)?;
        if Sha256::digest(content).get(..CHECK_BYTES)? != check {
            return None;
        }
        let mut rest = content;
        if take(&mut rest, 1)? != [VERSION] {
            return None;
        }
        let days = i32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
        let valid_at = NaiveDate::from_num_days_from_ce_opt(days)
            .filter(|date| parse_date(&date.to_string()).is_ok())?;
        let others = match take(&mut rest, 1)? {
            [0] => None,
            [1] => Some(take_instant(&mut rest)?),
            _ => return None,
        };
        let mut owners: Vec<(OwnerKey, Instant)> = Vec::new();
        while let Some((length, after)) = rest.split_first() {
            rest = after;
            let key = std::str::from_utf8(take(&mut rest, usize::from(*length))?).ok()?;
            let key = OwnerKey::new(key).ok()?;
            let in_order = owners.last().is_none_or(|(last, _)| *last < key);
            if !in_order || owners.len() == MOST_OWNERS {
                return None;
            }
            owners.push((key, take_instant(&mut rest)?));
        }
        Some(Self {
            valid_at,
            pins: Pins { owners, others },
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn take_instant(rest: &mut &[u8]) -> Option<Instant> {
    Some(Instant::from_micros(i64::from_be_bytes(
        take(rest, 8)?.try_into().ok()?,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;

    fn context() -> Context {
        Context::new(
            Actor::anonymous(),
            "2026-11-21T10:00:00Z".parse().unwrap(),
            "test",
        )
    }

    fn parse(
        valid_at: Option<&str>,
        known_at: Option<&str>,
        as_of: Option<&str>,
    ) -> Result<At, Code> {
        At::parse(
            &context(),
            CoordinateParameters {
                valid_at,
                known_at,
                as_of,
                ..CoordinateParameters::default()
            },
        )
        .map_err(|refusal| refusal.code)
    }

    fn token() -> AsOf {
        AsOf {
            valid_at: "2025-03-01".parse().unwrap(),
            pins: Pins {
                owners: vec![
                    (
                        OwnerKey::new("a").unwrap(),
                        "2026-01-01T00:00:00.000001Z".parse().unwrap(),
                    ),
                    (
                        OwnerKey::new("se-2480").unwrap(),
                        "2026-02-01T00:00:00Z".parse().unwrap(),
                    ),
                ],
                others: None,
            },
        }
    }

    #[test]
    fn absent_parameters_are_today_and_everything() {
        let at = parse(None, None, None).unwrap();
        assert_eq!(at, At::on("2026-11-21".parse().unwrap()));
    }

    #[test]
    fn dates_and_instants_are_checked() {
        assert_eq!(parse(Some(""), None, None), Err(Code::InvalidDate));
        assert_eq!(
            parse(Some("2026-02-30"), None, None),
            Err(Code::InvalidDate)
        );
        assert_eq!(parse(None, Some("yesterday"), None), Err(Code::InvalidDate));
        assert_eq!(
            parse(None, Some("2026-11-21T10:00:00.000001Z"), None),
            Err(Code::KnownAtInFuture)
        );
        assert!(parse(None, Some("2026-11-21T10:00:00Z"), None).is_ok());
    }

    #[test]
    fn tokens_come_back_as_they_went_out() {
        for others in [None, Some(Instant::from_micros(17))] {
            let mut as_of = token();
            as_of.pins.others = others;
            assert_eq!(AsOf::parse(&as_of.token()).unwrap(), as_of);
        }
        assert_eq!(
            token().known_at().unwrap().to_string(),
            "2026-02-01T00:00:00.000000Z"
        );
        let at = parse(Some("2025-03-01"), None, Some(&token().token())).unwrap();
        assert_eq!(at.known, KnownAt::Pinned(token().pins));
    }

    #[test]
    fn tokens_that_were_never_given_are_refused() {
        let refused = |change: &dyn Fn(&mut AsOf)| {
            let mut as_of = token();
            change(&mut as_of);
            assert_eq!(
                parse(None, None, Some(&as_of.token())),
                Err(Code::InvalidAsOf)
            );
        };
        refused(&|as_of| as_of.pins.others = Some("2026-11-21T10:00:02Z".parse().unwrap()));
        refused(&|as_of| as_of.pins.owners[0].1 = "2027-01-01T00:00:00Z".parse().unwrap());
        refused(&|as_of| as_of.pins.owners.reverse());
        refused(&|as_of| as_of.pins.owners[1].0 = OwnerKey::new("a").unwrap());
        refused(&|as_of| as_of.valid_at = NaiveDate::from_ymd_opt(999, 12, 31).unwrap());
        refused(&|as_of| as_of.valid_at = NaiveDate::from_ymd_opt(12_000, 1, 1).unwrap());
        refused(&|as_of| {
            let instant = as_of.pins.owners[0].1;
            let owners = 0..=MOST_OWNERS;
            as_of.pins.owners = owners
                .map(|number| (OwnerKey::new(&format!("o{number:04}")).unwrap(), instant))
                .collect();
        });
    }

    #[test]
    fn every_change_of_a_token_is_noticed() {
        let good = token().token();
        for index in 0..good.len() {
            let mut bad: Vec<char> = good.chars().collect();
            bad[index] = if bad[index] == 'A' { 'B' } else { 'A' };
            let bad: String = bad.into_iter().collect();
            assert!(AsOf::parse(&bad).is_err(), "{index}");
        }
        for bad in ["", "A", "AAAA", &good[1..], "åäö"] {
            assert_eq!(parse(None, None, Some(bad)), Err(Code::InvalidAsOf));
        }
        assert_eq!(
            parse(Some("2025-03-02"), None, Some(&good)),
            Err(Code::InvalidParameter)
        );
        assert_eq!(
            parse(None, Some("2025-03-02T00:00:00Z"), Some(&good)),
            Err(Code::InvalidParameter)
        );
    }
}
