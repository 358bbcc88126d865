//! grunddata store.
