//! How the files of a source are collected, and when it is time.

use std::time::Duration;

use chrono::{Days, NaiveTime, TimeZone as _};
use chrono_tz::Europe::Stockholm;
use grunddata_model::{Instant, OwnerKey};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The shortest time between two pulls, and the longest.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// Sources of many owners with one time of the day do not all begin at once.
const MOST_JITTER: Duration = Duration::from_secs(5 * 60);
/// After a failure it is tried again: first after so long, then twice as long each time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(5 * 60);
const LAST_RETRY: Duration = Duration::from_secs(60 * 60);
/// How long a file has been as it is before it is taken for whole, where nothing else is said.
const STILL: u32 = 30;
/// After how many days an SS 12000 server is asked for everything again, where nothing else is said.
const FULL_DAYS: u32 = 7;
/// The longest text of a setting, in bytes.
const LONGEST_TEXT: usize = 1_000;

/// How the files of a source come. One of `folder`, `url` and `ss12000` is said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Collect {
    /// A folder that is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Which files of the folder: `*` and `?` in a name. Every file where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A file counts when another one with its name and this ending lies beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Without a marker a file counts when neither its size nor its time has changed for so many seconds (30).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub still_seconds: Option<u32>,
    /// The address of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of an SS 12000 server with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ss12000: Option<String>,
    /// Which lists of the server; all that the registry has a use for where none is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// The name of the token that the server is shown: whoever runs the registry keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A pull every so often: `24h`, `30m`, `7d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// A pull each day at this time in Stockholm: `03:15`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What a file says of what it leaves out; of an SS 12000 server `delta` asks for what has changed.
    pub kind: CollectKind,
    /// With `delta`: an SS 12000 server is asked for everything again after so many days (7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_every_days: Option<u32>,
    /// Whether the plan is applied without anybody looking at it.
    pub apply: Apply,
}

/// What a collected file says of what it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CollectKind {
    /// That it is gone.
    #[default]
    Full,
    /// Nothing.
    Delta,
}

/// Whether a plan is applied by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// It waits for somebody.
    #[default]
    Wait,
    /// It is applied, unless a guard stopped it. Where somebody has to approve it, as soon as somebody has.
    UnlessStopped,
}

/// Where the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// In a folder.
    Folder(&'a str),
    /// At an address.
    Url(&'a str),
    /// On an SS 12000 server.
    Ss12000(&'a str),
}

impl Place<'_> {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::Url(_) => "url",
            Self::Ss12000(_) => "ss12000",
        }
    }
}

/// Something that is wrong with how files are collected.
pub(super) struct CollectFault {
    pub(super) name: &'static str,
    pub(super) en: String,
    pub(super) sv: String,
}

/// When it is pulled.
enum Rhythm {
    Every(Duration),
    At(NaiveTime),
}

