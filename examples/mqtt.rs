//! MQTT with an unchanged async client: rust-mqtt over the `asynch` face.
//! Publishes numbered messages, has the broker send them back, and connects
//! again after every loss of the connection, until all are through.
//!
//! Without `--broker` it starts a small broker on this PC. Without `--port`
//! the module is a simulated one inside this process.

mod support;

use std::{net::Ipv4Addr, num::NonZero, process::ExitCode};

use clap::Parser;
use quectel_port::AsyncPort;
use quectel_sim::SimCard;
use quectel_sockets::{
    Config, Port, Slot,
    asynch::{Shared, Stack, TcpSocket},
};
use rust_mqtt::{
    buffer::AllocBuffer,
    client::{
        Client, MqttError,
        event::Event,
        options::{
            ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions,
            TopicReference,
        },
    },
    config::SessionExpiryInterval,
    types::{MqttString, TopicFilter, TopicName},
};
use support::{
    broker,
    module::Module,
    tasks::{self, within},
    told::{exit, told, wrong},
    url::Server,
};

/// Publishes messages through a cellular module and receives them back, with
/// the client rust-mqtt.
#[derive(Parser)]
#[command(
    name = "mqtt",
    version,
    after_help = "Every message is published and received at least once (QoS 1).\n\n\
    Exit status: 0 all messages are through, 1 failed, 2 wrong arguments.\n\n\
    Examples:\n  \
    mqtt                                           a simulated module, a broker of its own\n  \
    mqtt --fault reset:3s --count 100              the module restarts meanwhile\n  \
    mqtt --broker test.mosquitto.org --topic my/topic\n  \
    mqtt --port /dev/ttyUSB2 --apn internet --broker test.mosquitto.org --topic my/topic"
)]
struct Args {
    /// The broker, HOST[:PORT], for MQTT 5 without TLS; none: one started by
    /// this program
    #[arg(long, value_name = "BROKER")]
    broker: Option<String>,
    /// Topic to publish and to subscribe
    #[arg(long, value_name = "TOPIC", default_value = "quectel/example")]
    topic: String,
    /// Messages
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Milliseconds from one message to the next
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u16).range(..=10_000))]
    interval: u16,
    /// Seconds to wait for all of it
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
    #[command(flatten)]
    module: Module,
}

/// The name under which the program's own broker is reached.
const OWN_NAME: &str = "mqtt.example.test";
/// Milliseconds without a word from the broker, while one is awaited, after
/// which the connection counts as lost.
const SILENCE: u32 = 30_000;
/// Milliseconds from the loss of a connection to the next attempt.
const PAUSE: u64 = 1_000;
/// Seconds that the broker keeps what a client that is away has not got.
const SESSION: u32 = 3_600;

/// One subscription and one publication under way, eight messages coming in.
type Session = rust_mqtt::session::Session<1, 8, 1, 0, 0>;
type Mqtt<'c, 'a> = Client<'c, 'c, TcpSocket<'a>, AllocBuffer, 1, 8, 1, 0, 0, 0, 0>;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.module.port.is_some() && args.broker.is_none() {
        return wrong("--port needs --broker: a real module does not reach this program's own");
    }
    let broker = args.broker.as_deref().map(|broker| {
        Server::parse(broker, 1_883)
            .map_err(|what| format!("{what} in --broker; allowed is HOST[:PORT]"))
    });
    if args.topic.contains(['+', '#']) || topic(&args.topic).is_none() {
        return wrong("--topic is to be one topic, not empty and without + and #");
    }
    match broker
        .transpose()
        .and_then(|broker| Ok((broker, args.module.config()?)))
    {
        Ok((broker, config)) => exit(run(&args, broker, config)),
        Err(what) => wrong(&what),
    }
}

fn topic(text: &str) -> Option<TopicName<'_>> {
    TopicName::new(MqttString::from_str(text).ok()?)
}

