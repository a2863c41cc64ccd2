//! Bytes of any kind: half noise, half damaged dialogues. Nothing panics,
//! everything ends, and no payload is longer than announced.
//!
//! The seed is printed; `QUECTEL_SEED=<n>` replays a run.

use std::{collections::BTreeMap, env, ops::Range};

use atat::{AtatCmd, AtatUrc};
use quectel_at_commands::{
    Command, Expect, Framer, ResultCode, Token, Trailer, Urc,
    dns::Resolve,
    fields::Fields,
    framer::{Body, FrameError, LINE},
    general::{Attention, EchoOff, Identify, SerialNumber, SetErrorFormat},
    network::{
        Domain, GetCircuitRegistration, GetEpsRegistration, GetPacketRegistration, Registration,
    },
    pdp::{ActivateContext, ActiveContext, DeactivateContext, GetActiveContexts},
    settings::SetPayloadEcho,
    sim::{GetSimState, SimState},
    tcp::{
        Close, GetSendCounters, GetSocket, GetSockets, ReadData, ReadDatagram, Send, SendCounters,
        SocketRow,
    },
    text::HostName,
};

/// splitmix64
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let seed = env::var("QUECTEL_SEED").map(|seed| seed.parse().expect("a number"));
        let seed = seed.unwrap_or_else(|_| std::process::id().into());
        println!("QUECTEL_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn within(&mut self, range: Range<usize>) -> usize {
        let width = (range.end - range.start).max(1);
        range.start + (self.next() % width as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0..choices.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.within(0..n) == 0
    }

    /// Noise, mostly of what lines are made of.
    fn noise(&mut self) -> Vec<u8> {
        let length = self.within(1..200);
        let byte = |r: &mut Self| match r.within(0..4) {
            0 => r.of(b"\r\n>,\" +:0"),
            _ => r.next() as u8,
        };
        (0..length).map(|_| byte(self)).collect()
    }

    /// `bytes` with some of them dropped, doubled, changed or inserted.
    fn damage(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.within(0..4) {
            let at = self.within(0..bytes.len());
            let byte = self.next() as u8;
            match (self.within(0..5), bytes.get(at).copied()) {
                (0, Some(_)) => drop(bytes.remove(at)),
                (1, Some(same)) => bytes.insert(at, same),
                (2, Some(old)) => bytes[at] = old ^ (1 << (byte & 7)),
                (3, _) => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        bytes
    }
}

const LINES: &[&str] = &[
    "OK",
    "ERROR",
    "SEND OK",
    "SEND FAIL",
    "+CME ERROR: 516",
    "+CMS ERROR: 302",
    "+CME ERROR: SIM busy",
    "RDY",
    "APP RDY",
    "POWERED DOWN",
    "+CFUN: 1",
    "+CPIN: READY",
    "+CPIN: NOT READY",
    "+CEREG: 0,1",
    "+CEREG: 5",
    "+CGREG: 2,1,\"5650\",\"29A7DF4\",2",
    "+QIND: SMS DONE",
    "+QIOPEN: 0,0",
    "+QIOPEN: 0,566",
    "+QIURC: \"recv\",0",
    "+QIURC: \"closed\",0",
    "+QIURC: \"incoming\",11,0,\"198.51.100.7\",62060",
    "+QIURC: \"incoming full\"",
    "+QIURC: \"pdpdeact\",1",
    "+QIURC: \"dnsgip\",0,1,300",
    "+QIURC: \"dnsgip\",\"203.0.113.15\"",
    "+QIURC: \"dnsgip\",565",
    "+QISEND: 9,9,0",
    "+QIACT: 1,1,3,\"10.46.0.1\",\"2001:DB8:1023:1B1B:18BE:A0EA:AEA9:AB47\"",
    "+QISTATE: 0,\"TCP\",\"1.2.3.4\",80,0,2,1,1",
    "+QIRD: 0",
    "+QIRD: 7",
    "+QIRD: 7,\"192.0.2.7\",5683",
    "+QMTRECV: 0,0",
    "Quectel",
    "Revision: EC25EFAR02A09M4G",
    ">",
    "",
];

const PROMPTED: Expect = Expect {
    body: Body::Prompt,
    ..Expect::CODE
};

/// What can be outstanding.
fn outstanding() -> [(&'static [u8], Expect); 8] {
    [
        (b"AT+QIRD=0\r", ReadDatagram::EXPECT),
        (b"AT\r", Expect::CODE),
        (b"ATI\r", Expect::TEXT),
        (b"AT+CPIN?\r", GetSimState::EXPECT),
        (b"AT+CEREG?\r", GetEpsRegistration::EXPECT),
        (b"AT+QISEND=0,4\r", PROMPTED),
        (b"AT+QISTATE?\r", GetSockets::EXPECT),
        (b"AT+QIRD=0,1500\r", ReadData::EXPECT),
    ]
}

/// A piece of a dialogue.
fn dialogue(random: &mut Random, sent: &[u8], trailer: Trailer) -> Vec<u8> {
    let mut bytes = Vec::new();
    if random.one_in(3) {
        bytes.extend(sent);
    }
    for _ in 0..random.within(0..4) {
        bytes.extend(format!("\r\n{}\r\n", random.of(LINES)).bytes());
    }
    match random.within(0..4) {
        0 => bytes.extend(b"\r\n> "),
        1 => {
            let payload = random.noise();
            let sender = random.of(&["", ",\"192.0.2.7\",5683"]);
            bytes.extend(format!("\r\n+QIRD: {}{sender}\r\n", payload.len()).bytes());
            bytes.extend(payload);
            if trailer == Trailer::BlankLine {
                bytes.extend(b"\r\n");
            }
            if random.one_in(3) {
                bytes.extend(b"\r\n+QIURC: \"recv\",0\r\n");
            }
            bytes.extend(b"\r\nOK\r\n");
        }
        2 if random.one_in(20) => bytes.extend(vec![b'x'; LINE + 9]),
        _ => bytes.extend(b"\r\nOK\r\n"),
    }
    bytes
}

fn kind(token: &Token<'_>) -> &'static str {
    match token {
        Token::Echo => "echo",
        Token::Prompt => "prompt",
        Token::Info(_) => "information",
        Token::Header(0) => "empty header",
        Token::Header(_) => "header",
        Token::DatagramHeader(..) => "datagram header",
        Token::Payload(_) => "payload",
        Token::Final(code) if code.is_error() => "error",
        Token::Final(ResultCode::SendOk | ResultCode::SendFail) => "end of a send",
        Token::Final(_) => "ok",
        Token::Urc(_) => "urc",
        Token::Unknown(_) => "unknown line",
        Token::Garbled(_) => "garbled echo",
        Token::TooLong => "long line",
        Token::Broken(FrameError::Header) => "broken header",
        Token::Broken(FrameError::Trailer) => "broken trailer",
    }
}

/// What must have been met in the end: every kind of token, and the states
/// that show in what follows what.
const MET: [&str; 23] = [
    "datagram header",
    "echo",
    "prompt",
    "information",
    "empty header",
    "header",
    "payload",
    "error",
    "end of a send",
    "ok",
    "urc",
    "unknown line",
    "long line",
    "broken header",
    "broken trailer",
    "no token",
    "payload in pieces",
    "urc inside a trailer",
    "end of a payload",
    "released inside a payload",
    "garbled echo",
    "answer behind its echo",
    "half prompt",
];

#[test]
fn the_framer_survives_anything() {
    let mut random = Random::seeded();
    let mut met = BTreeMap::<&str, u32>::new();
    for _ in 0..20_000 {
        let trailer = random.of(&[Trailer::BlankLine, Trailer::NoBlankLine]);
        let mut framer = Framer::new(trailer);
        let mut sent: &[u8] = b"";
        // Bytes of payload that are still to come, and whether one has begun.
        let (mut left, mut counting) = (0, false);
        // Whether the echo must come first, and whether it has.
        let (mut echoed, mut echo) = (false, false);
        for _ in 0..20 {
            match random.within(0..6) {
                0 => {
                    (echoed, echo) = (false, false);
                    framer.release();
                    if left > 0 {
                        *met.entry("released inside a payload").or_default() += 1;
                    }
                    (sent, left, counting) = (b"", 0, false);
                }
                1 | 2 => {
                    let (line, expect) = random.of(&outstanding());
                    let most = random.of(&[0, 7, 200, 1500]);
                    (echoed, echo) = (random.one_in(2), false);
                    if echoed {
                        framer.expect_echoed(expect, most);
                    } else {
                        framer.expect(expect, most);
                    }
                    (sent, left, counting) = (line, 0, false);
                }
                3 => {
                    framer.take_stray();
                    let half = framer.has_half_prompt();
                    assert_eq!(framer.take_half_prompt(), half);
                    assert!(!framer.has_half_prompt());
                    if half {
                        *met.entry("half prompt").or_default() += 1;
                    }
                }
                _ => {}
            }
            let mut bytes = match random.one_in(2) {
                true => random.noise(),
                false => dialogue(&mut random, sent, trailer),
            };
            if random.one_in(2) {
                bytes = random.damage(bytes);
            }
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, _) = rest.split_at(random.within(1..rest.len() + 1));
                let (taken, token) = framer.next(sent, piece);
                assert!(taken > 0 && taken <= piece.len(), "takes what there is");
                rest = &rest[taken..];
                let Some(token) = token else {
                    assert_eq!(taken, piece.len(), "without a token all is taken");
                    *met.entry("no token").or_default() += 1;
                    continue;
                };
                *met.entry(kind(&token)).or_default() += 1;
                echo |= token == Token::Echo;
                if let Token::Prompt
                | Token::Info(_)
                | Token::Header(_)
                | Token::DatagramHeader(..)
                | Token::Final(_) = token
                    && echoed
                {
                    assert!(echo, "{token:?} before the echo");
                    *met.entry("answer behind its echo").or_default() += 1;
                }
                match token {
                    Token::Garbled(_) => assert!(echoed && !echo && !counting),
                    Token::Header(n) | Token::DatagramHeader(n, _) => {
                        (left, counting) = (n, true);
                    }
                    Token::Payload(bytes) => {
                        assert!(bytes.len() <= left, "no more than announced");
                        left -= bytes.len();
                        let what = ["payload in pieces", "end of a payload"];
                        *met.entry(what[usize::from(left == 0)]).or_default() += 1;
                    }
                    Token::Urc(_) if counting => {
                        assert_eq!(left, 0, "no URC inside a payload");
                        *met.entry("urc inside a trailer").or_default() += 1;
                    }
                    Token::Final(code) => {
                        if counting {
                            assert_eq!((left, code), (0, ResultCode::Ok));
                        }
                        (sent, counting) = (b"", false);
                    }
                    Token::Broken(_) => (sent, left, counting) = (b"", 0, false),
                    Token::Echo | Token::Prompt | Token::Info(_) => {
                        assert!(!sent.is_empty(), "{token:?} belongs to a command");
                        assert!(!counting, "{token:?} inside a counted answer");
                    }
                    Token::Urc(_) | Token::Unknown(_) | Token::TooLong => {
                        assert!(!counting, "{token:?} inside a counted answer");
                    }
                }
            }
        }
    }
    println!("{met:#?}");
    for what in MET {
        assert!(met.contains_key(what), "never met: {what}");
    }
    assert_eq!(met.len(), MET.len(), "a kind that is not in the list");
}

fn taken<C: AtatCmd>(command: C, bytes: &[u8]) -> bool {
    command.parse(Ok(bytes)).is_ok()
}

/// Every command whose answer has lines.
fn answers_with_lines(bytes: &[u8]) -> [bool; 11] {
    [
        taken(Identify {}, bytes),
        taken(SerialNumber {}, bytes),
        taken(GetSimState {}, bytes),
        taken(GetEpsRegistration {}, bytes),
        taken(GetPacketRegistration {}, bytes),
        taken(GetCircuitRegistration {}, bytes),
        taken(GetActiveContexts {}, bytes),
        taken(GetSockets {}, bytes),
        taken(GetSocket { query: 1, id: 0 }, bytes),
        taken(GetSendCounters { id: 0, zero: 0 }, bytes),
        taken(ReadData { id: 0, len: 1500 }, bytes),
    ]
}

/// Every other command: whatever comes is a stranger.
fn answers_without_lines(bytes: &[u8]) -> [bool; 9] {
    let name = HostName::new("a").expect("a name");
    [
        taken(Attention {}, bytes),
        taken(EchoOff {}, bytes),
        taken(SetErrorFormat { format: 1 }, bytes),
        taken(SetPayloadEcho { echo: 0 }, bytes),
        taken(ActivateContext { context: 1 }, bytes),
        taken(DeactivateContext { context: 1 }, bytes),
        taken(Resolve { context: 1, name }, bytes),
        taken(Close { id: 0, timeout: 0 }, bytes),
        taken(Send { id: 0, len: 1 }, bytes),
    ]
}

#[test]
fn the_parsers_survive_anything() {
    let mut random = Random::seeded();
    let (mut lines, mut urcs, mut codes, mut rows) = (0, 0, 0, 0);
    for _ in 0..50_000 {
        let line = match random.one_in(2) {
            true => random.noise(),
            false => {
                let line = random.of(LINES).as_bytes().to_vec();
                random.damage(line)
            }
        };
        lines += 1;
        urcs += usize::from(Urc::parse(&line).is_some());
        codes += usize::from(ResultCode::parse(&line).is_some());
        rows += usize::from(SocketRow::parse(&line).is_some());
        rows += usize::from(ActiveContext::parse(&line).is_some());
        rows += usize::from(SendCounters::parse(&line).is_some());
        rows += usize::from(SimState::parse(&line).is_some());
        for domain in [Domain::Eps, Domain::PacketSwitched, Domain::CircuitSwitched] {
            rows += usize::from(Registration::parse_answer(&line, domain).is_some());
            rows += usize::from(Registration::parse_urc(&line, domain).is_some());
        }
        answers_with_lines(&line);
        assert_eq!(answers_without_lines(&line), [true; 9]);
        let mut fields = Fields::of(&line, "").expect("no prefix is wanted");
        let commas = line.iter().filter(|b| **b == b',').count();
        let mut count = 0;
        while !fields.is_done() {
            let mut other = fields.clone();
            let (_, _) = (other.address(), other.number::<u16>());
            assert!(fields.raw().is_some_and(|field| field.len() <= line.len()));
            count += 1;
        }
        assert!(count <= commas + 1, "as many fields as commas allow");
    }
    for (what, n) in [("urcs", urcs), ("codes", codes), ("rows", rows)] {
        println!("{what}: {n} of {lines}");
        assert!(n > lines / 200, "hardly any {what}");
    }
}

#[cfg(feature = "atat-ingress")]
#[test]
fn the_digester_survives_anything() {
    use atat::{DigestResult, Digester};
    use quectel_at_commands::digester::{BUFFER, QuectelDigester};

    let mut random = Random::seeded();
    let mut met = BTreeMap::<&str, u32>::new();
    for _ in 0..2_000 {
        let trailer = random.of(&[Trailer::BlankLine, Trailer::NoBlankLine]);
        let mut digester = QuectelDigester::new(trailer);
        // As in `Ingress`: what is not consumed stays in front, and a buffer
        // that is full is cleared.
        let mut buffer = Vec::new();
        for _ in 0..20 {
            let (sent, _) = random.of(&outstanding());
            let bytes = match random.one_in(2) {
                true => random.noise(),
                false => dialogue(&mut random, sent, trailer),
            };
            buffer.extend(random.damage(bytes));
            loop {
                let (result, consumed) = digester.digest(&buffer);
                assert!(consumed <= buffer.len());
                let what = match result {
                    DigestResult::None if consumed == 0 => "nothing yet",
                    DigestResult::None => "skipped",
                    DigestResult::Prompt(prompt) => {
                        assert_eq!(prompt, b'>');
                        "prompt"
                    }
                    DigestResult::Urc(line) => {
                        assert!(Urc::parse(line).is_some());
                        "urc"
                    }
                    DigestResult::Response(Ok(_)) => "answer",
                    DigestResult::Response(Err(_)) => "error",
                };
                *met.entry(what).or_default() += 1;
                if what == "nothing yet" {
                    break;
                }
                assert!(consumed > 0, "or the same would come again");
                buffer.drain(..consumed);
            }
            if buffer.len() >= BUFFER {
                *met.entry("cleared").or_default() += 1;
                buffer.clear();
            }
        }
    }
    println!("{met:#?}");
    for what in ["nothing yet", "skipped", "prompt", "urc", "answer", "error"] {
        assert!(met.contains_key(what), "never met: {what}");
    }
}
