use std::ffi::c_void;

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, sys};

/// An element type of a JavaScript typed array.
pub trait ViewElement: Copy + 'static {
    const ARRAY_TYPE: sys::napi_typedarray_type;
    const ARRAY_NAME: &'static str;
}

impl ViewElement for u8 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
    const ARRAY_NAME: &'static str = "Uint8Array";
}

impl ViewElement for u32 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::uint32_array;
    const ARRAY_NAME: &'static str = "Uint32Array";
}

impl ViewElement for i32 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::int32_array;
    const ARRAY_NAME: &'static str = "Int32Array";
}

/// A typed array that JavaScript passed to a `#[napi]` function: where its elements lie. It makes no Rust reference to
/// them, as a guest or a worker may write them meanwhile, and no JavaScript reference, as it lives for the call only.
#[derive(Clone, Copy)]
pub struct JsView<E: ViewElement> {
    pointer: *mut E,
    length: usize,
}

impl<E: ViewElement> JsView<E> {
    /// The first element; valid until the `#[napi]` function returns. Dangling where the length is zero.
    pub fn pointer(&self) -> *mut E {
        self.pointer
    }

    /// In elements.
    pub fn length(&self) -> usize {
        self.length
    }
}

impl<E: ViewElement> TypeName for JsView<E> {
    fn type_name() -> &'static str {
        E::ARRAY_NAME
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl<E: ViewElement> ValidateNapiValue for JsView<E> {}

impl<E: ViewElement> FromNapiValue for JsView<E> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut is_typed_array = false;
        // SAFETY: env and value are live for this call, as napi guarantees; the out pointer is ours.
        napi::check_status!(unsafe { sys::napi_is_typedarray(env, value, &mut is_typed_array) })?;
        let mut array_type = -1;
        let mut length = 0;
        let mut pointer: *mut c_void = std::ptr::null_mut();
        if is_typed_array {
            // SAFETY: the value is a typed array; the out pointers are ours, and those not wanted may be null.
            napi::check_status!(unsafe {
                sys::napi_get_typedarray_info(
                    env,
                    value,
                    &mut array_type,
                    &mut length,
                    &mut pointer,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                )
            })?;
        }
        if array_type != E::ARRAY_TYPE {
            return Err(Error::new(Status::InvalidArg, format!("wanted a {}", E::ARRAY_NAME)));
        }
        if length == 0 {
            pointer = std::ptr::NonNull::<E>::dangling().as_ptr().cast();
        }
        Ok(Self {
            pointer: pointer.cast(),
            length,
        })
    }
}
