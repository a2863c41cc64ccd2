//! What the module, the network and the host do to a connection, at every
//! position of the dialogue: late answers, refusals, restarts, lost contexts,
//! silence, callers that go away.

mod support;

use std::net::SocketAddr;

use quectel_sim::{
    Config, Direction, Echo, Incident, Part, Record, Sim, Sink, Source, Then, Times, When,
};
use quectel_sockets::{CheckNetwork, Event, Failure, Policy, PortName, Slot, Stack, socket::Error};
use support::sim::{SimPort, config, hostile, noise, on_stack, on_stack_with, read_to_end, tcp};

const ECHO: &str = "192.0.2.8:7";
const OTHER: &str = "192.0.2.9:7";

/// Longer than everything that is tried takes.
const DEAF_US: u64 = 200_000_000;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn module() -> SimPort {
    module_with(|_| ())
}

fn module_with(change: impl FnOnce(&mut Config)) -> SimPort {
    let mut config = Config {
        baud: 921_600,
        trace: true,
        ..Config::default()
    };
    change(&mut config);
    let port = SimPort::new(config);
    {
        let mut sim = port.sim.borrow_mut();
        sim.serve(ECHO.parse().unwrap(), || Echo);
        sim.serve(OTHER.parse().unwrap(), || Echo);
    }
    port
}

/// Waits for the network, then echoes a little over a new connection.
#[track_caller]
fn works(stack: &Stack<'_, SimPort>) {
    let network = CheckNetwork::new(stack, "test", "1");
    assert_eq!(network.wait_network_connected(300), Ok((3, 1)));
    let mut socket = tcp(stack);
    socket.settimeout(Some(60.0)).unwrap();
    socket.connect(address(ECHO)).unwrap();
    assert_eq!(echo(&mut socket, b"works"), Ok(b"works".to_vec()));
    socket.close().unwrap();
}

fn echo(
    socket: &mut quectel_sockets::socket::Socket<'_, '_, SimPort>,
    data: &[u8],
) -> Result<Vec<u8>, Error> {
    socket.sendall(data)?;
    let mut back = vec![0; data.len()];
    let mut filled = 0;
    while filled < back.len() {
        // What had arrived before a failure comes first, then the failure.
        match socket.read(&mut back[filled..])?.unwrap_or(0) {
            0 => panic!("end of data after {filled} bytes without an error"),
            n => filled += n,
        }
    }
    Ok(back)
}

fn events(stack: &Stack<'_, SimPort>) -> Vec<Event> {
    std::iter::from_fn(|| stack.event().unwrap()).collect()
}

