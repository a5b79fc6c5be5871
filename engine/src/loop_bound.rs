//! The one place where a type is said to be `Send` that is not.

use std::thread::{self, ThreadId};

/// A value that belongs to one loop's thread. Wasmtime wants futures and store data to be `Send`;
/// ours never leave the thread that made them, and each access says so or aborts the call.
pub struct LoopBound<T> {
    value: T,
    thread: ThreadId,
}

// SAFETY: every access asserts that it happens on the thread that made the value. Drops do so too:
// what holds one goes with its store, which C++ drops on its loop.
unsafe impl<T> Send for LoopBound<T> {}
unsafe impl<T> Sync for LoopBound<T> {}

impl<T: Copy> Clone for LoopBound<T> {
    fn clone(&self) -> Self {
        Self { value: *self.get(), thread: self.thread }
    }
}

impl<T> LoopBound<T> {
    pub fn new(value: T) -> Self {
        Self { value, thread: thread_id() }
    }
    pub fn get(&self) -> &T {
        assert!(self.thread == thread_id(), "a loop's object was touched from another thread");
        &self.value
    }
}

fn thread_id() -> ThreadId {
    thread_local!(static ID: ThreadId = thread::current().id());
    ID.with(|id| *id)
}