fn run(args: &Args, broker: Option<Server>, config: Config<'_>) -> Result<(), String> {
    let broker = match broker {
        Some(broker) => broker,
        None => Server {
            host: OWN_NAME.into(),
            port: broker::start()
                .map_err(|error| format!("no listening socket on 127.0.0.1: {error}"))?
                .port(),
        },
    };
    let port = args.module.open(SimCard::Ready, |sim| {
        sim.set_name(OWN_NAME, &[Ipv4Addr::LOCALHOST], 300);
        Ok(())
    })?;
    // One more slot than connections: a lost one may still be closing when
    // the next one is opened.
    let (mut rx, mut tx) = ([[0; 2048]; 2], [[0; 2048]; 2]);
    let [rx0, rx1] = &mut rx;
    let [tx0, tx1] = &mut tx;
    let mut slots = [Slot::new(rx0, tx0), Slot::new(rx1, tx1)];
    let mut shared = Shared::new(&mut slots, config);
    let timeout = args.module.network_timeout;
    tasks::run(port, &mut shared, timeout, async |stack, port| {
        let mut exchange = Exchange::new(args, &broker);
        let limit = u64::from(args.timeout) * 1_000;
        let done = within(port, limit, exchange.run(stack, port)).await;
        println!(
            "{} of {} published, {} received, {} of them twice, connected {} times",
            exchange.published,
            args.count,
            exchange.received(),
            exchange.twice(),
            exchange.connections
        );
        match done {
            Some(()) => Ok(()),
            None => Err(format!(
                "not all within {} s; check the broker, or wait longer with --timeout",
                args.timeout
            )),
        }
    })
}

/// What has been published and received, over all connections.
struct Exchange<'e> {
    args: &'e Args,
    broker: &'e Server,
    /// Under which the broker knows this client again.
    client: String,
    session: Session,
    connections: u32,
    /// The broker has said so, in this session.
    subscribed: bool,
    /// Messages that the broker has acknowledged.
    published: u32,
    /// How often each has been received.
    heard: Vec<u32>,
}

impl<'e> Exchange<'e> {
    fn new(args: &'e Args, broker: &'e Server) -> Self {
        Self {
            args,
            broker,
            client: format!("quectel-example-{}", std::process::id()),
            session: Session::default(),
            connections: 0,
            subscribed: false,
            published: 0,
            heard: vec![0; args.count as usize],
        }
    }

    fn received(&self) -> usize {
        self.heard.iter().filter(|times| **times > 0).count()
    }

    fn twice(&self) -> usize {
        self.heard.iter().filter(|times| **times > 1).count()
    }

    fn is_done(&self) -> bool {
        self.published == self.args.count && self.received() == self.heard.len()
    }

    /// Connects until everything is through.
    async fn run<P: Port>(&mut self, stack: Stack<'_>, port: &AsyncPort<P>) {
        let mut buffer = AllocBuffer;
        loop {
            let mut client = Mqtt::with_session(self.session.clone(), &mut buffer);
            let outcome = self.connection(&mut client, stack, port).await;
            // What is under way outlives the connection.
            self.session = client.session().clone();
            drop(client);
            match outcome {
                Ok(()) => return,
                Err(lost) => println!("{lost}; connecting again"),
            }
            port.sleep(PAUSE).await;
            // A module that has restarted needs a while.
            stack.wait_network().await;
        }
    }