/// Positions of a clean dialogue: connect, echo, close; to host, to module.
fn dialogue(act: impl Fn(&Stack<'_, SimPort>)) -> [(Direction, std::ops::Range<u64>); 2] {
    let port = module();
    on_stack(&port, 2, |stack| {
        let now = |direction| port.sim.borrow().position(direction);
        let first = [Direction::ToHost, Direction::ToModule].map(now);
        act(stack);
        let last = [Direction::ToHost, Direction::ToModule].map(now);
        [
            (Direction::ToHost, first[0]..last[0]),
            (Direction::ToModule, first[1]..last[1]),
        ]
    })
}

fn connect_echo_close(stack: &Stack<'_, SimPort>, data: &[u8]) -> Result<Vec<u8>, Error> {
    let mut socket = tcp(stack);
    socket.connect(address(ECHO))?;
    let back = echo(&mut socket, data);
    let _ = socket.close();
    back
}

/// Runs connect, echo, close once for every position, with an incident there.
fn at_every_position(
    incident: Incident,
    check: impl Fn(&str, &SimPort, &Stack<'_, SimPort>, Result<Vec<u8>, Error>),
) {
    let data = noise(3_000, 1);
    let mut tried = 0;
    for (direction, range) in dialogue(|stack| drop(connect_echo_close(stack, &data).unwrap())) {
        for position in range {
            let port = module();
            on_stack(&port, 2, |stack| {
                let when = match direction {
                    Direction::ToHost => When::ByteToHost(position),
                    Direction::ToModule => When::ByteToModule(position),
                };
                events(stack);
                port.sim.borrow_mut().schedule(when, incident.clone());
                let start = port.ms();
                let outcome = connect_echo_close(stack, &data);
                let what = format!("{incident:?} at {position} {direction:?}");
                assert!(
                    port.ms() - start < 300_000,
                    "{what}: {} ms",
                    port.ms() - start
                );
                if let Ok(back) = &outcome {
                    assert!(*back == data, "{what}: altered data");
                }
                check(&what, &port, stack, outcome);
                tried += 1;
            });
        }
    }
    assert!(tried > 5_000, "{tried}");
}

#[test]
fn a_restart_of_the_module_at_every_position() {
    at_every_position(Incident::Reset, |what, _, stack, outcome| {
        if let Err(error) = outcome {
            assert!(
                matches!(error.errno(), 104 | 113 | 5 | 19),
                "{what}: {error:?}"
            );
        }
        // The module takes its time to boot.
        stack.poll_until(30_000, || false).unwrap();
        works(stack);
        let restarts = events(stack)
            .iter()
            .filter(|e| **e == Event::ModuleRestarted)
            .count();
        assert_eq!(restarts, 1, "{what}");
    });
}

#[test]
fn a_restart_without_a_word_at_every_position() {
    at_every_position(Incident::SilentReset, |what, port, stack, _| {
        // Nothing tells of it until something is tried.
        stack.poll_until(30_000, || false).unwrap();
        let start = port.ms();
        while let Err(error) = connect_echo_close(stack, b"there?") {
            assert!(port.ms() - start < 120_000, "{what}: {error:?}");
            stack.poll_until(1_000, || false).unwrap();
        }
        let restarts = events(stack)
            .iter()
            .filter(|e| **e == Event::ModuleRestarted)
            .count();
        assert_eq!(restarts, 1, "{what}");
    });
}

#[test]
fn a_lost_context_at_every_position() {
    at_every_position(Incident::PdpDeact(1), |what, port, stack, outcome| {
        if let Err(error) = outcome {
            assert_eq!(error.errno(), 103, "{what}: {error:?}");
        }
        works(stack);
        let lost = events(stack)
            .iter()
            .filter(|e| **e == Event::ContextLost)
            .count();
        assert_eq!(lost, 1, "{what}");
        let sent = port.sent();
        let rest = sent.split("AT+QIDEACT=1\r").nth(1);
        assert!(
            rest.is_some_and(|rest| rest.contains("AT+QIACT=1\r")),
            "{what}"
        );
    });
}

#[test]
fn a_module_that_is_deaf_for_a_while_at_every_position() {
    for seconds in [1, 20] {
        at_every_position(
            Incident::Mute(seconds * 1_000_000),
            |what, port, stack, _| {
                // A connection that is tried meanwhile fails, too.
                let start = port.ms();
                while let Err(error) = connect_echo_close(stack, b"there?") {
                    assert!(port.ms() - start < 120_000, "{what}: {error:?}");
                    stack.poll_until(1_000, || false).unwrap();
                }
            },
        );
    }
}

#[test]
fn a_module_that_never_answers_again_is_restarted_then_reset_then_lost() {
    let port = module();
    on_stack(&port, 2, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address(ECHO)).unwrap();
        events(stack);
        let at = port.sim.borrow().now();
        port.sim
            .borrow_mut()
            .schedule(When::At(at), Incident::Mute(DEAF_US));
        let start = port.ms();
        let outcome = echo(&mut socket, b"hello?");
        assert_eq!(outcome.map_err(|e| e.errno()), Err(19));
        assert!(port.ms() - start < 60_000, "{} ms", port.ms() - start);
        stack.poll_until(130_000, || false).unwrap();
        assert_eq!(
            events(stack),
            [
                Event::LineLost,
                Event::Escalated,
                Event::ResetWanted,
                Event::ModuleLost
            ]
        );
        let errno = tcp(stack).connect(address(ECHO)).unwrap_err().errno();
        assert_eq!(errno, 113);
        // One day it answers again.
        works(stack);
    });
}

