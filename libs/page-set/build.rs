//! Sets up the link of the Node.js addon.

fn main() {
    napi_build::setup();
}
