//! Tests of several files together.

mod overtaken;
