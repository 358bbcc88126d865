//! Databases for tests: every test has its own, on SQLite and on PostgreSQL.
//!
//! [`on_both!`] writes a test once and generates `name::sqlite` and `name::postgres`, so that the test
//! report shows what ran on which engine (`cargo xtask test` counts them and fails when they differ).
//!
//! Architecture invariant: this crate is a dev-dependency only. It knows nothing of our tables; what a
//! template holds is decided by the caller. It never skips: without PostgreSQL it panics with the cure.

mod dice;
mod engine;
mod postgres;
mod sqlite;
mod template;

pub use dice::Dice;
pub use engine::{Database, Engine};

/// Writes each test once and runs it on both engines.
///
/// ```
/// use grunddata_testing::{Database, Engine, on_both};
///
/// on_both! {
///     /// Runs as `starts_empty::sqlite` and `starts_empty::postgres`.
///     fn starts_empty(db: Database) {
///         assert!(!db.url.is_empty());
///     }
/// }
///
/// // A set-up of one's own: any `fn(Engine) -> T`.
/// fn migrated(engine: Engine) -> Database {
///     Database::from_template(engine, "doc", |_url| { /* migrate */ })
/// }
/// on_both! {
///     using migrated;
///     fn reads_what_was_written(db: Database) {
///         assert!(!db.url.is_empty());
///     }
/// }
/// ```
///
/// The value that the set-up returns is dropped at the end of the test, so its `Drop` is the place for
/// what every test must assert last (such as `verify()`).
#[macro_export]
macro_rules! on_both {
    (using $setup:path; $($(#[$meta:meta])* fn $name:ident($($arg:tt)+) $body:block)+) => {
        $($crate::on_both!(@one $setup, [$(#[$meta])*], $name, ($($arg)+), $body);)+
    };
    (@one $setup:path, [$(#[$meta:meta])*], $name:ident, (mut $arg:ident : $type:ty), $body:block) => {
        $(#[$meta])*
        #[cfg(test)]
        fn $name(engine: $crate::Engine) {
            #[allow(unused_mut)]
            let mut $arg: $type = $setup(engine);
            $body
        }
        $crate::on_both!(@tests $name);
    };
    (@one $setup:path, [$(#[$meta:meta])*], $name:ident, ($arg:ident : $type:ty), $body:block) => {
        $(#[$meta])*
        #[cfg(test)]
        fn $name(engine: $crate::Engine) {
            let $arg: $type = $setup(engine);
            $body
        }
        $crate::on_both!(@tests $name);
    };
    (@tests $name:ident) => {
        #[cfg(test)]
        mod $name {
            #[test]
            fn sqlite() {
                super::$name($crate::Engine::Sqlite);
            }
            #[test]
            fn postgres() {
                super::$name($crate::Engine::Postgres);
            }
        }
    };
    ($($(#[$meta:meta])* fn $name:ident($($arg:tt)+) $body:block)+) => {
        $crate::on_both! { using $crate::Database::new; $($(#[$meta])* fn $name($($arg)+) $body)+ }
    };
}
