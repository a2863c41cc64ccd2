//! Shows the states of a socket as they change.

use quectel_sockets::{Port, socket::Socket};

/// Prints the state of a socket when it has changed.
#[derive(Default)]
pub struct States {
    last: Option<i8>,
}

impl States {
    pub fn show<P: Port>(&mut self, socket: &mut Socket<'_, '_, P>) -> Option<i8> {
        let state = socket.state();
        let number = state.map(|state| state as i8);
        if number != self.last {
            self.last = number;
            if let Some(state) = state {
                println!("state {} {state}", state as i8);
            }
        }
        number
    }
}
