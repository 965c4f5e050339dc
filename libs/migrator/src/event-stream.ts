/** Events for one or more readers; each reads all of them, from the first. */
export class EventStream<Event> implements AsyncIterable<Event> {
  readonly #events: Event[] = [];
  #ended = false;
  #wake: PromiseWithResolversLike = pending();

  push(event: Event): void {
    this.#events.push(event);
    this.#signal();
  }

  end(): void {
    this.#ended = true;
    this.#signal();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, void> {
    for (let index = 0; ; index += 1) {
      while (index >= this.#events.length) {
        if (this.#ended) return;
        await this.#wake.promise;
      }
      yield this.#events[index] as Event;
    }
  }

  #signal(): void {
    const { resolve } = this.#wake;
    this.#wake = pending();
    resolve();
  }
}

interface PromiseWithResolversLike {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function pending(): PromiseWithResolversLike {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