    /// One connection, until everything is through or it is lost.
    async fn connection<'a, P: Port>(
        &mut self,
        client: &mut Mqtt<'_, 'a>,
        stack: Stack<'a>,
        port: &AsyncPort<P>,
    ) -> Result<(), String> {
        let socket = self.connect(stack).await?;
        let expiry =
            NonZero::new(SESSION).map_or_else(Default::default, SessionExpiryInterval::Seconds);
        let mut options = ConnectOptions::new().session_expiry_interval(expiry);
        if self.connections == 0 {
            options = options.clean_start();
        }
        let name = self.client.clone();
        let name = MqttString::from_str(&name).ok();
        let connected = client.connect(socket, &options, name).await.map_err(lost)?;
        self.connections += 1;
        let known = connected.session_present;
        println!(
            "connected to {}, {}",
            self.broker,
            if known { "which knows us" } else { "as new" }
        );

        let topic = topic(&self.args.topic).ok_or("a wrong topic")?;
        let reference = TopicReference::Name(topic.as_borrowed());
        let publication = PublicationOptions::new(reference).at_least_once();
        self.subscribed &= known;
        if !self.subscribed {
            let filter = TopicFilter::new(MqttString::from(topic.as_borrowed()));
            let filter = filter.ok_or("a wrong topic")?;
            let at_least_once = SubscriptionOptions::new().at_least_once();
            client
                .subscribe(filter, &at_least_once)
                .await
                .map_err(lost)?;
        }
        // Published on an earlier connection, and not acknowledged on it.
        let under_way = client
            .session()
            .outbound_publishes
            .first()
            .map(|(id, _)| *id);
        if let Some(id) = under_way {
            let message = self.message();
            let again = client.republish(id, &publication, message.as_bytes().into());
            again.await.map_err(lost)?;
        }
        let mut due = port.now();
        while !self.is_done() {
            let waits =
                client.session().outbound_publishes.is_empty() && self.published < self.args.count;
            let now = port.now();
            if waits && now >= due {
                let message = self.message();
                client
                    .publish(&publication, message.as_bytes().into())
                    .await
                    .map_err(lost)?;
                due = now + u64::from(self.args.interval);
                continue;
            }
            // Only the wait for a packet's beginning may be given up.
            let header = client.poll_header();
            let header = match waits {
                true => within(port, due - now, header).await,
                false => Some(header.await),
            };
            if let Some(header) = header {
                let event = client
                    .poll_body(header.map_err(lost)?)
                    .await
                    .map_err(lost)?;
                self.on(event)?;
            }
        }
        // All is through: a failure of the farewell does no harm.
        let farewell = DisconnectOptions::new().session_expiry_interval(Default::default());
        if let Ok(socket) = client.disconnect(&farewell).await {
            let _ = socket.close().await;
        }
        Ok(())
    }

    async fn connect<'a>(&self, stack: Stack<'a>) -> Result<TcpSocket<'a>, String> {
        let failed = format!("cannot connect to {}", self.broker);
        let failed = told(&failed, "check that it runs");
        let addresses = stack.resolve(&self.broker.host).await.map_err(&failed)?;
        let ip = addresses
            .into_iter()
            .next()
            .ok_or("the broker's name has no address")?;
        let mut socket = stack.tcp_socket().await.map_err(&failed)?;
        socket.set_timeout(Some(SILENCE));
        socket
            .connect((ip, self.broker.port).into())
            .await
            .map_err(&failed)?;
        Ok(socket)
    }

    /// The message that is next, or under way.
    fn message(&self) -> String {
        format!("message {} of {}", self.published + 1, self.args.count)
    }

    fn on(&mut self, event: Event<'_, 0, 0>) -> Result<(), String> {
        match event {
            Event::PublishAcknowledged(_) => self.published += 1,
            Event::Publish(publish) => {
                let text = String::from_utf8_lossy(publish.message.as_bytes()).into_owned();
                let number = text
                    .split(' ')
                    .nth(1)
                    .and_then(|word| word.parse::<usize>().ok());
                let heard = number.and_then(|number| self.heard.get_mut(number.checked_sub(1)?));
                match heard {
                    Some(times) => *times += 1,
                    None => println!("another one's message: {}", text.escape_debug()),
                }
            }
            Event::Suback(answer) if answer.reason_code.is_erroneous() => {
                return Err(format!("no subscription: {:?}", answer.reason_code));
            }
            Event::Suback(_) => self.subscribed = true,
            Event::PublishRejected(answer) => {
                return Err(format!("not published: {:?}", answer.reason_code));
            }
            _ => (),
        }
        Ok(())
    }
}

fn lost<const P: usize>(error: MqttError<'_, P>) -> String {
    match error {
        MqttError::Network(kind) => format!("connection lost: {kind:?}"),
        error => format!("no agreement with the broker: {error:?}"),
    }
}
