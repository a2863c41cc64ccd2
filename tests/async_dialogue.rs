//! The `asynch` face against hand-written bytes.

mod support;

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use quectel_sockets::{
    ConnectError, Event, RecvError, ResolveError, SendError,
    asynch::{Error, TcpSocket},
};
use support::{
    dialogue::{NO_DATA, PROMPT, SEND_OK, qird, state_row},
    tasks::dropped_after,
};

const SERVER: &str = "192.0.2.20:80";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Where a task puts what the test is to see.
type Seen<T> = Rc<RefCell<Vec<T>>>;

fn seen<T>() -> (Seen<T>, Seen<T>) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    (Rc::clone(&seen), seen)
}

#[test]
fn a_transfer() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    tasks.spawn(async move {
        let say = |what: &'static str| said.borrow_mut().push(what);
        let mut socket = stack.tcp_socket().await.unwrap();
        socket.connect(address(SERVER)).await.unwrap();
        say("connected");
        assert_eq!(socket.write(b"data").await, Ok(4));
        say("written");
        socket.flush().await.unwrap();
        say("flushed");
        socket.wait_acked().await.unwrap();
        say("acknowledged");
        let mut buffer = [0; 64];
        assert_eq!(socket.read(&mut buffer).await, Ok(5));
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(socket.read(&mut buffer).await, Ok(0));
        say("read");
        socket.close().await.unwrap();
        say("closed");
    });
    tasks
        .host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r")
        .ok();
    assert!(log.borrow().is_empty());
    tasks.line("+QIOPEN: 0,0");
    assert_eq!(*log.borrow(), ["connected", "written"]);
    tasks.host("AT+QISEND=0,4\r").module(PROMPT).host("data");
    assert_eq!(log.take(), ["connected", "written"]);
    // The module has taken it, and counts as many bytes.
    tasks.module(SEND_OK).host("AT+QISEND=0,0\r");
    assert!(log.borrow().is_empty());
    tasks.module(b"\r\n+QISEND: 4,0,4\r\n\r\nOK\r\n");
    assert_eq!(log.take(), ["flushed"]);
    // Not acknowledged: asked again, with growing pauses.
    tasks.host("AT+QISEND=0,0\r");
    tasks.module(b"\r\n+QISEND: 4,0,4\r\n\r\nOK\r\n");
    tasks.after(99).silent().after(1).host("AT+QISEND=0,0\r");
    tasks.module(b"\r\n+QISEND: 4,1,3\r\n\r\nOK\r\n");
    tasks.after(199).silent().after(1).host("AT+QISEND=0,0\r");
    assert!(log.borrow().is_empty());
    tasks.module(b"\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n").silent();
    assert_eq!(log.take(), ["acknowledged"]);
    tasks.line("+QIURC: \"recv\",0");
    tasks.host("AT+QIRD=0,1500\r").module(qird(b"hello"));
    tasks.host("AT+QIRD=0,1500\r").module(NO_DATA);
    tasks.line("+QIURC: \"closed\",0");
    tasks.host("AT+QIRD=0,1500\r").module(NO_DATA);
    tasks.host("AT+QISTATE=1,0\r").module(state_row(0, 4));
    assert_eq!(log.take(), ["read"]);
    tasks.host("AT+QICLOSE=0,10\r");
    assert!(log.borrow().is_empty());
    tasks.ok();
    assert_eq!(log.take(), ["closed"]);
    tasks.after(1_000_000).silent();
}

/// A new byte does not wait for the end of a pause between questions.
#[test]
fn data_after_a_dropped_wait_for_the_acknowledgement() {
    scripted!(tasks, stack, 1);
    let go = Rc::new(Cell::new(false));
    let went = Rc::clone(&go);
    tasks.spawn(async move {
        let mut socket = connected(stack).await;
        socket.write(b"a").await.unwrap();
        socket.set_timeout(Some(1_000));
        assert_eq!(socket.wait_acked().await, Err(Error::TimedOut));
        socket.write(b"b").await.unwrap();
        went.set(true);
        std::future::pending::<()>().await;
    });
    tasks.opens(0).host("AT+QISEND=0,1\r");
    tasks.module(PROMPT).host("a").module(SEND_OK);
    let start = tasks.world.clock.0.now.get();
    while !go.get() {
        if tasks.sent() == b"AT+QISEND=0,0\r" {
            tasks.module(b"\r\n+QISEND: 1,0,1\r\n\r\nOK\r\n");
        } else {
            tasks.after(1);
        }
    }
    // Written in the middle of a pause of 800 ms.
    assert_eq!(tasks.world.clock.0.now.get() - start, 1_000);
    tasks.host("AT+QISEND=0,1\r");
}

