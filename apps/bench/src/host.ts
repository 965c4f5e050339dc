import { createDirtyTracker } from '@godwit/dirty-tracker';
import { type Arrival, type Destination, listenForGuests, migrate } from '@godwit/migrator';
import { PageSet } from '@godwit/page-set';
import { GodwitError, type Guest, type MigrationEvent, type PageCodec, type Strategy } from '@godwit/ports';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { GUEST_KINDS, type GuestKind } from './guest-kinds.ts';
import type { GuestSlot, HostCommand, HostCommands, HostLink } from './host-commands.ts';
import { PAGE_ORDERS } from './order/page-orders.ts';
import { type RoundOptions, STRATEGIES } from './strategies.ts';
import { TRANSPORTS, type TransportKind } from './transports.ts';

type Handlers = {
  [Command in HostCommand]: (argument: HostCommands[Command]['argument']) => Promise<HostCommands[Command]['answer']>;
};

/**
 * A host: it may hold a guest it made and one that came to it, and be source and destination. It lives in a process of
 * its own, which ends with the bench's.
 */
export class Host {
  readonly #emit: (event: MigrationEvent) => void;
  readonly #guests: Map<GuestSlot, Guest> = new Map();
  /** One for both directions: the two ends of an in-memory transport must be the same object. */
  readonly #transports: Map<string, ReturnType<TransportKind['make']>> = new Map();
  #destination: Destination | undefined;
  #arrival: Promise<Arrival> | undefined;
  #visitFailure: Error | undefined;
  readonly #handlers: Handlers = {
    start: (argument) => this.#start(argument),
    fill: (argument) => this.#fill(argument),
    listen: (argument) => this.#listen(argument),
    migrate: (argument) => this.#migrate(argument),
    arrival: () => this.#awaitArrival(),
    refusal: async () => this.#visitFailure?.message ?? null,
    inspect: ({ slot }) => this.#inspect(slot),
  };

  /** @param emit - hears the events of migrations from here */
  constructor(emit: (event: MigrationEvent) => void) {
    this.#emit = emit;
  }

  /** Does what a request asks for. */
  handle<Command extends HostCommand>(
    command: Command,
    argument: HostCommands[Command]['argument'],
  ): Promise<HostCommands[Command]['answer']> {
    if (!Object.hasOwn(this.#handlers, command)) throw new TypeError(`no such command: ${command}`);
    return this.#handlers[command](argument);
  }

  async #start({ kind, options, place }: HostCommands['start']['argument']): Promise<HostCommands['start']['answer']> {
    const guest = await guestKind(kind).create(options, place);
    this.#guests.set('made', guest);
    await guest.resume();
    await guest.announce();
    return { residentBytes: await residentBytes(guest) };
  }

  async #fill({ kind, options }: HostCommands['fill']['argument']): Promise<HostCommands['fill']['answer']> {
    const guest = await guestKind(kind).create(options, {});
    this.#guests.set('made', guest);
    return { residentBytes: await residentBytes(guest) };
  }

  async #listen({ kind, place, link }: HostCommands['listen']['argument']): Promise<HostCommands['listen']['answer']> {
    const transportKind = transportNamed(link.transport);
    this.#destination = await listenForGuests({
      transport: this.#transport(link),
      address: transportKind.address,
      ...(link.injectedFaults && { injectedFaults: link.injectedFaults }),
      codecs: await codecs(link),
      createGuest: async (description) => {
        if (description.kind !== kind) {
          throw new GodwitError(
            'ERR_GODWIT_GUEST_KIND',
            `guests of kind ${kind} are expected, not ${description.kind}`,
          );
        }
        return guestKind(kind).restoreTarget(description.config, place);
      },
      onFailure: (error) => {
        this.#visitFailure ??= error;
      },
    });
    this.#arrival = this.#destination.nextArrival();
    // Who waits for it hears of a failure; who does not must not be ended by it.
    this.#arrival.catch(() => {});
    return { address: this.#destination.address };
  }

  async #migrate(argument: HostCommands['migrate']['argument']): Promise<HostCommands['migrate']['answer']> {
    const { address, link, strategy, order, chunkMs, tracking, budget, verify } = argument;
    const guest = this.#guest('made');
    const [codec] = await codecs(link);
    const tracker = createDirtyTracker(guest.memory, tracking && { prefer: tracking });
    try {
      const migration = migrate({
        guest,
        tracker,
        scanner: createZeroPageScanner(),
        transport: this.#transport(link),
        address,
        strategy: strategyNamed(strategy, {
          ...(order !== undefined && { order: known(PAGE_ORDERS, order, 'order')() }),
          ...(chunkMs !== undefined && { chunkMs }),
        }),
        budget,
        verify,
        ...(link.injectedFaults && { injectedFaults: link.injectedFaults }),
        ...(codec && { codec, codecCacheBytes: link.xbzrleCacheBytes }),
        ...(link.linkBytesPerSecond !== undefined && { linkBytesPerSecond: link.linkBytesPerSecond }),
      });
      for await (const event of migration) this.#emit(event);
      return await migration.report;
    } finally {
      await tracker.close();
    }
  }

  async #awaitArrival(): Promise<null> {
    if (this.#arrival === undefined) throw new GodwitError('ERR_GODWIT_CLOSED', 'this host does not listen');
    const arrival = await this.#arrival;
    this.#guests.set('arrived', arrival.guest);
    await arrival.verification;
    await this.#destination?.close();
    return null;
  }

  async #inspect(slot: GuestSlot): Promise<HostCommands['inspect']['answer']> {
    const guest = this.#guest(slot);
    return { selfCheck: await guest.selfCheck(), residentBytes: await residentBytes(guest) };
  }

  #guest(slot: GuestSlot): Guest {
    const guest = this.#guests.get(slot);
    if (guest === undefined) throw new GodwitError('ERR_GODWIT_CLOSED', `this host has no guest that it ${slot}`);
    return guest;
  }

  #transport(link: HostLink): ReturnType<TransportKind['make']> {
    const { transport, linkBytesPerSecond, driver } = link;
    const made = this.#transports.get(transport) ?? transportNamed(transport).make(linkBytesPerSecond, driver);
    this.#transports.set(transport, made);
    return made;
  }
}

async function codecs({ xbzrle }: HostLink): Promise<PageCodec[]> {
  return xbzrle ? [(await import('@godwit/codec-xbzrle')).createXbzrleCodec()] : [];
}

async function residentBytes({ memory }: Guest): Promise<number> {
  return (await memory.present(PageSet.empty(memory.pageCount))) * memory.pageSizeBytes;
}

function guestKind(name: string): GuestKind {
  return known(GUEST_KINDS, name, 'guest');
}

function transportNamed(name: string): TransportKind {
  return known(TRANSPORTS, name, 'transport');
}

function strategyNamed(name: string, options: RoundOptions): Strategy {
  return known(STRATEGIES, name, 'strategy')(options);
}

function known<Value>(table: Readonly<Record<string, Value>>, name: string, what: string): Value {
  const value = Object.hasOwn(table, name) ? table[name] : undefined;
  if (value === undefined) throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `no ${what} is called ${name}`);
  return value;
}