impl Collect {
    /// Where the files are; `None` for settings that say none or several, which are not stored.
    #[must_use]
    pub fn place(&self) -> Option<Place<'_>> {
        match (&self.folder, &self.url, &self.ss12000) {
            (Some(folder), None, None) => Some(Place::Folder(folder)),
            (None, Some(url), None) => Some(Place::Url(url)),
            (None, None, Some(address)) => Some(Place::Ss12000(address)),
            _ => None,
        }
    }

    /// For how long a file has been as it is before it is taken.
    #[must_use]
    pub fn still(&self) -> Duration {
        Duration::from_secs(u64::from(self.still_seconds.unwrap_or(STILL)))
    }

    /// After how long a server is asked for everything again.
    #[must_use]
    pub fn full_after(&self) -> Duration {
        let days = self.full_every_days.unwrap_or(FULL_DAYS);
        Duration::from_secs(u64::from(days) * 24 * 60 * 60)
    }

    fn rhythm(&self) -> Option<Rhythm> {
        match (&self.every, &self.at) {
            (Some(every), None) => read_every(every).map(Rhythm::Every),
            (None, Some(at)) => read_time(at).map(Rhythm::At),
            _ => None,
        }
    }

    /// When it is pulled next. `begun` is when the settings were put, `tried` when it was last tried, `failures` how often
    /// in a row it has failed. `None` for a folder, which is looked at all the time.
    #[must_use]
    pub fn next(
        &self,
        owner: &OwnerKey,
        source: &str,
        begun: Instant,
        tried: Option<Instant>,
        failures: u32,
    ) -> Option<Instant> {
        let rhythm = self.rhythm()?;
        let longest = match rhythm {
            Rhythm::Every(every) => MOST_JITTER.min(every / 10),
            Rhythm::At(_) => MOST_JITTER,
        };
        let jitter = jitter(owner, source, longest);
        let regular = match (rhythm, tried) {
            (Rhythm::Every(_), None) => begun,
            (Rhythm::Every(every), Some(tried)) => later(tried, every + jitter),
            (Rhythm::At(time), tried) => {
                // What was begun within the jitter was that day's.
                let from = tried.map_or(begun, |tried| earlier(tried, jitter));
                later(next_at(time, from), jitter)
            }
        };
        let Some(tried) = tried.filter(|_| failures > 0) else {
            return Some(regular);
        };
        let wait = FIRST_RETRY
            .saturating_mul(1 << (failures - 1).min(8))
            .min(LAST_RETRY);
        Some(regular.min(later(tried, wait)))
    }

    /// Everything that is wrong.
    pub(super) fn faults(&self) -> Vec<CollectFault> {
        let mut faults = Vec::new();
        let mut fault = |name: &'static str, en: &str, sv: &str| {
            faults.push(CollectFault {
                name,
                en: en.to_owned(),
                sv: sv.to_owned(),
            });
        };
        let place = self.place();
        if place.is_none() {
            fault(
                "folder",
                "Say one of folder, url and ss12000: where the files are.",
                "Ange ett av folder, url och ss12000: var filerna finns.",
            );
        }
        for (name, text) in [
            ("folder", &self.folder),
            ("pattern", &self.pattern),
            ("marker", &self.marker),
            ("url", &self.url),
            ("ss12000", &self.ss12000),
            ("token", &self.token),
        ] {
            if text.as_ref().is_some_and(|text| {
                text.is_empty() || text.len() > LONGEST_TEXT || text.contains(char::is_control)
            }) {
                fault(
                    name,
                    "It is 1 to 1,000 characters of one line.",
                    "Det är 1 till 1 000 tecken på en rad.",
                );
            }
        }
        let names = [("pattern", &self.pattern), ("marker", &self.marker)];
        for (name, text) in names {
            if text.as_ref().is_some_and(|text| text.contains(['/', '\\'])) {
                fault(
                    name,
                    "It is about the name of a file, without folders.",
                    "Det gäller en fils namn, utan mappar.",
                );
            }
        }
        let is_folder = matches!(place, Some(Place::Folder(_)));
        let is_pull = matches!(place, Some(Place::Url(_) | Place::Ss12000(_)));
        let is_ss12000 = matches!(place, Some(Place::Ss12000(_)));
        for (name, said, fits, where_en, where_sv) in [
            (
                "pattern",
                self.pattern.is_some(),
                is_folder,
                "a folder",
                "en mapp",
            ),
            (
                "marker",
                self.marker.is_some(),
                is_folder,
                "a folder",
                "en mapp",
            ),
            (
                "stillSeconds",
                self.still_seconds.is_some(),
                is_folder,
                "a folder",
                "en mapp",
            ),
            (
                "token",
                self.token.is_some(),
                is_pull,
                "url and ss12000",
                "url och ss12000",
            ),
            (
                "every",
                self.every.is_some(),
                is_pull,
                "url and ss12000",
                "url och ss12000",
            ),
            (
                "at",
                self.at.is_some(),
                is_pull,
                "url and ss12000",
                "url och ss12000",
            ),
            (
                "endpoints",
                !self.endpoints.is_empty(),
                is_ss12000,
                "ss12000",
                "ss12000",
            ),
            (
                "fullEveryDays",
                self.full_every_days.is_some(),
                is_ss12000,
                "ss12000",
                "ss12000",
            ),
        ] {
            if said && !fits && place.is_some() {
                fault(
                    name,
                    &format!("It goes with {where_en} alone: leave it out."),
                    &format!("Det hör bara ihop med {where_sv}: utelämna det."),
                );
            }
        }
        if is_pull && self.every.is_some() == self.at.is_some() {
            fault(
                "every",
                "Say one of every (24h) and at (03:15): when it is pulled.",
                "Ange ett av every (24h) och at (03:15): när det hämtas.",
            );
        }
        if self
            .every
            .as_deref()
            .is_some_and(|text| read_every(text).is_none())
        {
            fault(
                "every",
                "Write a number with m, h or d, from 1m to 31d: 24h.",
                "Skriv ett tal med m, h eller d, från 1m till 31d: 24h.",
            );
        }
        if self
            .at
            .as_deref()
            .is_some_and(|text| read_time(text).is_none())
        {
            fault(
                "at",
                "Write a time of the day as 03:15.",
                "Skriv ett klockslag som 03:15.",
            );
        }
        if self
            .full_every_days
            .is_some_and(|days| !(1..=366).contains(&days))
        {
            fault(
                "fullEveryDays",
                "It is 1 to 366 days.",
                "Det är 1 till 366 dagar.",
            );
        }
        if self
            .still_seconds
            .is_some_and(|seconds| seconds > 24 * 60 * 60)
        {
            fault(
                "stillSeconds",
                "It is at most a day: 86400.",
                "Det är högst ett dygn: 86400.",
            );
        }
        if self.endpoints.len() > 20 {
            fault(
                "endpoints",
                "There are no more than 20 lists.",
                "Det finns inte fler än 20 listor.",
            );
        }
        faults
    }
}

