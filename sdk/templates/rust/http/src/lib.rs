//! A page that counts its visitors.

wit_bindgen::generate!({ world: "web", path: "wit", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::StreamError;
use wasi::keyvalue::{atomics, store};

struct Web;

impl Guest for Web {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        match store::open("visits").and_then(|bucket| atomics::increment(&bucket, "all", 1)) {
            Ok(visits) => reply(out, 200, &format!("Hello, visitor {visits}!\n")),
            Err(error) => reply(out, 500, &format!("{error:?}\n")),
        }
    }
}

export!(Web);

fn reply(out: ResponseOutparam, status: u16, text: &str) {
    let headers = [("content-type".to_string(), b"text/plain; charset=utf-8".to_vec())];
    let response = OutgoingResponse::new(Fields::from_list(&headers).expect("the names are valid"));
    response.set_status_code(status).expect("the status is valid");
    let body = response.body().expect("nobody took it before");
    ResponseOutparam::set(out, Ok(response));
    // A client that has gone away is no concern of ours.
    let _ = write(&body, text.as_bytes());
    let _ = OutgoingBody::finish(body, None);
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().expect("nobody took it before");
    // A host takes at most so much at once.
    for part in bytes.chunks(4096) {
        stream.blocking_write_and_flush(part)?;
    }
    Ok(())
}
