//! Never-touched pages, found in the page tables of this process instead of being read.
//!
//! Reading a page that was never written costs a fault, and maps the kernel's page of zeros there. The page tables know
//! such pages: `PAGEMAP_SCAN` passes over gigabytes of them in microseconds, but takes longer over populated pages than
//! `mincore` does. So the one leads to the next populated page and the other tells page by page from there on.
//! `mincore` alone can't tell a page that was never touched from one that is swapped out; what it doesn't find is asked
//! for once more, whether populated or swapped out, where the machine has swap space at all. Where it has none, a page that is not in memory has never been
//! written, also where a write-protecting userfaultfd left its markers in the page tables, which look swapped out.

use std::io::Result;
use std::ops::Range;

use crate::mappings::private_anonymous_parts;
use crate::pagemap::{Pagemap, has_swap, in_core, os_page_bytes};
use crate::presence::Presence;
use crate::untouched::{Asked, Way};

/// How many pages `mincore` is asked about at a time.
const IN_CORE_PAGES: usize = 8192;

/// The page tables over a region.
pub struct PageTables {
    way: Way,
    pagemap: Option<Pagemap>,
    /// Whether the whole region is private anonymous memory, or what of it is.
    parts: Vec<Range<usize>>,
    os_page_bytes: usize,
}

impl PageTables {
    /// The page tables over a range of addresses, by the best way there is or by the one that is asked for.
    pub fn over(addresses: &Range<usize>, only: Option<Way>) -> Asked<Self> {
        let refused = |because| match only {
            None => Asked::Not(because),
            Some(_) => Asked::Unsupported(because),
        };
        let parts = match private_anonymous_parts(addresses) {
            Ok(parts) if parts.is_empty() => return refused("the memory is not private anonymous memory".into()),
            Ok(parts) => parts,
            Err(error) => return refused(format!("/proc/self/maps: {error}").into()),
        };
        Self::over_parts(parts, only, Pagemap::open(), has_swap())
    }

