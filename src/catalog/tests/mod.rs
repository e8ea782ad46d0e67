//! Random lives of a catalog beside a plain model in memory: every snapshot, read back after all later changes, is what
//! the model says that it was.

mod life;
mod membership;
mod writers;
