//! Bindings for guests written in C and C++.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_bindgen_core::Files;

use crate::resolve::Wit;

/// Writes C bindings for `world` into `folder`: guest.h, guest.c and an object file that carries
/// the component's type. Files that would not change are left alone, so that nothing which depends
/// on them is built again.
pub fn guest_bindings(mut wit: Wit, world: Option<&str>, folder: &Path) -> Result<()> {
    let world = wit.world(world)?;
    let mut files = Files::default();
    // One name for every world, so that one set of headers serves them all.
    let rename_world = Some("guest".to_string());
    let mut generator = wit_bindgen_c::Opts { rename_world, ..Default::default() }.build();
    // The generator panics at types it does not know yet.
    let name = wit.resolve.worlds[world].name.clone();
    let generate = || generator.generate(&mut wit.resolve, world, &mut files);
    match catch_unwind(AssertUnwindSafe(generate)) {
        Ok(result) => result?,
        Err(_) => bail!(
            "the C bindings cannot express a type of the world {name}: maps and fixed-length lists \
             are not there yet"
        ),
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, contents) in files.iter() {
        let file = folder.join(name);
        if std::fs::read(&file).is_ok_and(|old| old == contents) {
            continue;
        }
        std::fs::write(&file, contents)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
