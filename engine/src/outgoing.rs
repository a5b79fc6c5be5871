//! Outgoing HTTP: a guest's request is handed to the loop's client at once, and what comes back
//! goes through a [`Channel`], because Wasmtime may poll the guest's side on a tokio thread. The
//! C++ side stays on its loop; wakes are all that crosses.

use crate::bridge::ffi::{self, GuestHost, OutgoingProblem, OutgoingRequest, WakeKey};
use crate::exchange::{read_headers, write_headers};
use crate::loop_bound::LoopBound;
use crate::waker::TaskWaker;
use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Bytes of a response that wait for the guest; beyond them the peer waits.
const QUEUED_MAX: usize = 256 << 10;
/// Of a body that a guest writes, what waits for whoever reads it: a guest may begin thousands.
const BODY_CHUNKS: usize = 1;
const BODY_CHUNK: usize = 64 << 10;
const NOTHING_YET: i64 = -1;
const BROKEN: i64 = -2;

type Sent = Result<(http::Response<WasiBody>, Transfer), Error>;
type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

pub struct Hooks(pub LoopBound<*mut GuestHost>);

impl WasiHttpHooks for Hooks {
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }
    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Transfer,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let channel = Arc::new(Channel { state: Mutex::default(), wake: OnceLock::new() });
        let response = Response(channel.clone());
        let (parts, body) = request.into_parts();
        let outgoing = describe(parts, &body, options.unwrap_or_default());
        let waker = Waker::noop().clone();
        let transfer = OutgoingTransfer { channel, body, chunk: Bytes::new(), waker };
        // SAFETY: the host outlives the store (state::new_store), which calls this on its loop.
        unsafe { ffi::host_send(*self.0.get(), &outgoing, Box::new(transfer)) };
        Box::new(async move {
            let (status, headers) = poll_fn(|cx| response.poll_head(cx)).await?;
            let mut answer = http::Response::new(response.boxed_unsync());
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok((answer, Box::new(async { Ok(()) }) as Transfer))
        })
    }
}

fn describe(
    parts: http::request::Parts,
    body: &WasiBody,
    options: RequestOptions,
) -> OutgoingRequest {
    let mut headers = parts.headers;
    let declared = headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::HOST);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let hint = body.size_hint().exact().and_then(|length| i64::try_from(length).ok());
    // A guest of 0.3 may still owe the trailers of a body that it does not have.
    let bodiless = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE];
    let unknown = if bodiless.contains(&parts.method) { 0 } else { -1 };
    let mut flat = Vec::new();
    write_headers(&headers, &mut flat);
    let millis = |time: Option<std::time::Duration>| {
        time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1))
    };
    OutgoingRequest {
        method: parts.method.to_string(),
        scheme: parts.uri.scheme_str().unwrap_or_default().into(),
        authority: parts.uri.authority().map(ToString::to_string).unwrap_or_default(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: flat,
        body_length: if body.is_end_stream() { 0 } else { declared.or(hint).unwrap_or(unknown) },
        connect_ms: millis(options.connect_timeout),
        first_byte_ms: millis(options.first_byte_timeout),
        between_bytes_ms: millis(options.between_bytes_timeout),
    }
}

/// Between the loop, which fills it, and the guest's side, on whatever thread that is.
struct Channel {
    state: Mutex<State>,
    wake: OnceLock<Arc<TaskWaker>>,
}

#[derive(Default)]
struct State {
    head: Option<(StatusCode, HeaderMap)>,
    parts: VecDeque<Frame<Bytes>>,
    queued: usize,
    end: Option<Option<Error>>,
    waker: Option<Waker>,
    /// The loop was refused room and waits for a wake.
    full: bool,
    /// Nobody waits for the response any more.
    gone: bool,
}

impl Channel {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state.lock().unwrap();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
    fn wake_loop(&self) {
        if let Some(wake) = self.wake.get() {
            std::task::Wake::wake_by_ref(wake);
        }
    }
}

/// The guest's side. Dropping it stops the transfer.
struct Response(Arc<Channel>);

