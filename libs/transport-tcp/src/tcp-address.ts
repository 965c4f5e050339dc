/** An address taken apart: a host (name or IP address) and a port, or the path of a Unix socket. */
export type TcpAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** What the kernel takes, without the ending zero. */
const PATH_BYTES_MAX = 107;

/**
 * Reads `tcp://host:port`, `tcp://[::1]:port` or `unix:///path`.
 *
 * @throws TypeError for anything else
 */
export function parseTcpAddress(address: string): TcpAddress {
  const [, bracketed, plain, digits] =
    /^tcp:\/\/(?:\[([0-9a-fA-F:.%\w]+)\]|([^:/?#[\]@\s]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port <= 65_535) return { host, port };
  const [, path] = /^unix:\/\/(\/[^\0]+)$/.exec(address) ?? [];
  if (path !== undefined && Buffer.byteLength(path) <= PATH_BYTES_MAX) return { path };
  throw new TypeError(
    `"${address}" is not an address of this transport: tcp://host:port, tcp://[::1]:port, or unix:///path ` +
      `(a path of at most ${PATH_BYTES_MAX} bytes)`,
  );
}

/** The address as it is written. */
export function formatTcpAddress(address: TcpAddress): string {
  if ('path' in address) return `unix://${address.path}`;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
