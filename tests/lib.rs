//! End-to-end tests of grunddata.
