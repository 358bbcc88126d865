//! grunddata web.
