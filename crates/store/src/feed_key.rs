//! The keys with which positions are sealed: one per owner, made when it is first asked for, and the same for all processes
//! on one database.

use diesel::sql_types::Binary;
use grunddata_model::OwnerKey;

use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::Moment;
use crate::store::Store;

impl Store {
    /// The key of the owner's feed; where there is none yet, `fresh` becomes it.
    ///
    /// # Errors
    /// [`StoreError`] of the database; [`StoreError::Disagrees`] when what is stored is no key.
    pub fn feed_key(&self, owner: &OwnerKey, fresh: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        if let Some(key) = self.kept_feed_key(owner)? {
            return Ok(key);
        }
        let now = (self.engine().options.clock)();
        let mut sql = Sql::<()>::new("INSERT INTO feed_key (owner, secret, created_at) VALUES ");
        sql.values([vec![
            Bind::Text(owner.as_str().into()),
            Bind::Bytes(fresh.as_slice().into()),
            Bind::Moment(Moment(now)),
        ]])
        .push(" ON CONFLICT DO NOTHING");
        self.connect()?.execute(&sql)?;
        // Another process may have been first.
        self.kept_feed_key(owner)?
            .ok_or_else(|| StoreError::disagrees("the key of a feed"))
    }

    fn kept_feed_key(&self, owner: &OwnerKey) -> Result<Option<[u8; 32]>, StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<(Binary,)>::new("SELECT k.secret FROM feed_key k WHERE k.owner = ");
            sql.text(owner.as_str());
            let found: Option<(Vec<u8>,)> = reader.connection.first(&sql)?;
            found
                .map(|(secret,)| {
                    secret
                        .try_into()
                        .map_err(|_| StoreError::disagrees("the key of a feed"))
                })
                .transpose()
        })
    }
}