async fn connected<'a>(stack: quectel_sockets::asynch::Stack<'a>) -> TcpSocket<'a> {
    let mut socket = stack.tcp_socket().await.unwrap();
    socket.connect(address(SERVER)).await.unwrap();
    socket
}

/// Nothing has been heard for hours: the runner's last look at the clock is
/// as old. Times count from the call all the same.
#[test]
fn times_count_from_the_call() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    let step = Rc::new(Cell::new(0));
    let clock = tasks.world.clock.clone();
    let stage = Rc::clone(&step);
    let wake = Rc::new(RefCell::new(None::<std::task::Waker>));
    let place = Rc::clone(&wake);
    tasks.spawn(async move {
        // Waits for the test, and for nothing that the runner knows of.
        let until = async |n: u32| {
            std::future::poll_fn(|cx| {
                *place.borrow_mut() = Some(cx.waker().clone());
                match stage.get() >= n {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                }
            })
            .await;
        };
        let mut socket = connected(stack).await;
        until(1).await;
        socket.set_timeout(Some(5_000));
        let start = clock.0.now.get();
        let read = socket.read(&mut [0; 4]).await;
        said.borrow_mut().push((read, clock.0.now.get() - start));
        until(2).await;
        socket.write(b"x").await.unwrap();
        socket.flush().await.unwrap();
        until(3).await;
        socket.shutdown().unwrap();
        std::future::pending::<()>().await;
    });
    tasks.opens(0).after(10_000_000).silent();
    let go = |tasks: &mut support::tasks::Tasks<'_, _>| {
        step.set(step.get() + 1);
        wake.take().unwrap().wake();
        tasks.settle();
    };
    go(&mut tasks);
    tasks.after(4_999).silent();
    assert!(log.borrow().is_empty());
    tasks.after(1);
    assert_eq!(log.take(), [(Err(Error::TimedOut), 5_000)]);
    tasks.after(10_000_000);
    go(&mut tasks);
    tasks.host("AT+QISEND=0,1\r").module(PROMPT).host("x");
    tasks.module(SEND_OK).host("AT+QISEND=0,0\r");
    tasks.module(b"\r\n+QISEND: 1,0,1\r\n\r\nOK\r\n");
    tasks.after(10_000_000).silent();
    go(&mut tasks);
    // The peer has all of the linger time to acknowledge.
    let start = tasks.world.clock.0.now.get();
    loop {
        match tasks.sent().as_slice() {
            b"AT+QISEND=0,0\r" => {
                tasks.module(b"\r\n+QISEND: 1,0,1\r\n\r\nOK\r\n");
            }
            b"AT+QICLOSE=0,0\r" => break,
            b"" => {
                tasks.after(1);
            }
            other => panic!("{}", other.escape_ascii()),
        }
    }
    let waited = tasks.world.clock.0.now.get() - start;
    assert!((10_000..12_000).contains(&waited), "{waited}");
}

/// A connect that was dropped goes on: the same address joins it, another
/// one does not.
#[test]
fn a_dropped_connect() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    tasks.spawn(async move {
        let mut socket = stack.tcp_socket().await.unwrap();
        let connect = dropped_after(1, socket.connect(address(SERVER))).await;
        assert_eq!(connect, None);
        let other = socket.connect(address("192.0.2.21:80")).await;
        let already = Err(Error::Connect(ConnectError::AlreadyConnecting));
        assert_eq!(other, already);
        let joined = socket.connect(address(SERVER)).await;
        said.borrow_mut().push(joined);
        assert_eq!(socket.state() as i8, 4);
    });
    tasks.opens(0);
    assert_eq!(log.take(), [Ok(())]);
    // The socket was dropped at the end of the task.
    tasks.host("AT+QICLOSE=0,10\r");
}

/// With the socket the connect is given up.
#[test]
fn a_dropped_socket_gives_its_connect_up() {
    scripted!(tasks, stack, 1);
    tasks.spawn(async move {
        let mut socket = stack.tcp_socket().await.unwrap();
        // Dropped when the open is on its way.
        socket.set_timeout(Some(500));
        assert_eq!(
            dropped_after(1, socket.connect(address(SERVER))).await,
            None
        );
        drop(socket);
        let mut next = stack.tcp_socket().await.unwrap();
        next.connect(address(SERVER)).await.unwrap();
        std::future::pending::<()>().await;
    });
    // Given up before its turn came: it never went out.
    tasks.opens(0).silent();
}

