use super::samples::{python, records, seal, tar, tar_entry, tar_header};
use crate::bag::archive::source::{ArchiveError, Kind, Limits};
use crate::bag::archive::tar::{read_tar, read_tar_at};
use proptest::prelude::*;
use std::io::{self, Read};

type Found = Vec<(Vec<u8>, Kind, Vec<u8>)>;

/// Reads as a stream, half of the contents only in part.
fn stream(bytes: &[u8], whole: bool) -> Result<Found, ArchiveError> {
    let mut found = Vec::new();
    let mut reader = bytes;
    let visit = &mut |entry: crate::bag::archive::tar::TarEntry<'_>, body: &mut dyn Read| {
        let mut content = Vec::new();
        if whole {
            body.read_to_end(&mut content)?;
            assert_eq!(content.len() as u64, entry.length);
            assert_eq!(
                Some(&content[..]),
                bytes.get(usize::try_from(entry.offset).unwrap()..).map(|b| &b[..content.len()])
            );
        } else {
            body.take(3).read_to_end(&mut content)?;
            content.clear();
        }
        found.push((entry.name.to_vec(), entry.kind, content));
        Ok(())
    };
    read_tar(&mut reader, visit, &Limits::default(), &|| bytes.len() as u64)?;
    Ok(found)
}

