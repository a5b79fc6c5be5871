//! One reused instance of a `wasi:http/handler@0.3` program, and the calls it serves.

use crate::bridge::ffi::{self, GuestHost, Outcome, WakeKey};
use crate::exchange::{ExchangeRef, ResponsePump};
use crate::loop_bound::LoopBound;
use crate::program::{Entry, Linked, Shared};
use crate::state::{self, Meter, State};
use crate::task::{Finish, Task};
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, Stream};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use wasmtime::component::Accessor;
use wasmtime::{AsContextMut, Result};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{Prepared, Proxy};

/// What C++ and the instance's future share. One thread uses it; the locks are for `Send`. Nothing
/// here wakes: C++ polls after each push and retire.
struct Queue {
    waiting: Mutex<VecDeque<Arc<ExchangeRef>>>,
    /// Calls handed over and not ended, waiting ones included.
    in_flight: AtomicU32,
    retired: AtomicBool,
    /// The last poll left the instance waiting: it may take one more call beside.
    idle_seen: AtomicBool,
    /// The guest goes on though its calls have been answered.
    lingers: AtomicBool,
}

pub struct Worker {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    task: Box<Task>,
    meter: Arc<Meter>,
    exchanges: Vec<(u64, Arc<ExchangeRef>)>,
    next_call: u64,
}

/// # Safety
/// `host` outlives the worker.
pub unsafe fn worker_new(linked: &Linked, host: *mut GuestHost, wake: WakeKey) -> Box<Worker> {
    let shared = linked.shared.clone();
    let queue = Arc::new(Queue {
        waiting: Mutex::default(),
        in_flight: AtomicU32::new(0),
        retired: AtomicBool::new(false),
        idle_seen: AtomicBool::new(true),
        lingers: AtomicBool::new(false),
    });
    let meter = state::new_meter(0);
    let future = serve(shared.clone(), queue.clone(), LoopBound::new(host), meter.clone());
    let component = shared.component.clone();
    let task = Task::new(Box::pin(future), wake, meter.clone(), component, None);
    Box::new(Worker { shared, queue, task, meter, exchanges: Vec::new(), next_call: 0 })
}

impl Worker {
    /// # Safety
    /// `exchange` lives until `detach` with the number returned here.
    pub unsafe fn push(&mut self, exchange: *mut ffi::Exchange) -> u64 {
        let exchange = ExchangeRef::new(exchange);
        self.exchanges.retain(|(_, open)| !open.is_closed());
        self.next_call += 1;
        self.exchanges.push((self.next_call, exchange.clone()));
        let in_flight = self.queue.in_flight.fetch_add(1, Relaxed) + 1;
        self.queue.idle_seen.store(false, Relaxed);
        self.queue.waiting.lock().unwrap().push_back(exchange);
        self.meter.allow(self.shared.limits.cpu_ns, in_flight);
        self.next_call
    }

    pub fn has_room(&self) -> bool {
        let in_flight = self.queue.in_flight.load(Relaxed);
        !self.task.has_ended()
            && !self.queue.retired.load(Relaxed)
            && in_flight < self.shared.limits.reuse_calls_at_once
            && (in_flight == 0 || self.queue.idle_seen.load(Relaxed))
    }

    pub fn lingers(&self) -> bool {
        self.queue.lingers.load(Relaxed)
    }

    pub fn poll(&mut self) -> bool {
        let ended = self.task.poll();
        // One that waits for the outside has room. One that has asked to be polled again only
        // yields: it computes, and another call would wait for that.
        self.queue.idle_seen.store(!self.task.is_woken(), Relaxed);
        ended
    }

    pub fn outcome(&self) -> Outcome {
        self.task.outcome()
    }

    pub fn spent(&self) -> ffi::Spent {
        self.task.spent()
    }

    pub fn detach(&mut self, call: u64) {
        self.exchanges.retain(|(number, exchange)| {
            if *number == call {
                exchange.close();
            }
            *number != call
        });
    }

    pub fn retire(&mut self) {
        self.queue.retired.store(true, Relaxed);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for (_, exchange) in &self.exchanges {
            exchange.close();
        }
    }
}

/// The instance's whole life: made at the first poll, ended when it is retired and empty.
async fn serve(
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    host: LoopBound<*mut GuestHost>,
    meter: Arc<Meter>,
) -> Result<Finish> {
    let Entry::Http03(pre) = &shared.entry else {
        wasmtime::bail!("it does not export wasi:http/handler@0.3");
    };
    let mut store =
        state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &meter)?;
    let proxy = Proxy::P3(pre.instantiate_async(&mut store).await?);
    let Proxy::P3(service) = &proxy else { unreachable!("made just above") };
    let entry = *service.wasi_http_handler().func_handle().func();
    store
        .run_concurrent(async |accessor| {
            let mut calls = pin!(FuturesUnordered::new());
            poll_fn(|cx| {
                loop {
                    // Running calls come first: one that failed ends the instance.
                    match calls.as_mut().poll_next(cx) {
                        Poll::Ready(Some(Ok(()))) => {
                            queue.in_flight.fetch_sub(1, Relaxed);
                            continue;
                        }
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                        Poll::Ready(None) | Poll::Pending => {}
                    }
                    let ready = accessor.poll_ready_for_concurrent_call(entry, cx).is_ready();
                    let next = if ready { queue.waiting.lock().unwrap().pop_front() } else { None };
                    if let Some(exchange) = next {
                        calls.push(call(accessor, &proxy, exchange));
                        continue;
                    }
                    let empty = calls.is_empty() && queue.waiting.lock().unwrap().is_empty();
                    let lingers = accessor.poll_no_interesting_tasks(cx).is_pending();
                    queue.lingers.store(lingers, Relaxed);
                    if queue.retired.load(Relaxed) && empty && !lingers {
                        return Poll::Ready(Ok(Finish::Done));
                    }
                    return Poll::Pending;
                }
            })
            .await
        })
        .await?
}

/// One call in the instance: the guest's handler, then its response to the end.
async fn call(accessor: &Accessor<State>, proxy: &Proxy, exchange: Arc<ExchangeRef>) -> Result<()> {
    let Some(request) = exchange.request() else { return Ok(()) };
    let (sender, mut receiver) = oneshot::channel();
    let prepared = accessor.with(|mut store| {
        Prepared::new(
            store.as_context_mut(),
            proxy,
            request,
            |state: &mut State| state.http(),
            sender,
        )
    })?;
    let mut running = pin!(prepared.run(accessor, std::future::pending()));
    let mut guest_done = false;
    let mut pump: Option<ResponsePump> = None;
    poll_fn(|cx| {
        if !guest_done {
            match running.as_mut().poll(cx) {
                Poll::Ready(Ok(_)) => guest_done = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        if pump.is_none() {
            match receiver.try_recv() {
                Ok(Some(Ok(response))) => {
                    pump = Some(ResponsePump::begin(exchange.clone(), response));
                }
                Ok(Some(Err(error))) => return Poll::Ready(Err(error)),
                Ok(None) if !guest_done => return Poll::Pending,
                Ok(None) | Err(_) => {
                    exchange.fail(http::StatusCode::BAD_GATEWAY);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        match pump.as_mut().map(|pump| pump.poll(cx, &mut false)) {
            Some(Poll::Ready(())) if guest_done => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    })
    .await
}
