//! What the integration tests share.
#![allow(dead_code, unreachable_pub)]

pub mod dialogue;
pub mod script;
pub mod sim;
pub mod tasks;