/// `24h` as a time.
fn read_every(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let every = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?);
    (SHORTEST..=LONGEST).contains(&every).then_some(every)
}

fn read_time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

/// The first time that it is so late in Stockholm, after an instant. On the day on which the clock is put forward a time
/// that there is not is an hour later; of two on the day on which it is put back the first one counts.
fn next_at(time: NaiveTime, after: Instant) -> Instant {
    let mut day = after.date_time().with_timezone(&Stockholm).date_naive();
    for _ in 0..3 {
        let local = day.and_time(time);
        let found = Stockholm
            .from_local_datetime(&local)
            .earliest()
            .or_else(|| {
                Stockholm
                    .from_local_datetime(&(local + chrono::TimeDelta::hours(1)))
                    .earliest()
            });
        if let Some(found) = found {
            let at = Instant::from(found.to_utc());
            if at > after {
                return at;
            }
        }
        match day.checked_add_days(Days::new(1)) {
            Some(next) => day = next,
            None => break,
        }
    }
    later(after, Duration::from_secs(24 * 60 * 60))
}

/// The same for a source each time.
fn jitter(owner: &OwnerKey, source: &str, most: Duration) -> Duration {
    let seconds = most.as_secs();
    if seconds == 0 {
        return Duration::ZERO;
    }
    let hash = xxh3_64(format!("{owner} {source}").as_bytes());
    Duration::from_secs(hash % seconds)
}

fn later(at: Instant, by: Duration) -> Instant {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Instant::from_micros(at.micros().saturating_add(micros))
}

