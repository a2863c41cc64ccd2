//! Finds a cargo that can build for the microcontroller: one with the target
//! installed, or Debian's, whose core and alloc are built here first. That
//! needs neither root nor rustup.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// Cortex-M4F and M7F, as most microcontrollers beside a modem are.
pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
/// What Debian's packages bring, and which.
const DEBIAN: [(&str, &str); 4] = [
    (RUSTC, "rustc-web"),
    (CARGO, "cargo-web"),
    (
        "/usr/lib/rustlib/src/rust/library/Cargo.lock",
        "rust-web-src",
    ),
    ("/usr/bin/rust-lld", "rust-web-llvm lld-22"),
];

/// A cargo command for [`TARGET`]. Files it needs are made in `target_dir`.
pub(crate) fn cargo(target_dir: &Path) -> Result<Command, String> {
    if has_target() {
        return Ok(Command::new(
            env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        ));
    }
    let missing: Vec<_> = DEBIAN
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "this Rust cannot build for {TARGET}. Either\n  rustup target add {TARGET}\n\
             or, on Debian,\n  apt-get install {}",
            missing.join(" ")
        ));
    }
    let sysroot = sysroot(target_dir)?;
    let mut cargo = debian_cargo();
    // For the target only, as every build names one: build scripts and
    // macros keep Debian's own standard library.
    cargo.env(
        "CARGO_TARGET_THUMBV7EM_NONE_EABIHF_RUSTFLAGS",
        format!("--sysroot={}", sysroot.display()),
    );
    Ok(cargo)
}

pub(crate) fn cannot_start(command: &Command, error: &io::Error) -> String {
    let program = command.get_program().display();
    format!("cannot start {program}: {error}; install Rust, see https://rustup.rs")
}

/// Whether the compiler that runs by default has the target's core.
fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let print = ["--print", "target-libdir", "--target", TARGET];
    let Ok(directory) = output(Command::new(rustc).args(print)) else {
        return false;
    };
    rlibs(Path::new(directory.trim())).is_ok_and(|files| !files.is_empty())
}

/// Debian's cargo with Debian's rustc, whatever the environment says.
fn debian_cargo() -> Command {
    let mut cargo = Command::new(CARGO);
    for variable in [
        "CARGO",
        "CARGO_ENCODED_RUSTFLAGS",
        "LD_LIBRARY_PATH",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
    ] {
        cargo.env_remove(variable);
    }
    cargo.env("RUSTC", RUSTC);
    cargo
}

/// A sysroot with core and alloc for [`TARGET`], built once for a compiler.
fn sysroot(target_dir: &Path) -> Result<PathBuf, String> {
    let about = output(Command::new(RUSTC).arg("-vV"))?;
    let version = about
        .lines()
        .find_map(|line| line.strip_prefix("release: "))
        .ok_or_else(|| format!("{RUSTC} -vV tells no release; reinstall rustc-web"))?;
    let sysroot = target_dir.join("thumb-sysroot").join(version);
    if sysroot.is_dir() {
        return Ok(sysroot);
    }
    eprintln!("building core and alloc for {TARGET}, once; takes about a minute");
    // A directory of its own, renamed when complete: two builds at the same
    // time, or one that was broken off, do no harm.
    let work = target_dir.join(format!("thumb-sysroot-{}", process::id()));
    let made = build_sysroot(&work, &sysroot);
    let _ = fs::remove_dir_all(&work);
    match made {
        Err(_) if sysroot.is_dir() => Ok(sysroot),
        made => made.map(|()| sysroot),
    }
}

fn build_sysroot(work: &Path, sysroot: &Path) -> Result<(), String> {
    let told = |error: io::Error| {
        format!(
            "cannot write below {}: {error}; make room, or set CARGO_TARGET_DIR",
            work.display()
        )
    };
    let seed = work.join("seed");
    fs::create_dir_all(seed.join("src")).map_err(told)?;
    let manifest =
        "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(seed.join("Cargo.toml"), manifest).map_err(told)?;
    fs::write(seed.join("src/lib.rs"), "#![no_std]\n").map_err(told)?;
    let mut cargo = debian_cargo();
    cargo
        .current_dir(&seed)
        // `-Zbuild-std` wants it. The project itself is built without.
        .env("RUSTC_BOOTSTRAP", "1")
        // Else fat LTO fails for want of bitcode.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", seed.join("target"))
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .args(["-Zbuild-std=core,alloc"])
        .args(["-Zbuild-std-features=compiler-builtins-mem"]);
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(_) => {
            return Err(format!(
                "core and alloc were not built; the reason is above.\n\
                 With rustup, `rustup target add {TARGET}` does without this step"
            ));
        }
        Err(error) => return Err(cannot_start(&cargo, &error)),
    }
    let built = seed.join("target").join(TARGET).join("release/deps");
    let library = Path::new("lib/rustlib").join(TARGET).join("lib");
    let library = work.join("sysroot").join(library);
    fs::create_dir_all(&library).map_err(told)?;
    for file in rlibs(&built).map_err(told)? {
        let name = file.file_name().unwrap_or_default();
        if !name.to_string_lossy().starts_with("libseed-") {
            fs::copy(&file, library.join(name)).map_err(told)?;
        }
    }
    fs::create_dir_all(sysroot.parent().unwrap_or(sysroot)).map_err(told)?;
    fs::rename(work.join("sysroot"), sysroot).map_err(told)
}

fn rlibs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "rlib")
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Standard output of a command that succeeded.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let program = command.get_program().display();
        Err(format!(
            "{program} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}
