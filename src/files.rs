//! Files that a user or a configuration names: read whole and bounded, written whole or not at all.
//!
//! Reading takes regular files only, so that a FIFO cannot block a run and `/dev/zero` cannot fill its memory. Writing
//! replaces a regular file atomically; anything else that is there (a FIFO, a device, `/dev/stdout`) is written to and
//! never replaced.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rolecall_core::config::files::{Entry, FileType, Files, Given};
use rustix::fs::OFlags;
use rustix::io::Errno;

pub use rolecall_core::config::files::MIB;

/// As many links as Linux follows before it gives up.
const MAX_LINKS: usize = 40;

/// The disk of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Files for Disk {
    fn file_type(&self, path: &Path) -> io::Result<FileType> {
        Ok(if fs::metadata(path)?.is_dir() {
            FileType::Directory
        } else {
            FileType::File
        })
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        fs::read_dir(directory)?
            .map(|entry| {
                let entry = entry?;
                Ok(Entry {
                    is_directory: entry.file_type().is_ok_and(|kind| kind.is_dir()),
                    name: entry.file_name(),
                })
            })
            .collect()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        read(path, limit)
    }

    fn read_given(&self, path: &Path, limit: u64) -> io::Result<Given> {
        read_given(path, limit)
    }
}

/// Reads a regular file of at most `limit` bytes. A link is not followed.
///
/// # Errors
/// Where it cannot be read, is not a regular file, or is larger.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Opening a device may already do something, so the kind is checked before, and again on what was opened.
    check_regular(&fs::symlink_metadata(path)?)?;
    let file = open(path, OpenOptions::new().read(true), Links::Refused)?;
    bounded(file, limit)
}

/// Reads a file that the command line names: a pipe is read to its end, so that `--var-file <(sops -d …)` works.
///
/// # Errors
/// Where it cannot be read, is a directory, or is larger than `limit` bytes.
pub fn read_given(path: &Path, limit: u64) -> io::Result<Given> {
    let is_regular = fs::metadata(path)?.is_file();
    let file = if is_regular {
        open(path, OpenOptions::new().read(true), Links::Followed)?
    } else {
        File::open(path)?
    };
    Ok(Given {
        bytes: bounded(file, limit)?,
        is_regular,
    })
}

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// A link at the end of the path is followed.
    Followed,
    /// A link is refused.
    Refused,
}

/// Opens a regular file, never waiting for the other end of a FIFO. Nothing is truncated before the check.
///
/// # Errors
/// Where it cannot be opened, is not a regular file, or is a link that is not to be followed.
pub fn open(path: &Path, options: &mut OpenOptions, links: Links) -> io::Result<File> {
    let flags = match links {
        Links::Followed => OFlags::NONBLOCK | OFlags::NOCTTY,
        Links::Refused => OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW,
    };
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) if links == Links::Refused => {
            io::Error::other("it is a symbolic link, which is not followed")
        }
        Some(Errno::NXIO) => io::Error::other("it is not a regular file"),
        _ => error,
    })?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

fn bounded(mut file: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = (&mut file).take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= limit) {
        return Ok(bytes);
    }
    Err(io::Error::other(format!(
        "it is larger than {} MiB",
        limit / MIB
    )))
}

fn check_regular(metadata: &Metadata) -> io::Result<()> {
    match kind(metadata) {
        None => Ok(()),
        Some(kind) => Err(io::Error::other(format!(
            "it is {kind}, not a regular file"
        ))),
    }
}

/// What a file is called that is not a regular one.
fn kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_symlink() => Some("a symbolic link"),
        () => Some("a device"),
    }
}

/// Writes `bytes` to `path` with these permissions: a new or regular file whole or not at all, through a link to what it
/// points at. What is there and is not a regular file is opened and written to.
///
/// # Errors
/// Where it cannot be written, or is a directory.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match destination(path)? {
        Destination::Stream(path) => stream(&path)?.write_all(bytes),
        Destination::Socket(path) => UnixStream::connect(path)?.write_all(bytes),
        Destination::File(path) => replace(&path, bytes, mode),
    }
}

