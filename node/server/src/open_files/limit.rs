//! The system's limit of open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More than this some systems, such as macOS, do not let a process ask for.
const MODEST_LIMIT: u64 = 10_240;

/// Raises the soft limit to the hard one, or as far as the system goes, and returns it. Every
/// connection takes a descriptor, and the usual soft limit of 1,024 exists only for programs that
/// use `select`.
///
/// # Errors
/// The system refuses; the limit stays as it was.
pub fn raise_limit() -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .map(|()| hard)
        .or_else(|error| {
            if soft >= MODEST_LIMIT {
                return Err(error);
            }
            let modest = MODEST_LIMIT.min(hard);
            setrlimit(Resource::RLIMIT_NOFILE, modest, hard).map(|()| modest)
        })
}

/// The soft limit, which holds until it is raised, and the hard one.
///
/// # Errors
/// The system does not tell.
pub fn limits() -> nix::Result<(u64, u64)> {
    getrlimit(Resource::RLIMIT_NOFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_limit_becomes_the_hard_one() {
        let hard = raise_limit().unwrap();
        assert_eq!(limits(), Ok((hard, hard)));
    }
}
