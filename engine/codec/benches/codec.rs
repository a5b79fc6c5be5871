//! What a round trip from a guest to the host and back costs through the codec, beside bindings
//! that were generated for the very types (`bindgen!`) and beside dynamic values (`Val`).
//!
//! `cargo bench --workspace --bench codec`: nanoseconds per call, the best of alternating runs, and
//! the ratio of the codec to the generated bindings. `WEFT_BENCH_JSON=path` writes the rows as
//! well.

use std::time::Instant;
use wasmtime::component::{Component, HasSelf, Instance, InstancePre, Linker, Val};
use wasmtime::{Config, Engine, Result, Store};
use weft_codec::{DynIn, DynOut, Frame, put_u32};

mod typed {
    wasmtime::component::bindgen!({
        inline: "
            package test:x;
            interface y {
              record meta { name: string, dims: list<u32>, big: option<u64> }
              echo: func(b: list<u8>) -> list<u8>;
              get: func(key: string) -> option<list<u8>>;
              info: func(m: meta) -> result<meta, string>;
            }
            world w { import y; export run: func(which: u32, n: u32, size: u32) -> u64; }",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

const GUEST: &str = include_str!("guest.wat");

struct State {
    value: Vec<u8>,
}

impl typed::test::x::y::Host for State {
    async fn echo(&mut self, b: Vec<u8>) -> Result<Vec<u8>> {
        Ok(b)
    }
    async fn get(&mut self, _key: String) -> Result<Option<Vec<u8>>> {
        Ok(Some(self.value.clone()))
    }
    async fn info(
        &mut self,
        m: typed::test::x::y::Meta,
    ) -> Result<std::result::Result<typed::test::x::y::Meta, String>> {
        Ok(Ok(m))
    }
}

fn with_bindings(linker: &mut Linker<State>) -> Result<()> {
    typed::W::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

fn with_codec(linker: &mut Linker<State>) -> Result<()> {
    let mut y = linker.instance("test:x/y")?;
    y.func_wrap_async("echo", |_, call: DynIn<2>| {
        Box::new(async move { Ok(DynOut::<0, _>::new(call.frame)) })
    })?;
    y.func_wrap_async("get", |store: wasmtime::StoreContextMut<'_, State>, _: DynIn<2>| {
        let value = &store.data().value;
        let mut frame = Frame::take();
        let out = frame.bytes_mut();
        out.push(1);
        put_u32(out, value.len() as u32);
        out.extend_from_slice(value);
        Box::new(async move { Ok(DynOut::<0, _>::new(frame)) })
    })?;
    y.func_wrap_async("info", |_, call: DynIn<6>| {
        Box::new(async move {
            let mut frame = Frame::take();
            frame.bytes_mut().push(0);
            frame.bytes_mut().extend_from_slice(call.frame.bytes());
            Ok(DynOut::<0, _>::new(frame))
        })
    })
}

fn with_values(linker: &mut Linker<State>) -> Result<()> {
    let mut y = linker.instance("test:x/y")?;
    y.func_new_async("echo", |_, _, params, results| {
        Box::new(async move {
            results[0] = params[0].clone();
            Ok(())
        })
    })?;
    y.func_new_async("get", |store, _, _, results| {
        let value = store.data().value.iter().map(|byte| Val::U8(*byte)).collect();
        Box::new(async move {
            results[0] = Val::Option(Some(Box::new(Val::List(value))));
            Ok(())
        })
    })?;
    y.func_new_async("info", |_, _, params, results| {
        Box::new(async move {
            results[0] = Val::Result(Ok(Some(Box::new(params[0].clone()))));
            Ok(())
        })
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

fn prepare(
    engine: &Engine,
    component: &Component,
    link: fn(&mut Linker<State>) -> Result<()>,
) -> Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    link(&mut linker)?;
    linker.instantiate_pre(component)
}

/// Nanoseconds per call.
fn measure(pre: &InstancePre<State>, which: u32, calls: u32, size: u32) -> Result<f64> {
    let state = State { value: vec![9; size as usize] };
    let mut store = Store::new(pre.engine(), state);
    store.set_epoch_deadline(1_000_000);
    let instance: Instance = block_on(pre.instantiate_async(&mut store))?;
    let run = instance.get_typed_func::<(u32, u32, u32), (u64,)>(&mut store, "run")?;
    block_on(run.call_async(&mut store, (which, calls / 10 + 1, size)))?;
    let start = Instant::now();
    block_on(run.call_async(&mut store, (which, calls, size)))?;
    Ok(start.elapsed().as_nanos() as f64 / f64::from(calls))
}

fn main() -> Result<()> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, GUEST)?;
    let bindings = prepare(&engine, &component, with_bindings)?;
    let codec = prepare(&engine, &component, with_codec)?;
    let values = prepare(&engine, &component, with_values)?;
    let rows = [
        ("echo 16 B", 0, 4_000, 16),
        ("echo 1 KiB", 0, 4_000, 1_024),
        ("echo 602112 B", 0, 40, 602_112),
        ("get 16 B", 1, 4_000, 16),
        ("record", 2, 4_000, 0),
    ];
    println!(
        "{:16} {:>12} {:>12} {:>14} {:>7}",
        "ns per call", "bindgen!", "codec", "Val", "ratio"
    );
    let mut json = Vec::new();
    for (name, which, calls, size) in rows {
        let (mut bound, mut coded) = (f64::MAX, f64::MAX);
        // Short runs, many of them: the best of each is one that nothing else got in the way of.
        for _ in 0..200 {
            bound = bound.min(measure(&bindings, which, calls, size)?);
            coded = coded.min(measure(&codec, which, calls, size)?);
        }
        let dynamic = measure(&values, which, calls.min(4_000 / (size / 512 + 1) + 1), size)?;
        let ratio = coded / bound;
        println!("{name:16} {bound:12.0} {coded:12.0} {dynamic:14.0} {ratio:7.3}");
        json.push(serde_json::json!({
            "row": name, "bindgen_ns": bound, "codec_ns": coded, "val_ns": dynamic, "ratio": ratio,
        }));
    }
    if let Some(path) = std::env::var_os("WEFT_BENCH_JSON") {
        std::fs::write(path, serde_json::to_string_pretty(&json)?)?;
    }
    Ok(())
}
