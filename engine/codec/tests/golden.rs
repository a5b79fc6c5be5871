//! Shows that the codec writes and reads tests/golden/encoding.json: each case passes through a
//! guest of its type, as arguments, parameters, reply and result, and each invalid one is refused
//! in every place where bytes come in.

mod support;

use serde_json::Value;
use std::sync::{Arc, Mutex};
use support::guest::{self, Import};
use support::text::hex;
use support::{Ty, block_on, encoded, text};
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Config, Engine, Result, Store};
use weft_codec::{DynArgs, DynIn, DynOut, DynRet, FuncInfo, with_flats};

const GOLDEN: &str = include_str!("../../../tests/golden/encoding.json");

/// A guest with `run(value) -> value` that asks an import of the same type.
struct Guest {
    store: Store<()>,
    run: Func,
    info: FuncInfo,
    seen: Arc<Mutex<Vec<u8>>>,
    reply: Arc<Mutex<Vec<u8>>>,
}

impl Guest {
    fn new(engine: &Engine, ty: &Ty) -> Guest {
        let text = guest::passing(std::slice::from_ref(ty), Some(ty), Import::Sync, "");
        let component = Component::new(engine, &text).unwrap();
        let mut linker = Linker::<()>::new(engine);
        let (seen, reply) = (Arc::new(Mutex::default()), Arc::new(Mutex::default()));
        // The import has the type of the export, and so the same numbers.
        let mut store = Store::new(engine, ());
        let component_type = component.component_type();
        let import = component_type.get_import(engine, "echo").unwrap().ty;
        let wasmtime::component::types::ComponentItem::ComponentFunc(func) = import else {
            panic!("echo is no function");
        };
        let info = FuncInfo::new(&func, &component_type, &|_| unreachable!()).unwrap();
        with_flats!(info.params_flat, N => match info.results_flat {
            0 => serve::<N, 0>(&mut linker, &seen, &reply),
            _ => serve::<N, 1>(&mut linker, &seen, &reply),
        });
        let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap();
        Guest { store, run, info, seen, reply }
    }

    fn call(&mut self, args: &[u8], reply: &[u8]) -> Result<Vec<u8>> {
        *self.reply.lock().unwrap() = reply.to_vec();
        self.seen.lock().unwrap().clear();
        let args = DynArgs::new(args.to_vec());
        with_flats!(self.info.return_flat, M => {
            let run = self.run.typed::<DynArgs<Vec<u8>>, DynRet<M>>(&self.store)?;
            Ok(block_on(run.call_async(&mut self.store, args))?.frame.into_vec())
        })
    }
}

fn serve<const N: usize, const M: usize>(
    linker: &mut Linker<()>,
    seen: &Arc<Mutex<Vec<u8>>>,
    reply: &Arc<Mutex<Vec<u8>>>,
) {
    let (seen, reply) = (seen.clone(), reply.clone());
    linker
        .root()
        .func_wrap_async("echo", move |_, call: DynIn<N>| {
            *seen.lock().unwrap() = call.frame.into_vec();
            let reply = reply.lock().unwrap().clone();
            Box::new(async move { Ok(DynOut::<M, Vec<u8>>::new(reply)) })
        })
        .unwrap();
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config).unwrap()
}

fn golden(name: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    golden[name].as_array().unwrap().clone()
}

#[test]
fn cases_pass_through_a_guest() {
    let engine = engine();
    let cases = golden("cases");
    assert!(cases.len() >= 60);
    for case in cases {
        let ty = text::ty(case["type"].as_str().unwrap());
        let value = text::value(&ty, &case["value"]);
        let bytes = hex(case["hex"].as_str().unwrap());
        assert_eq!(encoded([&ty], std::slice::from_ref(&value)), bytes, "{case}");
        let mut guest = Guest::new(&engine, &ty);
        assert_eq!(guest.call(&bytes, &bytes).unwrap(), bytes, "{case}");
        assert_eq!(*guest.seen.lock().unwrap(), bytes, "{case}");
        guest.info.params.check(&bytes).unwrap();
        let mut returned = [Val::Bool(false)];
        block_on(guest.run.call_async(&mut guest.store, &[value], &mut returned)).unwrap();
        assert_eq!(encoded([&ty], &returned), bytes, "{case}");
        assert_eq!(*guest.seen.lock().unwrap(), bytes, "{case}");
    }
}

#[test]
fn longer_numbers_are_read() {
    let engine = engine();
    for case in golden("also_read") {
        let ty = text::ty(case["type"].as_str().unwrap());
        let value = text::value(&ty, &case["value"]);
        let shortest = encoded([&ty], &[value]);
        let bytes = hex(case["hex"].as_str().unwrap());
        let mut guest = Guest::new(&engine, &ty);
        assert_eq!(guest.call(&bytes, &bytes).unwrap(), shortest, "{case}");
        assert_eq!(*guest.seen.lock().unwrap(), shortest, "{case}");
        guest.info.params.check(&bytes).unwrap();
    }
}

#[test]
fn invalid_bytes_are_refused() {
    let engine = engine();
    for case in golden("invalid") {
        let ty = text::ty(case["type"].as_str().unwrap());
        let bytes = hex(case["hex"].as_str().unwrap());
        let valid = valid_for(&ty);
        let mut guest = Guest::new(&engine, &ty);
        assert!(guest.info.params.check(&bytes).is_err(), "{case}");
        assert!(guest.call(&bytes, &valid).is_err(), "{case}");
        assert!(guest.seen.lock().unwrap().is_empty(), "{case}");
        // A call that failed takes its instance along.
        let mut guest = Guest::new(&engine, &ty);
        assert!(guest.call(&valid, &bytes).is_err(), "{case}");
        assert_eq!(*guest.seen.lock().unwrap(), valid, "{case}");
    }
}

fn valid_for(ty: &Ty) -> Vec<u8> {
    use rand::{SeedableRng, rngs::SmallRng};
    let value = support::random::value(&mut SmallRng::seed_from_u64(1), ty);
    encoded([ty], &[value])
}
