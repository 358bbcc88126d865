//! grunddata server.
