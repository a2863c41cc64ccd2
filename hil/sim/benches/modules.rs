//! What a simulated module costs: `cargo bench -p quectel-sim`, or with `-- NAME` one of
//!
//! - `virtual`: 1000 modules in one process, each downloads 64 KiB with `AT+QIRD`, in virtual time
//! - `real`: how many modules keep up with the clock, each with a saturated line
//! - `goodput`: transparent mode, in virtual time, and through `quectel-sim serve --tcp`
//!
//! Nothing is judged here: the numbers are printed, with the machine and the settings. On another
//! load they are other numbers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use quectel_sim::{Sim, Source, Then};

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    println!(
        "machine: {}, {} cores, {}",
        processor(),
        cores(),
        std::env::consts::OS
    );
    let benches: [(&str, fn()); 3] = [
        ("virtual", in_virtual_time),
        ("real", in_real_time),
        ("goodput", goodput),
    ];
    for (name, bench) in benches {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            bench();
        }
    }
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    model.unwrap_or_else(|| "unknown processor".into())
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

/// The resident memory of this process in bytes; none where it cannot be told.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn server() -> SocketAddr {
    ([192, 0, 2, 7], 7).into()
}

/// A module with its context active, and a server that sends `size` bytes.
fn module(baud: u32, size: usize) -> Sim {
    let mut sim = Sim::builder().trace(false).baud(baud).build();
    let data: std::sync::Arc<[u8]> = pattern(size).into();
    sim.serve(server(), move || Source::new(data.clone(), Then::Keep));
    sim.talk("ATE0\r", "ATE0\r\r\nOK\r\n");
    sim.talk("AT+QIACT=1\r", "\r\nOK\r\n");
    sim
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

// 1000 modules in virtual time.

const MODULES: usize = 1_000;
const SIZE: usize = 64 << 10;
const BAUD: u32 = 115_200;

fn in_virtual_time() {
    let before = resident();
    let start = Instant::now();
    let mut all: Vec<(Sim, usize)> = (0..MODULES)
        .map(|_| {
            let mut sim = module(BAUD, SIZE);
            sim.talk("AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,0\r", "\r\nOK\r\n");
            sim.expect("\r\n+QIOPEN: 0,0\r\n");
            sim.expect("\r\n+QIURC: \"recv\",0\r\n");
            (sim, 0)
        })
        .collect();
    let connected = resident();
    let mut most = connected;
    // All of them at the same time: each reads one block in turn.
    while all.iter().any(|(_, have)| *have < SIZE) {
        for (sim, have) in all.iter_mut().filter(|(_, have)| *have < SIZE) {
            *have += read_block(sim, *have);
        }
        most = most.max(resident());
    }
    let wall = start.elapsed().as_secs_f64();
    let simulated: f64 = all.iter().map(|(sim, _)| sim.now() as f64 / 1e6).sum();
    println!(
        "virtual: {MODULES} modules, {} KiB each, {BAUD} baud, one thread",
        SIZE >> 10
    );
    println!("  wall time               {wall:.2} s");
    println!(
        "  simulated time of each  {:.2} s",
        simulated / MODULES as f64
    );
    println!("  faster than real time   {:.0} times", simulated / wall);
    for (what, after) in [("connected ", connected), ("at the most", most)] {
        if let (Some(before), Some(after)) = (before, after) {
            let each = after.saturating_sub(before) as f64 / MODULES as f64 / 1024.0;
            println!(
                "  memory of each, {what} {each:.0} KiB (resident; with the server and its 64 KiB)"
            );
        }
    }
}

/// One `AT+QIRD`; its data is compared.
fn read_block(sim: &mut Sim, from: usize) -> usize {
    sim.write(b"AT+QIRD=0,1500\r");
    let mut head = sim.take("\r\n+QIRD: ".len());
    assert_eq!(head, b"\r\n+QIRD: ");
    head.clear();
    while !head.ends_with(b"\r\n") {
        let byte = sim.take(1);
        assert!(!byte.is_empty(), "the module has fallen silent");
        head.extend(byte);
    }
    let n: usize = String::from_utf8_lossy(&head)
        .trim()
        .parse()
        .expect("a length");
    let data = sim.take(n);
    assert!(
        data.iter()
            .enumerate()
            .all(|(i, byte)| *byte == ((from + i) % 251) as u8)
    );
    sim.expect(if n > 0 {
        "\r\n\r\nOK\r\n"
    } else {
        "\r\nOK\r\n"
    });
    if n == 0 {
        // The recv URC comes with the next data.
        sim.expect("\r\n+QIURC: \"recv\",0\r\n");
    }
    n
}

// As many as keep up with the clock.

const WARM_UP: Duration = Duration::from_millis(500);
const TRIAL: Duration = Duration::from_secs(3);

fn in_real_time() {
    println!(
        "real: modules in transparent mode, {BAUD} baud, the line full, {} threads,\n  \
         {} s each trial; every module within 2 % of the line's speed",
        cores(),
        TRIAL.as_secs()
    );
    let (mut good, mut bad) = (0, None);
    let mut n = 16 * cores();
    while bad.is_none_or(|bad| bad > good + good / 20 + 1) {
        let slowest = trial(n);
        println!("  {n} modules: the slowest at {:.1} %", slowest * 100.0);
        if slowest >= 0.98 {
            good = n;
        } else {
            bad = Some(n);
        }
        n = bad.map_or(2 * good, |bad| (good + bad) / 2);
    }
    println!("  keep up                 {good} modules");
}

/// The share of the line's speed that the slowest of `n` modules reaches.
fn trial(n: usize) -> f64 {
    let threads = cores().min(n);
    let seconds = (WARM_UP + TRIAL).as_secs() as usize + 2;
    let ready = Barrier::new(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|i| {
                let count = n / threads + usize::from(i < n % threads);
                let ready = &ready;
                scope.spawn(move || {
                    let mut all: Vec<Sim> = (0..count)
                        .map(|_| transparent(BAUD, seconds * BAUD as usize / 10))
                        .collect();
                    ready.wait();
                    let received = keep_up(&mut all);
                    let line = BAUD as f64 / 10.0 * TRIAL.as_secs_f64();
                    received
                        .into_iter()
                        .map(|bytes| bytes as f64 / line)
                        .fold(2.0, f64::min)
                })
            })
            .collect();
        let shares = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker"));
        shares.fold(2.0, f64::min)
    })
}

