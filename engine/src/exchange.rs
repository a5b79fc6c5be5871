//! One HTTP request and its response, as Rust sees them: bodies both ways over the C++ exchange.

use crate::bridge::ffi;
use crate::loop_bound::LoopBound;
use crate::waker::CallWaker;
use bytes::{BufMut, Bytes, BytesMut};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wasmtime::{Result, error::Context as _};
use wasmtime_wasi_http::{Error, WasiBody};

/// Bytes of a request's body read at a time.
const READ_SIZE: usize = 64 << 10;

/// The way to a C++ exchange. Either side may go first: after `close` nothing reaches C++.
pub struct ExchangeRef(LoopBound<Cell<*mut ffi::Exchange>>);

impl ExchangeRef {
    pub fn new(exchange: *mut ffi::Exchange) -> Arc<Self> {
        Arc::new(Self(LoopBound::new(Cell::new(exchange))))
    }

    /// Before C++ frees the exchange: as the task is dropped, or through `Worker::detach`.
    pub fn close(&self) {
        self.0.get().set(std::ptr::null_mut());
    }

    fn open(&self) -> Option<*mut ffi::Exchange> {
        let exchange = self.0.get().get();
        (!exchange.is_null()).then_some(exchange)
    }

    /// The request, with a body that reads from the connection as the guest takes it. None: the
    /// client is gone, or it asked for what cannot be asked of a guest, and has its answer.
    pub fn request(self: &Arc<Self>) -> Option<Request<WasiBody>> {
        let request = self.read_request(self.open()?);
        if request.is_err() {
            self.fail(StatusCode::BAD_REQUEST);
        }
        request.ok()
    }

    fn read_request(self: &Arc<Self>, exchange: *mut ffi::Exchange) -> Result<Request<WasiBody>> {
        // SAFETY: the exchange is open, and the slices are copied before this returns.
        let (method, target, authority, secure, headers, has_body) = unsafe {
            (
                Method::from_bytes(ffi::exchange_method(exchange))?,
                ffi::exchange_target(exchange),
                ffi::exchange_authority(exchange),
                ffi::exchange_secure(exchange),
                read_headers(ffi::exchange_headers(exchange))?,
                ffi::exchange_has_body(exchange),
            )
        };
        let body = if has_body {
            RequestBody { exchange: self.clone(), done: false }.boxed_unsync()
        } else {
            Empty::new().map_err(|never| match never {}).boxed_unsync()
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target_uri(secure, target, authority)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    pub fn head(&self, parts: &http::response::Parts, hint: &SizeHint) {
        let Some(exchange) = self.open() else { return };
        SCRATCH.with_borrow_mut(|flat| {
            flat.clear();
            write_headers(&parts.headers, flat);
            let length = hint.exact().and_then(|length| i64::try_from(length).ok()).unwrap_or(-1);
            // SAFETY: the exchange is open; `flat` is only read during the call.
            unsafe { ffi::exchange_head(exchange, parts.status.as_u16(), flat, length) }
        });
    }

    pub fn write(&self, data: &[u8]) -> bool {
        // SAFETY: the exchange is open; `data` is only read during the call.
        self.open().is_none_or(|exchange| unsafe { ffi::exchange_write(exchange, data) })
    }

    /// Ready when the next part of the body may be written.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let Some(exchange) = self.open() else { return Poll::Ready(()) };
        // SAFETY: the exchange is open.
        unsafe {
            if ffi::exchange_has_room(exchange) {
                return Poll::Ready(());
            }
            ffi::exchange_wait_room(exchange, CallWaker::of(cx));
        }
        Poll::Pending
    }

    pub fn finish(&self, trailers: Option<&HeaderMap>) {
        let Some(exchange) = self.open() else { return };
        let mut flat = Vec::new();
        if let Some(trailers) = trailers {
            write_headers(trailers, &mut flat);
        }
        // SAFETY: the exchange is open; `flat` is only read during the call.
        unsafe { ffi::exchange_finish(exchange, &flat) }
        self.close();
    }

    /// Answers with an error, or breaks the response off when the guest failed in the middle of it.
    pub fn fail(&self, status: StatusCode) {
        if let Some(exchange) = self.open() {
            // SAFETY: the exchange is open.
            unsafe { ffi::exchange_fail(exchange, status.as_u16()) }
            self.close();
        }
    }

    fn is_head(&self) -> bool {
        // SAFETY: the exchange is open, and the slice is not kept.
        self.open().is_some_and(|exchange| unsafe { ffi::exchange_method(exchange) == b"HEAD" })
    }

    pub fn is_closed(&self) -> bool {
        self.open().is_none()
    }
}

thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });

