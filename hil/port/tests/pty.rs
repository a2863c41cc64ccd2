//! A port on a pseudo-terminal: the device side of everything but modem lines
//! and hardware that refuses a rate.

mod support;

use std::{
    io::{Read as _, Write as _},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use embedded_io::{Read, ReadReady, Write, WriteReady};
use quectel_port::{FlowControl, PcPort, Reason, Settings};
use quectel_sockets::{Config, Port, Slot, Stack};
use rustix::{
    termios::{
        ControlModes, InputModes, OptionalActions, OutputModes, SpecialCodeIndex, tcgetattr,
        tcsetattr,
    },
    time::{ClockId, clock_gettime},
};
use support::{Pty, every_byte};

#[test]
fn every_byte_goes_both_ways_unchanged() {
    let mut pty = Pty::new();
    let mut port = pty.open();

    pty.master.write_all(&every_byte()).unwrap();
    let mut came = [0; 256];
    port.read_exact(&mut came).unwrap();
    assert_eq!(came, every_byte());
    assert!(!port.read_ready().unwrap());

    Write::write_all(&mut port, &every_byte()).unwrap();
    port.flush().unwrap();
    pty.master.read_exact(&mut came).unwrap();
    assert_eq!(came, every_byte());
}

#[test]
fn any_rate_is_set() {
    let pty = Pty::new();
    for baud in [9_600, 115_200, 921_600, 3_000_000, 12_345] {
        let settings = Settings {
            baud,
            ..Settings::default()
        };
        let _port = PcPort::open(&pty.path, &settings).unwrap();
        let line = tcgetattr(&pty.master).unwrap();
        assert_eq!((line.output_speed(), line.input_speed()), (baud, baud));
    }
}

#[test]
fn settings_of_earlier_programs_do_not_stay() {
    let pty = Pty::new();
    let mut line = tcgetattr(&pty.master).unwrap();
    line.input_modes |= InputModes::IXON | InputModes::IXOFF | InputModes::ISTRIP;
    line.control_modes |= ControlModes::CSTOPB | ControlModes::CRTSCTS;
    line.special_codes[SpecialCodeIndex::VMIN] = 0;
    tcsetattr(&pty.master, OptionalActions::Now, &line).unwrap();

    let _port = pty.open();
    let line = tcgetattr(&pty.master).unwrap();
    assert_eq!(line.input_modes, InputModes::IGNBRK);
    assert_eq!(line.output_modes & OutputModes::OPOST, OutputModes::empty());
    let bits = line.control_modes & (ControlModes::CSTOPB | ControlModes::CRTSCTS);
    assert_eq!(bits, ControlModes::empty());
    assert_eq!(line.special_codes[SpecialCodeIndex::VMIN], 1);
}

#[test]
fn a_full_line_is_not_ready_and_loses_nothing() {
    let mut pty = Pty::new();
    let mut port = pty.open();
    // More than the line holds: a write that waited would wait for ever.
    let chunk = every_byte().repeat(1_000);
    let mut sent = Vec::new();
    while port.write_ready().unwrap() {
        let n = port.write(&chunk).unwrap();
        sent.extend_from_slice(&chunk[..n]);
    }
    let mut came = vec![0; sent.len()];
    pty.master.read_exact(&mut came).unwrap();
    assert_eq!(came, sent);
    assert!(port.write_ready().unwrap());
}

#[test]
fn a_full_line_takes_the_rest_when_there_is_room() {
    let mut pty = Pty::new();
    let mut port = pty.open();
    let all = every_byte().repeat(1_000);
    let mut came = vec![0; all.len()];
    thread::scope(|scope| {
        scope.spawn(|| Write::write_all(&mut port, &all).unwrap());
        pty.master.read_exact(&mut came).unwrap();
    });
    assert_eq!(came, all);
}

#[test]
fn waiting_ends_with_a_byte() {
    for at in [u64::MAX, 600_000] {
        let mut pty = Pty::new();
        let mut port = pty.open();
        let about_to_wait = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                about_to_wait.wait();
                pty.master.write_all(b"\r").unwrap();
            });
            about_to_wait.wait();
            port.idle_until(at);
            assert!(port.read_ready().unwrap());
            assert!(port.now() < 300_000);
        });
    }
}