    fn over_parts(
        parts: Vec<Range<usize>>,
        only: Option<Way>,
        pagemap: Result<Pagemap>,
        has_swap: bool,
    ) -> Asked<Self> {
        let probed = match &pagemap {
            Ok(pagemap) => {
                let start = parts[0].start / os_page_bytes() * os_page_bytes();
                pagemap
                    .first_populated(&(start..start))
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            Err(error) => Err(format!("/proc/self/pagemap: {error}")),
        };
        let (way, because) = match (only, probed) {
            (None | Some(Way::PagemapScan), Ok(())) => (Way::PagemapScan, String::new()),
            (Some(Way::PagemapScan), Err(error)) => {
                return Asked::Unsupported(format!("this kernel has no PAGEMAP_SCAN (Linux 6.7): {error}").into());
            }
            (None, Err(error)) if !has_swap => (Way::Mincore, format!("no PAGEMAP_SCAN: {error}")),
            (None, Err(error)) if pagemap.is_ok() => (Way::Pagemap, format!("no PAGEMAP_SCAN: {error}")),
            (None, Err(error)) => return Asked::Not(format!("no PAGEMAP_SCAN: {error}").into()),
            (Some(Way::Mincore), _) if has_swap => {
                return Asked::Unsupported("mincore does not tell swapped out pages, and this machine has swap".into());
            }
            (Some(Way::Pagemap), Err(error)) if pagemap.is_err() => return Asked::Unsupported(error.into()),
            (Some(way), _) => (way, String::new()),
        };
        let tables = Self {
            way,
            pagemap: pagemap.ok(),
            parts,
            os_page_bytes: os_page_bytes(),
        };
        Asked::Of(tables, because.into())
    }

    pub fn way(&self) -> Way {
        self.way
    }

    pub fn os_page_bytes(&self) -> usize {
        self.os_page_bytes
    }

    /// Finds which pages of a range of addresses inside the region are populated. What is not private anonymous memory
    /// counts as populated, and so does what the kernel does not tell.
    pub fn look(&self, addresses: &Range<usize>, presence: &mut Presence) {
        let covered = presence.cover(addresses);
        let mut next = covered.start;
        for part in &self.parts {
            // Parts end at borders of pages, unless the region does not.
            let start = part.start / self.os_page_bytes * self.os_page_bytes;
            let part = start.max(covered.start)..part.end.next_multiple_of(self.os_page_bytes).min(covered.end);
            if part.is_empty() {
                continue;
            }
            presence.add(next..part.start);
            next = part.end;
            if self.look_into(part.clone(), presence).is_err() {
                presence.add(part);
            }
        }
        presence.add(next..covered.end);
    }

    fn look_into(&self, part: Range<usize>, presence: &mut Presence) -> Result<()> {
        match (self.way, &self.pagemap) {
            (Way::PagemapScan, Some(pagemap)) => {
                let mut rest = part;
                while let Some(populated) = pagemap.first_populated(&rest)? {
                    let end = rest.end.min(populated + IN_CORE_PAGES * self.os_page_bytes);
                    self.ask_in_core(populated..end, Some(pagemap), presence, has_swap)?;
                    rest.start = end;
                }
                Ok(())
            }
            (Way::Pagemap, Some(pagemap)) => {
                pagemap.read(part, self.os_page_bytes, |populated| presence.add(populated))
            }
            _ => {
                let mut rest = part;
                while !rest.is_empty() {
                    let end = rest.end.min(rest.start + IN_CORE_PAGES * self.os_page_bytes);
                    self.ask_in_core(rest.start..end, None, presence, has_swap)?;
                    rest.start = end;
                }
                Ok(())
            }
        }
    }

    /// Of at most [`IN_CORE_PAGES`] pages. What is not in memory is asked of the pagemap too, where there is one and
    /// anything could be swapped out, be it before the look or after it: a page that comes back from swap space right
    /// after `mincore` missed it is present by then, so it is asked for whatever is populated in either way.
    fn ask_in_core(
        &self,
        addresses: Range<usize>,
        pagemap: Option<&Pagemap>,
        presence: &mut Presence,
        has_swap: impl Fn() -> bool,
    ) -> Result<()> {
        let had_swap = has_swap();
        let mut pages = [0; IN_CORE_PAGES];
        let pages = &mut pages[..addresses.len() / self.os_page_bytes];
        in_core(addresses.start, self.os_page_bytes, pages)?;
        // Joined rather than looked for, which the compiler makes wide instructions of.
        if pages.iter().fold(1, |all, page| all & page) == 1 {
            presence.add(addresses);
            return Ok(());
        }
        for (index, page) in pages.iter().enumerate() {
            if page & 1 == 1 {
                let start = addresses.start + index * self.os_page_bytes;
                presence.add(start..start + self.os_page_bytes);
            }
        }
        let may_be_swapped = has_swap() || had_swap;
        match pagemap {
            _ if !may_be_swapped => Ok(()),
            Some(pagemap) => pagemap.populated(addresses, |populated| presence.add(populated)),
            None => {
                presence.add(addresses);
                Ok(())
            }
        }
    }
}

/// Which ways this machine has: an emulator has fewer.
#[cfg(test)]
pub fn available_ways(addresses: &Range<usize>) -> Vec<Way> {
    let is_there = |way: &Way| matches!(PageTables::over(addresses, Some(*way)), Asked::Of(..));
    let ways: Vec<Way> = [Way::PagemapScan, Way::Mincore, Way::Pagemap]
        .into_iter()
        .filter(is_there)
        .collect();
    assert_ne!(ways, []);
    ways
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;

    use super::*;
    use crate::presence::Touched;

    const PAGE_COUNT: usize = 3000;

    /// A private anonymous mapping that nobody has touched.
    struct Mapping(*mut u8, usize);

    impl Mapping {
        fn new(length: usize) -> Self {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // SAFETY: a new mapping harms nobody.
            let base = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
            assert_ne!(base, libc::MAP_FAILED);
            Self(base.cast(), length)
        }

        fn addresses(&self) -> Range<usize> {
            self.0 as usize..self.0 as usize + self.1
        }

        fn write(&self, page: usize) {
            assert!(page * os_page_bytes() < self.1);
            // SAFETY: the page lies in the mapping.
            unsafe { self.0.add(page * os_page_bytes()).write_volatile(1) };
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: the mapping is ours, and nobody looks at it any more.
            unsafe { libc::munmap(self.0.cast(), self.1) };
        }
    }

    fn populated(tables: &PageTables, mapping: &Mapping) -> Vec<usize> {
        let mut presence = Presence::new(os_page_bytes());
        tables.look(&mapping.addresses(), &mut presence);
        let pages = mapping.1 / os_page_bytes();
        (0..pages)
            .filter(|page| {
                let start = mapping.0 as usize + page * os_page_bytes();
                presence.touched(&(start..start + 1)) != Touched::Nowhere
            })
            .collect()
    }

    fn by(asked: Asked<PageTables>) -> (PageTables, String) {
        match asked {
            Asked::Of(tables, because) => (tables, because.into()),
            Asked::Not(because) | Asked::Unsupported(because) => panic!("not asked: {because}"),
        }
    }

    #[test]
    fn every_way_finds_exactly_what_was_written() {
        let mapping = Mapping::new(PAGE_COUNT * os_page_bytes());
        let pages = [0, 1, 63, 64, 700, 1023, 1024, 2047, 2500, PAGE_COUNT - 1];
        for page in pages {
            mapping.write(page);
        }
        for way in available_ways(&mapping.addresses()) {
            let (tables, because) = by(PageTables::over(&mapping.addresses(), Some(way)));
            assert_eq!((tables.way(), because.as_str()), (way, ""));
            assert_eq!(populated(&tables, &mapping), pages, "{way:?}");
        }
        let (tables, _) = by(PageTables::over(&mapping.addresses(), None));
        assert_eq!(populated(&tables, &mapping), pages);
    }

    #[test]
    fn a_kernel_without_pagemap_scan_is_told_and_done_without() {
        let mapping = Mapping::new(100 * os_page_bytes());
        mapping.write(42);
        // Any other file refuses the ioctl as an old kernel's pagemap does.
        let old = || Ok(Pagemap::of_file(File::open("/proc/self/maps").unwrap()));
        let parts = || vec![mapping.addresses()];
        let (tables, because) = by(PageTables::over_parts(parts(), None, old(), false));
        assert_eq!(tables.way(), Way::Mincore);
        assert!(because.starts_with("no PAGEMAP_SCAN: "), "{because}");
        if !has_swap() {
            assert_eq!(populated(&tables, &mapping), [42]);
        }
        let (tables, _) = by(PageTables::over_parts(parts(), None, old(), true));
        assert_eq!(tables.way(), Way::Pagemap);
        let missing = || Err(std::io::Error::from_raw_os_error(libc::EACCES));
        assert!(matches!(
            PageTables::over_parts(parts(), None, missing(), true),
            Asked::Not(_)
        ));
        for (way, pagemap, swap) in [
            (Way::PagemapScan, old(), false),
            (Way::Pagemap, missing(), false),
            (Way::Mincore, old(), true),
        ] {
            let asked = PageTables::over_parts(parts(), Some(way), pagemap, swap);
            assert!(matches!(asked, Asked::Unsupported(_)), "{way:?}");
        }
    }

    #[test]
    fn what_the_kernel_does_not_tell_counts_as_populated() {
        let mapping = Mapping::new(10 * os_page_bytes());
        let not_a_pagemap = Pagemap::of_file(File::open("/dev/null").unwrap());
        let tables = PageTables {
            way: Way::Pagemap,
            pagemap: Some(not_a_pagemap),
            parts: vec![mapping.addresses()],
            os_page_bytes: os_page_bytes(),
        };
        assert_eq!(populated(&tables, &mapping).len(), 10);
    }

    #[test]
    fn memory_of_a_file_is_never_taken_for_untouched() {
        // SAFETY: makes a descriptor.
        let memory = unsafe { libc::memfd_create(c"pages".as_ptr(), 0) };
        assert!(memory >= 0);
        // SAFETY: the descriptor is ours; a new mapping harms nobody.
        let mapping = unsafe {
            assert_eq!(libc::ftruncate(memory, 64 * os_page_bytes() as libc::off_t), 0);
            let length = 64 * os_page_bytes();
            let base = libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                memory,
                0,
            );
            assert_ne!(base, libc::MAP_FAILED);
            libc::close(memory);
            Mapping(base.cast(), length)
        };
        assert!(matches!(PageTables::over(&mapping.addresses(), None), Asked::Not(_)));
        for way in [Way::PagemapScan, Way::Mincore, Way::Pagemap] {
            let asked = PageTables::over(&mapping.addresses(), Some(way));
            assert!(matches!(asked, Asked::Unsupported(_)), "{way:?}");
        }
    }

