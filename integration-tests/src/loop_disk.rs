//! A disk of its own for a test: a file system in a file, whose power can be cut.

use std::process::{Command, Output};

use nix::fcntl::posix_fallocate;
use tempfile::TempDir;

use crate::rights::left_out_without_root;

/// Size of the file that holds the file system; it is sparse.
const DISK_BYTES: u64 = 256 * 1024 * 1024;

/// A full disk is filled in pieces of these sizes.
const FILLED_BYTES_MAX: i64 = 64 * 1024 * 1024;
const FILLED_BYTES_MIN: i64 = 1024;

/// Shuts down the file system in its argument: `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`. Unsynced data is gone, and
/// every access fails with EIO from then on.
const SHUT_DOWN: &str = r#"open(my $disk, "<", $ARGV[0]) or die "open: $!"; my $flag = pack("L", 2); ioctl($disk, 0x8004587D, $flag) or die "ioctl: $!";"#;

/// An ext4 file system on a loop device, gone with the test.
#[derive(Debug)]
pub struct LoopDisk {
    folder: TempDir,
}

/// A disk that is frozen as long as this lives.
#[derive(Debug)]
pub struct Frozen<'d>(&'d LoopDisk);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        // It fails if the disk is thawed already.
        let _ = self.0.set_frozen("--unfreeze");
    }
}

impl LoopDisk {
    /// `None`, and a word about it, where this user may not mount; see [`left_out_without_root`].
    pub fn mount() -> Option<LoopDisk> {
        let folder = match TempDir::with_prefix("herd-disk-") {
            Ok(folder) => folder,
            Err(error) => panic!("no folder for a disk: {error}"),
        };
        let disk = LoopDisk { folder };
        let made = std::fs::create_dir(disk.path())
            .and_then(|()| std::fs::File::create(disk.image()))
            .and_then(|file| file.set_len(DISK_BYTES));
        if let Err(error) = made {
            panic!("no file for a disk: {error}");
        }
        let image = disk.image();
        let formatted = run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-J", "size=4"])
            .arg(&image));
        match formatted.and_then(|()| disk.try_mount()) {
            Ok(()) => Some(disk),
            Err(reason) => {
                left_out_without_root("an ext4 disk in a file", &reason);
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("mounted")
    }

    fn image(&self) -> std::path::PathBuf {
        self.folder.path().join("image")
    }

    fn try_mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(self.image());
        run(mount.arg(self.path()))
    }

    /// From here on each write to the disk waits, until [`LoopDisk::thaw`]. A process that waits cannot be killed.
    pub fn freeze(&self) {
        must("freeze", self.set_frozen("--freeze"));
    }

    /// Lets blocked processes continue.
    pub fn thaw(&self) {
        must("thaw", self.set_frozen("--unfreeze"));
    }

    /// Freezes it until the returned guard is dropped. Drop the guard before the servers, because a process that
    /// waits for a disk cannot be ended.
    #[must_use]
    pub fn frozen(&self) -> Frozen<'_> {
        self.freeze();
        Frozen(self)
    }

    fn set_frozen(&self, option: &str) -> Result<(), String> {
        run(Command::new("fsfreeze").arg(option).arg(self.path()))
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let filler = match std::fs::File::create(self.filler()) {
            Ok(filler) => filler,
            Err(error) => panic!("cannot fill a disk: {error}"),
        };
        let mut length = 0;
        let mut piece = FILLED_BYTES_MAX;
        while piece >= FILLED_BYTES_MIN {
            match posix_fallocate(&filler, length, piece) {
                Ok(()) => length += piece,
                Err(_) => piece /= 2,
            }
        }
    }

    /// Gives that room back.
    pub fn empty(&self) {
        if let Err(error) = std::fs::remove_file(self.filler()) {
            panic!("cannot make room on a disk: {error}");
        }
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }

    /// Cuts its power: unsynced data is lost, and every later access gets an error.
    pub fn cut_power(&self) {
        must(
            "cut the power",
            run(Command::new("perl")
                .args(["-e", SHUT_DOWN])
                .arg(self.path())),
        );
    }

    /// Switches it on again; no process may use it.
    pub fn power_on(&self) {
        must("unmount", run(Command::new("umount").arg(self.path())));
        must("mount again", self.try_mount());
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        // A process that waits for the disk could not end. The call fails if the disk is not frozen.
        let _ = self.set_frozen("--unfreeze");
        // Lazily: a server may be about to end.
        let _ = run(Command::new("umount").arg("-l").arg(self.path()));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => Err(String::from_utf8_lossy(&stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn must(what: &str, done: Result<(), String>) {
    if let Err(error) = done {
        panic!("cannot {what} a disk: {error}");
    }
}
