//! One file, place after place: what the mirrors have, and then the URLs of `fetch.txt`.
//!
//! A mirror is a help: that it is not there, or has something wrong, is noted once and fails nothing.

use url::Url;

use super::Engine;
use super::file::{ATTEMPTS, End, failure};
use super::small::Partly;
use crate::materialize::list::Wanted;
use crate::materialize::mirror::MirrorPlace;
use crate::materialize::report::NOT_A_URL;
use crate::transport::redacted_text;

/// Times that one file is asked for at a mirror: there are other places.
const TRIES: u32 = 2;
/// A file that a mirror fails to give is as bad as so many that it lacks.
const FAILURE: u32 = 6;

impl<'e> Engine<'e> {
    /// Fetches a file; its length.
    pub(super) async fn fetch(&self, wanted: &Wanted<'e>) -> Result<u64, End> {
        let mut partly = Partly::default();
        let mut wrong = Vec::new();
        if let Some(done) = self.fetch_from_mirrors(wanted, &mut partly, &mut wrong).await {
            return done;
        }
        let mut last = failure(wanted.file, String::new(), "fetch.txt gives no URL".into(), None);
        for text in self.list.urls(wanted.index) {
            last = match Url::parse(&text) {
                Err(_) => failure(wanted.file, redacted_text(&text), NOT_A_URL.into(), None),
                Ok(url) => match self.fetch_at(wanted, &url, ATTEMPTS, &mut partly).await {
                    Err(End::Failed(failure) | End::Missing(failure)) => failure,
                    other => return other,
                },
            };
        }
        for copy in wrong {
            last.reason = format!("{}; {copy}", last.reason);
        }
        Err(End::Failed(last))
    }

    /// Fetches a file from a mirror, if one has it. What mirrors have instead is added to `wrong`, a sentence for each.
    async fn fetch_from_mirrors(
        &self,
        wanted: &Wanted<'e>,
        partly: &mut Partly<'e>,
        wrong: &mut Vec<String>,
    ) -> Option<Result<u64, End>> {
        let looked = self.options.mirrors.look(self.list, wanted.index);
        for (mirror, reason) in &looked.wrong {
            self.copy_is_wrong(*mirror, reason, wrong);
        }
        for places in looked.places.chunk_by(|one, other| one.mirror == other.mirror) {
            let done = self.fetch_from_mirror(wanted, places, partly, wrong).await;
            if done.is_some() {
                return done;
            }
        }
        None
    }

    /// The same from one mirror, at the places where it may have the file.
    async fn fetch_from_mirror(
        &self,
        wanted: &Wanted<'e>,
        places: &[MirrorPlace],
        partly: &mut Partly<'e>,
        wrong: &mut Vec<String>,
    ) -> Option<Result<u64, End>> {
        let mirrors = self.options.mirrors;
        let mirror = places.first()?.mirror;
        let mut turn = None;
        for place in places {
            if turn.is_none() && !mirrors.is_trusted(mirror) {
                turn = mirrors.turn(mirror).await;
            }
            if mirrors.is_given_up(mirror) {
                return None;
            }
            if mirrors.is_trusted(mirror) {
                turn = None;
            }
            match self.fetch_at(wanted, &place.url, TRIES, partly).await {
                Ok(length) => {
                    mirrors.found(place);
                    return Some(Ok(length));
                }
                Err(End::Stopped) => return Some(Err(End::Stopped)),
                Err(End::Missing(_)) => mirrors.lacked(mirror),
                Err(End::Failed(failure)) if failure.code.is_some() => {
                    self.copy_is_wrong(mirror, &failure.reason, wrong);
                }
                Err(End::Failed(failure)) => {
                    self.mirror_fails(mirror, &failure.reason);
                    // It would not fare better under another name.
                    return None;
                }
            }
        }
        if mirrors.missed(mirror, 1) {
            let name = mirrors.name(mirror);
            self.note(format!("{name} had none of 24 files in a row, and is not asked any more"));
        }
        None
    }

    fn copy_is_wrong(&self, mirror: usize, reason: &str, wrong: &mut Vec<String>) {
        let text = format!("the copy in {} is wrong: {reason}", self.options.mirrors.name(mirror));
        if self.options.mirrors.is_news(mirror) {
            self.note(text.clone());
        }
        wrong.push(text);
    }

    fn mirror_fails(&self, mirror: usize, reason: &str) {
        if self.options.mirrors.is_news(mirror) {
            let name = self.options.mirrors.name(mirror);
            self.note(format!("{name} gives nothing: {reason}"));
        }
        if self.options.mirrors.missed(mirror, FAILURE) {
            self.note(format!("{} is not asked any more", self.options.mirrors.name(mirror)));
        }
    }
}
