//! Runs the driver `quectel-bg77` of another author, as published, against the simulated module:
//! from power to a network, a name, a TCP and a UDP exchange, and off again. Every byte is compared.
//!
//! `cargo run` in this directory, or `.ci/foreign`. Time is virtual. `-- --trace` shows the dialogue.
//!
//! What the driver needs of a module, or its user must know, on real modules as well:
//! - It never activates a context, so it needs a module whose context 1 is active when it has
//!   registered: `switch:auto-activate:1`.
//! - It panics (index out of range in `find_pos_in_input`) when it looks at what has come at the very
//!   moment when a part it knows has come and nothing of the next: here its receiver tells of bytes
//!   only when the line has become idle, as a receiver with DMA does.
//! - An answer of one command that is late is taken for the next one's: a pause before each command
//!   (its argument `tx_rx_cooldown`) avoids it.

mod board;

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use embedded_nal::{AddrType, Dns, TcpClientStack, UdpClientStack, nb};
use quectel_bg77::{Bg77ClientStack, Bg77Driver, Bg77Error, Bg77Hal, EmtcBand, RadioConfig};
use quectel_sim::{Boot, Echo, Profile, Sim, Uart};

use board::{Ignored, PowerKey, Receiver, Ticks};

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), 7);

fn main() -> ExitCode {
    let uart = Uart::new(module());
    let done = run(&uart);
    if std::env::args().any(|arg| arg == "--trace") || done.is_err() {
        eprintln!("{}", uart.with(|sim| sim.transcript()));
    }
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn module() -> Sim {
    Sim::builder()
        .family(Profile::bg95())
        .boot(Boot::Off)
        .serve(SERVER, || Echo)
        .serve_udp(SERVER, Echo)
        .name("echo.test", &[SERVER.ip()])
        .fault("switch:auto-activate:1".parse().expect("a switch"))
        .build()
}

/// Bytes that a driver could stumble over, then some of all kinds.
fn data() -> Vec<u8> {
    let mut data = b"\r\nERROR\r\n\r\nOK\r\n+QIRD: 5\r\n> \x1a\x1b\r\nSEND OK\r\n".to_vec();
    let mut state = 1_u32;
    data.extend((0..20_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    data
}

fn failed(what: &'static str) -> impl Fn(Bg77Error) -> String {
    move |error| format!("{what}: {error:?}")
}

fn run(uart: &Uart) -> Result<(), String> {
    let clock = Ticks::new(uart);
    let hal = Bg77Hal::new(
        Ignored,
        Ignored,
        PowerKey::new(uart),
        uart.clone(),
        Receiver::new(uart),
        &clock,
    );
    let radio = RadioConfig::OnlyEmtc {
        bands: EmtcBand::B3 | EmtcBand::B8,
    };
    let mut driver = Bg77Driver::new(
        hal,
        radio,
        Some("internet"),
        Some("00101"),
        Duration::from_secs(60),
        Duration::from_millis(500),
        Duration::from_millis(20),
    );
    let online = driver.get_mut().power_on_and_connect_network();
    online.map_err(failed("power and network"))?;
    println!("registered after {} ms", uart.now_us() / 1_000);

    let mut stack = Bg77ClientStack::new(&mut driver);
    let found = nb::block!(stack.get_host_by_name("echo.test", AddrType::IPv4))
        .map_err(failed("the name"))?;
    equal("the address of echo.test", &found, &SERVER.ip())?;

    tcp(&mut stack, uart)?;
    udp(&mut stack, uart)?;
    let mut said = uart.with(|sim| sim.transcript());
    said.skip_to_command("AT+QICLOSE=0,10");
    said.expect_answer("AT+QICLOSE=0,10\r\r\nOK\r\n");
    println!("done after {} ms of virtual time", uart.now_us() / 1_000);
    Ok(())
}

fn tcp<S>(stack: &mut S, uart: &Uart) -> Result<(), String>
where
    S: TcpClientStack<Error = Bg77Error>,
{
    let mut socket = stack.socket().map_err(failed("a TCP socket"))?;
    nb::block!(stack.connect(&mut socket, SERVER)).map_err(failed("connect"))?;
    equal(
        "the connection",
        &uart.with(|sim| sim.tcp_state(0)),
        &Some(quectel_sim::TcpState::Established),
    )?;
    let data = data();
    let mut got = Vec::new();
    let mut sent = 0;
    while sent < data.len() {
        sent += nb::block!(stack.send(&mut socket, &data[sent..])).map_err(failed("send"))?;
        let until = uart.now_us() + 60_000_000;
        while got.len() < sent {
            let mut buffer = [0; 1_460];
            match stack.receive(&mut socket, &mut buffer) {
                Ok(n) => got.extend(&buffer[..n]),
                Err(nb::Error::WouldBlock) if uart.now_us() < until => {}
                Err(error) => return Err(format!("after {} bytes: {error:?}", got.len())),
            }
        }
    }
    equal("the bytes of the TCP echo", &got, &data)?;
    println!("TCP: {} bytes are equal", got.len());
    // Closing the last socket would switch the module off: this one stays open meanwhile.
    let mut other = stack.socket().map_err(failed("a second TCP socket"))?;
    nb::block!(stack.connect(&mut other, SERVER)).map_err(failed("connect again"))?;
    stack.close(socket).map_err(failed("close"))?;
    equal(
        "the closed connection",
        &uart.with(|sim| sim.tcp_state(0)),
        &None,
    )?;
    stack.close(other).map_err(failed("close again"))
}

fn udp<S>(stack: &mut S, uart: &Uart) -> Result<(), String>
where
    S: UdpClientStack<Error = Bg77Error>,
{
    let mut socket = stack.socket().map_err(failed("a UDP socket"))?;
    stack
        .connect(&mut socket, SERVER)
        .map_err(failed("a UDP connect"))?;
    let data = &data()[..1_000];
    nb::block!(stack.send(&mut socket, data)).map_err(failed("send a datagram"))?;
    let mut buffer = [0; 1_460];
    let until = uart.now_us() + 60_000_000;
    let (n, from) = loop {
        match stack.receive(&mut socket, &mut buffer) {
            Ok(got) => break got,
            Err(nb::Error::WouldBlock) if uart.now_us() < until => {}
            Err(error) => return Err(format!("no datagram: {error:?}")),
        }
    };
    equal("the datagram", &&buffer[..n], &data)?;
    equal("its sender", &from, &SERVER)?;
    println!("UDP: {n} bytes are equal");
    stack.close(socket).map_err(failed("close"))
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    match got == wanted {
        true => Ok(()),
        false => Err(format!("{what}: {got:?} instead of {wanted:?}")),
    }
}