    /// As a page that was swapped out when `mincore` was asked, and was touched right after that.
    #[test]
    fn what_comes_back_from_swap_space_between_two_questions_is_found() {
        let mapping = Mapping::new(64 * os_page_bytes());
        mapping.write(0);
        let (tables, _) = by(PageTables::over(&mapping.addresses(), None));
        let found_with = |swap: [bool; 2], pagemap: Option<&Pagemap>, page: usize| {
            let mut presence = Presence::new(os_page_bytes());
            presence.cover(&mapping.addresses());
            let asked = Cell::new(0);
            let has_swap = || {
                asked.set(asked.get() + 1);
                if asked.get() == 2 {
                    mapping.write(page);
                }
                swap[asked.get() - 1]
            };
            tables
                .ask_in_core(mapping.addresses(), pagemap, &mut presence, has_swap)
                .unwrap();
            let start = mapping.0 as usize + page * os_page_bytes();
            presence.touched(&(start..start + 1)) != Touched::Nowhere
        };
        if tables.way() == Way::PagemapScan {
            let pagemap = Pagemap::open().unwrap();
            assert!(found_with([true, true], Some(&pagemap), 10));
            // Swap space went, or came, in between.
            assert!(found_with([true, false], Some(&pagemap), 20));
            assert!(found_with([false, true], Some(&pagemap), 30));
        }
        assert!(found_with([true, false], None, 40));
        assert!(found_with([false, true], None, 50));
    }

    #[test]
    fn what_is_mapped_otherwise_in_between_counts_as_populated() {
        let mapping = Mapping::new(30 * os_page_bytes());
        let zero = File::open("/dev/zero").unwrap();
        let middle = mapping.0.wrapping_add(10 * os_page_bytes());
        // SAFETY: the pages replaced are our own, and nobody looks at them.
        let replaced = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&zero);
            libc::mmap(
                middle.cast(),
                10 * os_page_bytes(),
                libc::PROT_READ,
                flags,
                descriptor,
                0,
            )
        };
        assert_eq!(replaced, middle.cast());
        mapping.write(25);
        let (tables, _) = by(PageTables::over(&mapping.addresses(), None));
        let expected: Vec<usize> = (10..20).chain([25]).collect();
        assert_eq!(populated(&tables, &mapping), expected);
    }
}
