//! The body of an answer that the client reqwless is receiving.

use embedded_io_async::Read;
use reqwless::response::Response;

/// All of it; on a microcontroller a buffer takes the place of the `Vec`.
pub async fn body<C: Read>(response: Response<'_, '_, C>) -> Result<Vec<u8>, String> {
    if !response.status.is_successful() {
        return Err(format!(
            "the server answered {}; check the path",
            response.status.0
        ));
    }
    let length = response.content_length;
    let mut reader = response.body().reader();
    let (mut body, mut buffer) = (Vec::new(), [0; 1024]);
    // Some bodies end with the connection only.
    while length.is_none_or(|length| body.len() < length) {
        let n = reader.read(&mut buffer).await.map_err(|error| {
            format!(
                "broken off after {} bytes: {error:?}; run it again",
                body.len()
            )
        })?;
        if n == 0 {
            break;
        }
        body.extend(&buffer[..n]);
    }
    match length {
        Some(length) if length != body.len() => Err(format!(
            "the connection ended after {} of {length} bytes; run it again",
            body.len()
        )),
        _ => Ok(body),
    }
}
