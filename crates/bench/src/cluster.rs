//! The PostgreSQL server that the benchmarks use, with a database for each of them.

use anyhow::{Context as _, Result};

/// A running server.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// Of its maintenance database.
    pub(crate) url: String,
    /// Its postmaster, whose descendants are the backends.
    pub(crate) pid: u32,
}

impl Cluster {
    /// The server at an address; the connection must be a superuser's, which may read the postmaster's process id.
    pub(crate) async fn at(url: &str) -> Result<Self> {
        let client = crate::bare::connect(url).await?;
        let text: String = client
            .query_one("SELECT pg_read_file('postmaster.pid')", &[])
            .await?
            .try_get(0)?;
        let pid = text
            .lines()
            .next()
            .context("postmaster.pid is empty")?
            .trim()
            .parse()?;
        Ok(Self {
            url: url.to_owned(),
            pid,
        })
    }

    /// Creates a database anew and gives its URL.
    pub(crate) async fn create(&self, name: &str) -> Result<String> {
        let client = crate::bare::connect(&self.url).await?;
        client
            .batch_execute(&format!(
                "DROP DATABASE IF EXISTS bench_{name} WITH (FORCE)"
            ))
            .await?;
        client
            .batch_execute(&format!("CREATE DATABASE bench_{name}"))
            .await?;
        self.address_of(&format!("bench_{name}"))
    }

    /// Gives the disk back.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        let client = crate::bare::connect(&self.url).await?;
        client
            .batch_execute(&format!(
                "DROP DATABASE IF EXISTS bench_{name} WITH (FORCE)"
            ))
            .await?;
        Ok(())
    }

    fn address_of(&self, database: &str) -> Result<String> {
        let (address, parameters) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (server, _) = address
            .rsplit_once('/')
            .context("a PostgreSQL URL names a database")?;
        Ok(format!("{server}/{database}?{parameters}"))
    }
}
