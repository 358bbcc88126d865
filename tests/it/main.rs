//! One test binary for everything end to end.