fn target_uri(secure: bool, target: &[u8], authority: &[u8]) -> Result<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority.try_into()?);
    parts.path_and_query = Some(target.try_into()?);
    Ok(Uri::from_parts(parts)?)
}

/// Headers cross as length and bytes, name and value in turn. One copy holds all the values.
pub(crate) fn read_headers(flat: &[u8]) -> Result<HeaderMap> {
    let all = Bytes::copy_from_slice(flat);
    let mut headers = HeaderMap::with_capacity(16);
    let mut at = 0;
    let mut next = || -> Option<(usize, usize)> {
        let length = u32::from_le_bytes(flat.get(at..at + 4)?.try_into().ok()?) as usize;
        let from = at + 4;
        at = from + length;
        (at <= flat.len()).then_some((from, at))
    };
    while let Some((name_from, name_to)) = next() {
        let (from, to) = next().context("a header without a value")?;
        let name = HeaderName::from_bytes(&flat[name_from..name_to])?;
        if name != header::CONNECTION {
            headers.try_append(name, HeaderValue::from_maybe_shared(all.slice(from..to))?)?;
        }
    }
    Ok(headers)
}

pub(crate) fn write_headers(headers: &HeaderMap, flat: &mut Vec<u8>) {
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), value.as_bytes()] {
            flat.put_u32_le(part.len() as u32);
            flat.extend_from_slice(part);
        }
    }
}

/// The request's body. Reads only when polled: that is the back-pressure.
struct RequestBody {
    exchange: Arc<ExchangeRef>,
    done: bool,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<core::result::Result<Frame<Bytes>, Error>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let Some(exchange) = self.exchange.open() else {
            self.done = true;
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        };
        let mut room = BytesMut::zeroed(READ_SIZE);
        // SAFETY: the exchange is open; `room` is only written during the call.
        let count = unsafe { ffi::exchange_read(exchange, &mut room) };
        match count {
            -1 => {
                // SAFETY: the exchange is open.
                unsafe { ffi::exchange_wait_body(exchange, CallWaker::of(cx)) };
                Poll::Pending
            }
            0 => {
                self.done = true;
                // SAFETY: the exchange is open, and the slice is copied before this returns.
                let trailers = read_headers(unsafe { ffi::exchange_trailers(exchange) });
                let trailers = trailers.ok().filter(|trailers| !trailers.is_empty());
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            count if count > 0 => {
                room.truncate(count as usize);
                Poll::Ready(Some(Ok(Frame::data(room.freeze()))))
            }
            _ => {
                self.done = true;
                Poll::Ready(Some(Err(Error::ConnectionTerminated)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.done
    }
}

/// Sends a response as its body comes, as fast as the client takes it.
pub struct ResponsePump {
    exchange: Arc<ExchangeRef>,
    body: WasiBody,
    trailers: Option<HeaderMap>,
}

impl ResponsePump {
    pub fn begin(exchange: Arc<ExchangeRef>, response: http::Response<WasiBody>) -> Self {
        let (parts, body) = response.into_parts();
        exchange.head(&parts, &body.size_hint());
        Self { exchange, body, trailers: None }
    }

    /// Ready when the response is whole, or broken off. `progress` says whether anything moved.
    pub fn poll(&mut self, cx: &mut Context<'_>, progress: &mut bool) -> Poll<()> {
        loop {
            if self.exchange.is_closed() {
                return Poll::Ready(());
            }
            if self.exchange.poll_room(cx).is_pending() {
                return Poll::Pending;
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    *progress = true;
                    match frame.into_data() {
                        Ok(data) => _ = self.exchange.write(&data),
                        Err(frame) => self.trailers = frame.into_trailers().ok(),
                    }
                }
                // A body that is shorter than its length says is right where there is none.
                Poll::Ready(Some(Err(_))) if self.exchange.is_head() => {
                    self.exchange.finish(None);
                    return Poll::Ready(());
                }
                Poll::Ready(Some(Err(_))) => {
                    self.exchange.fail(StatusCode::BAD_GATEWAY);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => {
                    *progress = true;
                    self.exchange.finish(self.trailers.as_ref());
                    return Poll::Ready(());
                }
            }
        }
    }
}
