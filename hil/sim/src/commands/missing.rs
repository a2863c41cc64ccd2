//! What modules have and the simulated one has not: it answers as to a command that nobody knows.

use crate::at::table::Command;
use crate::profile::CommandSet;

pub(super) const COMMANDS: &[Command] = &[
    // Whether the module has started; the answer is not in the documents seen.
    Command::missing("+QRDY").on(&[CommandSet::Ec200u]),
    // Calls.
    Command::missing("A"),
    Command::missing("D"),
    Command::missing("+CLCC"),
    // Short messages.
    Command::missing("+CMGF"),
    Command::missing("+CMGS"),
    Command::missing("+CMGR"),
    Command::missing("+CMGL"),
    Command::missing("+CMGD"),
    Command::missing("+CNMI"),
    Command::missing("+CPMS"),
    // The state of the network in one row, whose fields are not all known.
    Command::missing("+QCDS").on(&[CommandSet::Bg9x]),
    // Several channels on one line.
    Command::missing("+CMUX"),
    // TLS inside the module.
    Command::missing("+QSSLCFG"),
    Command::missing("+QSSLOPEN"),
    Command::missing("+QSSLSEND"),
    Command::missing("+QSSLRECV"),
    Command::missing("+QSSLCLOSE"),
    // Files.
    Command::missing("+QFUPL"),
    Command::missing("+QFDWL"),
    Command::missing("+QFLST"),
    Command::missing("+QFLDS"),
    Command::missing("+QFDEL"),
    // Protocols above TCP.
    Command::missing("+QHTTPCFG"),
    Command::missing("+QHTTPGET"),
    Command::missing("+QMTOPEN"),
    Command::missing("+QMTPUB"),
    Command::missing("+QFTPOPEN"),
];
