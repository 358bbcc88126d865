//! Why a token is refused: one table of stable codes.

/// Why a token is refused. The text tells the client what is wrong with its own token and nothing about other tokens,
/// keys or the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Not three parts of base64url with JSON objects inside, longer than 16 KiB, encrypted, with `crit`, or with a
    /// claim of the wrong type.
    #[error(
        "The token is not a signed JWT that can be read. Send the access token as the issuer gave it."
    )]
    Malformed,
    /// `typ` is not that of an access token, or the token is an ID token.
    #[error("The token is not an access token. Send an access token, not an ID or refresh token.")]
    WrongType,
    /// `cnf`: the token is bound to a key of the client.
    #[error(
        "The token is bound to a key and cannot be used as a bearer token. Ask the issuer for a bearer token."
    )]
    ProofRequired,
    /// `iss` is none of the issuers.
    #[error(
        "The token's issuer is not one that is accepted here. Ask the administrator which issuers are."
    )]
    UnknownIssuer,
    /// `alg` is not accepted from this issuer.
    #[error("The token is signed with an algorithm that is not accepted.")]
    WrongAlgorithm,
    /// The issuer does not publish the key.
    #[error("The key that the token is signed with is not known. Fetch a new token.")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("The token's signature is wrong. Fetch a new token.")]
    BadSignature,
    /// `exp`, `iat`, `sub` or `aud` is missing.
    #[error("The token lacks a claim that is required: exp, iat, sub and aud.")]
    MissingClaim,
    /// `aud` holds none of the audiences.
    #[error(
        "The token is meant for another audience. Ask the issuer for a token for this registry."
    )]
    WrongAudience,
    /// `exp` has passed.
    #[error("The token has expired. Fetch a new one.")]
    Expired,
    /// `iat` lies too far back.
    #[error("The token was issued too long ago. Fetch a new one.")]
    TooOld,
    /// `nbf` or `iat` has not come.
    #[error("The token is not valid yet. Check the clocks.")]
    NotYetValid,
    /// The issuer's keys cannot be fetched. The only refusal that passes by itself: HTTP 503.
    #[error("The issuer's keys cannot be fetched at the moment. Try again later.")]
    IssuerUnreachable,
}

impl Refused {
    /// Every refusal, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::WrongType,
        Self::ProofRequired,
        Self::UnknownIssuer,
        Self::WrongAlgorithm,
        Self::UnknownKey,
        Self::BadSignature,
        Self::MissingClaim,
        Self::WrongAudience,
        Self::Expired,
        Self::TooOld,
        Self::NotYetValid,
        Self::IssuerUnreachable,
    ];

    /// The stable text: lower-case words joined by hyphens.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongType => "wrong-type",
            Self::ProofRequired => "proof-required",
            Self::UnknownIssuer => "unknown-issuer",
            Self::WrongAlgorithm => "wrong-algorithm",
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "bad-signature",
            Self::MissingClaim => "missing-claim",
            Self::WrongAudience => "wrong-audience",
            Self::Expired => "expired",
            Self::TooOld => "too-old",
            Self::NotYetValid => "not-yet-valid",
            Self::IssuerUnreachable => "issuer-unreachable",
        }
    }

    /// Whether the same token may be accepted later without anybody doing anything: 503 instead of 401.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::IssuerUnreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::Refused;

    #[test]
    fn codes_are_unique_and_only_an_outage_is_temporary() {
        let mut codes: Vec<_> = Refused::ALL.iter().map(|refused| refused.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Refused::ALL.len());
        let temporary: Vec<_> = Refused::ALL.iter().filter(|r| r.is_temporary()).collect();
        assert_eq!(temporary, [&Refused::IssuerUnreachable]);
    }
}
