//! Shows that the codec and Wasmtime's own dynamic values agree, on types and values at random:
//! parameters of imports, results of imports, arguments of exports and results of exports, in core
//! values and in memory, with the sync and the async ABI. Each run prints its seed on failure;
//! WEFT_SEED repeats it and WEFT_ROUNDS sets how many types there are.

mod support;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use support::guest::{self, Import, flatten};
use support::{Ty, block_on, encoded, random, yield_once};
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Config, Engine, Result, Store};
use weft_codec::{DynArgs, DynIn, DynOut, DynRet, FuncInfo, with_flats};

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config).unwrap()
}

fn rounds(default: u64) -> u64 {
    std::env::var("WEFT_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap())
}

fn base_seed() -> u64 {
    std::env::var("WEFT_SEED").map_or(0x5eed, |seed| seed.parse().unwrap())
}

/// What the import was called with last, and what it answers.
#[derive(Default)]
struct Exchange {
    seen_bytes: Vec<u8>,
    seen_values: Vec<Val>,
    reply_bytes: Vec<u8>,
    reply_value: Option<Val>,
}

type Shared = Arc<Mutex<Exchange>>;

struct Case {
    engine: Engine,
    component: Component,
    params: Vec<Ty>,
    result: Option<Ty>,
    import: Import,
}

impl Case {
    fn import_info(&self) -> FuncInfo {
        let ty = self.component.component_type();
        let wasmtime::component::types::ComponentItem::ComponentFunc(func) =
            ty.get_import(&self.engine, "echo").unwrap().ty
        else {
            panic!("echo is no function");
        };
        FuncInfo::new(&func, &ty, &|_| unreachable!()).unwrap()
    }

    /// An instance whose import is served by the codec.
    fn with_codec(&self, shared: &Shared) -> Result<(Store<()>, Func)> {
        let mut linker = Linker::<()>::new(&self.engine);
        let info = self.import_info();
        let flat = self.params.iter().map(|ty| flatten(ty).len()).sum::<usize>();
        assert_eq!(info.params_flat, if flat > 16 { 0 } else { flat });
        assert_eq!(info.is_async, self.import == Import::AsyncTyped);
        assert!(info.plain);
        with_flats!(info.params_flat, N => match info.results_flat {
            0 => self.serve::<N, 0>(&mut linker, &info, shared)?,
            _ => self.serve::<N, 1>(&mut linker, &info, shared)?,
        });
        self.start(&linker)
    }

    fn serve<const N: usize, const M: usize>(
        &self,
        linker: &mut Linker<()>,
        info: &FuncInfo,
        shared: &Shared,
    ) -> Result<()> {
        let shared = shared.clone();
        let plan = info.params.clone();
        let answer = move |call: &DynIn<N>| {
            let mut shared = shared.lock().unwrap();
            plan.check(call.frame.bytes()).unwrap();
            assert!(call.handles.is_empty());
            shared.seen_bytes = call.frame.bytes().to_vec();
            DynOut::<M, Vec<u8>>::new(shared.reply_bytes.clone())
        };
        match self.import {
            Import::Sync => linker.root().func_wrap_async("echo", move |_, call: DynIn<N>| {
                let reply = answer(&call);
                Box::new(async move {
                    yield_once().await;
                    Ok(reply)
                })
            }),
            Import::AsyncTyped => {
                linker.root().func_wrap_concurrent("echo", move |_, call: DynIn<N>| {
                    let reply = answer(&call);
                    Box::pin(async move { Ok(reply) })
                })
            }
        }
    }

    /// An instance whose import is served with dynamic values.
    fn with_values(&self, shared: &Shared) -> Result<(Store<()>, Func)> {
        let mut linker = Linker::<()>::new(&self.engine);
        let shared = shared.clone();
        let answer = move |params: &[Val], results: &mut [Val]| {
            let mut shared = shared.lock().unwrap();
            shared.seen_values = params.to_vec();
            if let Some(reply) = &shared.reply_value {
                results[0] = reply.clone();
            }
        };
        match self.import {
            Import::Sync => {
                linker.root().func_new_async("echo", move |_, _, params, results| {
                    answer(params, results);
                    Box::new(async { Ok(()) })
                })?;
            }
            Import::AsyncTyped => {
                linker.root().func_new_concurrent("echo", move |_, _, params, results| {
                    answer(params, results);
                    Box::pin(async { Ok(()) })
                })?;
            }
        }
        self.start(&linker)
    }

    fn start(&self, linker: &Linker<()>) -> Result<(Store<()>, Func)> {
        let mut store = Store::new(&self.engine, ());
        let instance = block_on(linker.instantiate_async(&mut store, &self.component))?;
        let func = instance.get_func(&mut store, "run").unwrap();
        Ok((store, func))
    }
}

/// Calls an export with bytes.
fn call_bytes(
    component: &Component,
    (store, func): &mut (Store<()>, Func),
    args: &[u8],
) -> Result<Vec<u8>> {
    let ty = component.component_type();
    let info = FuncInfo::new(&func.ty(&*store), &ty, &|_| unreachable!())?;
    let args = DynArgs::new(args.to_vec());
    let reply = with_flats!(info.return_flat, M => {
        let func = func.typed::<DynArgs<Vec<u8>>, DynRet<M>>(&*store)?;
        block_on(func.call_async(&mut *store, args))?.frame.into_vec()
    });
    info.results.check(&reply)?;
    Ok(reply)
}

/// Calls an export with values.
fn call_values((store, func): &mut (Store<()>, Func), args: &[Val], results: usize) -> Vec<Val> {
    let mut out = vec![Val::Bool(false); results];
    block_on(func.call_async(store, args, &mut out)).unwrap();
    out
}

/// What `run` takes and returns for given parameters and result of `echo`.
type Wrap = fn(&[Ty], &[Val], Option<&Val>) -> (Vec<Val>, Option<Val>);

fn compare(case: &Case, rng: &mut SmallRng, run: &(Vec<Ty>, Option<Ty>), wrap: Wrap) -> Result<()> {
    let shared = Shared::default();
    let mut codec = case.with_codec(&shared)?;
    let mut dynamic = case.with_values(&shared)?;
    for _ in 0..3 {
        let params = case.params.iter().map(|ty| random::value(rng, ty)).collect::<Vec<_>>();
        let result = case.result.as_ref().map(|ty| random::value(rng, ty));
        let results = result.iter().cloned().collect::<Vec<_>>();
        let params_bytes = encoded(&case.params, &params);
        let result_bytes = encoded(&case.result, &results);
        let (run_args, run_result) = wrap(&case.params, &params, result.as_ref());
        let run_results = run_result.iter().cloned().collect::<Vec<_>>();
        let run_args_bytes = encoded(&run.0, &run_args);
        let run_result_bytes = encoded(&run.1, &run_results);

        // The import by the codec, the export with values: lift parameters, lower results.
        shared.lock().unwrap().reply_bytes = result_bytes.clone();
        let returned = call_values(&mut codec, &run_args, run_results.len());
        assert_eq!(shared.lock().unwrap().seen_bytes, params_bytes);
        assert_eq!(returned, run_results);
        assert_eq!(encoded(&run.1, &returned), run_result_bytes);

        // The import with values, the export by the codec: lower arguments, lift results.
        shared.lock().unwrap().reply_value = result.clone();
        let returned = call_bytes(&case.component, &mut dynamic, &run_args_bytes)?;
        assert_eq!(encoded(&case.params, &shared.lock().unwrap().seen_values), params_bytes);
        assert_eq!(returned, run_result_bytes);

        // Both by the codec.
        let returned = call_bytes(&case.component, &mut codec, &run_args_bytes)?;
        assert_eq!(shared.lock().unwrap().seen_bytes, params_bytes);
        assert_eq!(returned, run_result_bytes);
    }
    Ok(())
}

/// Runs one round per seed and names the seed of one that fails.
fn each_seed(rounds: u64, round: impl Fn(&mut SmallRng) -> Result<()>) {
    let base = base_seed();
    for seed in base..base + rounds {
        let run = catch_unwind(AssertUnwindSafe(|| round(&mut SmallRng::seed_from_u64(seed))));
        match run {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("seed {seed}: {error:?}"),
            Err(_) => panic!("seed {seed} (WEFT_SEED={seed} WEFT_ROUNDS=1 repeats it)"),
        }
    }
}

fn signature(rng: &mut SmallRng) -> (Vec<Ty>, Option<Ty>) {
    let params = (0..rng.random_range(0..4)).map(|_| random::ty(rng, 3)).collect();
    (params, rng.random_bool(0.85).then(|| random::ty(rng, 3)))
}

fn compiled(engine: &Engine, text: &str) -> Component {
    Component::new(engine, text).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

#[test]
fn sync_abi_agrees_with_values() {
    let engine = engine();
    each_seed(rounds(1_000), |rng| {
        let (params, result) = signature(rng);
        let import = if rng.random_bool(0.3) { Import::AsyncTyped } else { Import::Sync };
        // The guest's strings are in any of the three encodings.
        let options = ["", "", "string-encoding=utf16", "string-encoding=latin1+utf16"]
            [rng.random_range(0..4)];
        let text = guest::passing(&params, result.as_ref(), import, options);
        let component = compiled(&engine, &text);
        let run = (params.clone(), result.clone());
        let case = Case { engine: engine.clone(), component, params, result, import };
        compare(&case, rng, &run, |_, params, result| (params.to_vec(), result.cloned()))
    });
}

#[test]
fn async_lowered_imports_agree_with_values() {
    let engine = engine();
    each_seed(rounds(1_000), |rng| {
        let (params, result) = signature(rng);
        // Only what is declared async may be lowered so.
        let import = Import::AsyncTyped;
        let text = guest::async_lowered(&params, result.as_ref());
        let component = compiled(&engine, &text);
        let many = params.iter().map(|ty| flatten(ty).len()).sum::<usize>() > 4;
        let run_params = match many {
            true => vec![Ty::List(Ty::Tuple(params.clone()).into())],
            false => params.clone(),
        };
        let run = (run_params, result.clone().map(|ty| Ty::List(ty.into())));
        let case = Case { engine: engine.clone(), component, params, result, import };
        let wrap: Wrap = |types, params, result| {
            let many = types.iter().map(|ty| flatten(ty).len()).sum::<usize>() > 4;
            let params = match many {
                true => vec![Val::List(vec![Val::Tuple(params.to_vec())])],
                false => params.to_vec(),
            };
            (params, result.map(|value| Val::List(vec![value.clone()])))
        };
        compare(&case, rng, &run, wrap)
    });
}

#[test]
fn async_lifted_exports_agree_with_values() {
    let engine = engine();
    each_seed(rounds(1_000), |rng| {
        let ty = random::ty(rng, 3);
        let component = compiled(&engine, &guest::async_lifted(&ty));
        let linker = Linker::<()>::new(&engine);
        let mut store = Store::new(&engine, ());
        let instance = block_on(linker.instantiate_async(&mut store, &component))?;
        let func = instance.get_func(&mut store, "run").unwrap();
        let mut instance = (store, func);
        for _ in 0..3 {
            let value = random::value(rng, &ty);
            let bytes = encoded([&ty], std::slice::from_ref(&value));
            assert_eq!(call_bytes(&component, &mut instance, &bytes)?, bytes);
            let returned = call_values(&mut instance, std::slice::from_ref(&value), 1);
            assert_eq!(encoded([&ty], &returned), bytes);
        }
        Ok(())
    });
}
