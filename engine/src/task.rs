//! One running call of a guest: a future of Wasmtime that C++ polls on the call's loop.

use crate::bridge::ffi::{Ending, Outcome, ReachedLimit, Spent, WakeKey};
use crate::exchange::ExchangeRef;
use crate::report;
use crate::state::Meter;
use crate::waker::TaskWaker;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasmtime::Result;

/// How a guest's run ended well.
pub enum Finish {
    Done,
    Exited(i32),
}

pub type TaskFuture = Pin<Box<dyn Future<Output = Result<Finish>> + Send>>;

/// Owns the future, and through it the store: dropping the task is what stops the guest.
pub struct Task {
    future: Option<TaskFuture>,
    waker: Arc<TaskWaker>,
    std_waker: Waker,
    meter: Arc<Meter>,
    exchange: Option<Arc<ExchangeRef>>,
    outcome: Option<Result<Finish>>,
    component: Arc<str>,
}

impl Task {
    pub fn new(
        future: TaskFuture,
        wake: WakeKey,
        meter: Arc<Meter>,
        component: Arc<str>,
        exchange: Option<Arc<ExchangeRef>>,
    ) -> Box<Self> {
        let waker = TaskWaker::new(wake);
        let std_waker = Waker::from(waker.clone());
        Box::new(Self {
            future: Some(future),
            waker,
            std_waker,
            meter,
            exchange,
            outcome: None,
            component,
        })
    }

    /// Polls once. A panic below ends this task and nothing else.
    pub fn poll(&mut self) -> bool {
        let Some(future) = self.future.as_mut() else { return true };
        self.waker.about_to_poll();
        self.meter.begin();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut Context::from_waker(&self.std_waker))
        }));
        self.meter.end();
        match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(outcome)) => self.outcome = Some(outcome),
            Err(panic) => self.outcome = Some(Err(report::from_panic(panic))),
        }
        self.end();
        true
    }

    pub fn has_ended(&self) -> bool {
        self.future.is_none()
    }

    /// Whether another poll was asked for since the last one began.
    pub fn is_woken(&self) -> bool {
        self.waker.is_woken()
    }

    pub fn outcome(&self) -> Outcome {
        report::outcome(self.outcome.as_ref(), &self.component)
    }

    pub fn spent(&self) -> Spent {
        self.meter.spent(self.has_ended())
    }

    /// Drops the store. Wasmtime's own drop code may panic only on a bug; that must not cross.
    fn end(&mut self) {
        if let Some(future) = self.future.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.close();
        }
        self.end();
    }
}

/// Runs a bridge function so that a panic in it becomes an error. C++ is told the whole chain of
/// causes.
pub fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(report::from_panic(panic)))
        .map_err(|error| wasmtime::format_err!("{error:#}"))
}

impl Outcome {
    pub fn new(ending: Ending, exit_code: i32, message: String) -> Self {
        Self { ending, limit: ReachedLimit::None, exit_code, message }
    }
}
