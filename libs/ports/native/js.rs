use std::ffi::c_void;

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, sys};

use crate::{CAPSULE_TAG, Capsule, Loan, Table};

/// A capsule as JavaScript sees it: a napi External with the capsules' type tag. Usable as argument and as return value
/// of `#[napi]` functions.
pub struct JsCapsule<T: Table>(pub Capsule<T>);

const TAG: sys::napi_type_tag = sys::napi_type_tag {
    lower: CAPSULE_TAG.0,
    upper: CAPSULE_TAG.1,
};

impl<T: Table> TypeName for JsCapsule<T> {
    fn type_name() -> &'static str {
        T::NAME
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl<T: Table> ValidateNapiValue for JsCapsule<T> {}

impl<T: Table> FromNapiValue for JsCapsule<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut value_type = 0;
        // SAFETY: env and value are live for this call, as napi guarantees; the out pointer is ours.
        napi::check_status!(unsafe { sys::napi_typeof(env, value, &mut value_type) })?;
        if value_type != sys::ValueType::napi_external {
            return Err(mismatch(format!(
                "wanted a {} capsule of another Godwit package",
                T::NAME
            )));
        }
        let mut tagged = false;
        // SAFETY: the value is an External; tag and out pointer are ours.
        napi::check_status!(unsafe { sys::napi_check_object_type_tag(env, value, &TAG, &mut tagged) })?;
        if !tagged {
            return Err(mismatch("this External is not a Godwit capsule".to_owned()));
        }
        let mut table: *mut c_void = std::ptr::null_mut();
        // SAFETY: the value is an External; the out pointer is ours.
        napi::check_status!(unsafe { sys::napi_get_value_external(env, value, &mut table) })?;
        // SAFETY: the type tag says that the External holds a capsule table, alive as long as the External.
        unsafe { Capsule::from_raw(table) }.map(Self).map_err(mismatch)
    }
}

impl<T: Table> ToNapiValue for JsCapsule<T> {
    unsafe fn to_napi_value(env: sys::napi_env, capsule: Self) -> Result<sys::napi_value> {
        // SAFETY: env is live; the finalizer takes back the reference given up here.
        unsafe { external(env, capsule.0.into_raw(), finalize::<T>, std::ptr::null_mut()) }
    }
}

impl<T: Table> TypeName for Loan<T> {
    fn type_name() -> &'static str {
        T::NAME
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl<T: Table> ToNapiValue for Loan<T> {
    unsafe fn to_napi_value(env: sys::napi_env, loan: Self) -> Result<sys::napi_value> {
        let (table, externals) = loan.into_raw();
        // SAFETY: env is live; the finalizer takes back the references given up here.
        unsafe { external(env, table, finalize_loan::<T>, externals) }
    }
}

type Finalizer = unsafe extern "C" fn(sys::napi_env, *mut c_void, *mut c_void);

/// A tagged External over a table.
///
/// # Safety
/// `env` is live. `finalizer` takes back what was given up for the External, by `table` and `hint`.
unsafe fn external(
    env: sys::napi_env,
    table: *mut c_void,
    finalizer: Finalizer,
    hint: *mut c_void,
) -> Result<sys::napi_value> {
    let mut value = std::ptr::null_mut();
    // SAFETY: the caller vouches for env and finalizer; the out pointer is ours.
    let created = unsafe { sys::napi_create_external(env, table, Some(finalizer), hint, &mut value) };
    if created != sys::Status::napi_ok {
        // SAFETY: the External was not made, so what was given up for it is still ours.
        unsafe { finalizer(env, table, hint) };
    }
    napi::check_status!(created)?;
    // SAFETY: value is the External just made; the tag is ours.
    napi::check_status!(unsafe { sys::napi_type_tag_object(env, value, &TAG) })?;
    Ok(value)
}

unsafe extern "C" fn finalize<T: Table>(_env: sys::napi_env, table: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the External owned the reference given up in to_napi_value.
    unsafe { Capsule::<T>::release_raw(table) };
}

unsafe extern "C" fn finalize_loan<T: Table>(_env: sys::napi_env, table: *mut c_void, externals: *mut c_void) {
    // SAFETY: the External owned the references given up in to_napi_value.
    unsafe { Loan::<T>::release_raw(table, externals) };
}

fn mismatch(message: String) -> Error {
    Error::new(Status::InvalidArg, format!("ERR_GODWIT_CAPSULE_MISMATCH: {message}"))
}
