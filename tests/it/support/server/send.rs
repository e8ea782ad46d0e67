//! Sends an answer as it is told to, down to how it fails.

use std::io::{Read, Write};
use std::time::Duration;

use super::Connection;
use super::log::Log;
use super::reply::{Answer, At};
use super::request::Request;

/// As much as is written at once where no pace is set.
const PIECE: usize = 64 << 10;
/// Time for what was written to reach the other side: a reset discards what did not.
const SETTLE: Duration = Duration::from_millis(30);

/// How a connection goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Keep,
    /// It is closed in good order.
    Close,
    /// It is closed with nothing said.
    Abort,
    /// It is reset.
    Reset,
}

pub(super) fn send(
    out: &mut Connection,
    answer: &Answer,
    log: &Log,
    request: &Request,
) -> std::io::Result<Ending> {
    std::thread::sleep(answer.delay);
    if answer.hangup {
        return Ok(Ending::Abort);
    }
    out.write_all(head(answer).as_bytes())?;
    let body = if request.method == "HEAD" { &[] } else { answer.body() };
    let number = matches!(answer.status, 200 | 206)
        .then(|| log.begin(&request.path, answer.status, answer.range.start as u64));
    let count = |octets: usize| number.iter().for_each(|number| log.add(*number, octets as u64));
    let limit = answer.end.map_or(body.len(), |at| at.octets().min(body.len()));
    let (octets, pause) = answer.pace.unwrap_or((PIECE, Duration::ZERO));
    for piece in body[..limit].chunks(octets) {
        write_piece(out, piece, answer.chunked, &count)?;
        std::thread::sleep(pause);
    }
    out.flush()?;
    match answer.end {
        Some(At::Cut(_)) => return Ok(Ending::Abort),
        Some(At::Stall(_)) => {
            wait_for_the_other_side(out);
            return Ok(Ending::Abort);
        }
        Some(At::Reset(_)) => {
            std::thread::sleep(SETTLE);
            rustix::net::sockopt::set_socket_linger(out.tcp(), Some(Duration::ZERO))?;
            return Ok(Ending::Reset);
        }
        None => {}
    }
    if answer.chunked {
        out.write_all(b"0\r\n\r\n")?;
        out.flush()?;
    }
    number.iter().for_each(|number| log.whole(*number));
    Ok(if answer.closing { Ending::Close } else { Ending::Keep })
}

fn head(answer: &Answer) -> String {
    let reason = match answer.status {
        200 => "OK",
        206 => "Partial Content",
        _ => "X",
    };
    let length = if answer.chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {}", answer.range.len())
    };
    let close = if answer.closing { "Connection: close\r\n" } else { "" };
    format!("HTTP/1.1 {} {reason}\r\n{length}\r\n{}{close}\r\n", answer.status, answer.headers)
}

/// Writes a piece, counting each octet when the socket has taken it.
fn write_piece(
    out: &mut Connection,
    piece: &[u8],
    chunked: bool,
    count: &dyn Fn(usize),
) -> std::io::Result<()> {
    if chunked {
        write!(out, "{:x}\r\n", piece.len())?;
    }
    let mut at = 0;
    while at < piece.len() {
        let n = out.write(&piece[at..])?;
        at += n;
        count(n);
    }
    if chunked {
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

/// Returns when the other side, or the end of the server, closes the connection.
fn wait_for_the_other_side(out: &mut Connection) {
    let mut tcp = out.tcp();
    let _ = tcp.set_read_timeout(None);
    while tcp.read(&mut [0; 512]).is_ok_and(|n| n > 0) {}
}

impl At {
    fn octets(self) -> usize {
        match self {
            Self::Cut(at) | Self::Stall(at) | Self::Reset(at) => at,
        }
    }
}
