//! `QuectelDigester` inside atat's own `Ingress`, with atat's blocking client:
//! the module is a script behind the client's writer, and every dialogue runs
//! with its answers cut into pieces of each size.

use std::{cell::RefCell, collections::VecDeque, convert::Infallible, net::SocketAddr, rc::Rc};

use atat::{
    AtatCmd, AtatIngress, Config, Error, Ingress, ResponseSlot, UrcChannel,
    blocking::{AtatClient, Client},
};
use embedded_io::Write;
use quectel_at_commands::{
    TcpIpError, Trailer, Urc,
    digester::{BUFFER, QuectelDigester, REPLY, SendPayload},
    general::{Attention, Identify, NoResponse},
    network::{GetEpsRegistration, Registration},
    pdp::ActivateContext,
    settings::SetPayloadEcho,
    sim::{GetSimState, SimState},
    tcp::{GetSendCounters, GetSockets, Open, ReadData, Send, SendCounters},
};

/// With the feature `defmt`, atat logs: into nothing, here.
#[cfg(feature = "defmt")]
mod silence {
    #[defmt::global_logger]
    struct Silence;

    // SAFETY: there is nothing to be shared.
    unsafe impl defmt::Logger for Silence {
        fn acquire() {}
        unsafe fn flush() {}
        unsafe fn release() {}
        unsafe fn write(_: &[u8]) {}
    }

    #[defmt::panic_handler]
    fn panic() -> ! {
        panic!("defmt")
    }

    defmt::timestamp!("");
}

const HOSTILE: &[u8] = b"\r\nOK\r\n\r\n+QIURC: \"closed\",0\r\n\r\n+QIURC: \"recv\",1\r\n\
    \r\nSEND OK\r\n\r\n> \r\nERROR\r\n\r\n+QIRD: 1500\r\n\r\n+CME ERROR: 3\r\n\r\nRDY\r\n\
    \r\n+QIURC: \"pdpdeact\",1\r\n\0\x1a\x1b\x11\x13+++AT+CFUN=0\r\n\r\n\r\nOK\r\n\r\n>";

fn hostile() -> Vec<u8> {
    HOSTILE.iter().copied().chain(0..=255).collect()
}

const URCS: usize = 32;

type Reception<'a> = Ingress<'a, QuectelDigester, Urc, REPLY, URCS, 1>;

/// The module: what it must hear, and what it then says.
struct Module<'a> {
    ingress: Reception<'a>,
    script: VecDeque<(Vec<u8>, Vec<u8>)>,
    heard: Vec<u8>,
    chunk: usize,
}

impl Module<'_> {
    fn says(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.chunk) {
            let written = self.ingress.try_write(piece).expect("room for URCs");
            assert_eq!(written, piece.len(), "room in the buffer");
        }
    }
}

/// The client's end of the line to it.
struct Line<'a>(Rc<RefCell<Module<'a>>>);

