//! The control port: what happens while the module runs, and what cannot disturb it.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use crate::program::{Reader, Served, link, run};

const DOOR: &[&str] = &["--control", "127.0.0.1:0", "--baud", "921600"];

/// A program at the control port.
struct Client {
    stream: TcpStream,
    answers: Reader,
}

impl Client {
    fn connect(served: &Served) -> Client {
        let at = served.told("control tcp");
        let stream = TcpStream::connect(at).unwrap();
        let answers = Reader::new(stream.try_clone().unwrap());
        Client { stream, answers }
    }

    #[track_caller]
    fn ask(&mut self, line: impl AsRef<[u8]>) -> String {
        self.stream.write_all(line.as_ref()).unwrap();
        self.stream.write_all(b"\n").unwrap();
        self.answers.until("\n\n")
    }
}

#[test]
fn a_send_fails_when_it_is_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = Served::tcp(DOOR);
    let mut host = served.connect();
    host.set_up();
    host.open_socket(0, "127.0.0.1", port);
    host.talk("AT+QISEND=0,5\r", "\r\n> ");
    host.talk("hello", "\r\nSEND OK\r\n");
    served.order("fault send-fail");
    host.talk("AT+QISEND=0,5\r", "\r\n> ");
    host.talk("again", "\r\nSEND FAIL\r\n");
    host.talk("AT+QISEND=0,5\r", "\r\n> ");
    host.talk("world", "\r\nSEND OK\r\n");
}

#[test]
fn the_network_takes_a_context_away_from_a_connected_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = Served::tcp(DOOR);
    let mut host = served.connect();
    host.set_up();
    host.open_socket(0, "127.0.0.1", port);
    let _server = listener.accept().unwrap();
    served.order("pdp drop 1");
    let urc = "\r\n+QIURC: \"pdpdeact\",1\r\n";
    assert_eq!(host.reader.until(urc), urc);
    host.talk("AT+QISEND=0,5\r", "\r\nERROR\r\n");
    // There is nothing to take away any more.
    let (code, _, errors) = served.control("pdp drop 1");
    assert_eq!(
        (code, errors.as_str()),
        (1, "error: context 1 is not active\n")
    );
}

#[test]
fn the_reset_pin_is_pulled() {
    let served = Served::tcp(&[DOOR, &["--switch", "boot=300ms"]].concat());
    let mut host = served.connect();
    host.set_up();
    let (code, state, _) = served.control("state");
    assert_eq!(code, 0);
    assert!(state.contains("\npower on status high\n"), "{state}");
    served.order("reset press");
    assert_eq!(host.reader.until("\r\nRDY\r\n"), "\r\nRDY\r\n");
    // What it had been told is gone.
    host.reader.until("\r\n+QIND: PB DONE\r\n");
    host.talk("AT+QIACT?\r", "AT+QIACT?\r\r\nOK\r\n");
}

#[test]
fn the_power_goes_while_an_answer_is_on_its_way() {
    let served = Served::tcp(&["--control", "127.0.0.1:0", "--fault", "late:+CSQ:60s"]);
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.send("AT+CSQ\r");
    served.order("power cut");
    assert_eq!(served.control("status").1, "low\n");
    let state = served.control("state").1;
    assert!(state.contains("\npower off status low\n"), "{state}");
}

#[test]
fn answers_of_the_protocol() {
    let served = Served::tcp(DOOR);
    let mut client = Client::connect(&served);
    assert_eq!(client.ask("signal 9"), "ok\n\n");
    assert_eq!(
        client.ask("signal full\r"),
        "error 'full' is not a signal strength: 0 to 31, or 99\n\n"
    );
    // Empty lines have no answer, and several lines at once several.
    assert_eq!(client.ask("\n \n# nothing\nsignal 10"), "ok\n\n");
    assert_eq!(client.answers.until("\n\n"), "ok\n\n");
    let help = client.ask("help");
    assert!(help.starts_with("ok A line is a verb"), "{help}");
    // No empty line within an answer.
    assert!(help.contains("\nPERCENT"), "{help}");
}

