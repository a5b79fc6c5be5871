//! weft-wit: the toolchain as a program, for builds that run before weft itself is linked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use weft_toolchain::{Adapter, Wit, componentize, describe, guest_bindings, write_standard};

const USAGE: &str = "\
usage: weft-wit VERB ...
  describe WIT [--interface NAME]... [--world NAME]... [--out FILE]   interfaces as JSON
  guest-c WIT [--world NAME] --out FOLDER                            C bindings for a guest
    (both: --dep WIT for a package that is not in WIT's own deps folder)
  component CORE [--adapt none|command|reactor|proxy] -o FILE        a core module to a component
  standard --out FOLDER                                              the WASI packages as files";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weft-wit: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What stands on the command line after the verb.
#[derive(Default)]
struct Options {
    operands: Vec<String>,
    interfaces: Vec<String>,
    worlds: Vec<String>,
    dependencies: Vec<PathBuf>,
    adapter: Option<String>,
    out: Option<PathBuf>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options::default();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
            match arg.as_str() {
                "--interface" => options.interfaces.push(value()?),
                "--world" => options.worlds.push(value()?),
                "--dep" => options.dependencies.push(value()?.into()),
                "--adapt" => options.adapter = Some(value()?),
                "--out" | "-o" => options.out = Some(value()?.into()),
                _ if arg.starts_with('-') => bail!("unknown option {arg}\n{USAGE}"),
                _ => options.operands.push(arg),
            }
        }
        Ok(options)
    }

    fn operand(&self) -> Result<&Path> {
        match self.operands.as_slice() {
            [one] => Ok(Path::new(one)),
            _ => bail!("one path is wanted, {} given\n{USAGE}", self.operands.len()),
        }
    }

    fn out(&self) -> Result<&Path> {
        self.out.as_deref().with_context(|| format!("--out is missing\n{USAGE}"))
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<()> {
    let verb = args.next().unwrap_or_default();
    let options = Options::parse(args)?;
    match verb.as_str() {
        "describe" => {
            let wit = Wit::read(options.operand()?, &options.dependencies)?;
            let text = describe(&wit, &options.interfaces, &options.worlds)?;
            match &options.out {
                Some(file) => write(file, text.as_bytes()),
                None => Ok(println!("{text}")),
            }
        }
        "guest-c" => {
            let wit = Wit::read(options.operand()?, &options.dependencies)?;
            guest_bindings(wit, options.worlds.first().map(String::as_str), options.out()?)
        }
        "component" => {
            let file = options.operand()?;
            let module =
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let name = options.adapter.as_deref().unwrap_or("none");
            let adapter = Adapter::from_name(name).with_context(|| {
                format!("no adapter is called {name}: none, command, reactor or proxy")
            })?;
            let component =
                componentize(&module, adapter).with_context(|| format!("{}", file.display()))?;
            write(options.out()?, &component)
        }
        "standard" => write_standard(options.out()?),
        "help" | "--help" => Ok(println!("{USAGE}")),
        other => bail!("unknown verb {other:?}\n{USAGE}"),
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
