//! The AT dialogue, to be read by people: one piece a line, with its time and direction.
//!
//! Pieces that belong together but came one by one, as from somebody who types, are joined; payload
//! is counted and shortened.

use std::io::{Stderr, Write, stderr};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use quectel_sim::{Content, Direction, Traced};

/// How long the beginning of something waits for what belongs to it, in µs.
const PATIENCE: u64 = 200_000;
/// So many bytes of a payload are shown.
const SHOWN: usize = 48;

const TIME: Style = Style::new().dimmed();
const ESCAPE: Style = Style::new().dimmed();
const TO_MODULE: Style = AnsiColor::Cyan.on_default().bold();
const TO_HOST: Style = AnsiColor::Green.on_default().bold();
const URC: Style = AnsiColor::Yellow.on_default();
const DATA: Style = AnsiColor::Magenta.on_default();
const ECHO: Style = Style::new().dimmed();
const FAILED: Style = AnsiColor::Red.on_default();

/// Shows a dialogue on standard error.
pub(super) struct Show {
    out: AutoStream<Stderr>,
    held: Option<Traced>,
}

impl Show {
    pub(super) fn new(color: ColorChoice) -> Show {
        Show {
            out: AutoStream::new(stderr(), color),
            held: None,
        }
    }

    /// Shows what has passed by `now`.
    pub(super) fn show(&mut self, now: u64, dialogue: Vec<Traced>) {
        let mut text = String::new();
        for traced in dialogue {
            for piece in pieces(traced) {
                self.join(piece, &mut text);
            }
        }
        if let Some(held) = self.held.take_if(|held| now >= held.at + PATIENCE) {
            text.push_str(&line(&held));
        }
        self.print(&text);
    }

    /// Shows what is left.
    pub(super) fn end(&mut self) {
        if let Some(held) = self.held.take() {
            self.print(&line(&held));
        }
    }

    fn print(&mut self, text: &str) {
        if !text.is_empty() {
            // Without a reader the module goes on.
            let _ = self.out.write_all(text.as_bytes());
            let _ = self.out.flush();
        }
    }

    fn join(&mut self, piece: Traced, text: &mut String) {
        match &mut self.held {
            Some(held) if belongs(held, &piece) => held.bytes.extend(piece.bytes),
            held => {
                if let Some(before) = held.replace(piece) {
                    text.push_str(&line(&before));
                }
            }
        }
        // What the module says is complete.
        let complete = |held: &mut Traced| match (held.direction, held.content) {
            (_, Content::Payload) => false,
            (Direction::ToHost, _) => true,
            (Direction::ToModule, _) => held.bytes.ends_with(b"\r"),
        };
        if let Some(whole) = self.held.take_if(complete) {
            text.push_str(&line(&whole));
        }
    }
}

/// Whether a piece goes on where the one before it ends.
fn belongs(held: &Traced, piece: &Traced) -> bool {
    held.direction == piece.direction
        && held.content == piece.content
        && piece.at < held.at + PATIENCE
}

/// Command lines one by one, and data apart from the answer it is in.
fn pieces(traced: Traced) -> Vec<Traced> {
    let Traced {
        at,
        direction,
        content,
        bytes,
    } = traced;
    let piece = |content, bytes: &[u8]| Traced {
        at,
        direction,
        content,
        bytes: bytes.to_vec(),
    };
    match (direction, content) {
        (Direction::ToModule, Content::Dialogue) => bytes
            .split_inclusive(|byte| *byte == b'\r')
            .map(|line| piece(content, line))
            .collect(),
        (Direction::ToHost, Content::Dialogue | Content::Urc) => {
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            while let Some((before, data, after)) = data(rest) {
                pieces.push(piece(content, before));
                pieces.push(piece(Content::Payload, data));
                rest = after;
            }
            if !rest.is_empty() {
                pieces.push(piece(content, rest));
            }
            pieces
        }
        _ => vec![piece(content, &bytes)],
    }
}

