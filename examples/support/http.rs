//! Just enough HTTP to read one answer: head by httparse, body by its length
//! or up to the end of the connection.

/// The head of an answer.
pub struct Head {
    pub status: u16,
    pub reason: String,
    /// All of it, as it came.
    pub text: String,
    /// Bytes of the body, if the server said.
    pub length: Option<u64>,
}

/// Longest head that is read.
const HEAD_MAX: usize = 16 * 1024;

/// Reads the head from what has arrived so far; `None` if it is not all
/// there. Returns how many bytes it takes.
pub fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|error| format!("the server's answer is not HTTP ({error})"))?;
    let httparse::Status::Complete(len) = parsed else {
        if bytes.len() > HEAD_MAX {
            return Err(format!("the answer's head is longer than {HEAD_MAX} bytes"));
        }
        return Ok(None);
    };
    let mut length = None;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("the server answers in chunks although HTTP/1.0 was asked for".into());
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value).unwrap_or_default();
            let number = value.trim().parse();
            length = Some(number.map_err(|_| format!("bad Content-Length {value:?}"))?);
        }
    }
    let head = Head {
        status: response.code.unwrap_or_default(),
        reason: response.reason.unwrap_or_default().to_owned(),
        text: String::from_utf8_lossy(&bytes[..len]).into_owned(),
        length,
    };
    Ok(Some((head, len)))
}
