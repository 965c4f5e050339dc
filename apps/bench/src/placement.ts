/** Which processor of this machine each part stays on; what is not named goes where the scheduler puts it. */
export interface Placement {
  /** The guest's virtual processors, on either host. */
  readonly vcpu?: number;
  /** The outside world's thread. */
  readonly wire?: number;
  /** All other threads of the source's process. */
  readonly source?: number;
  /** All other threads of the destination's process. */
  readonly destination?: number;
}

const PARTS = ['vcpu', 'wire', 'source', 'destination'] as const;

/** The guest and the outside world do not share a processor where there are two. */
export function defaultPlacement(cores: number): Placement {
  return cores >= 2 ? { vcpu: 0, wire: 1 } : {};
}

/**
 * Reads `vcpu=0,wire=1`; `none` leaves everything to the scheduler.
 * @throws RangeError for an unknown part or a processor that the machine does not have
 */
export function parsePlacement(text: string, cores: number): Placement {
  if (text === 'none') return {};
  const placement: { -readonly [part in keyof Placement]: number } = {};
  for (const pin of text.split(',')) {
    const [, name, number] = /^(\w+)=(\d+)$/.exec(pin.trim()) ?? [];
    const part = PARTS.find((known) => known === name);
    if (part === undefined) throw new RangeError(`'${pin}' is not a pin such as vcpu=0; parts are ${PARTS.join(', ')}`);
    if (Number(number) >= cores) throw new RangeError(`'${pin}': this machine has processors 0 to ${cores - 1}`);
    placement[part] = Number(number);
  }
  return placement;
}

/** `vcpu=0,wire=1`, or `none`. */
export function formatPlacement(placement: Placement): string {
  const pins = PARTS.flatMap((part) => (placement[part] === undefined ? [] : [`${part}=${placement[part]}`]));
  return pins.length === 0 ? 'none' : pins.join(',');
}