/// The first data in an answer or a URC, what comes before it, and what comes behind it.
fn data(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut from = 0;
    loop {
        let end = from + position(&bytes[from..], b"\r\n")?;
        let header = &bytes[from..end];
        from = end + 2;
        if let Some(length) = length(header)
            && let Some((data, after)) = bytes[from..].split_at_checked(length)
            && after.starts_with(b"\r\n")
        {
            return Some((&bytes[..from], data, after));
        }
    }
}

/// How many bytes of data follow this line.
fn length(header: &[u8]) -> Option<usize> {
    let header = str::from_utf8(header).ok()?;
    let (number, from) = match header.strip_prefix("+QIRD: ") {
        Some(rest) => rest.split_once(',').unwrap_or((rest, "")),
        None => {
            let rest = header.strip_prefix("+QIURC: \"recv\",")?;
            let (_, rest) = rest.split_once(',')?;
            rest.split_once(',').unwrap_or((rest, ""))
        }
    };
    // The totals of AT+QIRD=<id>,0 are numbers alone.
    let address = from.is_empty() || from.starts_with('"');
    number.parse().ok().filter(|n| *n > 0 && address)
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// A piece as a line of text.
fn line(piece: &Traced) -> String {
    let (arrow, way) = match piece.direction {
        Direction::ToModule => (">>", TO_MODULE),
        Direction::ToHost => ("<<", TO_HOST),
    };
    let failed = piece.direction == Direction::ToHost
        && [&b"ERROR"[..], b"SEND FAIL"]
            .iter()
            .any(|code| position(&piece.bytes, code).is_some());
    let (mark, style) = match piece.content {
        Content::Dialogue if failed => ("", FAILED),
        Content::Dialogue => ("", Style::new()),
        Content::Echo => ("echo", ECHO),
        Content::Urc => ("URC", URC),
        Content::Payload => ("data", DATA),
    };
    let text = match piece.content {
        Content::Payload => {
            let n = piece.bytes.len();
            let (unit, more) = (
                if n == 1 { "byte" } else { "bytes" },
                if n > SHOWN { "..." } else { "" },
            );
            let shown = visible(&piece.bytes[..n.min(SHOWN)], style);
            format!("{n} {unit}: {shown}{more}")
        }
        _ => visible(&piece.bytes, style),
    };
    let (seconds, micros) = (piece.at / 1_000_000, piece.at % 1_000_000);
    format!(
        "{TIME}{seconds:>5}.{micros:06}{TIME:#} {way}{arrow}{way:#} \
         {style}{mark:<4} {text}{style:#}\n"
    )
}

/// Bytes as text, in which line ends and what is no character can be seen.
fn visible(bytes: &[u8], style: Style) -> String {
    let mut text = String::new();
    let mut escaped = false;
    for byte in bytes {
        let escape = match byte {
            b'\r' => "\\r".into(),
            b'\n' => "\\n".into(),
            b'\t' => "\\t".into(),
            b'\\' => "\\\\".into(),
            b' '..=b'~' => String::new(),
            _ => format!("\\x{byte:02x}"),
        };
        if escaped == escape.is_empty() {
            escaped = !escaped;
            text.push_str(&match escaped {
                true => format!("{style:#}{ESCAPE}"),
                false => format!("{ESCAPE:#}{style}"),
            });
        }
        match escape.is_empty() {
            true => text.push(char::from(*byte)),
            false => text.push_str(&escape),
        }
    }
    if escaped {
        text.push_str(&format!("{ESCAPE:#}{style}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use Content::{Dialogue, Echo, Payload, Urc};
    use Direction::{ToHost, ToModule};

    fn shown(dialogue: &[(u64, Direction, Content, &[u8])]) -> String {
        let mut show = Show::new(ColorChoice::Never);
        let mut text = String::new();
        for (at, direction, content, bytes) in dialogue {
            let traced = Traced {
                at: *at,
                direction: *direction,
                content: *content,
                bytes: bytes.to_vec(),
            };
            for piece in pieces(traced) {
                show.join(piece, &mut text);
            }
        }
        if let Some(held) = show.held.take() {
            text.push_str(&line(&held));
        }
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_dialogue() {
        let text = shown(&[
            (0, ToModule, Dialogue, b"AT+QISEND=0,5\r"),
            (90, ToHost, Echo, b"AT+QISEND=0,5\r"),
            (1_002_000, ToHost, Dialogue, b"\r\n> "),
            (1_003_000, ToModule, Payload, b"a\0"),
            (1_003_100, ToModule, Payload, b"b\\\r"),
            (1_003_100, ToModule, Dialogue, b"AT\rATE"),
            (1_003_200, ToModule, Dialogue, b"0\r"),
            (1_009_000, ToHost, Dialogue, b"\r\nSEND OK\r\n"),
            (2_000_000, ToHost, Urc, b"\r\n+QIURC: \"closed\",0\r\n"),
        ]);
        assert_eq!(
            text,
            "    0.000000 >>      AT+QISEND=0,5\\r\n    \
                 0.000090 << echo AT+QISEND=0,5\\r\n    \
                 1.002000 <<      \\r\\n> \n    \
                 1.003000 >> data 5 bytes: a\\x00b\\\\\\r\n    \
                 1.003100 >>      AT\\r\n    \
                 1.003100 >>      ATE0\\r\n    \
                 1.009000 <<      \\r\\nSEND OK\\r\\n\n    \
                 2.000000 << URC  \\r\\n+QIURC: \"closed\",0\\r\\n\n"
        );
    }

    #[test]
    fn data_in_answers_is_counted_not_searched() {
        let read = b"\r\n+QIRD: 8\r\n\r\nOK\r\n++\r\n\r\nOK\r\n";
        let push = b"\r\n+QIURC: \"recv\",11,1,\"192.0.2.7\",7\r\nx\r\n";
        let text = shown(&[
            (0, ToHost, Dialogue, read),
            (0, ToHost, Urc, push),
            (0, ToHost, Dialogue, b"\r\n+QIRD: 4,2,2\r\n\r\nOK\r\n"),
            (0, ToHost, Dialogue, b"\r\n+QIRD: 0\r\n\r\nOK\r\n"),
        ]);
        assert_eq!(
            text,
            "    0.000000 <<      \\r\\n+QIRD: 8\\r\\n\n    \
                 0.000000 << data 8 bytes: \\r\\nOK\\r\\n++\n    \
                 0.000000 <<      \\r\\n\\r\\nOK\\r\\n\n    \
                 0.000000 << URC  \\r\\n+QIURC: \"recv\",11,1,\"192.0.2.7\",7\\r\\n\n    \
                 0.000000 << data 1 byte: x\n    \
                 0.000000 << URC  \\r\\n\n    \
                 0.000000 <<      \\r\\n+QIRD: 4,2,2\\r\\n\\r\\nOK\\r\\n\n    \
                 0.000000 <<      \\r\\n+QIRD: 0\\r\\n\\r\\nOK\\r\\n\n"
        );
    }

    #[test]
    fn a_long_payload_is_shortened() {
        let text = shown(&[(0, ToModule, Payload, &[b'x'; 1460])]);
        let shortened = "x".repeat(48);
        assert_eq!(
            text,
            format!("    0.000000 >> data 1460 bytes: {shortened}...\n")
        );
    }

    #[test]
    fn colours_end_with_their_line() {
        let piece = Traced {
            at: 0,
            direction: ToHost,
            content: Dialogue,
            bytes: b"\r\nERROR\r\n".to_vec(),
        };
        let text = line(&piece);
        assert!(text.contains("\u{1b}[31m"), "{text:?}");
        assert!(text.ends_with("\u{1b}[0m\n"), "{text:?}");
    }
}
