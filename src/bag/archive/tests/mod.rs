//! Each rule of the readers, by archives that Python and the `zip` crate write and by hostile ones made by hand.

mod compression;
mod samples;
mod tar;
mod zip;
