//! The command `quectel-sim`, as a program that is started and talked to.
#![cfg(unix)]

mod arguments;
mod control;
mod endpoints;
mod instances;
mod lists;
mod module;
mod program;
mod records;
