//! What is wrong with a bag: a stable code, where it is, and a sentence.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The bag is not valid.
    Error,
    /// The bag is valid, but something in it asks for trouble.
    Warning,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A kind of finding. Its text (`E…` for errors, `W…` for warnings) never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code with its text and its meaning, for the documentation and its test.
            pub const ALL: &'static [(Self, &'static str, &'static str)] = &[$((Self::$name, $text, concat!($($doc),+)),)+];

            /// The stable text, such as `E203`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// A tag file can't be read or decoded.
    TagFileUnreadable = "E101",
    /// There is no payload manifest whose algorithm is known.
    NoManifest = "E102",
    /// A manifest line is not "digest, space, path".
    BadManifestLine = "E103",
    /// A path would lie outside the bag, or outside the part that the file may list.
    UnsafePath = "E104",
    /// A manifest lists one file twice (before BagIt 1.0 only if the digests differ).
    DuplicateEntry = "E105",
    /// BagIt 1.0: a payload file is missing from one of the payload manifests.
    NotInEveryManifest = "E106",
    /// A line of fetch.txt is not "URL, length, path".
    BadFetchLine = "E107",
    /// fetch.txt lists a file that a payload manifest does not.
    FetchNotInManifest = "E108",
    /// A line of bag-info.txt or the Payload-Oxum is malformed.
    BadBagInfo = "E109",
    /// Two manifests of one kind are of one algorithm.
    RepeatedManifest = "E110",
    /// BagIt 1.0: a tag manifest leaves out a payload manifest.
    TagManifestGap = "E111",
    /// Lines of fetch.txt give one file different lengths.
    FetchLengthsDiffer = "E112",
    /// bagit.txt says what it has to, but not in the form that its version asks for.
    BadDeclaration = "E113",
    /// A listed file is neither there nor in fetch.txt.
    FileMissing = "E201",
    /// A payload file is in no manifest.
    FileUnlisted = "E202",
    /// A file's bytes do not have the listed digest.
    DigestMismatch = "E203",
    /// A file's length is not the one that fetch.txt says.
    LengthMismatch = "E204",
    /// The payload is not as large, or not as many files, as Payload-Oxum says.
    OxumMismatch = "E205",
    /// A file can't be read.
    FileUnreadable = "E206",
    /// A symbolic link, device or other thing that is no regular file, or a name that is not text.
    NotAFile = "E207",
    /// The payload folder data/ is missing.
    NoPayloadFolder = "E208",
    /// The bag was to be checked by its Payload-Oxum only, and has none.
    NoOxum = "E209",
    /// A name is that of a file and of a folder at once.
    FileAndFolder = "E210",
    /// A manifest line is in the form of md5sum: `*` before the path, `./` in it, or `\\` before the line.
    ChecksumToolForm = "W301",
    /// A manifest's algorithm is unknown, so that it was not checked.
    UnknownAlgorithm = "W302",
    /// A path was found only by reading its percent codes in another way than the bag's version says.
    PercentFallback = "W303",
    /// Before BagIt 1.0: a manifest lists one file twice with the same digest.
    RepeatedEntry = "W304",
    /// Before BagIt 1.0: a tag manifest leaves out a payload manifest.
    OldTagManifestGap = "W305",
    /// Two names differ only in case or in Unicode normal form.
    CollidingNames = "W306",
    /// A file that an operating system left behind.
    SystemFile = "W307",
    /// A name holds control characters.
    ControlCharacter = "W308",
    /// BagIt 1.0: a label of bag-info.txt is not followed by a colon, one space or tab, and its value.
    BagInfoSpacing = "W309",
    /// Before BagIt 1.0: a label of bagit.txt is written in another case.
    DeclarationCase = "W310",
}

impl Code {
    /// Whether a finding of this kind makes the bag invalid.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('E') { Severity::Error } else { Severity::Warning }
    }

    /// Whether a finding of this kind is about the bytes of a file that is there.
    pub(crate) fn is_of_bytes(self) -> bool {
        matches!(self, Self::DigestMismatch | Self::LengthMismatch | Self::FileUnreadable)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a bag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: a path in the bag, with `:line` for a line of a tag file.
    pub place: String,
    /// What kind.
    pub code: Code,
    /// The sentence, with what was expected and found.
    pub message: String,
}

impl Finding {
    pub(super) fn new(code: Code, place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { place: place.to_string(), code, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.place, self.message)
    }
}
