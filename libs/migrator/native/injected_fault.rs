//! Defects on purpose, for the tests that prove that verification turns red. Never active unless asked for by name.

use std::collections::{HashMap, HashSet};

use godwit_ports::{Capsule, MemoryTable};

/// The tracker forgets one dirty page in `one_in`: the first it reports and every `one_in`-th after it, for good.
pub struct ForgottenPages {
    one_in: u64,
    seen: u64,
    forgotten: HashSet<u64>,
}

impl ForgottenPages {
    pub fn new(one_in: u64) -> Self {
        Self {
            one_in: one_in.max(1),
            seen: 0,
            forgotten: HashSet::new(),
        }
    }

    /// Takes pages out of what a tracker has just reported.
    pub fn take_from(&mut self, bitmap: &mut [u64]) {
        for (index, word) in bitmap.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest & rest.wrapping_neg();
                rest ^= bit;
                let page = index as u64 * 64 + u64::from(bit.trailing_zeros());
                if self.seen.is_multiple_of(self.one_in) {
                    self.forgotten.insert(page);
                }
                self.seen += 1;
                if self.forgotten.contains(&page) {
                    *word &= !bit;
                }
            }
        }
    }
}

/// The pump sends half of an old page: keeps what was sent before, and once mixes it into a page that has changed since.
pub struct TornPage {
    page_size_bytes: usize,
    sent: HashMap<u64, Box<[u8]>>,
    torn: Option<(u64, Box<[u8]>)>,
}

impl TornPage {
    pub fn new(page_size_bytes: usize) -> Self {
        Self {
            page_size_bytes,
            sent: HashMap::new(),
            torn: None,
        }
    }

    /// Remembers pages as they are being sent before the switchover.
    pub fn remember(&mut self, memory: &Capsule<MemoryTable>, pages: &[u64]) {
        for &page in pages {
            self.sent.insert(page, self.copy(memory, page));
        }
    }

    /// In the switchover: `Some` copy with one old half for the first page that has changed since it was remembered.
    pub fn tear(&mut self, memory: &Capsule<MemoryTable>, page: u64) -> Option<*const u8> {
        if let Some((torn_page, bytes)) = &self.torn {
            return (*torn_page == page).then_some(bytes.as_ptr());
        }
        let old = self.sent.get(&page)?;
        let mut mixed = self.copy(memory, page);
        let half = self.page_size_bytes / 2;
        if mixed[half..] != old[half..] {
            mixed[half..].copy_from_slice(&old[half..]);
        } else if mixed[..half] != old[..half] {
            mixed[..half].copy_from_slice(&old[..half]);
        } else {
            return None;
        }
        self.torn = Some((page, mixed));
        self.torn.as_ref().map(|(_, bytes)| bytes.as_ptr())
    }

    fn copy(&self, memory: &Capsule<MemoryTable>, page: u64) -> Box<[u8]> {
        let mut bytes = vec![0; self.page_size_bytes].into_boxed_slice();
        // SAFETY: the pump checked the page index; the guest may write meanwhile, any mix of bytes will do here.
        unsafe {
            let from = memory.base().add(page as usize * self.page_size_bytes);
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), self.page_size_bytes);
        }
        bytes
    }
}

/// The destination keeps an old page: the first page that is installed a second time with other content stays as it was.
#[derive(Default)]
pub struct StalePage {
    page: Option<u64>,
}

impl StalePage {
    /// Whether this page shall keep what it holds, given whether it was installed before.
    pub fn keeps(&mut self, page: u64, installed_before: bool) -> bool {
        if self.page.is_none() && installed_before {
            self.page = Some(page);
        }
        self.page == Some(page)
    }
}
