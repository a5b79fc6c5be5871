//! Running a command: `wasi:cli/run` of either generation, in a fresh instance.

use crate::bridge::ffi::{Host, WakeKey};
use crate::loop_bound::LoopBound;
use crate::program::{Entry, Linked};
use crate::state;
use crate::task::{Finish, Task, TaskFuture};
use wasmtime::Result;

/// # Safety
/// `host` outlives the task.
pub unsafe fn start_command(linked: &Linked, host: *mut Host, wake: WakeKey) -> Box<Task> {
    let meter = state::new_meter(linked.limits.cpu_ns);
    let shared = linked.shared.clone();
    let host = LoopBound::new(host);
    let (for_store, component) = (meter.clone(), shared.component.clone());
    let future: TaskFuture = Box::pin(async move {
        let mut store =
            state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &for_store)?;
        let outcome: Result<core::result::Result<(), ()>> = match &shared.entry {
            Entry::Command02(pre) => {
                let command = pre.instantiate_async(&mut store).await?;
                command.wasi_cli_run().call_run(&mut store).await
            }
            Entry::Command03(pre) => {
                let command = pre.instantiate_async(&mut store).await?;
                store
                    .run_concurrent(async |accessor| {
                        command.wasi_cli_run().call_run(accessor).await
                    })
                    .await
                    .and_then(|inner| inner)
            }
            _ => wasmtime::bail!("it is no command"),
        };
        Ok(Finish::Exited(if outcome?.is_ok() { 0 } else { 1 }))
    });
    Task::new(future, wake, meter, component, None)
}
