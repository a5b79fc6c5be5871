//! One HTTP request in a fresh instance of a `wasi:http/incoming-handler@0.2` program.

use crate::bridge::ffi::{self, GuestHost, WakeKey};
use crate::exchange::{ExchangeRef, ResponsePump};
use crate::loop_bound::LoopBound;
use crate::program::{Entry, Linked, Shared};
use crate::state::{self, Meter};
use crate::task::{Finish, Task, TaskFuture};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use wasmtime::Result;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Turns the guest and the response get in one poll before the loop's other work has its turn.
const TURNS_MAX: u32 = 16;

type Answer = core::result::Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// # Safety
/// `host` outlives the task, so does `exchange`.
pub unsafe fn start_http(
    linked: &Linked,
    host: *mut GuestHost,
    exchange: *mut ffi::Exchange,
    wake: WakeKey,
) -> Box<Task> {
    let meter = state::new_meter(linked.shared.limits.cpu_ns);
    let shared = linked.shared.clone();
    let component = shared.component.clone();
    let exchange = ExchangeRef::new(exchange);
    let (for_store, for_task) = (meter.clone(), exchange.clone());
    let host = LoopBound::new(host);
    let future: TaskFuture =
        Box::pin(async move { serve(shared, host, exchange, for_store).await });
    Task::new(future, wake, meter, component, Some(for_task))
}

async fn serve(
    shared: Arc<Shared>,
    host: LoopBound<*mut GuestHost>,
    exchange: Arc<ExchangeRef>,
    meter: Arc<Meter>,
) -> Result<Finish> {
    let Entry::Http02(pre) = &shared.entry else {
        wasmtime::bail!("it does not export wasi:http/incoming-handler@0.2");
    };
    let Some(request) = exchange.request() else { return Ok(Finish::Done) };
    let mut store =
        state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &meter)?;
    let answer: Arc<Mutex<Option<Answer>>> = Arc::default();
    let slot = answer.clone();
    let mut http = store.data_mut().http();
    let secure = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let scheme = if secure { Scheme::Https } else { Scheme::Http };
    let request = http.new_incoming_request(scheme, request)?;
    let outparam = http.new_response_outparam_from_callback(move |value| {
        *slot.lock().unwrap() = Some(value);
    })?;
    let proxy = pre.instantiate_async(&mut store).await?;
    let mut running = Running { guest_done: false, pump: Pump::Waiting };
    {
        let guest = proxy.wasi_http_incoming_handler().call_handle(&mut store, request, outparam);
        let mut guest = pin!(guest);
        poll_fn(|cx| running.poll(guest.as_mut(), &answer, &exchange, cx)).await?;
    }
    let refusal = store.data().refusal();
    if let Pump::Sending(mut pump) = running.pump {
        // The instance goes before the rest of its response: a body that it left open is broken
        // off, and nobody waits for who could write it.
        drop(store);
        poll_fn(|cx| pump.poll(cx, &mut false)).await;
    }
    if !exchange.is_closed() {
        return Err(match refusal {
            Some(reached) => wasmtime::Error::new(reached),
            None => wasmtime::format_err!("it returned without setting a response"),
        });
    }
    Ok(Finish::Done)
}

enum Pump {
    /// The guest has set no response yet.
    Waiting,
    Sending(ResponsePump),
    Sent,
}

struct Running {
    guest_done: bool,
    pump: Pump,
}

impl Running {
    /// Gives the guest and the response turns until neither moves.
    fn poll<F: Future<Output = Result<()>>>(
        &mut self,
        mut guest: std::pin::Pin<&mut F>,
        answer: &Mutex<Option<Answer>>,
        exchange: &Arc<ExchangeRef>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        for _ in 0..TURNS_MAX {
            let mut progress = false;
            if !self.guest_done {
                match guest.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => self.guest_done = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            if matches!(self.pump, Pump::Waiting) {
                match answer.lock().unwrap().take() {
                    Some(Ok(response)) => {
                        self.pump = Pump::Sending(ResponsePump::begin(exchange.clone(), response));
                    }
                    Some(Err(code)) => {
                        return Poll::Ready(Err(wasmtime::format_err!(
                            "it answered with the error {code:?}"
                        )));
                    }
                    None if self.guest_done => return Poll::Ready(Ok(())),
                    None => return Poll::Pending,
                }
            }
            if let Pump::Sending(pump) = &mut self.pump
                && pump.poll(cx, &mut progress).is_ready()
            {
                self.pump = Pump::Sent;
            }
            if self.guest_done {
                return Poll::Ready(Ok(()));
            }
            if !progress {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
