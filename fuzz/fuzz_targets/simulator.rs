#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quectel_fuzz::simulator::run(data));