impl embedded_io::ErrorType for Line<'_> {
    type Error = Infallible;
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut module = self.0.borrow_mut();
        module.heard.extend(bytes);
        let (wanted, _) = module.script.front().expect("nothing more is expected");
        assert!(
            wanted.starts_with(&module.heard),
            "expected {}, got {}",
            wanted.escape_ascii(),
            module.heard.escape_ascii()
        );
        if module.heard.len() == wanted.len() {
            module.heard.clear();
            let (_, answer) = module.script.pop_front().expect("the front");
            module.says(&answer);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What a dialogue holds on to.
struct Host<'a, 'b> {
    client: &'b mut Client<'a, Line<'a>, REPLY>,
    module: &'b Rc<RefCell<Module<'a>>>,
    urcs: &'b mut dyn FnMut() -> Vec<Urc>,
}

impl Host<'_, '_> {
    /// The module will answer `command` so.
    fn script(&self, command: &[u8], answer: &[u8]) {
        let step = (command.to_vec(), answer.to_vec());
        self.module.borrow_mut().script.push_back(step);
    }

    fn sends<C: AtatCmd>(&mut self, command: &C, answer: &[u8]) -> Result<C::Response, Error> {
        let mut line = [0; 400];
        let n = command.write(&mut line);
        self.script(&line[..n], answer);
        self.client.send(command)
    }

    #[track_caller]
    fn has_heard(&mut self, urcs: &[Urc]) {
        assert_eq!((self.urcs)(), urcs);
    }
}

fn in_pieces_of(chunk: usize, trailer: Trailer, dialogue: impl Fn(&mut Host<'_, '_>)) {
    let slot = ResponseSlot::<REPLY>::new();
    let channel = UrcChannel::<Urc, URCS, 1>::new();
    let mut subscription = channel.subscribe().expect("one subscriber");
    let (mut rx, mut tx) = ([0; BUFFER], [0; 400]);
    let module = Rc::new(RefCell::new(Module {
        ingress: Ingress::new(QuectelDigester::new(trailer), &mut rx, &slot, &channel),
        script: VecDeque::new(),
        heard: Vec::new(),
        chunk,
    }));
    // No time passes here, so a client would wait for ever.
    let config = Config::new().cmd_cooldown(embassy_time::Duration::from_ticks(0));
    let line = Line(Rc::clone(&module));
    let mut client = Client::new(line, &slot, &mut tx, config);
    dialogue(&mut Host {
        client: &mut client,
        module: &module,
        urcs: &mut || std::iter::from_fn(|| subscription.try_next_message_pure()).collect(),
    });
    let module = module.borrow();
    assert!(module.script.is_empty(), "all was said");
}

/// The dialogue with its answers cut into pieces of every size.
fn in_pieces(dialogue: impl Fn(&mut Host<'_, '_>)) {
    for chunk in (1..=64).chain([100, 500, 1000, BUFFER]) {
        in_pieces_of(chunk, Trailer::BlankLine, &dialogue);
    }
}

fn open() -> Open {
    Open::tcp(1, 0, SocketAddr::from(([192, 0, 2, 1], 80)), 0)
}

fn read(len: u16) -> ReadData {
    ReadData { id: 0, len }
}

const RECV: Urc = Urc::Received { id: 0 };

#[test]
fn a_connection_from_open_to_its_end() {
    let payload = hostile();
    let answer = [
        format!("\r\n+QIRD: {}\r\n", payload.len()).as_bytes(),
        &payload,
        b"\r\n\r\nOK\r\n",
    ]
    .concat();
    in_pieces(|host| {
        let opened = host.sends(&open(), b"\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n");
        assert_eq!(opened, Ok(NoResponse));
        host.has_heard(&[Urc::Open { id: 0, error: None }]);

        let send = Send { id: 0, len: 5 };
        assert_eq!(host.sends(&send, b"\r\n> "), Ok(NoResponse));
        host.script(b"hello", b"\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n");
        let sent = host
            .client
            .send_with(&SendPayload, |uart| uart.write_all(b"hello"));
        assert_eq!(sent, Ok(NoResponse));
        host.has_heard(&[RECV]);

        let received = host.sends(&read(1500), &answer).expect("data");
        assert_eq!(received.0.as_slice(), payload);
        host.has_heard(&[]);

        let nothing = host.sends(&read(1500), b"\r\n+QIRD: 0\r\n\r\nOK\r\n");
        assert!(nothing.expect("no data").0.is_empty());
        assert_eq!(
            host.sends(&read(1500), b"\r\nERROR\r\n").map(|data| data.0),
            Err(Error::Error)
        );
    });
}

#[test]
fn the_largest_read() {
    let payload = [0x0a; 1500];
    let answer = [b"\r\n+QIRD: 1500\r\n", &payload[..], b"\r\n\r\nOK\r\n"].concat();
    in_pieces(|host| {
        for _ in 0..3 {
            let received = host.sends(&read(1500), &answer).expect("data");
            assert_eq!(received.0.as_slice(), payload);
        }
    });
}

#[test]
fn a_payload_may_end_a_read_anywhere() {
    let payload = hostile();
    let head = format!("\r\n+QIRD: {}\r\n", payload.len());
    for (trailer, tail) in [
        (Trailer::BlankLine, &b"\r\n\r\nOK\r\n"[..]),
        (Trailer::NoBlankLine, b"\r\nOK\r\n"),
    ] {
        let answer = [head.as_bytes(), &payload, tail].concat();
        for cut in 1..answer.len() {
            in_pieces_of(cut, trailer, |host| {
                let received = host.sends(&read(1500), &answer).expect("data");
                assert_eq!(received.0.as_slice(), payload, "cut at {cut}");
                host.has_heard(&[]);
            });
        }
    }
}

#[test]
fn a_payload_of_another_length_is_not_delivered() {
    for (payload, announced) in [("hell", 5), ("helloo", 5), ("hello", 1501)] {
        let answer = format!("\r\n+QIRD: {announced}\r\n{payload}\r\n\r\nOK\r\n");
        in_pieces(|host| {
            let received = host.sends(&read(1500), answer.as_bytes());
            assert_eq!(received.map(|data| data.0), Err(Error::InvalidResponse));
            // Its OK is not the answer to the next command.
            let counters = host.sends(
                &GetSendCounters { id: 0, zero: 0 },
                b"\r\n+QISEND: 9,9,0\r\n\r\nOK\r\n",
            );
            let taken = SendCounters {
                total: 9,
                acked: 9,
                unacked: 0,
            };
            assert_eq!(counters, Ok(taken));
        });
    }
}

#[test]
fn urcs_around_and_inside_answers() {
    in_pieces(|host| {
        // Between command and prompt.
        let send = Send { id: 0, len: 1 };
        let prompt = b"\r\n+QIURC: \"recv\",0\r\n\r\n+QIND: \"csq\",15,3\r\n\r\n> ";
        assert_eq!(host.sends(&send, prompt), Ok(NoResponse));
        host.has_heard(&[RECV, Urc::Notice]);
        // Between payload and SEND OK, and behind it.
        host.script(
            b"x",
            b"\r\n+QIURC: \"pdpdeact\",1\r\n\r\nSEND OK\r\n\r\n+QIURC: \"closed\",0\r\n",
        );
        let sent = host
            .client
            .send_with(&SendPayload, |uart| uart.write_all(b"x"));
        assert_eq!(sent, Ok(NoResponse));
        host.has_heard(&[Urc::ContextLost { context: 1 }, Urc::Closed { id: 0 }]);
        // Before the header, inside the trailer, behind the OK.
        let received = host.sends(
            &read(1500),
            b"\r\n+CEREG: 5\r\n\r\n+QIRD: 2\r\nhi\r\n\
              \r\n+QIURC: \"recv\",0\r\n\r\n+QIURC: \"closed\",1\r\n\r\nOK\r\n\
              \r\n+QIOPEN: 2,566\r\n",
        );
        assert_eq!(received.expect("data").0.as_slice(), b"hi");
        host.has_heard(&[
            Urc::Registration(quectel_at_commands::network::Domain::Eps, Registration(5)),
            RECV,
            Urc::Closed { id: 1 },
            Urc::Open {
                id: 2,
                error: Some(TcpIpError::CONNECT_FAILED),
            },
        ]);
        // Between the rows of an answer.
        let sockets = host.sends(
            &GetSockets {},
            b"\r\n+QISTATE: 0,\"TCP\",\"192.0.2.20\",9966,9437,2,1,0,0,\"uart1\"\r\n\
              \r\n+QIURC: \"recv\",0\r\n\
              +QISTATE: 1,\"TCP\",\"192.0.2.20\",9966,9438,4,1,1,0,\"uart1\"\r\n\r\nOK\r\n",
        );
        assert_eq!(sockets.expect("rows").0.len(), 2);
        host.has_heard(&[RECV]);
        // The next command gets its own answer.
        assert_eq!(
            host.sends(&Attention {}, b"\r\nERROR\r\n"),
            Err(Error::Error)
        );
    });
}

#[test]
fn what_is_answer_and_urc_alike() {
    let ready = Urc::Sim(SimState::Ready);
    in_pieces(|host| {
        let state = host.sends(&GetSimState {}, b"\r\n+CPIN: READY\r\n\r\nOK\r\n");
        assert_eq!(state, Ok(SimState::Ready));
        host.has_heard(&[ready]);
        // As a URC it is published at once, and no answer is spoilt by it.
        host.module.borrow_mut().says(b"\r\n+CPIN: READY\r\n");
        host.has_heard(&[ready]);
        let registration = host.sends(&GetEpsRegistration {}, b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n");
        assert_eq!(registration, Ok(Registration(1)));
        host.module
            .borrow_mut()
            .says(b"\r\n+CPIN: NOT READY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n");
        host.has_heard(&[Urc::Sim(SimState::NotReady), ready, Urc::Notice]);
        host.module.borrow_mut().says(b"\r\n+CPIN: READY\r\n");
        assert_eq!(host.sends(&Attention {}, b"\r\nOK\r\n"), Ok(NoResponse));
        host.has_heard(&[ready]);
    });
}

#[test]
fn echo_and_lines_of_no_meaning() {
    in_pieces(|host| {
        assert_eq!(host.sends(&Attention {}, b"AT\r\r\nOK\r\n"), Ok(NoResponse));
        let text = host.sends(
            &Identify {},
            b"ATI\r\r\nQuectel\r\nEC25\r\nRevision: EC25EFAR02A09M4G\r\n\r\nOK\r\n",
        );
        assert_eq!(
            text.expect("text").0,
            "Quectel\r\nEC25\r\nRevision: EC25EFAR02A09M4G"
        );
        // A line that nobody knows, in front of an answer and of a URC.
        host.module.borrow_mut().says(b"\r\nRING\r\n");
        let echo = host.sends(
            &SetPayloadEcho { echo: 0 },
            b"AT+QISDE=0\r\r\n+FOO: 1\r\n\r\nOK\r\n",
        );
        assert_eq!(echo, Ok(NoResponse));
        host.module
            .borrow_mut()
            .says(b"\r\nRING\r\n\r\n+QIURC: \"recv\",0\r\n");
        host.has_heard(&[RECV]);
        let counters = host.sends(
            &GetSendCounters { id: 0, zero: 0 },
            b"\r\n+QMTRECV: 0\r\n\r\n+QISEND: 3,2,1,7\r\n\r\nOK\r\n",
        );
        let taken = SendCounters {
            total: 3,
            acked: 2,
            unacked: 1,
        };
        assert_eq!(counters, Ok(taken));
        let received = host.sends(
            &read(1500),
            b"\r\n+QMTRECV: 0\r\n\r\n+QIRD: 2\r\nhi\r\n\r\nOK\r\n",
        );
        assert_eq!(received.expect("data").0.as_slice(), b"hi");
    });
}

#[test]
fn errors_in_every_form() {
    in_pieces(|host| {
        let activate = ActivateContext { context: 1 };
        for (line, error) in [
            ("ERROR", Error::Error),
            ("+CME ERROR: 10", Error::CmeError(10.into())),
            ("+CME ERROR:SIM busy", Error::CmeError(14.into())),
            ("+CMS ERROR: 302", Error::CmsError(302.into())),
            ("SEND FAIL", Error::Custom),
        ] {
            let answer = format!("\r\n{line}\r\n");
            assert_eq!(host.sends(&activate, answer.as_bytes()), Err(error));
        }
        let send = Send { id: 0, len: 1 };
        assert_eq!(host.sends(&send, b"\r\nERROR\r\n"), Err(Error::Error));
    });
}

#[test]
fn thousands_of_line_ends_do_not_fill_the_buffer() {
    in_pieces_of(7, Trailer::BlankLine, |host| {
        host.module.borrow_mut().says(&b"\r\n".repeat(20_000));
        assert_eq!(host.sends(&Attention {}, b"\r\nOK\r\n"), Ok(NoResponse));
    });
}
