//! Bindings for guests written in C, C++ and Go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{StringEncoding, embed_component_metadata};

use crate::resolve::Wit;
use crate::standard::GO_PACKAGES;

/// Writes C bindings for `world` into `folder`: guest.h, guest.c and an object file that carries
/// the component's type. Files that would not change are left alone, so that nothing which depends
/// on them is built again.
pub fn guest_bindings(mut wit: Wit, world: Option<&str>, folder: &Path) -> Result<()> {
    // One name for every world, so that one set of headers serves them all.
    let rename_world = Some("guest".to_string());
    let generator = wit_bindgen_c::Opts { rename_world, ..Default::default() }.build();
    for (name, contents) in generate(&mut wit, world, generator)?.iter() {
        write(&folder.join(name), contents)?;
    }
    Ok(())
}

/// Writes Go bindings for `world` into `folder`, the folder `gen` of the Go module `module`, and
/// component_type.section, which a core module that follows them ends with. What the world exports
/// is the packages `export_NAME` beside `folder`, which are the app's own.
pub fn go_bindings(mut wit: Wit, world: Option<&str>, module: &str, folder: &Path) -> Result<()> {
    let pkg_name = Some(format!("{module}/gen"));
    let generator = wit_bindgen_go::Opts { pkg_name, quiet: true, ..Default::default() }.build();
    let files = generate(&mut wit, world, generator)?;
    let packages = GO_PACKAGES.iter().map(|(package, name, text)| {
        (folder.join("wit").join(package).join(name), text.as_bytes())
    });
    for (path, contents) in
        files.iter().map(|(name, text)| (folder.join(name), text)).chain(packages)
    {
        let text = std::str::from_utf8(contents)?
            .replace("\"go.bytecodealliance.org/pkg/wit/", &format!("\"{module}/gen/wit/"))
            .replace(&format!("\"{module}/gen/exports/export_"), &format!("\"{module}/export_"));
        write(&path, text.as_bytes())?;
    }
    let id = wit.world(world)?;
    let mut section = Vec::new();
    embed_component_metadata(&mut section, &wit.resolve, id, StringEncoding::UTF8, false)?;
    write(&folder.join("component_type.section"), &section)
}

fn generate(
    wit: &mut Wit,
    world: Option<&str>,
    mut generator: Box<dyn WorldGenerator>,
) -> Result<Files> {
    let world = wit.world(world)?;
    let mut files = Files::default();
    // The generators panic at types they do not know yet.
    let name = wit.resolve.worlds[world].name.clone();
    let generate = || generator.generate(&mut wit.resolve, world, &mut files);
    match catch_unwind(AssertUnwindSafe(generate)) {
        Ok(result) => result.map(|()| files),
        Err(_) => bail!(
            "the bindings cannot express a type of the world {name}: maps and fixed-length lists \
             are not there yet"
        ),
    }
}

fn write(file: &Path, contents: &[u8]) -> Result<()> {
    if std::fs::read(file).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    let folder = file.parent().expect("a file is in a folder");
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    std::fs::write(file, contents).with_context(|| format!("cannot write {}", file.display()))
}