/// Two names at once: the second waits, and each gets its own addresses.
#[test]
fn look_ups_take_turns() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    for name in ["one.example", "two.example", "three.example"] {
        let said = Rc::clone(&said);
        tasks.spawn(async move {
            let found = stack.resolve(name).await.unwrap();
            said.borrow_mut().push((name, found[0].to_string()));
        });
    }
    for (name, ip) in [
        ("one.example", "192.0.2.1"),
        ("two.example", "192.0.2.2"),
        ("three.example", "192.0.2.3"),
    ] {
        tasks
            .host(format!("AT+QIDNSGIP=1,\"{name}\"\r"))
            .ok()
            .silent();
        tasks.line("+QIURC: \"dnsgip\",0,1,600");
        assert!(log.borrow().is_empty());
        tasks.line(&format!("+QIURC: \"dnsgip\",\"{ip}\""));
        assert_eq!(log.take(), [(name, ip.to_string())]);
    }
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let found = tasks.block_on(stack.resolve("2001:db8::1"));
    assert_eq!(found.as_deref(), Ok(&[address][..]));
    tasks.silent();
    let bad = tasks.block_on(stack.resolve("a\"b"));
    assert!(matches!(
        bad,
        Err(Error::Resolve(ResolveError::InvalidName(_)))
    ));
}

/// A look-up whose caller is gone ends by its URC; the next waits for that.
#[test]
fn a_dropped_look_up() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    tasks.spawn(async move {
        assert_eq!(dropped_after(1, stack.resolve("one.example")).await, None);
        let found = stack.resolve("two.example").await.unwrap();
        said.borrow_mut().push(found[0].to_string());
    });
    // Woken for something else, once; then it drops the look-up.
    tasks.host("AT+QIDNSGIP=1,\"one.example\"\r").ok();
    tasks.line("+QIURC: \"dnsgip\",0,1,600");
    tasks.line("+QIURC: \"dnsgip\",\"192.0.2.1\"");
    tasks.host("AT+QIDNSGIP=1,\"two.example\"\r").ok();
    tasks.line("+QIURC: \"dnsgip\",0,1,600");
    tasks.line("+QIURC: \"dnsgip\",\"192.0.2.2\"");
    assert_eq!(log.take(), ["192.0.2.2"]);
}

/// The module restarts while a command is on its way out: what the UART has
/// not taken yet must not be mistaken for the next command's bytes.
#[test]
fn the_uart_is_slow() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    tasks.spawn(async move {
        let mut socket = connected(stack).await;
        let failed = socket.read(&mut [0; 4]).await;
        said.borrow_mut().push(failed);
        std::future::pending::<()>().await;
    });
    tasks.opens(0);
    tasks.world.give_room(Some(5));
    tasks.line("+QIURC: \"recv\",0").host("AT+QI");
    tasks.line("RDY").silent();
    let restarted = Err(Error::Recv(RecvError::Failed(
        quectel_sockets::Failure::Restarted,
    )));
    assert_eq!(log.take(), [restarted]);
    tasks.world.give_room(None);
    // The rest of the command, then the set-up from its beginning.
    tasks.host("RD=0,1500\rAT\r");
}

/// Data of one socket wakes that socket's reader and nobody else.
#[test]
fn only_those_are_woken_whom_it_concerns() {
    scripted!(tasks, stack, 3);
    let mut sockets = Vec::new();
    for id in 0..3 {
        let slot = Rc::new(RefCell::new(None));
        let place = Rc::clone(&slot);
        tasks.spawn(async move {
            *place.borrow_mut() = Some(connected(stack).await);
        });
        tasks.opens(id);
        sockets.push(slot.take().unwrap());
    }
    let (log, said) = seen();
    let mut flags = Vec::new();
    for (at, mut socket) in sockets.into_iter().enumerate() {
        let said = Rc::clone(&said);
        flags.push(tasks.spawn(async move {
            let mut buffer = [0; 100];
            while let Ok(n) = socket.read(&mut buffer).await {
                said.borrow_mut().push((at, n));
            }
        }));
    }
    let events = tasks.spawn(async move {
        assert_eq!(stack.event().await, Some(Event::Up));
        panic!("{:?}", stack.event().await);
    });
    tasks.settle();
    for _ in 0..50 {
        tasks.line("+QIURC: \"recv\",1");
        tasks.host("AT+QIRD=1,1500\r").module(qird(b"flood"));
        tasks.host("AT+QIRD=1,1500\r").module(NO_DATA);
    }
    assert_eq!(log.take(), [(1, 5); 50]);
    let wakes: Vec<_> = flags.iter().map(|flag| flag.wakes()).collect();
    assert_eq!((wakes, events.wakes()), (vec![0, 50, 0], 0));
}