/// Opens what is written to as it is. Linux opens no socket by its name in `/dev/fd`, also not where standard output is
/// one (under a supervisor, or as the child of a program that talks to it through a pair of sockets).
fn stream(path: &Path) -> io::Result<File> {
    let refused = match OpenOptions::new().append(true).open(path) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => error,
        opened => return opened,
    };
    let named = fs::metadata(path)?;
    for own in [
        io::stdout().as_fd().try_clone_to_owned()?,
        io::stderr().as_fd().try_clone_to_owned()?,
    ] {
        let own = File::from(own);
        let metadata = own.metadata()?;
        if (metadata.dev(), metadata.ino()) == (named.dev(), named.ino()) {
            return Ok(own);
        }
    }
    Err(refused)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = parent(path);
    let beside = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot create a file in `{}`: {error}", directory.display()),
        )
    };
    let mut builder = tempfile::Builder::new();
    let mut file = builder
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)
        .map_err(beside)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Where writing to a path leads.
enum Destination {
    /// A regular file, or nothing yet.
    File(PathBuf),
    /// A FIFO, a device, or an open file of a process.
    Stream(PathBuf),
    Socket(PathBuf),
}

/// Follows the links of `path` one by one: one that does not point at anything yet still says where to write, and
/// `/dev/stdout` is a stream even where the shell redirected it to a regular file.
fn destination(path: &Path) -> io::Result<Destination> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let directory = fs::canonicalize(parent(&path))?;
        if is_of_open_files(&directory) {
            return Ok(Destination::Stream(path));
        }
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Destination::File(path));
            }
            Err(error) => return Err(error),
        };
        if !metadata.is_symlink() {
            return match kind(&metadata) {
                None => Ok(Destination::File(path)),
                Some("a directory") => Err(io::Error::other("it is a directory")),
                Some("a socket") => Ok(Destination::Socket(path)),
                Some(_) => Ok(Destination::Stream(path)),
            };
        }
        path = directory.join(fs::read_link(&path)?);
    }
    Err(Errno::LOOP.into())
}

