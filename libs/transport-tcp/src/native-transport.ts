import { fromNativeError } from '@godwit/ports';
import type { NativeBinding } from './native.ts';
import { NativeTcpConnection } from './native-connection.ts';
import { NativeTcpListener } from './native-listener.ts';
import { nativeTimeout } from './native-timeout.ts';
import { parseTcpAddress } from './tcp-address.ts';
import type { TcpSettings, TcpTransport } from './tcp-transport.ts';
import { timeout } from './timeout.ts';

/** The transport over the native addon. */
export function nativeTransport(binding: NativeBinding, settings: TcpSettings): TcpTransport {
  return {
    name: 'tcp',
    backend: 'native',
    async connect(address, options = {}) {
      const { signal } = options;
      const target = parseTcpAddress(address);
      const timeoutMs = nativeTimeout(timeout(options.timeoutMs, settings.timeoutMs));
      signal?.throwIfAborted();
      const connector = new binding.NativeConnector();
      const cancel = (): void => connector.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      try {
        const rate = settings.linkBytesPerSecond ?? 0;
        const connection = await connector.connect(target, settings.allowInsecure, timeoutMs, rate);
        if (signal?.aborted) await connection.close();
        signal?.throwIfAborted();
        return new NativeTcpConnection(connection, settings.timeoutMs);
      } catch (error) {
        signal?.throwIfAborted();
        throw fromNativeError(error);
      } finally {
        signal?.removeEventListener('abort', cancel);
      }
    },
    async listen(address) {
      try {
        const listener = await binding.NativeListener.listen(parseTcpAddress(address), settings.allowInsecure);
        return new NativeTcpListener(listener, settings);
      } catch (error) {
        throw fromNativeError(error);
      }
    },
  };
}
