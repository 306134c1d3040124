//! `kilter.yaml` and `kilter.lock`: reading, checking, editing in place.

pub mod model;
