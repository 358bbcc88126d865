//! grunddata information-model.
