//! Formats with a structure of their own, read as rows; and geometries.

pub mod geometry;
pub(crate) mod geopackage;
pub(crate) mod oneroster;
pub(crate) mod paxml;
pub(crate) mod sie;
pub(crate) mod wkb;
