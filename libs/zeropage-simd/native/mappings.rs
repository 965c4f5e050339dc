//! The mappings of this process, from `/proc/self/maps` (`proc_pid_maps(5)`).

use std::io::Result;
use std::ops::Range;

/// The parts of a range of addresses that are private anonymous memory, in ascending order: only there a page that is
/// missing in the page tables reads as zero. A page of a file, or of shared memory, may have content that this process
/// has not mapped yet.
pub fn private_anonymous_parts(addresses: &Range<usize>) -> Result<Vec<Range<usize>>> {
    let maps = std::fs::read("/proc/self/maps")?;
    Ok(parts_of(&String::from_utf8_lossy(&maps), addresses))
}

fn parts_of(maps: &str, addresses: &Range<usize>) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for line in maps.lines() {
        let Some(mapping) = private_anonymous_mapping(line) else {
            continue;
        };
        let part = mapping.start.max(addresses.start)..mapping.end.min(addresses.end);
        if part.is_empty() {
            continue;
        }
        match parts.last_mut() {
            Some(last) if last.end == part.start => last.end = part.end,
            _ => parts.push(part),
        }
    }
    parts
}

/// `start-end perms offset device inode [name]`: readable, private, of no device and no inode. What has a name may be one
/// of the kernel's own pages, apart from the heap, the stack, and names that the program gave (`PR_SET_VMA_ANON_NAME`).
fn private_anonymous_mapping(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?.as_bytes();
    let (_offset, device, inode) = (fields.next()?, fields.next()?, fields.next()?);
    let is_ours = match fields.next() {
        None => true,
        Some(name) => name == "[heap]" || name == "[stack]" || name.starts_with("[anon:"),
    };
    let is_private = permissions.first() == Some(&b'r') && permissions.get(3) == Some(&b'p');
    if !is_ours || !is_private || device != "00:00" || inode != "0" {
        return None;
    }
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
00400000-00500000 r-xp 00000000 fe:00 325835                     /usr/bin/node
1d507000-1d7eb000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000010000 rw-p 00000000 00:00 0
7f0000010000-7f0000020000 r--p 00000000 00:00 0
7f0000020000-7f0000030000 rw-s 00000000 00:01 4711               /memfd:guest (deleted)
7f0000030000-7f0000040000 rw-p 00000000 00:00 0                  [anon:named by us]
7f0000040000-7f0000050000 ---p 00000000 00:00 0
7f0000050000-7f0000060000 rw-p 00000000 00:0f 12                 /anon_hugepage (deleted)
7f0000060000-7f0000070000 rw-p 00000000 fe:00 77                 /tmp/a private file
7f0000070000-7f0000080000 rw-s 00000000 00:01 9                  /dev/zero (deleted)
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                  [vdso]
";

    #[test]
    fn takes_private_anonymous_memory_only() {
        let parts = parts_of(MAPS, &(0x7f00_0000_8000..0x7fff_ffff_0000));
        assert_eq!(
            parts,
            [0x7f00_0000_8000..0x7f00_0002_0000, 0x7f00_0003_0000..0x7f00_0004_0000]
        );
        assert_eq!(parts_of(MAPS, &(0x40_0000..0x41_0000)), []);
    }

    #[test]
    fn finds_memory_of_this_process() {
        let memory = vec![0_u8; 1 << 20];
        let start = memory.as_ptr() as usize;
        let addresses = start..start + memory.len();
        assert_eq!(
            private_anonymous_parts(&addresses).unwrap(),
            std::slice::from_ref(&addresses)
        );
        let text = finds_memory_of_this_process as *const () as usize;
        assert_eq!(private_anonymous_parts(&(text..text + 1)).unwrap(), []);
    }
}
