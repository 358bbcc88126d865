//! The words of an entry that have fixed codes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        ///
        /// Written as its code, which never changes. A code that this version does not know stays what it is
        /// (`Other`), so that an older program can read the log of a newer one.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$of])* $variant,)+
            /// A code of a later version.
            Other(Arc<str>),
        }

        impl $name {
            /// The code.
            #[must_use]
            pub fn code(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// What the code stands for.
            #[must_use]
            pub fn from_code(code: &str) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }

            /// All that this version knows.
            #[must_use]
            pub const fn known() -> &'static [$name] {
                &[$(Self::$variant,)+]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::from_code(&code))
            }
        }
    };
}

codes! {
    /// What was done.
    Kind {
        /// One record, or a few named by id, were shown.
        Read = "read",
        /// A list was shown.
        Search = "search",
        /// Only a number was shown.
        Count = "count",
        /// Earlier states or versions were shown.
        History = "history",
        /// Links, hierarchies or other records around one were shown.
        Links = "links",
        /// Names were proposed while somebody typed.
        Suggest = "suggest",
        /// Changes were handed to a follower.
        Feed = "feed",
        /// A file or another bulk was handed out.
        Export = "export",
        /// The register extract of a data subject was made.
        Extract = "extract",
        /// A record was written, and what it was before could be seen from the answer.
        Write = "write",
        /// Somebody signed in, or was refused.
        SignIn = "sign-in",
        /// The access log itself was read.
        LogRead = "log-read",
        /// A grant, token, owner, setting or another thing of the administration was changed.
        Administration = "administration",
        /// Records were erased or restricted.
        Erasure = "erasure",
    }
}

codes! {
    /// The way by which it was done.
    Channel {
        /// The REST interface.
        Rest = "rest",
        /// The pages.
        Page = "page",
        /// GraphQL.
        GraphQl = "graphql",
        /// SCIM.
        Scim = "scim",
        /// The command line.
        Cli = "cli",
        /// A load of a file.
        Load = "load",
        /// The change feed.
        Feed = "feed",
        /// A webhook or another delivery by the registry.
        Delivery = "delivery",
        /// The registry itself, on a schedule.
        Schedule = "schedule",
    }
}

impl Kind {
    /// Whether the records of such an entry were shown to somebody.
    #[must_use]
    pub fn shows_records(&self) -> bool {
        !matches!(
            self,
            Self::Count | Self::SignIn | Self::LogRead | Self::Administration | Self::Erasure
        )
    }

    /// Whether there are few of them beside the reads, so that an index entry for each is worth its place.
    pub(crate) fn is_rare(&self) -> bool {
        !matches!(
            self,
            Self::Read
                | Self::Search
                | Self::Count
                | Self::History
                | Self::Links
                | Self::Suggest
                | Self::Feed
                | Self::Write
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_and_unknown_ones_stay() {
        for kind in Kind::known() {
            assert_eq!(Kind::from_code(kind.code()), *kind);
        }
        for channel in Channel::known() {
            assert_eq!(Channel::from_code(channel.code()), *channel);
        }
        let later: Kind = serde_json::from_str("\"teleport\"").unwrap();
        assert_eq!(later, Kind::Other("teleport".into()));
        assert_eq!(serde_json::to_string(&later).unwrap(), "\"teleport\"");
    }
}
