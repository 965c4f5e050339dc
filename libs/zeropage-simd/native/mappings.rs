//! The mappings of this process, from `/proc/self/maps` (`proc_pid_maps(5)`).

use std::fs::File;
use std::io::{Read, Result};
use std::ops::Range;

use crate::procmap_query::mapping_at;

/// The parts of a range of addresses that are private anonymous memory, in ascending order: only there a page that is
/// missing in the page tables reads as zero. A page of a file, or of shared memory, may have content that this process
/// has not mapped yet.
pub fn private_anonymous_parts(addresses: &Range<usize>) -> Result<Vec<Range<usize>>> {
    let mut maps = File::open("/proc/self/maps")?;
    queried_parts(&maps, addresses).or_else(|_| {
        let mut list = Vec::new();
        maps.read_to_end(&mut list)?;
        Ok(listed_parts(&String::from_utf8_lossy(&list), addresses))
    })
}

/// By one question for each mapping. Fails on kernels that can't be asked.
fn queried_parts(maps: &File, addresses: &Range<usize>) -> Result<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    let mut next = addresses.start;
    while next < addresses.end
        && let Some(mapping) = mapping_at(maps, next)?
    {
        let name = mapping.name.as_deref().map(str::from_utf8);
        if mapping.is_private_anonymous && matches!(name, Some(Ok(name)) if is_ours(name)) {
            push(&mut parts, mapping.start..mapping.end, addresses);
        }
        next = mapping.end;
    }
    Ok(parts)
}

/// From the whole list.
fn listed_parts(maps: &str, addresses: &Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    for mapping in maps.lines().filter_map(private_anonymous_mapping) {
        push(&mut parts, mapping, addresses);
    }
    parts
}

fn push(parts: &mut Vec<Range<usize>>, mapping: Range<usize>, addresses: &Range<usize>) {
    let part = mapping.start.max(addresses.start)..mapping.end.min(addresses.end);
    if part.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(last) if last.end == part.start => last.end = part.end,
        _ => parts.push(part),
    }
}

/// What has a name may be one of the kernel's own pages, apart from the heap, the stack, and names that the program gave
/// (`PR_SET_VMA_ANON_NAME`).
fn is_ours(name: &str) -> bool {
    name.is_empty() || name == "[heap]" || name == "[stack]" || name.starts_with("[anon:")
}

/// `start-end perms offset device inode [name]`: readable, private, of no device and no inode.
fn private_anonymous_mapping(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?.as_bytes();
    let (_offset, device, inode) = (fields.next()?, fields.next()?, fields.next()?);
    let is_private = permissions.first() == Some(&b'r') && permissions.get(3) == Some(&b'p');
    if !is_private || device != "00:00" || inode != "0" || !is_ours(fields.next().unwrap_or_default()) {
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
        let parts = listed_parts(MAPS, &(0x7f00_0000_8000..0x7fff_ffff_0000));
        assert_eq!(
            parts,
            [0x7f00_0000_8000..0x7f00_0002_0000, 0x7f00_0003_0000..0x7f00_0004_0000]
        );
        assert_eq!(listed_parts(MAPS, &(0x40_0000..0x41_0000)), []);
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

    #[test]
    fn a_question_is_answered_as_the_list_answers_it() {
        let maps = File::open("/proc/self/maps").unwrap();
        let everything = 0..usize::MAX / 2;
        let Ok(queried) = queried_parts(&maps, &everything) else {
            // A kernel before 6.11 reads the list.
            assert_ne!(private_anonymous_parts(&everything).unwrap(), []);
            return;
        };
        // Other tests map and unmap memory meanwhile: what is there throughout is in both.
        let list = std::fs::read_to_string("/proc/self/maps").unwrap();
        let listed = listed_parts(&list, &everything);
        let stack = &raw const maps as usize;
        let text = finds_memory_of_this_process as *const () as usize;
        let kept = vec![1_u8; 1 << 20];
        for (address, is_anonymous) in [(stack, true), (text, false)] {
            let has = |parts: &[Range<usize>]| parts.iter().any(|part| part.contains(&address));
            assert_eq!((has(&queried), has(&listed)), (is_anonymous, is_anonymous));
        }
        let kept = kept.as_ptr() as usize..kept.as_ptr() as usize + kept.len();
        assert_eq!(queried_parts(&maps, &kept).unwrap(), std::slice::from_ref(&kept));
        for name in ["[vdso]", "[vvar]"] {
            if let Some(line) = list.lines().find(|line| line.ends_with(name)) {
                let start = usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
                assert_eq!(queried_parts(&maps, &(start..start + 1)).unwrap(), [], "{name}");
            }
        }
    }
}
