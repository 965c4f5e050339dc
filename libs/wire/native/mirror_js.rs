//! The mirror as Node.js sees it.

use std::path::Path;

use napi::bindgen_prelude::Result;
use napi_derive::napi;

use crate::mirror;
use crate::world_js::{invalid, native_error, parse_mac};

/// What happens to the next frames; each count is used up frame by frame, in this order.
#[napi(object)]
pub struct Mischief {
    pub drop_frames: Option<u32>,
    pub duplicate_frames: Option<u32>,
    pub corrupt_frames: Option<u32>,
    pub swap_frames: Option<u32>,
}

/// A host without a guest that bounces every frame.
#[napi]
pub struct Mirror(Option<mirror::Mirror>);

#[napi]
impl Mirror {
    /// Opens the host's end of a cable and plugs in.
    #[napi(constructor)]
    pub fn new(cable_path: String) -> Result<Self> {
        mirror::Mirror::open(Path::new(&cable_path))
            .map(|mirror| Self(Some(mirror)))
            .map_err(|error| native_error(format!("opening the cable {cable_path}: {error}")))
    }

    fn open(&self) -> Result<&mirror::Mirror> {
        self.0
            .as_ref()
            .ok_or_else(|| napi::Error::from_reason("ERR_GODWIT_CLOSED: the mirror is closed"))
    }

    /// Announces two hardware addresses, one from each port.
    #[napi]
    pub fn announce(&self, macs: Vec<String>) -> Result<()> {
        let [first, second] = macs.as_slice() else {
            return Err(invalid("two hardware addresses are needed"));
        };
        self.open()?.announce([parse_mac(first)?, parse_mac(second)?]);
        Ok(())
    }

    /// Stops bouncing; when this returns, no frame is bounced any more.
    #[napi]
    pub fn hold(&self) -> Result<()> {
        self.open()?.hold();
        Ok(())
    }

    /// Goes on.
    #[napi]
    pub fn release(&self) -> Result<()> {
        self.open()?.release();
        Ok(())
    }

    /// What happens to the next frames.
    #[napi]
    pub fn arrange(&self, mischief: Mischief) -> Result<()> {
        let count = |frames: Option<u32>| u64::from(frames.unwrap_or(0));
        self.open()?.arrange(mirror::Mischief {
            drop_frames: count(mischief.drop_frames),
            duplicate_frames: count(mischief.duplicate_frames),
            corrupt_frames: count(mischief.corrupt_frames),
            swap_frames: count(mischief.swap_frames),
        });
        Ok(())
    }

    /// Whether everything that was arranged has happened.
    #[napi]
    pub fn is_mischief_done(&self) -> Result<bool> {
        Ok(self.open()?.is_mischief_done())
    }

    /// Frames bounced so far.
    #[napi]
    pub fn bounced_frames(&self) -> Result<i64> {
        Ok(self.open()?.bounced_frames() as i64)
    }

    /// Gives the frames that wait here to another mirror, which bounces them first. Gives how many.
    #[napi]
    pub fn forward_waiting(&self, other: &Mirror) -> Result<u32> {
        Ok(self.open()?.forward_waiting(other.open()?) as u32)
    }

    /// Unplugs.
    #[napi]
    pub fn close(&mut self) {
        self.0 = None;
    }
}
