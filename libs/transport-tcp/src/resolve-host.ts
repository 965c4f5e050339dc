import { lookup } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import { type ErrorCode, GodwitError } from '@godwit/ports';
import { formatTcpAddress } from './tcp-address.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');
loopback.addAddress('::1', 'ipv6');

/**
 * The IP addresses of a host. Plain TCP is for this machine unless allowed further.
 *
 * @throws GodwitError `code` if there are none, `ERR_GODWIT_INSECURE` if one is beyond this machine
 */
export async function resolveHost(host: string, allowInsecure: boolean, code: ErrorCode): Promise<readonly string[]> {
  let found: readonly { readonly address: string }[];
  try {
    found = await lookup(host, { all: true, verbatim: true });
  } catch (cause) {
    throw new GodwitError(code, `no address for the host "${host}"`, { cause });
  }
  const addresses = found.map(({ address }) => address);
  const outside = addresses.find((address) => !loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'));
  if (outside !== undefined && !allowInsecure) {
    throw new GodwitError(
      'ERR_GODWIT_INSECURE',
      `${formatTcpAddress({ host: outside, port: 0 }).replace(/:0$/, '')} is beyond this machine, and plain TCP shows a ` +
        "guest's memory to the network: use a tunnel and a loopback address, or say tcp({ allowInsecure: true }) where " +
        'the network is trusted',
    );
  }
  return addresses;
}
