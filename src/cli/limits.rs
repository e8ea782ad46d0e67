//! What an archive may hold, for every command that opens one.

use clap::Args;

use crate::bag::Limits;
use crate::settings::parse_size;

/// Limits on archives, against those that are made to fill disks.
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names)]
#[command(next_help_heading = "Limits on archives")]
pub(super) struct ArchiveLimits {
    /// Entries that an archive may have [default: 20000000]
    #[arg(long, value_name = "N")]
    max_entries: Option<u64>,
    /// What an archive may unpack to, such as 500GB [default: 64TiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_unpacked: Option<u64>,
    /// Times its own size that an archive may unpack to, once that is more than 64 MiB [default: 500]
    #[arg(long, value_name = "N")]
    max_ratio: Option<u64>,
}

impl ArchiveLimits {
    pub(super) fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            entries: self.max_entries.unwrap_or(default.entries),
            bytes: self.max_unpacked.unwrap_or(default.bytes),
            ratio: self.max_ratio.unwrap_or(default.ratio),
        }
    }
}