#[test]
fn waiting_ends_with_the_time_and_costs_none() {
    let pty = Pty::new();
    let mut port = pty.open();
    port.idle_until(0);
    let at = port.now() + 500;
    let cpu = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = cpu();
    port.idle_until(at);
    assert!(cpu() - before < Duration::from_millis(100));
    assert!(port.now() >= at);
    assert!(!port.read_ready().unwrap());
}

#[test]
fn nobody_else_opens_it() {
    let pty = Pty::new();
    let first = pty.open();
    let second = PcPort::open(&pty.path, &Settings::default()).unwrap_err();
    let text = second.to_string();
    assert!(
        text.starts_with(&format!("{} is in use by ", pty.path)),
        "{text}"
    );
    assert!(text.ends_with("try again"), "{text}");
    if cfg!(target_os = "linux") {
        let Reason::Busy(holders) = second.reason else {
            panic!("{text}");
        };
        assert_eq!(holders.len(), 1);
        assert_eq!(holders[0].pid, std::process::id());
        assert!(text.contains("this program itself"), "{text}");
    }
    drop(first);
    pty.open();
}

#[test]
fn a_vanished_device_is_an_error_for_ever() {
    let mut pty = Pty::new();
    let mut port = pty.open();
    pty.master.write_all(b"RDY").unwrap();
    let mut bytes = [0; 64];
    assert_eq!(port.read(&mut bytes).unwrap(), 3);

    let path = pty.path.clone();
    drop(pty);
    port.idle_until(u64::MAX);
    assert!(port.read_ready().unwrap());
    let lost = port.read(&mut bytes).unwrap_err().to_string();
    assert!(
        lost.starts_with(&format!("lost {path}: the device went away")),
        "{lost}"
    );
    assert!(lost.ends_with("then open it again"), "{lost}");
    for _ in 0..3 {
        assert_eq!(port.read(&mut bytes).unwrap_err().to_string(), lost);
        assert_eq!(port.write(b"AT\r").unwrap_err().to_string(), lost);
        assert_eq!(port.flush().unwrap_err().to_string(), lost);
        assert_eq!(port.read_ready().unwrap_err().to_string(), lost);
        assert_eq!(port.write_ready().unwrap_err().to_string(), lost);
    }
    // No byte will end this wait: it is short, but it is one.
    let start = Instant::now();
    port.idle_until(u64::MAX);
    assert!((10..60_000).contains(&start.elapsed().as_millis()));
}

#[test]
fn writing_to_a_vanished_device_is_an_error() {
    let pty = Pty::new();
    let mut port = pty.open();
    drop(pty);
    assert!(port.write_ready().unwrap());
    assert!(port.write(b"AT\r").is_err());
    assert!(port.read_ready().is_err());
}

#[test]
fn a_read_that_waits_ends_when_the_device_vanishes() {
    let pty = Pty::new();
    let mut port = pty.open();
    thread::scope(|scope| {
        let read = scope.spawn(move || port.read(&mut [0; 64]));
        drop(pty);
        assert!(read.join().unwrap().is_err());
    });
}

#[test]
fn a_stack_stops_when_the_device_vanishes() {
    let pty = Pty::new();
    let (mut rx, mut tx) = ([0; 2048], [0; 1460]);
    let mut slots = [Slot::new(&mut rx, &mut tx)];
    let stack = Stack::new(pty.open(), &mut slots, Config::default());
    stack.poll().unwrap();
    assert!(stack.fault().unwrap().is_none());
    drop(pty);
    let stopped = || stack.fault().unwrap().is_some();
    assert!(stack.poll_until(60_000, stopped).unwrap());
}

#[test]
fn flow_control_is_refused() {
    let pty = Pty::new();
    let settings = Settings {
        flow_control: FlowControl::RtsCts,
        ..Settings::default()
    };
    let error = PcPort::open(&pty.path, &settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has no RTS and CTS lines: open it without flow control",
            pty.path
        )
    );
}

#[test]
fn no_rate_is_refused() {
    let pty = Pty::new();
    let settings = Settings {
        baud: 0,
        ..Settings::default()
    };
    let error = PcPort::open(&pty.path, &settings).unwrap_err();
    assert!(matches!(error.reason, Reason::Baud { asked: 0, .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "{} cannot have 0 baud: choose another rate and set the module to it (`AT+IPR=RATE`)",
            pty.path
        )
    );
    // It was let go again.
    pty.open();
}