/// Reads in every way, which must all find the same.
fn untar(bytes: &[u8]) -> Result<Found, ArchiveError> {
    let found = stream(bytes, true);
    let source = bytes.to_vec();
    let mut by_offset = Vec::new();
    let result = read_tar_at(
        &source,
        &mut |entry| {
            let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
            let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
            let content = source.get(start..).and_then(|rest| rest.get(..length)).unwrap_or_default();
            by_offset.push((entry.name.to_vec(), entry.kind, content.to_vec()));
            Ok(())
        },
        &Limits::default(),
    )
    .map(|()| by_offset);
    let text = |result: &Result<Found, ArchiveError>| result.as_ref().err().map(ToString::to_string);
    assert_eq!(text(&found), text(&result));
    assert_eq!(text(&found), text(&stream(bytes, false)));
    if let (Ok(found), Ok(result)) = (&found, &result) {
        assert_eq!(found, result);
    }
    found
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    match untar(bytes) {
        Err(ArchiveError::Refused(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{:?} instead of {words}", other.map(|found| found.len())),
    }
}

#[track_caller]
fn broken(bytes: &[u8], words: &str) {
    match untar(bytes) {
        Err(ArchiveError::Broken(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{:?} instead of {words}", other.map(|found| found.len())),
    }
}

#[track_caller]
fn one(bytes: &[u8]) -> (String, Kind, Vec<u8>) {
    let mut found = untar(bytes).unwrap();
    assert_eq!(found.len(), 1);
    let (name, kind, content) = found.remove(0);
    (String::from_utf8(name).unwrap(), kind, content)
}

#[test]
fn reads_what_was_put_together() {
    let bytes = tar(&[
        tar_entry(b"a", b'0', b"hello"),
        tar_entry(b"empty", b'0', b""),
        tar_entry(b"v7", 0, &[7; 2000]),
        tar_entry(b"folder/", 0, b""),
        tar_entry(b"folder", b'5', b""),
        tar_entry(b"hard", b'1', b""),
        tar_entry(b"soft", b'2', b""),
        tar_entry(b"device", b'3', b""),
        tar_entry(b"pipe", b'6', b""),
        tar_entry(b"contiguous", b'7', b"c"),
        tar_entry(b"unknown", b'Q', b"what"),
        tar_entry(b"last", b'0', &[9; 512]),
    ]);
    let kinds: Vec<_> =
        untar(&bytes).unwrap().into_iter().map(|(_, kind, content)| (kind, content.len())).collect();
    let wanted = [
        (Kind::File, 5),
        (Kind::File, 0),
        (Kind::File, 2000),
        (Kind::Folder, 0),
        (Kind::Folder, 0),
        (Kind::Link, 0),
        (Kind::Link, 0),
        (Kind::Other, 0),
        (Kind::Other, 0),
        (Kind::File, 1),
        (Kind::Other, 4),
        (Kind::File, 512),
    ];
    assert_eq!(kinds, wanted);
}

const PYTHON: &str = "
import io, sys, tarfile
output = io.BytesIO()
with tarfile.open(fileobj=output, mode='w', format=tarfile.FORMAT) as archive:
    def add(name, content=b'', **more):
        info = tarfile.TarInfo(name)
        info.size = len(content)
        for key, value in more.items(): setattr(info, key, value)
        archive.addfile(info, io.BytesIO(content))
    add('a', b'text')
    add('d', type=tarfile.DIRTYPE)
    add('d/' + 'n' * 98, b'y' * 100000)
    add('p' * 60 + '/' + 'q' * 90, b'split')
    add('ü/☃', b'snow', uname='üser')
    add('empty')
    if LONG:
        add('m' * 101, b'x')
        add('k' * 300 + '/' + 'l' * 300, b'long', type=tarfile.REGTYPE, mtime=1.5)
        add('s' * 150, type=tarfile.SYMTYPE, linkname='t' * 200)
        add('e' * 300, type=tarfile.DIRTYPE)
sys.stdout.buffer.write(output.getvalue())
";

#[test]
fn reads_what_python_wrote() {
    for (format, long) in [("USTAR_FORMAT", false), ("GNU_FORMAT", true), ("PAX_FORMAT", true)] {
        let script = PYTHON
            .replace("FORMAT)", &format!("{format})"))
            .replace("LONG", if long { "True" } else { "False" });
        let script = script.replace("tarfile.FORMAT", &format!("tarfile.{format}"));
        let Some(bytes) = python(&script, b"") else { return };
        let found = untar(&bytes).unwrap();
        let mut wanted = vec![
            ("a".to_owned(), Kind::File, b"text".to_vec()),
            ("d/".into(), Kind::Folder, Vec::new()),
            (format!("d/{}", "n".repeat(98)), Kind::File, vec![b'y'; 100_000]),
            (format!("{}/{}", "p".repeat(60), "q".repeat(90)), Kind::File, b"split".to_vec()),
            ("ü/☃".into(), Kind::File, b"snow".to_vec()),
            ("empty".into(), Kind::File, Vec::new()),
        ];
        if long {
            wanted.extend([
                ("m".repeat(101), Kind::File, b"x".to_vec()),
                (format!("{}/{}", "k".repeat(300), "l".repeat(300)), Kind::File, b"long".to_vec()),
                ("s".repeat(150), Kind::Link, Vec::new()),
                (format!("{}/", "e".repeat(300)), Kind::Folder, Vec::new()),
            ]);
        }
        assert_eq!(found.len(), wanted.len(), "{format}");
        for ((name, kind, content), (found_name, found_kind, found_content)) in wanted.iter().zip(found) {
            // A folder's slash is in some headers only.
            let found_name = String::from_utf8(found_name).unwrap();
            assert_eq!(name.trim_end_matches('/'), found_name.trim_end_matches('/'), "{format}");
            assert_eq!((kind, content), (&found_kind, &found_content), "{format}");
        }
    }
}

#[test]
fn the_checksum_must_be_right() {
    let mut bytes = tar(&[tar_entry(b"a", b'0', b"hello")]);
    bytes[0] = b'b';
    broken(&bytes, "no tar header at 0");
    broken(&[7; 512], "no tar header at 0");
    let second = tar(&[tar_entry(b"a", b'0', b"hello"), vec![7; 512]]);
    broken(&second, "no tar header at 1024");
}

#[test]
fn either_sum_is_a_checksum() {
    let mut block = tar_header("ü".as_bytes(), b'0', 0);
    assert!(untar(&tar(&[block.clone()])).is_ok());
    block[148..156].fill(b' ');
    let sum: i32 = block.iter().map(|&octet| i32::from(octet.cast_signed())).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(one(&tar(&[block])).0, "ü");
}

#[test]
fn numbers_are_octal_or_base_256() {
    let with_size = |field: &[u8]| {
        let mut entry = tar_entry(b"a", b'0', b"hello");
        entry[124..136].copy_from_slice(field);
        seal(&mut entry);
        tar(&[entry])
    };
    for field in [
        b"00000000005\0",
        b"          5 ",
        b"000000000005",
        b"5\0\0\0\0\0\0\0\0\0\0\0",
        b"     5 \0  \0 ",
        b"\x80\0\0\0\0\0\0\0\0\0\0\x05",
    ] {
        assert_eq!(one(&with_size(field)).2, b"hello");
    }
    for field in [
        b"00000000008\0",
        b"0000000000x\0",
        b"-0000000005\0",
        b"5\0\0\0\0\0\0\0\0\0\x005",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb",
        b"\x80\0\0\x01\0\0\0\0\0\0\0\x05",
        b"\x81\0\0\0\0\0\0\0\0\0\0\x05",
        b"\xc0\0\0\0\0\0\0\0\0\0\0\x05",
    ] {
        broken(&with_size(field), "\"a\" has an impossible length");
    }
    // A length that overflows once it is rounded up or added.
    for last in [0xff, 0] {
        let mut field = [0xff; 12];
        field[..4].copy_from_slice(b"\x80\0\0\0");
        field[11] = last;
        let limits = Limits { bytes: u64::MAX, ..Limits::default() };
        let result = read_tar_at(&with_size(&field), &mut |_| Ok(()), &limits);
        assert!(matches!(result, Err(ArchiveError::Broken(_))), "{result:?}");
    }
    assert_eq!(one(&with_size(&[0; 12])[..512]).2, b"");
}

#[test]
fn a_prefix_belongs_to_ustar() {
    let mut block = tar_header(b"name", b'0', 0);
    block[345..351].copy_from_slice(b"prefix");
    seal(&mut block);
    assert_eq!(one(&tar(&[block.clone()])).0, "prefix/name");
    block[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut block);
    assert_eq!(one(&tar(&[block.clone()])).0, "name");
    block[257..265].fill(0);
    seal(&mut block);
    assert_eq!(one(&tar(&[block])).0, "name");
    let full = [b'n'; 100];
    assert_eq!(one(&tar(&[tar_header(&full, b'0', 0)])).0.len(), 100);
}

#[test]
fn names_must_be_whole() {
    broken(&tar(&[tar_entry(b"", b'0', b"")]), "no name");
    broken(&tar(&[tar_entry(b"L", b'L', b"\0"), tar_entry(b"a", b'0', b"")]), "no name");
    let empty = records(&[("path", "")]);
    broken(&tar(&[tar_entry(b"x", b'x', &empty), tar_entry(b"a", b'0', b"")]), "no name");
    let nul = records(&[("path", "a\0b")]);
    refused(&tar(&[tar_entry(b"x", b'x', &nul), tar_entry(b"a", b'0', b"")]), "NUL in its name");
}

#[test]
fn long_names_are_read_and_bounded() {
    let entry = || tar_entry(b"short", b'0', b"content");
    let long = "l".repeat(60_000);
    let (name, _, content) = one(&tar(&[tar_entry(b"L", b'L', format!("{long}\0").as_bytes()), entry()]));
    assert_eq!((name, &content[..]), (long.clone(), &b"content"[..]));
    assert_eq!(one(&tar(&[tar_entry(b"K", b'K', b"target\0"), entry()])).0, "short");
    assert_eq!(
        one(&tar(&[tar_entry(b"K", b'K', b"t\0"), tar_entry(b"L", b'L', b"name"), entry()])).0,
        "name"
    );
    for flag in [b'L', b'K'] {
        refused(&tar(&[tar_entry(b"L", flag, &vec![b'l'; 65_537]), entry()]), "more than the 65536");
        refused(&tar_header(b"L", flag, 0o77_777_777_777), "more than the 65536");
        refused(
            &tar(&[tar_entry(b"L", flag, b"a"), tar_entry(b"L", flag, b"b"), entry()]),
            "two headers of one kind",
        );
        broken(&tar(&[tar_entry(b"L", flag, b"a")]), "before the entry of a header");
        broken(&tar_entry(b"L", flag, b"a"), "before the entry of a header");
        broken(&tar_entry(b"L", flag, b"a")[..1000], "within the header at 0");
    }
}

#[test]
fn pax_records_are_read_and_bounded() {
    let after = |text: &[u8]| tar(&[tar_entry(b"x", b'x', text), tar_entry(b"short", b'0', b"content")]);
    let good = records(&[("mtime", "1.5"), ("path", "ü=ö"), ("linkpath", "somewhere"), ("comment", "a\nb")]);
    assert_eq!(one(&after(&good)), ("ü=ö".into(), Kind::File, b"content".to_vec()));
    assert_eq!(one(&after(b"")).0, "short");
    let long = "x".repeat(99_999);
    assert_eq!(one(&after(&records(&[("path", &long)]))).0, long);
    for bad in [
        &b"11 path=abc"[..],
        b"12 path=abcd",
        b"13 path=abc\n",
        b"11 path=abc\n",
        b"99 path=abc\n",
        b"9999999999999999999999999 path=abc\n",
        b" path=abc\n",
        b"x path=abc\n",
        b"-12 path=abc\n",
        b"12path=abc\n",
        b"12 path:abc\n",
        b"7 =abc\n",
        b"3 \n",
        b"2 a=b\n",
        b"0 a=b\n",
        b"12 path=abc\n\0",
        b"11 size=-12\n",
        b"11 size=0x1\n",
        b"8 size=\n",
        b"28 size=18446744073709551616\n",
    ] {
        broken(&after(bad), "pax header at 0 is damaged");
    }
    for key in ["path", "linkpath", "size"] {
        refused(&after(&records(&[(key, "1"), (key, "2")])), &format!("has \"{key}\" twice"));
    }
    refused(&after(&vec![b' '; 1 << 20 | 1]), "more than the 1048576");
    let twice = [tar_entry(b"x", b'x', b""), tar_entry(b"x", b'x', b""), tar_entry(b"a", b'0', b"")];
    refused(&tar(&twice), "two headers of one kind");
    broken(&tar(&[tar_entry(b"x", b'x', b"")]), "before the entry of a header");
}

#[test]
fn a_pax_size_overrides_the_header() {
    let size = tar_entry(b"x", b'x', &records(&[("size", "600")]));
    let mut entry = tar_entry(b"a", b'0', &[7; 600]);
    entry[124..136].copy_from_slice(b"00000000000\0");
    seal(&mut entry);
    assert_eq!(one(&tar(&[size.clone(), entry])).2, [7; 600]);
    broken(&[size, tar_entry(b"a", b'0', b"")].concat(), "cut short in \"a\"");
}

#[test]
fn two_names_for_one_entry_are_refused() {
    let path = tar_entry(b"x", b'x', &records(&[("path", "one")]));
    let entry = || tar_entry(b"a", b'0', b"");
    assert_eq!(one(&tar(&[path.clone(), tar_entry(b"L", b'L', b"one\0"), entry()])).0, "one");
    refused(
        &tar(&[path.clone(), tar_entry(b"L", b'L', b"two\0"), entry()]),
        "called both \"one\" and \"two\"",
    );
    refused(&tar(&[tar_entry(b"L", b'L', b"two\0"), path, entry()]), "called both \"one\" and \"two\"");
}

#[test]
fn global_headers_may_change_nothing() {
    let after =
        |pairs: &[(&str, &str)]| tar(&[tar_entry(b"g", b'g', &records(pairs)), tar_entry(b"a", b'0', b"")]);
    assert_eq!(one(&after(&[("comment", "0123456789abcdef"), ("mtime", "1")])).0, "a");
    for key in ["path", "size", "linkpath"] {
        refused(&after(&[(key, "1")]), "global header at 0");
    }
    refused(&after(&[("GNU.sparse.major", "1")]), "sparse");
    let between = [tar_entry(b"L", b'L', b"l"), tar_entry(b"g", b'g', b""), tar_entry(b"a", b'0', b"")];
    refused(&tar(&between), "global header at 1024");
}

#[test]
fn what_is_not_read_is_refused() {
    refused(&tar(&[tar_entry(b"a", b'S', b"")]), "\"a\" is sparse; sparse files are not read");
    for key in ["GNU.sparse.major", "GNU.sparse.name", "GNU.sparse.map", "SUN.holesdata"] {
        let records = tar_entry(b"x", b'x', &records(&[(key, "1")]));
        refused(&tar(&[records, tar_entry(b"a", b'0', b"")]), "sparse files are not read");
    }
    for flag in [b'M', b'V', b'N', b'D', b'X'] {
        refused(&tar(&[tar_entry(b"a", flag, b"")]), "not read");
    }
}

#[test]
fn content_of_what_has_none_is_refused() {
    for flag in b'1'..=b'6' {
        refused(&tar(&[tar_entry(b"a", flag, b"x")]), "\"a\" claims content");
    }
    refused(&tar(&[tar_entry(b"a/", b'0', b"x")]), "\"a/\" claims content");
    refused(&tar(&[tar_entry(b"a/", 0, b"x")]), "\"a/\" claims content");
    let size = tar_entry(b"x", b'x', &records(&[("size", "1")]));
    refused(&tar(&[size, tar_entry(b"a", b'5', b"")]), "\"a\" claims content");
}

#[test]
fn the_end_may_be_short_but_nothing_may_follow() {
    let entry = tar_entry(b"a", b'0', b"hello");
    for zeros in [0, 512, 1024, 1500, 10_240, 200_000] {
        let mut bytes = entry.clone();
        bytes.resize(bytes.len() + zeros, 0);
        assert_eq!(untar(&bytes).unwrap().len(), 1);
        if zeros > 0 {
            bytes.extend(&entry);
            refused(&bytes, "bytes after the end");
            *bytes.last_mut().unwrap() = 1;
            refused(&bytes, "bytes after the end");
        }
    }
    assert!(untar(&[0; 1024]).unwrap().is_empty());
    broken(b"", "empty");
    broken(&entry[..511], "within a header");
    broken(&entry[..512], "cut short in \"a\"");
    broken(&entry[..516], "cut short in \"a\"");
    broken(&entry[..1023], "cut short in \"a\"");
    broken(&[&entry[..], &[0; 511]].concat(), "within a header");
}

#[test]
fn errors_show_names_without_control_characters() {
    refused(&tar(&[tar_entry(b"\x1b[2J", b'5', b"x")]), r#""\u{1b}[2J" claims"#);
}

#[test]
fn limits_hold() {
    let bytes = tar(&[tar_entry(b"a", b'0', &[1; 600]), tar_entry(b"b", b'0', &[1; 600])]);
    let limits = Limits::default();
    for (limits, words) in [
        (Limits { entries: 1, ..limits }, "more than 1 entries, from \"b\" on"),
        (Limits { bytes: 1199, ..limits }, "more than 1199 octets when unpacked, from \"b\" on"),
    ] {
        let error = read_tar_at(&bytes, &mut |_| Ok(()), &limits).unwrap_err();
        assert!(matches!(&error, ArchiveError::Refused(text) if text.contains(words)), "{error}");
        let error = read_tar(&mut &bytes[..], &mut |_, _| Ok(()), &limits, &|| 1).unwrap_err();
        assert!(matches!(&error, ArchiveError::Refused(text) if text.contains(words)), "{error}");
    }
    // A length is claimed before anything of it is there.
    let huge = tar_header(b"huge", b'0', 0o77_777_777_777);
    let error = read_tar_at(&huge, &mut |_| Ok(()), &Limits { bytes: 1 << 20, ..limits }).unwrap_err();
    assert!(matches!(&error, ArchiveError::Refused(_)), "{error}");
}

#[test]
fn bombs_are_refused_wherever_they_are() {
    let bomb = Limits::HARMLESS * 2;
    let header = tar_header(b"bomb", b'0', bomb);
    let zeros = || io::repeat(0).take(bomb);
    let limits = Limits::default();
    let inside = "more than 500 times its size at \"bomb\"";
    // Read by the visitor, who may even hide the error; passed over; and after the end.
    let mut visits: [Box<crate::bag::archive::tar::VisitBody<'_>>; 3] = [
        Box::new(|_, body| io::copy(body, &mut io::sink()).map(drop).map_err(ArchiveError::Io)),
        Box::new(|_, body| {
            let _ = io::copy(body, &mut io::sink());
            Ok(())
        }),
        Box::new(|_, _| Ok(())),
    ];
    for visit in &mut visits {
        let mut reader = header.chain(zeros());
        let error = read_tar(&mut reader, visit, &limits, &|| 1000).unwrap_err();
        assert!(matches!(&error, ArchiveError::Refused(text) if text.contains(inside)), "{error}");
        assert!(reader.into_inner().1.limit() > bomb / 2 - (2 << 20));
        assert!(read_tar(&mut header.chain(zeros()), visit, &limits, &|| 1 << 20).is_ok());
    }
    let mut reader = &mut header.clone();
    let small = tar_entry(b"small", b'0', b"");
    reader = {
        reader.clone_from(&small);
        reader
    };
    let error = read_tar(&mut reader.chain(zeros()), &mut |_, _| Ok(()), &limits, &|| 1000).unwrap_err();
    assert!(matches!(&error, ArchiveError::Refused(text) if text.contains("\"small\"")), "{error}");
}

#[test]
fn errors_of_the_stream_and_of_the_visitor_pass() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "no"))
        }
    }
    let header = tar_header(b"a", b'0', 1000);
    let limits = Limits::default();
    for read in [false, true] {
        let visit = &mut |_: crate::bag::archive::tar::TarEntry<'_>, body: &mut dyn Read| {
            if read {
                io::copy(body, &mut io::sink())?;
            }
            Ok(())
        };
        let error = read_tar(&mut header.chain(Failing), visit, &limits, &|| 1).unwrap_err();
        assert!(matches!(&error, ArchiveError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied));
    }
    let bytes = tar(&[tar_entry(b"a", b'0', b"")]);
    let stop = || ArchiveError::Refused("stop".into());
    assert_eq!(read_tar_at(&bytes, &mut |_| Err(stop()), &limits).unwrap_err().to_string(), "stop");
    let error = read_tar(&mut &bytes[..], &mut |_, _| Err(stop()), &limits, &|| 1).unwrap_err();
    assert_eq!(error.to_string(), "stop");
}