#[test]
fn nothing_that_a_client_does_disturbs_the_module() {
    let served = Served::tcp(DOOR);
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    // Rubbish.
    let mut client = Client::connect(&served);
    let answer = client.ask([0xff, 0x00, 0xfe]);
    assert_eq!(answer, "error the line is not UTF-8\n\n");
    let answer = client.ask("\u{1b}[31m");
    assert!(answer.starts_with("error '"), "{answer}");
    // A line without end.
    let answer = client.ask(vec![b'x'; 1 << 20]);
    assert_eq!(answer, "error the line is longer than 1024 bytes\n\n");
    assert_eq!(client.ask("signal 9"), "ok\n\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 9,99\r\n\r\nOK\r\n");
    // One that does not read its answers, and one that leaves within a line.
    let mut deaf = Client::connect(&served);
    drop(deaf.answers);
    deaf.stream.set_nonblocking(true).unwrap();
    while deaf.stream.write(&b"help\n".repeat(1_000)).is_ok() {}
    let mut leaving = Client::connect(&served);
    leaving.stream.write_all(b"signal 1").unwrap();
    leaving.stream.shutdown(Shutdown::Both).unwrap();
    // More than there may be.
    let mut many: Vec<Client> = (0..20).map(|_| Client::connect(&served)).collect();
    let answers: Vec<String> = many
        .iter_mut()
        .map(|one| {
            // The module may have turned it away already.
            let _ = one.stream.write_all(b"signal 12\n");
            one.answers.until("\n\n")
        })
        .collect();
    assert_eq!(answers[0], "ok\n\n");
    assert_eq!(
        answers[19],
        "error 16 clients are connected: end one of them\n\n"
    );
    host.talk("AT+CSQ\r", "\r\n+CSQ: 12,99\r\n\r\nOK\r\n");
}

#[test]
fn lines_of_standard_input() {
    let door = link();
    let served = Served::tcp(&["--control", door.to_str().unwrap()]);
    assert_eq!(served.told("control"), format!("unix {}", door.display()));
    let args = ["control", door.to_str().unwrap()];
    let lines = b"# a comment\n\nsignal 7\n registration roaming";
    assert_eq!(run(&args, lines), (0, String::new(), String::new()));
    let mut host = served.connect();
    host.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 7,99\r\n\r\nOK\r\n");
    host.talk("AT+CEREG?\r", "\r\n+CEREG: 0,5\r\n\r\nOK\r\n");
    // The others are done all the same.
    let (code, out, errors) = run(&args, b"signal full\nsignal 8\n");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains("0 to 31"), "{errors}");
    host.talk("AT+CSQ\r", "\r\n+CSQ: 8,99\r\n\r\nOK\r\n");
    drop(served);
    std::fs::remove_file(door).unwrap();
}

#[test]
fn no_control_port() {
    let nowhere = link();
    let (code, _, errors) = run(&["control", nowhere.to_str().unwrap(), "help"], b"");
    assert_eq!(code, 1);
    assert!(errors.contains("quectel-sim serve"), "{errors}");
    // Something else: it hangs up, or speaks another language.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || {
        drop(listener.accept().unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mail.test\n\n").unwrap();
        // Until the other has read it.
        let _ = std::io::Read::read(&mut stream, &mut [0; 64]);
        let _ = std::io::Read::read(&mut stream, &mut [0; 64]);
    });
    let (code, _, errors) = run(&["control", &at, "help"], b"");
    assert_eq!(code, 1);
    assert!(errors.contains("no answer"), "{errors}");
    let (code, _, errors) = run(&["control", &at, "help"], b"");
    assert_eq!(code, 1);
    assert!(errors.contains("'220 mail.test' is no answer"), "{errors}");
    other.join().unwrap();
}

#[test]
fn a_unix_socket_of_a_program_that_hangs_up_is_no_trouble() {
    let door = link();
    let served = Served::tcp(&["--control", door.to_str().unwrap()]);
    for _ in 0..50 {
        drop(UnixStream::connect(&door).unwrap());
    }
    assert_eq!(served.control("signal 5").0, 0);
    drop(served);
    std::fs::remove_file(door).unwrap();
}