#[test]
fn the_reset_pin_is_pulled_by_a_port_that_has_one() {
    let mut port = module();
    port.reset_pin = true;
    on_stack(&port, 2, |stack| {
        let at = port.sim.borrow().now();
        port.sim
            .borrow_mut()
            .schedule(When::At(at), Incident::Mute(85_000_000));
        let _ = tcp(stack).connect(address(ECHO));
        stack.poll_until(250_000, || false).unwrap();
        works(stack);
        let rdy = port
            .sim
            .borrow()
            .dialogue()
            .iter()
            .any(|t| t.to_string().contains("RDY"));
        assert!(rdy, "the pin was not pulled");
    });
}

#[test]
fn late_answers_are_never_given_to_another_command() {
    for command in [
        "+QISEND",
        "+QIRD",
        "+QIOPEN",
        "+QISTATE",
        "+QICLOSE",
        "+QIDNSGIP",
    ] {
        for part in [Part::Command, Part::Payload, Part::Answer] {
            for seconds in [1, 3, 8, 30, 130] {
                let port = module();
                let record = Record::new();
                {
                    let mut sim = port.sim.borrow_mut();
                    sim.serve("192.0.2.10:7".parse().unwrap(), record.of(|| Echo));
                    sim.set_name("late.example", &["192.0.2.10".parse().unwrap()], 300);
                }
                on_stack(&port, 2, |stack| {
                    port.sim
                        .borrow_mut()
                        .delay(part, command, seconds * 1_000_000, Times::Once);
                    let what = format!("{command} {part:?} {seconds} s late");
                    let data = noise(4_000, seconds);
                    let mut socket = tcp(stack);
                    let start = port.ms();
                    let outcome = socket
                        .connect(("late.example", 7))
                        .and_then(|()| echo(&mut socket, &data));
                    let _ = socket.close();
                    assert!(port.ms() - start < 300_000, "{what}");
                    if let Ok(back) = outcome {
                        assert!(back == data, "{what}");
                        assert!(
                            record.data(0) == data,
                            "{what}: doubled or lost at the peer"
                        );
                    } else {
                        assert!(
                            data.starts_with(&record.data(0)) || record.data(0).len() <= data.len(),
                            "{what}"
                        );
                    }
                    works(stack);
                });
            }
        }
    }
}

#[test]
fn a_full_send_buffer_is_waited_for() {
    for fails in 1..6 {
        let port = module();
        let record = Record::new();
        port.sim
            .borrow_mut()
            .serve("192.0.2.10:7".parse().unwrap(), record.of(|| Sink));
        on_stack(&port, 1, |stack| {
            let data = noise(10_000, 1);
            let mut socket = tcp(stack);
            socket.connect(address("192.0.2.10:7")).unwrap();
            port.sim.borrow_mut().fail_sends(fails);
            socket.setblocking(false);
            let (mut sent, mut refused) = (0, 0);
            while sent < data.len() {
                match socket.write(&data[sent..]).unwrap() {
                    Some(n) => sent += n,
                    None => refused += 1,
                }
                stack.poll_until(10, || false).unwrap();
            }
            assert!(refused > 0);
            socket.setblocking(true);
            socket.close().unwrap();
            assert!(record.data(0) == data, "after {fails} times SEND FAIL");
        });
    }
}

#[test]
fn error_instead_of_the_prompt_sends_no_payload() {
    let port = module();
    let record = Record::new();
    port.sim
        .borrow_mut()
        .serve("192.0.2.10:7".parse().unwrap(), record.of(|| Sink));
    on_stack(&port, 1, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address("192.0.2.10:7")).unwrap();
        port.sim.borrow_mut().refuse_prompts(2);
        socket.sendall(&hostile()).unwrap();
        socket.close().unwrap();
        assert!(record.data(0) == hostile());
        let sent = port.sent();
        let after = sent.split("AT+QISEND=0,").nth(1).unwrap();
        let length = after.split('\r').next().unwrap();
        assert!(
            after[length.len() + 1..].starts_with("AT+QISTATE=1,0\r"),
            "{after:?}"
        );
        // The payload is on the line once, after the third try.
        assert_eq!(sent.matches("pdpdeact").count(), 1);
    });
}

