//! One mapping of this process at a time, by the `PROCMAP_QUERY` ioctl of `/proc/self/maps` (Linux 6.11): a microsecond where
//! the whole list takes a hundred.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::AsRawFd;

const VMA_READABLE: u64 = 0x01;
const VMA_SHARED: u64 = 0x08;
const COVERING_OR_NEXT_VMA: u64 = 0x10;
/// Names are asked for, as the kernel's own pages differ by them alone. Ours fit; a longer one is not ours.
const NAME_BYTES: usize = 128;

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    query_flags: u64,
    query_addr: u64,
    vma_start: u64,
    vma_end: u64,
    vma_flags: u64,
    vma_page_size: u64,
    vma_offset: u64,
    inode: u64,
    dev_major: u32,
    dev_minor: u32,
    vma_name_size: u32,
    build_id_size: u32,
    vma_name_addr: u64,
    build_id_addr: u64,
}

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: u32 = 0xc068_6611;

/// What is known of a mapping.
pub struct Mapping {
    pub start: usize,
    pub end: usize,
    /// Readable, private, and of no file, as far as flags and numbers tell.
    pub is_private_anonymous: bool,
    /// Empty where it has none; nothing where it is too long.
    pub name: Option<Vec<u8>>,
}

/// The mapping that an address lies in, or else the next one; nothing behind the last.
pub fn mapping_at(maps: &File, address: usize) -> Result<Option<Mapping>> {
    let mut name = [0_u8; NAME_BYTES];
    let mut query = Query {
        query_addr: address as u64,
        vma_name_size: NAME_BYTES as u32,
        vma_name_addr: name.as_mut_ptr() as u64,
        ..asking()
    };
    let name = match ask(maps, &mut query) {
        Ok(()) => Some(name[..(query.vma_name_size as usize).saturating_sub(1)].to_vec()),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
            query = Query {
                query_addr: address as u64,
                ..asking()
            };
            ask(maps, &mut query)?;
            None
        }
        Err(error) => return Err(error),
    };
    let is_ours = query.inode == 0 && (query.dev_major, query.dev_minor) == (0, 0);
    Ok(Some(Mapping {
        start: query.vma_start as usize,
        end: query.vma_end as usize,
        is_private_anonymous: is_ours && query.vma_flags & (VMA_READABLE | VMA_SHARED) == VMA_READABLE,
        name,
    }))
}

fn asking() -> Query {
    Query {
        size: size_of::<Query>() as u64,
        query_flags: COVERING_OR_NEXT_VMA,
        ..Query::default()
    }
}

fn ask(maps: &File, query: &mut Query) -> Result<()> {
    // SAFETY: the query has the kernel's layout and says its own size and that of the buffer it names, if any.
    match unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY as _, query as *mut Query) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}
