use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use url::Url;

use super::*;
use crate::transport::tests::conformance::{conformance, encoded, objects, wait};

type Files = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A plain web server with entity tags and ranges.
fn serve(files: &Files) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let files = Arc::clone(files);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let files = Arc::clone(&files);
            std::thread::spawn(move || while answer(&stream, &files).is_some() {});
        }
    });
    url
}

/// Answers one request; `None` at the connection's end.
fn answer(stream: &TcpStream, files: &Files) -> Option<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let path = head.split(' ').nth(1)?.trim_start_matches('/');
    let path = percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let range = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let body = files.lock().unwrap().get(&path).cloned();
    let mut out = stream;
    let Some(body) = body else {
        return write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok();
    };
    let tag = format!("ETag: \"{:x}\"\r\n", crc32fast::hash(&body));
    let total = body.len();
    let Some(range) = range else {
        write!(out, "HTTP/1.1 200 OK\r\n{tag}Content-Length: {total}\r\n\r\n").ok()?;
        return out.write_all(&body).ok();
    };
    let (first, last) = range.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let end = last.trim().parse().map_or(total, |last: usize| total.min(last + 1));
    if first >= total {
        let head = format!("HTTP/1.1 416 X\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n\r\n");
        return out.write_all(head.as_bytes()).ok();
    }
    let place =
        format!("Content-Range: bytes {first}-{}/{total}\r\nContent-Length: {}", end - 1, end - first);
    write!(out, "HTTP/1.1 206 Partial Content\r\n{tag}{place}\r\n\r\n").ok()?;
    out.write_all(&body[first..end]).ok()
}

#[test]
fn it_does_what_any_source_must() {
    let files: Files = Arc::default();
    let put = |name: &str, octets: &[u8]| {
        files.lock().unwrap().insert(name.to_owned(), octets.to_vec());
    };
    objects().iter().for_each(|(name, octets)| put(name, octets));
    let base = serve(&files);
    let source = HttpSource::new(&TransportOptions::default(), Credentials::none(), &[]).unwrap();
    wait(conformance(&source, |name| base.join(&encoded(name)).unwrap(), put));
}
