//! What a template is called: by the binary that built it, so that a stale one is never used.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Names of one template.
pub(crate) struct TemplateName {
    /// Common to every build of this template by this test binary.
    pub(crate) family: String,
    /// Of this very build of the binary.
    pub(crate) current: String,
}

impl TemplateName {
    /// Names are short, lower-case and safe as SQL identifiers and file names.
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot find itself must fail"
    )]
    pub(crate) fn of(name: &str) -> TemplateName {
        let exe = std::env::current_exe().expect("a test binary has a path");
        let about = std::fs::metadata(&exe).expect("a test binary can be read");
        let family = format!("gd_tpl_{:016x}_", hash(&(&exe, name)));
        let current = format!(
            "{family}{:016x}",
            hash(&(about.len(), about.modified().ok()))
        );
        TemplateName { family, current }
    }
}

pub(crate) fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
