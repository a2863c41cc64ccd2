//! What the example programs share: a serial line to a simulated module in
//! this process, a trace of the dialogue, small servers.
#![allow(dead_code, unreachable_pub)]

pub mod echo;
pub mod http;
pub mod live;
pub mod module;
pub mod states;
pub mod told;
pub mod trace;
pub mod url;
pub mod web;