impl Response {
    fn poll_head(&self, cx: &Context<'_>) -> Poll<Result<(StatusCode, HeaderMap), Error>> {
        let mut state = self.0.state.lock().unwrap();
        if let Some(head) = state.head.take() {
            return Poll::Ready(Ok(head));
        }
        if let Some(end) = state.end.take() {
            return Poll::Ready(Err(end.unwrap_or(Error::HttpResponseIncomplete)));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.state.lock() {
            state.gone = true;
        }
        self.0.wake_loop();
    }
}

impl Body for Response {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.0.state.lock().unwrap();
        if let Some(frame) = state.parts.pop_front() {
            state.queued -= frame.data_ref().map_or(0, Bytes::len);
            let resume = state.full && state.queued <= QUEUED_MAX / 2;
            if resume {
                state.full = false;
                drop(state);
                self.0.wake_loop();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(end) = state.end.as_mut() {
            return Poll::Ready(end.take().map(Err));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The loop's side: C++ owns it and uses it on the loop alone.
pub struct OutgoingTransfer {
    channel: Arc<Channel>,
    body: WasiBody,
    chunk: Bytes,
    waker: Waker,
}

impl OutgoingTransfer {
    /// Who is woken when there is room, more of the request's body, or nobody left.
    pub fn attach(&mut self, key: WakeKey) {
        let waker = TaskWaker::new(key);
        self.waker = Waker::from(waker.clone());
        let _ = self.channel.wake.set(waker);
    }

    /// First thing of each poll: whether anybody still waits for the response.
    pub fn is_wanted(&self) -> bool {
        if let Some(wake) = self.channel.wake.get() {
            wake.about_to_poll();
        }
        !self.channel.state.lock().unwrap().gone
    }

    pub fn read(&mut self, room: &mut [u8]) -> i64 {
        let mut cx = Context::from_waker(&self.waker);
        while self.chunk.is_empty() {
            let body = Pin::new(&mut self.body);
            match catch_unwind(AssertUnwindSafe(|| body.poll_frame(&mut cx))) {
                Ok(Poll::Pending) => return NOTHING_YET,
                Ok(Poll::Ready(None)) => return 0,
                // curl sends no trailers of requests.
                Ok(Poll::Ready(Some(Ok(frame)))) => {
                    self.chunk = frame.into_data().unwrap_or_default();
                }
                Ok(Poll::Ready(Some(Err(_)))) | Err(_) => return BROKEN,
            }
        }
        let count = self.chunk.len().min(room.len());
        self.chunk.copy_to_slice(&mut room[..count]);
        count as i64
    }

    pub fn has_room(&self) -> bool {
        let mut state = self.channel.state.lock().unwrap();
        state.full = state.queued >= QUEUED_MAX;
        !state.full
    }

    pub fn head(&self, status: u16, headers: &[u8]) {
        let head = StatusCode::from_u16(status).ok().zip(read_headers(headers).ok());
        self.channel.change(|state| match head {
            Some(head) => state.head = Some(head),
            None => state.end = Some(Some(Error::HttpProtocolError)),
        });
    }

    pub fn data(&self, data: &[u8]) {
        self.channel.change(|state| {
            state.queued += data.len();
            state.parts.push_back(Frame::data(Bytes::copy_from_slice(data)));
        });
    }

    pub fn finish(&self, trailers: &[u8]) {
        let trailers = read_headers(trailers).unwrap_or_default();
        self.channel.change(|state| {
            if !trailers.is_empty() {
                state.parts.push_back(Frame::trailers(trailers));
            }
            state.end.get_or_insert(None);
        });
    }

    pub fn fail(&self, problem: OutgoingProblem, detail: &str) {
        self.channel.change(|state| _ = state.end.get_or_insert(Some(error_of(problem, detail))));
    }
}

impl Drop for OutgoingTransfer {
    fn drop(&mut self) {
        self.fail(OutgoingProblem::Internal, "the host stopped the transfer");
    }
}

fn error_of(problem: OutgoingProblem, detail: &str) -> Error {
    match problem {
        OutgoingProblem::Denied => Error::HttpRequestDenied,
        OutgoingProblem::Url => Error::HttpRequestUriInvalid,
        OutgoingProblem::DnsTimeout => Error::DnsTimeout,
        OutgoingProblem::DnsError => {
            Error::DnsError { rcode: Some("address not available".into()), info_code: Some(0) }
        }
        OutgoingProblem::ConnectionRefused => Error::ConnectionRefused,
        OutgoingProblem::ConnectionTimeout => Error::ConnectionTimeout,
        OutgoingProblem::Unroutable => Error::DestinationIpUnroutable,
        OutgoingProblem::Unavailable => Error::DestinationUnavailable,
        OutgoingProblem::ConnectionLimit => Error::ConnectionLimitReached,
        OutgoingProblem::TlsCertificate => Error::TlsCertificateError,
        OutgoingProblem::TlsProtocol => Error::TlsProtocolError,
        OutgoingProblem::Terminated => Error::ConnectionTerminated,
        OutgoingProblem::ReadTimeout => Error::ConnectionReadTimeout,
        OutgoingProblem::HeaderSize => Error::HttpResponseHeaderSectionSize(None),
        OutgoingProblem::Incomplete => Error::HttpResponseIncomplete,
        OutgoingProblem::Protocol => Error::HttpProtocolError,
        OutgoingProblem::BodyBroken => Error::HttpRequestBodySize(None),
        _ => Error::InternalError(Some(detail.into())),
    }
}
