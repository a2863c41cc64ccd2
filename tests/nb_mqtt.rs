//! A client from elsewhere on the `nb` face: minimq, an MQTT 5 client over
//! embedded-nal, with a broker behind the simulated module, in virtual time.
#![cfg(feature = "nb")]

mod support;

use embedded_time::{Instant, fraction::Fraction};
use minimq::{ConfigBuilder, Minimq, Publication, QoS, broker::NamedBroker};
use quectel_sim::{Config, Peer, PeerIo, Record};
use quectel_sockets::{Slot, Stack};
use support::sim::{PolledSim, SimPort, config};

/// A broker for one client: sends every message back that is published, and
/// hangs up behind the message `last`.
#[derive(Default)]
struct Broker {
    input: Vec<u8>,
    resumed: bool,
}

impl Peer for Broker {
    fn received(&mut self, io: &mut PeerIo, data: &[u8]) {
        self.input.extend(data);
        // Every packet of this test is shorter than 128 bytes.
        while self.input.len() >= 2 && self.input.len() >= 2 + usize::from(self.input[1]) {
            let rest = self.input.split_off(2 + usize::from(self.input[1]));
            let packet = std::mem::replace(&mut self.input, rest);
            match packet[0] >> 4 {
                // CONNECT, CONNACK
                1 => io.send(&[0x20, 3, self.resumed.into(), 0, 0]),
                // SUBSCRIBE, SUBACK
                8 => io.send(&[0x90, 4, packet[2], packet[3], 0, 0]),
                // PINGREQ, PINGRESP
                12 => io.send(&[0xD0, 0]),
                3 => {
                    if packet[0] & 6 == 2 {
                        // Topic `t`, packet identifier: PUBACK
                        io.send(&[0x40, 2, packet[5], packet[6]]);
                    } else {
                        io.send(&packet);
                    }
                    if packet.ends_with(b"last") {
                        io.close();
                    }
                }
                _ => {}
            }
        }
    }
}

/// The time of the simulated module, in milliseconds.
struct Clock(SimPort);

impl embedded_time::Clock for Clock {
    type T = u32;
    const SCALING_FACTOR: Fraction = Fraction::new(1, 1_000);

    fn try_now(&self) -> Result<Instant<Self>, embedded_time::clock::Error> {
        Ok(Instant::new(self.0.ms() as u32))
    }
}

type Net<'s, 'a> = &'s Stack<'a, PolledSim>;
type Client<'b, 's, 'a> = Minimq<'b, Net<'s, 'a>, Clock, NamedBroker<Net<'s, 'a>>>;
/// Topics and messages.
type Messages = Vec<(String, Vec<u8>)>;

/// Polls the client until this is true of it and of the number of messages.
fn wait<'b, 's, 'a>(
    port: &SimPort,
    mqtt: &mut Client<'b, 's, 'a>,
    came: &mut Messages,
    done: impl Fn(&mut Client<'b, 's, 'a>, usize) -> bool,
) {
    port.super_loop(60_000, || {
        mqtt.poll(|_, topic, data, _| came.push((topic.to_string(), data.to_vec())))
            .unwrap();
        done(mqtt, came.len())
    });
}

#[test]
fn minimq_publishes_and_connects_again() {
    let port = SimPort::new(Config::default());
    let record = Record::new();
    {
        let mut sim = port.sim.borrow_mut();
        let mut connections = 0;
        let broker = record.of(move || {
            connections += 1;
            Broker {
                resumed: connections > 1,
                ..Broker::default()
            }
        });
        sim.serve("192.0.2.7:1883".parse().unwrap(), broker);
        sim.set_name("broker.test", &[[192, 0, 2, 7].into()], 60);
    }
    // The new socket is made while the old one is being closed.
    let mut memory = [([0; 512], [0; 512]); 2];
    let mut slots = memory.each_mut().map(|(rx, tx)| Slot::new(rx, tx));
    let stack = Stack::new(port.polled(), &mut slots, config());
    port.super_loop(30_000, || {
        stack.poll().unwrap();
        stack.is_up().unwrap()
    });
    let mut buffer = [0; 1024];
    let broker = NamedBroker::new("broker.test", &stack).unwrap();
    let config = ConfigBuilder::new(broker, &mut buffer).keepalive_interval(60);
    let mut mqtt = Minimq::new(&stack, Clock(port.clone()), config);

    let mut came = Vec::new();
    wait(&port, &mut mqtt, &mut came, |mqtt, _| {
        mqtt.client().is_connected()
    });
    mqtt.client().subscribe(&["t".into()], &[]).unwrap();
    wait(&port, &mut mqtt, &mut came, |mqtt, _| {
        !mqtt.client().subscriptions_pending()
    });
    for (at, (text, qos)) in [
        ("first", QoS::AtMostOnce),
        ("acknowledged", QoS::AtLeastOnce),
        ("last", QoS::AtMostOnce),
    ]
    .into_iter()
    .enumerate()
    {
        let message = Publication::new("t", text.as_bytes()).qos(qos);
        mqtt.client().publish(message).unwrap();
        wait(&port, &mut mqtt, &mut came, |mqtt, came| {
            !mqtt.client().pending_messages() && came >= [1, 1, 2][at]
        });
    }
    // The broker has hung up.
    wait(&port, &mut mqtt, &mut came, |mqtt, _| {
        !mqtt.client().is_connected()
    });
    wait(&port, &mut mqtt, &mut came, |mqtt, _| {
        mqtt.client().is_connected()
    });
    let message = Publication::new("t", b"again");
    mqtt.client().publish(message).unwrap();
    wait(&port, &mut mqtt, &mut came, |_, came| came == 3);
    let expected = ["first", "last", "again"];
    let expected = expected.map(|text| ("t".to_string(), text.as_bytes().to_vec()));
    assert_eq!(came, expected);
    assert_eq!(record.connections(), 2);
}
