import { fromNativeError } from '@godwit/ports';
import { type NativeMirror, openNativeMirror } from './native.ts';

/** What happens to the next frames. Each count is used up frame by frame, in this order; none by default. */
export interface MirrorMischief {
  readonly dropFrames?: number;
  readonly duplicateFrames?: number;
  readonly corruptFrames?: number;
  /** Frames that are sent after the one that follows them. */
  readonly swapFrames?: number;
}

/** A host without a guest: it bounces every frame as a guest's forwarder would. */
export interface Mirror extends Disposable {
  /** Announces two hardware addresses, one from each port, so that the switch sends their frames here. */
  announce(macs: readonly [string, string]): void;
  /** Stops bouncing: once this returns, no frame is bounced until `release`. */
  hold(): void;
  /** Goes on. */
  release(): void;
  /** Arranges what happens to the next frames. */
  arrange(mischief: MirrorMischief): void;
  /** Whether all that was arranged has happened. */
  isMischiefDone(): boolean;
  /** Frames bounced so far, the dropped ones too. */
  bouncedFrames(): number;
  /** Gives the frames that wait here to another mirror, which bounces them before its own. Gives how many. */
  forwardWaiting(other: Mirror): number;
  /** Unplugs. */
  close(): void;
}

const natives: WeakMap<Mirror, NativeMirror> = new WeakMap();

function call<T>(native: () => T): T {
  try {
    return native();
  } catch (error) {
    throw fromNativeError(error);
  }
}

/**
 * Plugs a mirror into the host's end of a cable: for tests, and for measuring the wire itself.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the native module is missing, `ERR_GODWIT_NATIVE_FAILED` when the path
 *   is no cable; its methods throw `ERR_GODWIT_CLOSED` after `close`
 */
export function createMirror(cablePath: string): Mirror {
  const native = openNativeMirror(cablePath);
  const mirror: Mirror = {
    announce: (macs) => call(() => native.announce([...macs])),
    hold: () => call(() => native.hold()),
    release: () => call(() => native.release()),
    arrange: (mischief) => call(() => native.arrange(mischief)),
    isMischiefDone: () => call(() => native.isMischiefDone()),
    bouncedFrames: () => call(() => native.bouncedFrames()),
    forwardWaiting(other) {
      const target = natives.get(other);
      if (target === undefined) throw new TypeError('not a mirror of this package');
      return call(() => native.forwardWaiting(target));
    },
    close: () => native.close(),
    [Symbol.dispose]: () => native.close(),
  };
  natives.set(mirror, native);
  return mirror;
}
