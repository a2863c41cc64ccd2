//! The `asynch` face: tasks that await sockets, on embassy or any other
//! executor that runs its tasks on one thread. No allocator, no executor and
//! no timer of its own.
//!
//! [`Runner::run`] moves the bytes; everything else is asked of [`Stack`], a
//! handle that can be copied into every task. See the [guide].

#[doc = include_str!("page.md")]
pub mod guide {}

mod nal;
mod socket;
mod tcp;
mod udp;
mod wait;

use self::wait::Call;
pub use self::{
    socket::Socket,
    tcp::{Tcp, TcpReader, TcpSocket, TcpWriter},
    udp::{Udp, UdpSocket},
};
pub use crate::{
    engine::Received,
    runner::{Clock, Ended, Runner, Shared},
    socket::Error,
};
use crate::{
    engine::{Addresses, Counters, Engine, Event, Fault, ModuleInfo, Wait},
    error::OpenError,
    runner::Core,
    slot::Handle,
};

/// The module, for the tasks: makes sockets, resolves names, tells what
/// happens. Copies are the same stack.
#[derive(Debug, Clone, Copy)]
pub struct Stack<'a> {
    shared: &'a Shared<'a>,
}

impl<'a> Stack<'a> {
    pub(crate) const fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared }
    }

    /// A new TCP socket. If every slot is in use, but one of them by a
    /// connection that is just being closed, waits for that one.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`]
    pub async fn tcp_socket(self) -> Result<TcpSocket<'a>, Error> {
        let handle = self.socket(Engine::tcp_socket).await?;
        Ok(Socket::new(self.shared, handle))
    }

    /// A new UDP socket; waits as [`tcp_socket`](Self::tcp_socket).
    ///
    /// # Errors
    /// [`OpenError::NoSlot`]
    pub async fn udp_socket(self) -> Result<UdpSocket<'a>, Error> {
        let handle = self.socket(Engine::udp_socket).await?;
        Ok(Socket::new(self.shared, handle))
    }

    /// A new TCP socket if there is a free slot.
    ///
    /// # Errors
    /// [`OpenError::NoSlot`], also while a connection that had one is being
    /// closed.
    pub fn try_tcp_socket(self) -> Result<TcpSocket<'a>, Error> {
        let handle = self.shared.with(|core| core.engine.tcp_socket())??;
        Ok(Socket::new(self.shared, handle))
    }

    /// A new UDP socket if there is a free slot.
    ///
    /// # Errors
    /// As [`try_tcp_socket`](Self::try_tcp_socket).
    pub fn try_udp_socket(self) -> Result<UdpSocket<'a>, Error> {
        let handle = self.shared.with(|core| core.engine.udp_socket())??;
        Ok(Socket::new(self.shared, handle))
    }

    fn socket(
        self,
        new: impl Fn(&mut Engine<'a>) -> Result<Handle, OpenError>,
    ) -> impl Future<Output = Result<Handle, Error>> {
        let attempt = move |core: &mut Core<'a>| match new(&mut core.engine) {
            Err(OpenError::NoSlot) if core.engine.is_closing_any() => Err(nb::Error::WouldBlock),
            other => other.map_err(nb::Error::Other),
        };
        self.wait(Wait::SLOT).until(attempt)
    }

    /// Waits for the module.
    fn wait(self, wait: Wait) -> Call<'a, 'a> {
        Call {
            shared: self.shared,
            handle: None,
            wait,
            timeout: None,
            again: false,
        }
    }

    /// The addresses of a name, from `AT+QIDNSGIP`; an address in text form
    /// is its own answer. The module resolves one name at a time: others wait
    /// for their turn. Each takes 60 s at the most.
    ///
    /// # Errors
    /// [`ResolveError`](crate::ResolveError)
    pub async fn resolve(self, name: &str) -> Result<Addresses, Error> {
        let (mut turn, mut found) = (None, Addresses::new());
        let attempt = |core: &mut Core<'a>| {
            if turn.is_none() {
                if !core.engine.take_turn() {
                    return Err(nb::Error::WouldBlock);
                }
                turn = Some(Turn(self.shared));
            }
            core.engine.resolve(name).map(|got| found = got)
        };
        self.wait(Wait::ANSWER).until(attempt).await?;
        Ok(found)
    }

    /// Waits until sockets can be opened, and returns the stage and code of
    /// [`CheckNetwork`](crate::CheckNetwork): (3, 1) then. A SIM that is
    /// absent, locked or asks for a code ends it at once with another stage;
    /// so does a serial port that fails.
    pub async fn wait_network(self) -> (u8, i8) {
        let mut stage = (1, 21);
        let attempt = |core: &mut Core<'a>| {
            let decided = core.engine.is_decided().then(|| core.engine.stage());
            stage = decided.ok_or(nb::Error::WouldBlock)?;
            Ok::<_, nb::Error<Error>>(())
        };
        let _ = self.wait(Wait::NETWORK).until(attempt).await;
        stage
    }

    /// The next [`Event`]; `None` once the serial port has failed and all
    /// were told. For one task: an event goes to whom it is told first.
    pub async fn event(self) -> Option<Event> {
        let attempt = |core: &mut Core<'a>| match core.engine.event() {
            None if core.engine.fault().is_none() => Err(nb::Error::WouldBlock),
            event => Ok::<_, nb::Error<Error>>(event),
        };
        self.wait(Wait::EVENT).value(attempt).await.ok().flatten()
    }

    /// Waits until the module's reset pin is to be pulled, when
    /// `AT+CFUN=1,1` was not answered, or a module has not answered for 60 s
    /// since the first `AT`; `false` once the serial port has failed. For the
    /// task that has the pin. Without one, [`Event::ResetWanted`] tells.
    ///
    /// ```
    /// use quectel_sockets::asynch::Stack;
    /// async fn pin(stack: Stack<'_>, pulse: impl AsyncFn()) {
    ///     while stack.reset_wanted().await {
    ///         pulse().await;
    ///     }
    /// }
    /// ```
    pub async fn reset_wanted(self) -> bool {
        let attempt = |core: &mut Core<'a>| match core.engine.take_reset_request() {
            false if core.engine.fault().is_none() => Err(nb::Error::WouldBlock),
            wanted => Ok::<_, nb::Error<Error>>(usize::from(wanted)),
        };
        self.wait(Wait::RESET).until(attempt).await == Ok(1)
    }

    /// Sets the context up again after it was lost, where
    /// [`Policy::Report`](crate::Policy::Report) left that to the
    /// application.
    pub fn reconnect(self) {
        let _ = self.shared.with(|core| core.engine.reconnect());
        self.shared.kick();
    }

    /// Why everything has stopped, if it has.
    pub fn fault(self) -> Option<Fault> {
        self.shared.with(|core| core.engine.fault()).ok().flatten()
    }

    /// What the line has carried that nothing waited for.
    pub fn counters(self) -> Counters {
        let counters = self.shared.with(|core| core.engine.counters());
        counters.unwrap_or_default()
    }

    /// What the module said of itself; empty until it was asked.
    pub fn module_info(self) -> ModuleInfo {
        let info = |core: &mut Core<'a>| core.engine.network().info().clone();
        self.shared.with(info).unwrap_or_default()
    }
}

/// The turn to resolve a name; ends when dropped.
struct Turn<'s, 'a>(&'s Shared<'a>);

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        let _ = self.0.with(|core| core.engine.end_turn());
        self.0.kick();
    }
}
