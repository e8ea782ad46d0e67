//! Names that are legal and ask for trouble (RFC 8493 §5.1.1, §5.2).

use crate::bag::names::Alike;
use crate::bag::{Bag, Code, Finding};

/// Names that some file systems take for one, names that play with terminals, and files that systems leave behind.
pub(super) fn check(bag: &Bag, findings: &mut Vec<Finding>) {
    let mut seen = Alike::by_case();
    for file in bag.payload() {
        if let Some(other) = seen.add(&bag.names, file.id) {
            let other = bag.by_id(other).path();
            let message = format!("its name differs from {other} only in case or in Unicode form");
            findings.push(Finding::new(Code::CollidingNames, file.path(), message));
        }
        let name = file.path().as_str();
        if name.chars().any(char::is_control) {
            let message = "its name holds control characters";
            findings.push(Finding::new(Code::ControlCharacter, file.path(), message));
        }
        if matches!(name.rsplit('/').next(), Some(".DS_Store" | "Thumbs.db" | "desktop.ini")) {
            let message = "an operating system left this file behind";
            findings.push(Finding::new(Code::SystemFile, file.path(), message));
        }
    }
}