fn mutable() -> Vec<u8> {
    let mut wide = tar_entry(b"wide", b'0', &[3; 700]);
    wide[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\x02\xbc");
    seal(&mut wide);
    tar(&[
        tar_entry(b"g", b'g', &records(&[("comment", "c")])),
        tar_entry(b"x", b'x', &records(&[("path", "long/name"), ("size", "5"), ("mtime", "1.5")])),
        tar_entry(b"a", b'0', b"hello"),
        tar_entry(b"L", b'L', b"gnu/name\0"),
        tar_entry(b"K", b'K', b"target\0"),
        tar_entry(b"b", b'2', b""),
        wide,
        tar_entry(b"d/", b'5', b""),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_octets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let _ = untar(&bytes);
        let parts = [tar_entry(b"a", b'0', b"a"), tar_entry(b"x", b'x', &bytes), tar_entry(b"b", b'0', b"b")];
        let _ = untar(&tar(&parts));
    }

    /// Every way to read a changed archive finds the same; with headers sealed again, so that changes are seen.
    #[test]
    fn mutations_are_read_in_one_way(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        sealed in any::<bool>(),
    ) {
        let mut bytes = mutable();
        for (index, new) in changes {
            let at = index.index(bytes.len());
            bytes[at] = new;
            let block = at / 512 * 512;
            if sealed && bytes[block + 257..].starts_with(b"ustar") {
                seal(&mut bytes[block..block + 512]);
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = untar(&bytes);
    }

    #[test]
    fn round_trips(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 1..8)) {
        let parts: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(number, content)| tar_entry(number.to_string().as_bytes(), b'0', content))
            .collect();
        let found: Vec<_> = untar(&tar(&parts)).unwrap().into_iter().map(|(_, _, content)| content).collect();
        prop_assert_eq!(found, contents);
    }
}