fn earlier(at: Instant, by: Duration) -> Instant {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Instant::from_micros(at.micros().saturating_sub(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn next(collect: &Collect, begun: &str, tried: Option<&str>, failures: u32) -> String {
        let owner = OwnerKey::new("a").unwrap();
        let next = collect.next(&owner, "s", at(begun), tried.map(at), failures);
        let next = next.unwrap().micros() - jitter_of(collect);
        Instant::from_micros(next).to_string()
    }

    fn jitter_of(collect: &Collect) -> i64 {
        let owner = OwnerKey::new("a").unwrap();
        let most = match collect.rhythm().unwrap() {
            Rhythm::Every(every) => MOST_JITTER.min(every / 10),
            Rhythm::At(_) => MOST_JITTER,
        };
        i64::try_from(jitter(&owner, "s", most).as_micros()).unwrap()
    }

    fn daily() -> Collect {
        Collect {
            url: Some("https://a.example/b".to_owned()),
            at: Some("03:15".to_owned()),
            ..Collect::default()
        }
    }

    #[test]
    fn a_time_of_the_day_is_that_of_stockholm() {
        let daily = daily();
        let begun = "2026-11-22T09:00:00Z";
        assert_eq!(
            next(&daily, begun, None, 0),
            at("2026-11-23T02:15:00Z").to_string()
        );
        let tried = Some("2026-11-23T02:15:40Z");
        assert!(next(&daily, begun, tried, 0).starts_with("2026-11-2"));
        // In summer it is an hour earlier.
        assert_eq!(
            next(&daily, "2026-07-01T09:00:00Z", None, 0),
            at("2026-07-02T01:15:00Z").to_string()
        );
        // There is no half past two on the day on which the clock is put forward, and two of them in autumn.
        let night = Collect {
            at: Some("02:30".to_owned()),
            ..daily
        };
        assert_eq!(
            next(&night, "2026-03-28T12:00:00Z", None, 0),
            at("2026-03-29T01:30:00Z").to_string()
        );
        assert_eq!(
            next(&night, "2026-10-24T12:00:00Z", None, 0),
            at("2026-10-25T00:30:00Z").to_string()
        );
    }

    #[test]
    fn a_night_that_was_missed_is_made_up_for_at_once() {
        let owner = OwnerKey::new("a").unwrap();
        let daily = daily();
        let tried = at("2026-11-20T02:20:00Z");
        let due = daily.next(&owner, "s", at("2026-11-01T00:00:00Z"), Some(tried), 0);
        assert!(due.unwrap() < at("2026-11-21T02:21:00Z"));
    }

    #[test]
    fn a_day_is_not_pulled_twice() {
        let owner = OwnerKey::new("a").unwrap();
        let daily = daily();
        let first = daily
            .next(&owner, "s", at("2026-11-22T09:00:00Z"), None, 0)
            .unwrap();
        let second = daily
            .next(&owner, "s", at("2026-11-22T09:00:00Z"), Some(first), 0)
            .unwrap();
        assert_eq!(second.micros() - first.micros(), 24 * 60 * 60 * 1_000_000);
    }

    #[test]
    fn what_failed_is_tried_again_later_and_later() {
        let often = Collect {
            at: None,
            every: Some("24h".to_owned()),
            ..daily()
        };
        let owner = OwnerKey::new("a").unwrap();
        let tried = at("2026-11-22T09:00:00Z");
        let minutes = |failures| {
            let next = often
                .next(&owner, "s", tried, Some(tried), failures)
                .unwrap();
            (next.micros() - tried.micros()) / 60_000_000
        };
        assert_eq!([1, 2, 3, 4, 5, 50].map(minutes), [5, 10, 20, 40, 60, 60]);
        assert!(minutes(0) >= 24 * 60 && minutes(0) < 24 * 60 + 5);
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let names = |collect: &Collect| -> Vec<&str> {
            collect.faults().iter().map(|fault| fault.name).collect()
        };
        assert!(names(&daily()).is_empty());
        assert_eq!(names(&Collect::default()), ["folder"]);
        let wrong = Collect {
            pattern: Some("../*.csv".to_owned()),
            every: Some("5s".to_owned()),
            at: Some("25:00".to_owned()),
            endpoints: vec!["persons".to_owned()],
            ..daily()
        };
        assert_eq!(
            names(&wrong),
            ["pattern", "pattern", "endpoints", "every", "every", "at"]
        );
        for good in ["1m", "24h", "31d"] {
            assert!(read_every(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "h",
            "0m",
            "32d",
            "+5h",
            "1.5h",
            "24",
            "99999999999999999999h",
        ] {
            assert!(read_every(bad).is_none(), "{bad}");
        }
    }
}
