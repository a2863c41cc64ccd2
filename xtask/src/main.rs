//! Chores of this repository: builds for the microcontroller, and measures
//! what came out.

mod image;
mod lines;
mod toolchain;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};

use image::Image;
use toolchain::TARGET;

/// Builds for the microcontroller and measures the images.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "The target is thumbv7em-none-eabihf (Cortex-M4F). Either\n  \
    rustup target add thumbv7em-none-eabihf\n\
    or, on Debian, without rustup\n  \
    apt-get install rustc-web cargo-web rust-web-src rust-web-llvm lld-22\n\n\
    Exit status: 0 done, 1 failed, 2 wrong arguments."
)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the images of examples/firmware, optimised, and print their sizes
    Build {
        /// Passed on to `cargo build`, for example --locked
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "CARGO ARGUMENTS"
        )]
        rest: Vec<String>,
    },
    /// Print flash and RAM of the images that `build` made, and how long the faces are
    Size {
        /// Fail if an image can panic
        #[arg(long)]
        no_panic: bool,
    },
    /// Run cargo in this workspace with the microcontroller as target
    #[command(after_help = "Example: cargo xtask cargo build -p quectel-sockets --all-features")]
    Cargo {
        /// The cargo command, `build` or `check`, and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "COMMAND"
        )]
        rest: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Build { rest } => build(&rest),
        Task::Size { no_panic } => size(no_panic),
        Task::Cargo { rest } => cargo(&rest),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The images of examples/firmware, each with the one whose size is taken off
/// to see what it adds. What `async_client` adds to the engine is the face and
/// the board's executor; the latter is what `baseline_tasks` adds.
const IMAGES: [(&str, Option<&str>); 7] = [
    ("baseline", None),
    ("baseline_tasks", Some("baseline")),
    ("tcp_client", Some("baseline")),
    ("engine_polled", Some("baseline")),
    ("nb_client", Some("engine_polled")),
    ("engine_timed", Some("baseline")),
    ("async_client", Some("engine_timed")),
];

fn build(rest: &[String]) -> Result<(), String> {
    let mut cargo = toolchain::cargo(&target_dir()?)?;
    cargo
        .current_dir(root().join("examples/firmware"))
        .args(["build", "--release", "--target", TARGET, "--target-dir"])
        .arg(thumb_dir()?)
        .args(rest);
    run(cargo, "the images were not built")?;
    size(false)
}

fn cargo(rest: &[String]) -> Result<(), String> {
    let mut cargo = toolchain::cargo(&target_dir()?)?;
    let Some((command, rest)) = rest.split_first() else {
        return Err("name a cargo command, for example: cargo xtask cargo build".into());
    };
    cargo
        .current_dir(root())
        .args([command, "--target", TARGET, "--target-dir"])
        .arg(thumb_dir()?)
        .args(rest);
    run(cargo, &format!("cargo {command} failed"))
}

fn run(mut command: Command, failure: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{failure}; the reason is above")),
        Err(error) => Err(toolchain::cannot_start(&command, &error)),
    }
}

fn size(no_panic: bool) -> Result<(), String> {
    let directory = thumb_dir()?.join(TARGET).join("release");
    let images = IMAGES
        .iter()
        .map(|(name, than)| Image::read(name, *than, &directory.join(name)))
        .collect::<Result<Vec<_>, _>>()?;
    image::print_sizes(&images);
    lines::print_faces(&root())?;
    let panics = images.iter().filter(|image| image.print_panics()).count();
    if no_panic && panics > 0 {
        return Err(format!(
            "{panics} of {} images can panic; remove what is listed above",
            images.len()
        ));
    }
    Ok(())
}

/// The repository. Cargo tells it when it runs this program: what was known
/// at compile time may be another checkout with the same target directory.
fn root() -> PathBuf {
    let own =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&own).join("..")
}

/// Where cargo would build, so that nothing is written elsewhere.
fn target_dir() -> Result<PathBuf, String> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) if !directory.is_empty() => std::path::absolute(&directory)
            .map_err(|error| format!("CARGO_TARGET_DIR: {error}; name another directory")),
        _ => Ok(root().join("target")),
    }
}

/// Not the PC's directory: another compiler may be at work for the target.
fn thumb_dir() -> Result<PathBuf, String> {
    Ok(target_dir()?.join("thumb"))
}
