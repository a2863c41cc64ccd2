//! What the example programs share: the command line of a module, its port,
//! real or simulated in this process, a trace of the dialogue, small servers.
#![allow(dead_code, unreachable_pub)]

pub mod broker;
pub mod echo;
pub mod fetch;
pub mod http;
pub mod https;
pub mod live;
pub mod module;
pub mod states;
pub mod tasks;
pub mod told;
pub mod trace;
pub mod url;
pub mod web;
