/** The kinds of native table that packages offer each other; see `include/godwit_capsule.h`. */
export type CapsuleKind = 'memory' | 'execution' | 'dirty' | 'scanner' | 'codec' | 'channel';

declare const capsuleKind: unique symbol;

/**
 * A native capsule: a type-tagged napi External behind which lies a versioned C table. Opaque to JavaScript; only native
 * code of another package looks inside, and refuses a table of another version, kind or size with
 * `ERR_GODWIT_CAPSULE_MISMATCH`.
 */
export interface Capsule<Kind extends CapsuleKind> {
  readonly [capsuleKind]: Kind;
}

/** Which implementation of a port is in use: native code, or TypeScript where that is missing. */
export type Backend = 'native' | 'typescript';
