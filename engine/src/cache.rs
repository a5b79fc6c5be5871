//! Compiled programs on disk, mapped when they are needed again.
//!
//! An artefact is machine code that the process will run: the folder must be the user's own and
//! writable by nobody else, files enter it whole (written aside, synced, renamed), and each carries
//! a note of its length, so that a torn one is made again. Wasmtime checks its own version and
//! settings inside the artefact.

use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use wasmtime::component::Component;
use wasmtime::{Engine, Result, error::Context as _};

pub struct Cache {
    folder: PathBuf,
}

/// What a source file was when it was last read: the same file need not be hashed again.
pub struct SourceStamp(String);

impl SourceStamp {
    pub fn of(file: &File) -> std::io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self(format!(
            "{:x}-{:x}-{:x}-{:x}-{:x}",
            meta.dev(),
            meta.ino(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec()
        )))
    }
}

impl Cache {
    /// Opens the cache, or says why it cannot be trusted.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("making {}", folder.display()))?;
        }
        let meta = fs::metadata(folder).with_context(|| format!("reading {}", folder.display()))?;
        // SAFETY: geteuid has no preconditions.
        let user = unsafe { libc::geteuid() };
        if !meta.is_dir() || meta.uid() != user || meta.mode() & 0o077 != 0 {
            wasmtime::bail!(
                "{} holds compiled programs and must be a folder of this user's with mode 0700",
                folder.display()
            );
        }
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// The digest of a source that was read before and has not changed since.
    pub fn known_digest(&self, stamp: &SourceStamp) -> Option<String> {
        let text = fs::read_to_string(self.stamp_path(stamp)).ok()?;
        (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
    }

    pub fn remember(&self, stamp: &SourceStamp, digest: &str) {
        // Only a speed-up: a full disk must not stop a program that could run.
        let _ = self.write_whole(&self.stamp_path(stamp), digest.as_bytes());
    }

    /// Whether something was compiled from this source for this kind of engine, by any version.
    pub fn has(&self, kind: &str, digest: &str) -> bool {
        self.artefact_path(kind, digest).exists()
    }

    /// The compiled form of the source with this digest, if it is here and whole.
    pub fn load(&self, engine: &Engine, kind: &str, digest: &str) -> Option<Component> {
        let path = self.artefact_path(kind, digest);
        let length: u64 = fs::read_to_string(path.with_extension("length")).ok()?.parse().ok()?;
        let meta = fs::symlink_metadata(&path).ok()?;
        // SAFETY: geteuid has no preconditions.
        let user = unsafe { libc::geteuid() };
        let ours = meta.is_file() && meta.uid() == user && meta.mode() & 0o022 == 0;
        if !ours || meta.size() != length {
            return None;
        }
        // SAFETY: the folder and the file are writable by this user alone, the file entered whole,
        // and Wasmtime checks that the artefact is of this version and these settings.
        unsafe { Component::deserialize_file(engine, &path) }.ok()
    }

    pub fn store(&self, kind: &str, digest: &str, component: &Component) {
        let path = self.artefact_path(kind, digest);
        let Ok(artefact) = component.serialize() else { return };
        let length = path.with_extension("length");
        let _ = fs::remove_file(&length);
        if self.write_whole(&path, &artefact).is_ok() {
            let _ = self.write_whole(&length, artefact.len().to_string().as_bytes());
        }
    }

    fn stamp_path(&self, stamp: &SourceStamp) -> PathBuf {
        self.folder.join(format!("source-{}", stamp.0))
    }

    fn artefact_path(&self, kind: &str, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{kind}.cwasm"))
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let aside = path.with_extension(format!("part-{}", std::process::id()));
        let written = (|| {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&aside, path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written
    }
}

pub fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