/// As many tasks wait for the module as there are places: each is told.
#[test]
fn many_tasks_wait_for_the_network() {
    let mut memory = support::dialogue::Memory::<1>::new();
    let mut slots = memory.slots();
    let config = support::script::Script::config();
    let mut shared = quectel_sockets::asynch::Shared::new(&mut slots, config);
    let (stack, runner) = shared.split();
    let script = support::script::Script::default();
    let mut tasks = support::tasks::Tasks::new(script.clone());
    tasks.spawn(async move {
        let (rx, tx) = script.line();
        runner.run(rx, tx, script.clock.clone()).await;
    });
    let told = Rc::new(Cell::new(0));
    for _ in 0..5 {
        let told = Rc::clone(&told);
        tasks.spawn(async move {
            assert_eq!(stack.wait_network().await, (3, 1));
            told.set(told.get() + 1);
        });
    }
    tasks.bring_up();
    assert_eq!(told.get(), 5);
}

/// A write that waits has taken nothing; what was taken goes out whole, even
/// if the socket is gone.
#[test]
fn accepted_means_copied() {
    scripted!(tasks, stack, 1);
    tasks.spawn(async move {
        let mut socket = connected(stack).await;
        // The ring has 1460 bytes.
        assert_eq!(socket.write(&[b'a'; 1_400]).await, Ok(1_400));
        assert_eq!(socket.write(&[b'b'; 100]).await, Ok(60));
        let full = dropped_after(1, socket.write(b"never")).await;
        assert_eq!(full, None);
    });
    tasks.opens(0).host("AT+QISEND=0,1460\r").module(PROMPT);
    let expected = [[b'a'; 1_400].as_slice(), &[b'b'; 60]].concat();
    tasks.host(expected).module(SEND_OK);
    tasks.host("AT+QISEND=0,0\r");
    tasks.module(b"\r\n+QISEND: 1460,1460,0\r\n\r\nOK\r\n");
    tasks.host("AT+QICLOSE=0,10\r").ok().after(1_000).silent();
}

#[test]
fn errors_are_those_of_the_engine() {
    scripted!(tasks, stack, 1);
    tasks.block_on(async {
        let mut socket = stack.tcp_socket().await.unwrap();
        let unspecified = socket.connect(address("0.0.0.0:80")).await;
        assert_eq!(
            unspecified,
            Err(Error::Connect(ConnectError::InvalidAddress))
        );
        let early = socket.write(b"x").await;
        assert_eq!(early, Err(Error::Send(SendError::NotConnected)));
        let early = socket.read(&mut [0]).await;
        assert_eq!(early, Err(Error::Recv(RecvError::NotConnected)));
        let none = stack.udp_socket().await.map(drop);
        assert_eq!(none.map_err(Error::errno), Err(24));
    });
    tasks.silent();
}

/// A `flush` that is given up while the module counts: what is written then
/// is counted, too.
#[test]
fn a_flush_after_one_that_was_given_up() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    tasks.spawn(async move {
        let mut socket = connected(stack).await;
        socket.write(b"a").await.unwrap();
        socket.set_timeout(Some(1_000));
        assert_eq!(socket.flush().await, Err(Error::TimedOut));
        socket.set_timeout(None);
        socket.write(b"b").await.unwrap();
        socket.flush().await.unwrap();
        said.borrow_mut().push("flushed");
        std::future::pending::<()>().await;
    });
    tasks.opens(0).host("AT+QISEND=0,1\r");
    tasks.module(PROMPT).host("a").module(SEND_OK);
    tasks.host("AT+QISEND=0,0\r").after(1_000).silent();
    tasks.module(b"\r\n+QISEND: 1,0,1\r\n\r\nOK\r\n");
    tasks.host("AT+QISEND=0,1\r");
    tasks.module(PROMPT).host("b").module(SEND_OK);
    assert!(log.borrow().is_empty());
    tasks.host("AT+QISEND=0,0\r");
    tasks.module(b"\r\n+QISEND: 2,0,2\r\n\r\nOK\r\n").silent();
    assert_eq!(log.take(), ["flushed"]);
}

/// Nothing is to be read or written, so nothing is waited for.
#[test]
fn empty_buffers_while_connecting() {
    scripted!(tasks, stack, 1);
    let (log, said) = seen();
    tasks.spawn(async move {
        let mut socket = stack.tcp_socket().await.unwrap();
        let connect = dropped_after(1, socket.connect(address(SERVER))).await;
        assert_eq!(connect, None);
        let written = socket.write(&[]).await;
        said.borrow_mut().push(written);
        let read = socket.read(&mut []).await;
        said.borrow_mut().push(read);
        std::future::pending::<()>().await;
    });
    tasks.host("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.20\",80,0,0\r");
    assert_eq!(log.take(), [Ok(0), Ok(0)]);
}
