//! Ids that are the same in every demo, so that documentation and tests can name records.

use grunddata_model::Domain;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// The id of a seeded record: a UUID of version 8 (RFC 9562, section 5.8) made from the SHA-256 of the domain and the
/// name of the record within the seeds, such as `municipality/0331`.
#[must_use]
pub fn seed_id(domain: Domain, name: &str) -> Uuid {
    let digest = Sha256::digest(format!("grunddata-seeds/{domain}/{name}"));
    let mut bytes = [0_u8; 16];
    bytes
        .iter_mut()
        .zip(digest.iter())
        .for_each(|(byte, from)| *byte = *from);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable_and_a_valid_uuid_of_version_8() {
        let id = seed_id(Domain::Geography, "municipality/0331");
        assert_eq!(id, seed_id(Domain::Geography, "municipality/0331"));
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_ne!(id, seed_id(Domain::Organisation, "municipality/0331"));
    }
}