/// `/dev` holds devices and `stdout`, `/dev/fd` (`/proc/self/fd` on Linux) the open files of a process. `/dev/shm` is a
/// file system like any other.
fn is_of_open_files(directory: &Path) -> bool {
    directory == Path::new("/dev")
        || directory.starts_with("/dev/fd")
        || directory.starts_with("/proc")
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifo(path: &Path) {
        assert!(
            std::process::Command::new("mkfifo")
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: io::Result<T>, why: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), [7; 10]).unwrap();
        fifo(&path("fifo"));
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert_eq!(read(&path("file"), 10).unwrap(), [7; 10]);
        refused(read(&path("file"), 9), "it is larger than 0 MiB");
        refused(read(&path("fifo"), MIB), "it is a FIFO");
        refused(read(&path("link"), MIB), "it is a symbolic link");
        refused(read(Path::new("/dev/zero"), MIB), "it is a device");
        refused(read(&path("socket"), MIB), "it is a socket");
        refused(read(directory.path(), MIB), "it is a directory");
        assert_eq!(
            read(&path("none"), MIB).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        // Claims to be empty, and is not.
        refused(read(Path::new("/proc/cpuinfo"), 1), "it is larger");
    }

    #[test]
    fn what_the_command_line_names_may_be_a_pipe() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        fifo(&pipe);
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "x = 1").unwrap()
        });
        let given = read_given(&pipe, MIB).unwrap();
        writer.join().unwrap();
        assert_eq!(
            (given.bytes.as_slice(), given.is_regular),
            (&b"x = 1"[..], false)
        );
        refused(
            read_given(Path::new("/dev/zero"), MIB),
            "it is larger than 1 MiB",
        );
        refused(read_given(directory.path(), MIB), "directory");
    }

    #[test]
    fn what_is_opened_for_the_state_is_neither_a_link_nor_a_fifo() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("victim"), "precious").unwrap();
        std::os::unix::fs::symlink(path("victim"), path("link")).unwrap();
        std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
        fifo(&path("fifo"));
        let open_for_writing = |name: &str| {
            let mut options = OpenOptions::new();
            open(
                &path(name),
                options.read(true).write(true).create(true).truncate(false),
                Links::Refused,
            )
        };
        refused(open_for_writing("link"), "symbolic link");
        refused(open_for_writing("dangling"), "symbolic link");
        refused(open_for_writing("fifo"), "a FIFO");
        refused(
            open(
                &path("fifo"),
                OpenOptions::new().append(true),
                Links::Refused,
            ),
            "not a regular file",
        );
        assert_eq!(fs::read_to_string(path("victim")).unwrap(), "precious");
        assert!(open_for_writing("new").is_ok() && !path("nowhere").exists());
    }

    #[test]
    fn a_regular_file_is_replaced_whole_and_through_links() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
        fs::create_dir(path("inner")).unwrap();
        fs::write(path("inner/file"), "old").unwrap();
        let old = File::open(path("inner/file")).unwrap();
        link("inner", "to-directory");
        link("to-directory/file", "first");
        link("first", "second");
        link("inner/new", "dangling");
        write(&path("second"), b"new", 0o600).unwrap();
        write(&path("dangling"), b"made", 0o600).unwrap();
        for name in ["first", "second", "dangling", "to-directory"] {
            assert!(
                fs::symlink_metadata(path(name)).unwrap().is_symlink(),
                "{name} is still a link"
            );
        }
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        assert_eq!(
            (read("inner/file"), read("inner/new")),
            ("new".to_owned(), "made".to_owned())
        );
        assert_eq!(
            io::read_to_string(old).unwrap(),
            "old",
            "whoever has it open reads on what was there"
        );
        assert_eq!(
            fs::metadata(path("inner/file"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(path("inner")).unwrap().count(),
            2,
            "no temporary file is left"
        );

        link("circle", "circle");
        refused(write(&path("circle"), b"", 0o600), "symbolic links");
        refused(write(&path("inner"), b"", 0o600), "it is a directory");
        refused(write(&path("none/file"), b"", 0o600), "No such file");
    }

    #[test]
    fn what_is_not_a_regular_file_is_written_to_and_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fifo(&path("fifo"));
        std::os::unix::fs::symlink("fifo", path("to-fifo")).unwrap();
        for name in ["fifo", "to-fifo"] {
            let reader = std::thread::spawn({
                let path = path("fifo");
                move || fs::read_to_string(path).unwrap()
            });
            write(&path(name), b"through", 0o600).unwrap();
            assert_eq!(reader.join().unwrap(), "through");
        }
        assert!(
            fs::symlink_metadata(path("fifo"))
                .unwrap()
                .file_type()
                .is_fifo()
        );

        let listener = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        write(&path("socket"), b"through", 0o600).unwrap();
        assert_eq!(
            io::read_to_string(listener.accept().unwrap().0).unwrap(),
            "through"
        );

        // As a user neither could be replaced anyway; as root both could.
        write(Path::new("/dev/null"), b"gone", 0o600).unwrap();
        refused(
            write(Path::new("/dev/full"), b"too much", 0o600),
            "No space left",
        );
        std::os::unix::fs::symlink("/dev/null", path("null")).unwrap();
        write(&path("null"), b"gone", 0o600).unwrap();
        for device in [
            Path::new("/dev/null"),
            Path::new("/dev/full"),
            &path("null"),
        ] {
            assert!(fs::metadata(device).unwrap().file_type().is_char_device());
        }
    }

    #[test]
    fn an_open_file_of_a_process_is_appended_to() {
        use std::os::fd::AsRawFd as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("redirected");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"before ").unwrap();
        write(
            Path::new(&format!("/dev/fd/{}", file.as_raw_fd())),
            b"after",
            0o600,
        )
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before after");
    }
}
