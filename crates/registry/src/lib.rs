//! grunddata registry.
