//! grunddata model.
