//! Running a command: `wasi:cli/run` of either generation, in a fresh instance.

use crate::bridge::ffi::{GuestHost, WakeKey};
use crate::loop_bound::LoopBound;
use crate::program::{Entry, Linked};
use crate::state::{self, State};
use crate::stdio;
use crate::task::{Finish, Task, TaskFuture};
use wasmtime::{Result, Store};

/// # Safety
/// `host` outlives the task.
pub unsafe fn start_command(linked: &Linked, host: *mut GuestHost, wake: WakeKey) -> Box<Task> {
    let meter = state::new_meter(linked.shared.limits.cpu_ns);
    let shared = linked.shared.clone();
    let host = LoopBound::new(host);
    let (for_store, component) = (meter.clone(), shared.component.clone());
    let future: TaskFuture = Box::pin(async move {
        let mut store =
            state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &for_store)?;
        let outcome = run(&shared.entry, &mut store).await;
        // What it wrote is out before anybody hears how it ended.
        let written = stdio::written(&host).await;
        let code = if outcome?.is_ok() { 0 } else { 1 };
        written.map(|()| Finish::Exited(code))
    });
    Task::new(future, wake, meter, component, None)
}

async fn run(entry: &Entry, store: &mut Store<State>) -> Result<core::result::Result<(), ()>> {
    match entry {
        Entry::Command02(pre) => {
            let command = pre.instantiate_async(&mut *store).await?;
            command.wasi_cli_run().call_run(store).await
        }
        Entry::Command03(pre) => {
            let command = pre.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await)
                .await
                .and_then(|inner| inner)
        }
        _ => wasmtime::bail!("it is no command"),
    }
}
