//! Offline-first BDBags and versioned datasets, for data that models are trained on.
//!
//! A dataset in a local catalog is *released* as `digits@1.0.0`, *exported* as a checksummed bag whose large files
//! may be references, *carried* anywhere, *materialized*, *verified*, and *queried* with SQL, all without a server.
//! The command line is a thin face over this library.
//!
//! ```
//! use dbag::bag::{Bag, NoProgress, VerifyOptions, Verdict, verify};
//! use dbag::export::{ExportOptions, export};
//! use dbag::ingest::{TableImport, import_table};
//! use dbag::open::{Workspace, open_database};
//! use dbag::query::{Format, write_rows};
//! use dbag::version::Bump;
//!
//! # fn main() -> Result<(), dbag::Error> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let labels = folder.join("labels.csv");
//! std::fs::write(&labels, "filename,digit\na.png,7\nb.png,3\n")?;
//!
//! let mut lab = Workspace::init(&folder.join("lab"), &Default::default())?;
//! let report = import_table(&mut lab.catalog, &TableImport::new(&labels, "Label"), &NoProgress)?;
//! assert_eq!(report.columns[1], ("digit".into(), "int8".into()));
//!
//! let name = "digits".parse()?;
//! lab.catalog.create_dataset(&name, "Two digits")?;
//! lab.catalog.add_table_members(&name, "Label", None)?;
//! let release = lab.catalog.release_dataset(&name, Bump::Major, "the first two")?;
//! assert_eq!(release.reference.to_string(), "digits@1.0.0");
//!
//! let options = ExportOptions::new(&folder.join("digits.zip"));
//! export(&lab.catalog, &lab.objects, &release.reference, &options, &NoProgress)?;
//!
//! let report = verify(&Bag::open(&options.output)?, VerifyOptions::default(), &NoProgress)?;
//! assert_eq!(report.verdict(), Verdict::Valid);
//!
//! let database = open_database(&options.output.to_string_lossy(), folder)?;
//! let mut answer = Vec::new();
//! write_rows(&database, "SELECT sum(digit) AS total FROM Label", Format::Csv, &mut answer)?;
//! assert_eq!(answer, b"total\n10\n");
//! # Ok(())
//! # }
//! ```
//!
//! The modules stand on floors, and each uses only those below its own:
//! [`bag`], [`version`], [`model`], [`tabular`], [`partition`], [`settings`] · [`catalog`], [`cache`], [`tables`],
//! [`transport`] · [`query`], [`ingest`] ·
//! [`materialize`] · [`export`] · [`open`] · [`cli`].

pub mod bag;
pub mod cache;
pub mod catalog;
mod claim;
pub mod cli;
mod error;
pub mod export;
pub mod ingest;
pub mod materialize;
pub mod model;
pub mod open;
pub mod partition;
pub mod query;
pub mod settings;
pub mod tables;
pub mod tabular;
pub mod transport;
pub mod version;

pub use error::{Error, ErrorKind};
