//! The job of the clients: a page from a web server.

/// Where to fetch from. The simulated module knows this name.
pub const SERVER: (&str, u16) = ("www.example.test", 8080);
pub const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: www.example.test\r\n\r\n";

/// Whether an answer that begins so is a good one: 200 from its tenth byte.
pub fn is_good(answer: &[u8]) -> bool {
    answer.get(9..12) == Some(b"200")
}
