//! Memory that may be looked at while JavaScript goes on.

use godwit_ports::{JsCapsule, JsView, MemoryTable};
use napi::bindgen_prelude::{Either, FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Result, ValueType, sys};

use crate::scan_arguments::{JsMemory, invalid};

/// Shared bytes of JavaScript, or native memory of another package.
pub type BesideMemory = Either<SharedView, JsCapsule<MemoryTable>>;

/// Bytes that should lie in shared memory. Any other buffer can be detached and freed while a thread still reads it, whatever
/// JavaScript makes its objects say: so the engine is asked, not the object.
pub struct SharedView {
    view: JsView<u8>,
    can_be_detached: bool,
}

impl TypeName for SharedView {
    fn type_name() -> &'static str {
        JsView::<u8>::type_name()
    }

    fn value_type() -> ValueType {
        JsView::<u8>::value_type()
    }
}

impl ValidateNapiValue for SharedView {}

impl FromNapiValue for SharedView {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: handed through.
        let view = unsafe { JsView::from_napi_value(env, value) }?;
        let mut buffer = std::ptr::null_mut();
        let mut can_be_detached = true;
        // SAFETY: the value is a typed array, as the view was made of it; env and value are live for this call, as napi
        // guarantees; the out pointers are ours, and those not wanted may be null.
        napi::check_status!(unsafe {
            sys::napi_get_typedarray_info(
                env,
                value,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &mut buffer,
                std::ptr::null_mut(),
            )
        })?;
        // SAFETY: as above; the buffer was made by the call before.
        napi::check_status!(unsafe { sys::napi_is_arraybuffer(env, buffer, &mut can_be_detached) })?;
        Ok(Self { view, can_be_detached })
    }
}

/// As memory that is looked at in whatever way, unless it could be taken away.
pub fn memory_of(memory: BesideMemory) -> Result<JsMemory> {
    match memory {
        Either::A(SharedView {
            can_be_detached: true, ..
        }) => Err(invalid(
            "memory that JavaScript can take away is not looked at beside its thread",
        )),
        Either::A(SharedView { view, .. }) => Ok(Either::A(view)),
        Either::B(capsule) => Ok(Either::B(capsule)),
    }
}