/// A module that has just been told `CONNECT`.
fn transparent(baud: u32, size: usize) -> Sim {
    let mut sim = module(baud, size);
    sim.talk(
        "AT+QIOPEN=1,0,\"TCP\",\"192.0.2.7\",7,0,2\r",
        "\r\nCONNECT\r\n",
    );
    sim
}

/// Lets the modules follow the clock; the bytes that each has given during the trial.
fn keep_up(all: &mut [Sim]) -> Vec<usize> {
    let begins: Vec<u64> = all.iter().map(Sim::now).collect();
    let mut counts = vec![0; all.len()];
    let start = Instant::now();
    let mut counting = false;
    loop {
        let elapsed = start.elapsed();
        if !counting && elapsed >= WARM_UP {
            counting = true;
            counts.fill(0);
        }
        if elapsed >= WARM_UP + TRIAL {
            return counts;
        }
        for ((sim, begin), count) in all.iter_mut().zip(&begins).zip(&mut counts) {
            sim.run_until(begin + start.elapsed().as_micros() as u64);
            *count += sim.read_all().len();
        }
        // A millisecond is a dozen bytes.
        thread::sleep(Duration::from_millis(1).saturating_sub(start.elapsed() - elapsed));
    }
}

// Transparent mode.

const FAST: u32 = 921_600;
const LARGE: usize = 1 << 20;

fn goodput() {
    println!(
        "goodput: transparent mode, {FAST} baud, {} KiB down",
        LARGE >> 10
    );
    let share = |seconds: f64| LARGE as f64 * 10.0 / f64::from(FAST) / seconds * 100.0;

    let mut sim = transparent(FAST, LARGE);
    let begin = sim.now();
    let start = Instant::now();
    assert!(sim.take(LARGE) == pattern(LARGE), "the data differs");
    let simulated = (sim.now() - begin) as f64 / 1e6;
    let wall = start.elapsed().as_secs_f64();
    println!(
        "  virtual time            {:.1} % of the line, in {wall:.2} s of real time",
        share(simulated)
    );

    match served() {
        Ok(seconds) => println!(
            "  quectel-sim serve --tcp {:.1} % of the line",
            share(seconds)
        ),
        Err(error) => println!("  quectel-sim serve --tcp failed: {error}"),
    }
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The seconds that the download takes through the command and a real server.
fn served() -> std::io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        if let Ok((mut client, _)) = listener.accept() {
            let _ = client.write_all(&pattern(LARGE));
            let _ = client.read(&mut [0]);
        }
    });
    let baud = FAST.to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_quectel-sim"))
        .args(["serve", "--tcp", "127.0.0.1:0", "--baud", &baud])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    let out = child.stdout.take().expect("a pipe");
    let _end = Served(child);
    BufReader::new(out).read_line(&mut ready)?;
    let address = ready.trim().rsplit(' ').next().unwrap_or_default();
    let mut line = TcpStream::connect(address)?;
    line.set_read_timeout(Some(Duration::from_secs(30)))?;
    for (command, answer) in [
        ("ATE0\r".to_owned(), "ATE0\r\r\nOK\r\n"),
        ("AT+QIACT=1\r".to_owned(), "\r\nOK\r\n"),
        (
            format!("AT+QIOPEN=1,0,\"TCP\",\"127.0.0.1\",{port},0,2\r"),
            "\r\nCONNECT\r\n",
        ),
    ] {
        line.write_all(command.as_bytes())?;
        let mut got = vec![0; answer.len()];
        line.read_exact(&mut got)?;
        assert_eq!(String::from_utf8_lossy(&got), answer);
    }
    let start = Instant::now();
    let mut data = vec![0; LARGE];
    line.read_exact(&mut data)?;
    let seconds = start.elapsed().as_secs_f64();
    assert!(data == pattern(LARGE), "the data differs");
    Ok(seconds)
}
