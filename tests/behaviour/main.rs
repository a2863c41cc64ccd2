//! One behaviour, whichever face: the same scripts run on every face of the library, through a simulated
//! module whose sockets lead to those of this PC, and on the PC's own sockets, which are right by
//! definition. What a program can see must be the same.
//!
//! Everything is in real time and waits for what is to happen, not for a time.
//!
//! What differs, and is no part of the scripts:
//! - a reset by the peer: a module tells it like an orderly close;
//! - half-closed connections, which modules do not have;
//! - an address that is still in TIME_WAIT: modules hold no port back;
//! - the local address, which for the rest of the world is that of the network's gateway.

#[allow(unreachable_pub)]
#[path = "../../examples/support/live.rs"]
mod live_module;

mod asynch_face;
mod face;
mod live;
mod nal_async;
#[cfg(feature = "nb")]
mod nb_face;
mod peer;
mod scripts;
mod socket_face;
mod std_net;

use face::Face;
use scripts::{ALL, Script, World};

/// What a script has seen.
type Seen = (&'static str, Vec<String>);

/// What each script sees on a face, in order.
fn seen_on(face: &mut dyn Face) -> Vec<Seen> {
    let run = |&(name, script): &Script| {
        let mut world = World {
            face: &mut *face,
            seen: Vec::new(),
        };
        println!("{name}");
        script(&mut world);
        (name, world.seen)
    };
    ALL.iter().map(run).collect()
}

/// What the PC's own sockets show.
fn expected() -> Vec<Seen> {
    seen_on(&mut std_net::StdNet::default())
}

/// Without the scripts in which a face without listeners sees nothing.
fn without_servers(seen: Vec<Seen>) -> Vec<Seen> {
    let servers = ["a_server", "clients_in_order", "states_of_a_server"];
    let rest = seen.into_iter().filter(|(name, _)| !servers.contains(name));
    rest.collect()
}

#[test]
fn the_sockets_of_this_pc() {
    let seen = expected();
    let of = |name| {
        let script = seen.iter().find(|(one, _)| *one == name);
        script.map(|(_, seen)| seen.join(" ")).unwrap()
    };
    assert_eq!(of("refused"), "Err(Refused)");
    assert_eq!(of("data_before_the_end"), "Ok([]) Ok([])");
    assert_eq!(
        of("names"),
        "(\"localhost\", Ok(127.0.0.1)) (\"127.0.0.1\", Ok(127.0.0.1)) true"
    );
}

/// The same sockets behind the traits of embedded-nal-async, which have no servers and no states.
#[test]
fn the_sockets_of_this_pc_behind_nal_async() {
    let stack = std_embedded_nal_async::Stack::default();
    let local = "127.0.0.1:0".parse().unwrap();
    let mut face = nal_async::NalAsync::new(&stack, local, std::thread::yield_now);
    assert_eq!(
        without_servers(seen_on(&mut face)),
        without_servers(expected())
    );
}

#[test]
fn the_socket_face() {
    socket_face::on_socket_face(|face| assert_eq!(seen_on(face), expected()));
}

#[cfg(feature = "nb")]
#[test]
fn the_nb_face() {
    nb_face::on_nb_face(|face| assert_eq!(seen_on(face), expected()));
}

#[test]
fn the_asynch_face() {
    asynch_face::on_asynch_face(|face| assert_eq!(seen_on(face), expected()));
}

/// It has no servers.
#[test]
fn the_asynch_face_behind_nal_async() {
    asynch_face::on_nal_async_face(|face| {
        assert_eq!(without_servers(seen_on(face)), without_servers(expected()));
    });
}
