//! 32 bytes as 64 hexadecimal digits, as hashes are written.

use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

use crate::merkle::Hash;

pub(crate) fn serialize<S: Serializer>(
    bytes: &Option<[u8; 32]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    bytes.map(Hash).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[u8; 32]>, D::Error> {
    Ok(Option::<Hash>::deserialize(deserializer)?.map(|hash| hash.0))
}
