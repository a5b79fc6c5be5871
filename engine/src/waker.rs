//! How a future of Wasmtime asks its loop to be polled again.

use crate::bridge::ffi::{self, WakeKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// The waker of one task. Outlives the task: a late wake finds another generation in the slot, or
/// none, and does nothing.
pub struct TaskWaker {
    key: WakeKey,
    /// Set from the first wake until the next poll begins, so that wakes coalesce.
    queued: AtomicBool,
}

// `WakeTarget` is thread-safe by contract (src/io/wake.h): any thread may wake, and the
// shared pointer's count is atomic.
unsafe impl Send for TaskWaker {}
unsafe impl Sync for TaskWaker {}

impl TaskWaker {
    pub fn new(key: WakeKey) -> Arc<Self> {
        Arc::new(Self { key, queued: AtomicBool::new(false) })
    }

    /// A poll begins: wakes from here on cause another one.
    pub fn about_to_poll(&self) {
        self.queued.store(false, Ordering::Release);
    }

    /// Whether another poll was asked for since the last one began.
    pub fn is_woken(&self) -> bool {
        self.queued.load(Ordering::Acquire)
    }

    fn notify(&self) {
        if !self.queued.swap(true, Ordering::AcqRel)
            && let Some(target) = self.key.target.as_ref()
        {
            ffi::wake_task(target, self.key.slot, self.key.generation);
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.notify();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// A waker on its way to C++: who waits for one call, one body, one write.
pub struct CallWaker(Waker);

impl CallWaker {
    pub fn of(cx: &std::task::Context<'_>) -> Box<Self> {
        Box::new(Self(cx.waker().clone()))
    }
    pub fn wake(&self) {
        self.0.wake_by_ref();
    }
}