#[test]
fn a_host_that_starts_again_closes_what_it_left() {
    let port = module();
    on_stack(&port, 4, |stack| {
        for _ in 0..4 {
            let mut socket = tcp(stack);
            socket.connect(address(ECHO)).unwrap();
            std::mem::forget(socket);
        }
    });
    assert_eq!(port.sim.borrow().tcp_sockets().len(), 4);
    on_stack(&port, 2, |stack| {
        for id in 0..4 {
            assert_eq!(port.sim.borrow().tcp_state(id), None, "id {id}");
        }
        works(stack);
    });
}

#[test]
fn a_reader_that_does_not_read_stops_the_flow() {
    let body = noise(100_000, 1);
    let port = module();
    let served = body.clone();
    port.sim
        .borrow_mut()
        .serve("192.0.2.10:7".parse().unwrap(), move || {
            Source::new(served.as_slice(), Then::Close)
        });
    on_stack(&port, 2, |stack| {
        let mut socket = tcp(stack);
        socket.connect(address("192.0.2.10:7")).unwrap();
        stack.poll_until(20_000, || false).unwrap();
        let asked = port.sent().matches("AT+QIRD=").count();
        stack.poll_until(600_000, || false).unwrap();
        assert_eq!(
            port.sent().matches("AT+QIRD=").count(),
            asked,
            "the ring is full"
        );
        // Others go on meanwhile.
        works(stack);
        let (got, end) = read_to_end(&mut socket);
        assert_eq!(end, Ok(()));
        assert!(got == body);
    });
}

#[test]
fn urcs_that_go_elsewhere_are_brought_here_or_done_without() {
    let elsewhere = |config: &mut Config| config.profile.urc_port = "usbat".into();
    // The setting is written once, since the module keeps it.
    let port = module_with(elsewhere);
    let here = quectel_sockets::Config {
        urc_port: Some(PortName::new("uart1").unwrap()),
        ..config()
    };
    for _ in 0..2 {
        on_stack_with(&port, 2, here, works);
    }
    assert_eq!(port.sent().matches("AT+QURCCFG=\"urcport\"\r").count(), 2);
    assert_eq!(
        port.sent()
            .matches("AT+QURCCFG=\"urcport\",\"uart1\"\r")
            .count(),
        1
    );
    // Without it everything still works, only slower.
    let port = module_with(elsewhere);
    on_stack(&port, 2, |stack| {
        let data = noise(5_000, 1);
        let start = port.ms();
        let mut socket = tcp(stack);
        socket.connect(address(ECHO)).unwrap();
        assert_eq!(echo(&mut socket, &data), Ok(data));
        socket.close().unwrap();
        assert!(port.ms() - start < 60_000, "{} ms", port.ms() - start);
    });
}

#[test]
fn a_context_that_is_active_already_is_taken() {
    let port = module_with(|config| config.profile.activate_again_fails = true);
    for _ in 0..2 {
        on_stack(&port, 2, works);
    }
    assert_eq!(port.sent().matches("AT+QIACT=1\r").count(), 2);
}

#[test]
fn error_codes_in_every_form() {
    for cmee in 0..=2 {
        for tcpip_cme in [false, true] {
            for blank in [false, true] {
                let port = module_with(|config| {
                    config.profile.cmee = cmee;
                    config.profile.cme_blank = blank;
                    config.profile.tcpip_cme = tcpip_cme;
                    config.profile.activate_again_fails = true;
                });
                on_stack(&port, 2, |stack| {
                    port.sim.borrow_mut().refuse_prompts(1);
                    works(stack);
                });
                on_stack(&port, 2, works);
            }
        }
    }
}

#[test]
fn the_policy_decides_who_connects_again() {
    let port = module();
    let report = quectel_sockets::Config {
        policy: Policy::Report,
        ..config()
    };
    on_stack_with(&port, 2, report, |stack| {
        port.sim.borrow_mut().send_urc("+QIURC: \"pdpdeact\",1");
        stack.poll_until(60_000, || false).unwrap();
        assert!(events(stack).contains(&Event::ContextLost));
        assert_eq!(tcp(stack).connect(address(ECHO)).unwrap_err().errno(), 113);
        assert!(!port.sent().contains("AT+QIDEACT"));
        stack.reconnect().unwrap();
        works(stack);
        assert_eq!(port.sent().matches("AT+QIDEACT=1\r").count(), 1);
    });
}

