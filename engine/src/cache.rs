//! Compiled programs on disk, mapped when they are needed again.
//!
//! An artefact is machine code that the process will run: the folder must be the user's own and
//! writable by nobody else, files enter it whole (written aside, synced, renamed), and beside each
//! lies its length and checksum, so that a torn or damaged one is made again. The checksum is for
//! accidents: who may write the folder may run code as its user anyhow. Wasmtime checks its own
//! version and settings inside the artefact. What was not used for longest leaves when the folder
//! is full.

use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::component::Component;
use wasmtime::{Engine, Result, error::Context as _};
use xxhash_rust::xxh3;

/// What the folder may hold; the time stamp of each file says when it was last used.
const BYTES_MAX: u64 = 2 << 30;
const FILES_MAX: usize = 1024;
/// Read at a time, so that the checksum runs in the processor's cache.
const CHECKED_AT_ONCE: usize = 256 << 10;

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
        let path = self.stamp_path(stamp);
        let text = fs::read_to_string(&path).ok()?;
        used(&path);
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

    /// The compiled form of the source with this digest, if it is here; an error when it is
    /// damaged.
    pub fn load(&self, engine: &Engine, kind: &str, digest: &str) -> Result<Option<Component>> {
        let path = self.artefact_path(kind, digest);
        let check = path.with_extension("check");
        let (Ok(noted), Ok(meta)) = (fs::read_to_string(&check), fs::symlink_metadata(&path))
        else {
            return Ok(None);
        };
        // SAFETY: geteuid has no preconditions.
        let user = unsafe { libc::geteuid() };
        if !meta.is_file() || meta.uid() != user || meta.mode() & 0o022 != 0 {
            return Ok(None);
        }
        if checksum(&path).is_ok_and(|found| found != noted) {
            wasmtime::bail!("{} is damaged: it is made again", path.display());
        }
        used(&path);
        used(&check);
        // SAFETY: the folder and the file are writable by this user alone, the file is as it was
        // made, and Wasmtime checks that it is of this version and these settings.
        Ok(unsafe { Component::deserialize_file(engine, &path) }.ok())
    }

    pub fn store(&self, kind: &str, digest: &str, component: &Component) {
        let path = self.artefact_path(kind, digest);
        let Ok(artefact) = component.serialize() else { return };
        let check = path.with_extension("check");
        let _ = fs::remove_file(&check);
        if self.write_whole(&path, &artefact).is_ok() {
            let noted = check_text(artefact.len() as u64, xxh3::xxh3_64(&artefact));
            let _ = self.write_whole(&check, noted.as_bytes());
        }
        self.evict(digest);
    }

    /// Removes what was not used for longest, but nothing of `keep`, until the bounds hold.
    fn evict(&self, keep: &str) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let meta = entry.metadata().ok().filter(|meta| meta.is_file())?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut count = files.len();
        let mut bytes: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if bytes <= BYTES_MAX && count <= FILES_MAX {
                break;
            }
            let kept = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(keep));
            if !kept && fs::remove_file(path).is_ok() {
                bytes -= size;
                count -= 1;
            }
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

/// Says that a file was used just now. Only a hint for what goes first.
fn used(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

fn checksum(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut block = vec![0; CHECKED_AT_ONCE];
    let (mut length, mut sum) = (0, xxh3::Xxh3::new());
    loop {
        match file.read(&mut block)? {
            0 => return Ok(check_text(length, sum.digest())),
            count => {
                length += count as u64;
                sum.update(&block[..count]);
            }
        }
    }
}

fn check_text(length: u64, sum: u64) -> String {
    format!("{length} {sum:016x}")
}

pub fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