/// Drops the socket after every number of steps; a second socket must not
/// notice.
#[test]
fn a_caller_that_goes_away_at_every_step_harms_nobody() {
    let data = noise(6_000, 1);
    for steps in 0..150 {
        let port = module();
        on_stack(&port, 2, |stack| {
            let mut other = tcp(stack);
            other.connect(address(OTHER)).unwrap();
            other.setblocking(false);
            let mut leaving = tcp(stack);
            leaving.setblocking(false);
            let mut leaving = Some(leaving);
            let (mut sent, mut got, mut buffer) = (0, Vec::<u8>::new(), [0; 500]);
            let mut step = 0;
            while got.len() < data.len() {
                if let Some(socket) = &mut leaving {
                    let _ = socket.connect(address(ECHO));
                    let _ = socket.write(&data);
                    let _ = socket.readinto(&mut [0; 100], None);
                    if step == steps {
                        leaving = None;
                    }
                }
                step += 1;
                if let Some(n) = other.write(&data[sent..]).unwrap() {
                    sent += n;
                }
                match other.readinto(&mut buffer, None).unwrap() {
                    Some(n) => got.extend(&buffer[..n]),
                    None => drop(stack.poll_until(1, || false).unwrap()),
                }
            }
            assert!(got == data, "dropped after {steps} steps");
            drop(leaving);
            other.setblocking(true);
            assert_eq!(echo(&mut other, b"still here"), Ok(b"still here".to_vec()));
            works(stack);
        });
    }
}

#[test]
fn time_outs_at_every_length_harm_nobody() {
    let data = noise(6_000, 1);
    for ms in (0..400).step_by(3) {
        let port = module();
        on_stack(&port, 2, |stack| {
            let mut other = tcp(stack);
            other.connect(address(OTHER)).unwrap();
            let mut hasty = tcp(stack);
            hasty.settimeout(Some(ms as f32 / 1_000.0)).unwrap();
            if hasty.connect(address(ECHO)).is_ok() {
                let taken = hasty.send(&data).unwrap_or(0);
                // What was taken comes back, in order, if one waits.
                hasty.settimeout(Some(30.0)).unwrap();
                let mut back = vec![0; taken];
                assert_eq!(hasty.read(&mut back), Ok(Some(taken)), "{ms} ms");
                assert!(data.starts_with(&back), "{ms} ms");
            }
            assert_eq!(echo(&mut other, &data), Ok(data.clone()), "{ms} ms");
            drop(hasty);
            works(stack);
        });
    }
}

#[test]
fn the_same_seeds_give_the_same_run() {
    let run = |seed| {
        let port = module_with(|config| {
            config.seed = seed;
            config.link.loss_ppm = 20_000;
        });
        let settings = quectel_sockets::Config {
            seed: 7,
            ..config()
        };
        on_stack_with(&port, 2, settings, |stack| {
            let position = port.sim.borrow().position(Direction::ToHost) + 500;
            let fault = quectel_sim::LineFault::Drop(position);
            port.sim
                .borrow_mut()
                .add_line_fault(Direction::ToHost, fault);
            let _ = connect_echo_close(stack, &noise(5_000, 1));
            works(stack);
        });
        let sim: &Sim = &port.sim.borrow();
        let lines: Vec<String> = sim.dialogue().iter().map(ToString::to_string).collect();
        lines
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn failures_name_their_cause() {
    assert_eq!(Failure::Restarted.errno(), 104);
    assert_eq!(Failure::ContextLost.errno(), 103);
    assert_eq!(Failure::LineDamaged.errno(), 5);
    assert_eq!(Failure::ModuleLost.errno(), 19);
}

#[test]
fn slots_of_a_stack_are_free_after_every_kind_of_end() {
    let port = module();
    let mut memory = ([0; 1500], [0; 1460]);
    let mut slots = [Slot::new(&mut memory.0, &mut memory.1)];
    let stack = Stack::new(port.clone(), &mut slots, config());
    for round in 0..20 {
        works(&stack);
        let urc = ["+QIURC: \"pdpdeact\",1", "+CEREG: 1"][round % 2];
        port.sim.borrow_mut().send_urc(urc);
        stack.poll_until(100, || false).unwrap();
    }
}
