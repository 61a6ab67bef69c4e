import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A network in compiled form: `family` tells which addresses it can hold at all. */
export interface Network {
  readonly base: Address;
  readonly bits: number;
}

/** True when `address` lies in `network`. */
export function contains(network: Network, address: Address): boolean {
  if (network.base.kind() !== address.kind()) return false;
  return network.base.kind() === 'ipv4'
    ? (address as ipaddr.IPv4).match(network.base as ipaddr.IPv4, network.bits)
    : (address as ipaddr.IPv6).match(network.base as ipaddr.IPv6, network.bits);
}

/**
 * Reads an IP address; `null` for anything else, also for what `inet_aton` would take (`127.1`, `0x7f000001`).
 * A zone is cut off. The dotted tail of an IPv6 address is written out first, since the library takes `::1.2.3.4` for
 * the v4-mapped `::ffff:1.2.3.4`.
 */
export function parseAddress(text: string): Address | null {
  const family = isIP(text);
  if (family === 0) return null;
  if (family === 4) return ipaddr.IPv4.parse(text);
  const withoutZone = text.replace(/%.*$/s, '');
  const hex = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16);
  return ipaddr.IPv6.parse(
    withoutZone.replace(
      /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
      (_, a: string, b: string, c: string, d: string) => `${hex(a, b)}:${hex(c, d)}`,
    ),
  );
}

/** The IPv4 address that a v4-mapped one (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) means to the system; others unchanged. */
export function unmapped(address: Address): Address {
  return address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress()
    ? (address as ipaddr.IPv6).toIPv4Address()
    : address;
}

/** Reads `10.0.0.0/8` or `fc00::/7`; throws on anything else. A v4-mapped network becomes the IPv4 one it stands for. */
export function parseNetwork(cidr: string): Network {
  const match = /^([^/%]+)\/(\d{1,3})$/.exec(cidr);
  const base = match === null ? null : parseAddress(match[1] as string);
  const bits = Number(match?.[2]);
  if (base === null || bits > (base.kind() === 'ipv4' ? 32 : 128)) throw new Error(`"${cidr}" is no network`);
  const plain = unmapped(base);
  return plain === base || bits < 96 ? { base, bits } : { base: plain, bits: bits - 96 };
}

const named = (name: string, ...cidrs: string[]): { name: string; network: Network }[] =>
  cidrs.map((cidr) => ({ name, network: parseNetwork(cidr) }));

/**
 * Addresses an upstream never has on the public internet: the IANA special-purpose registries for IPv4 and IPv6
 * (RFC 6890 and its updates) and multicast. Of IPv6 only 2000::/3 is handed out at all, so what lies outside it is
 * refused under the last name even where no line above knows it.
 */
export const SPECIAL: readonly { readonly name: string; readonly network: Network }[] = [
  ...named('this host ("any" address)', '0.0.0.0/32', '::/128'),
  ...named('this network', '0.0.0.0/8'),
  ...named('loopback', '127.0.0.0/8', '::1/128'),
  ...named('private network', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'),
  ...named('carrier-grade NAT', '100.64.0.0/10'),
  ...named('link-local', '169.254.0.0/16', 'fe80::/10'),
  ...named('protocol assignments', '192.0.0.0/24', '2001::/23'),
  ...named('documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'),
  ...named('6to4', '192.88.99.0/24', '2002::/16'),
  ...named('relay and sink networks', '192.31.196.0/24', '192.52.193.0/24', '192.175.48.0/24', '2620:4f:8000::/48'),
  ...named('benchmarking', '198.18.0.0/15'),
  ...named('multicast', '224.0.0.0/4', 'ff00::/8'),
  ...named('broadcast', '255.255.255.255/32'),
  ...named('reserved', '240.0.0.0/4'),
  ...named('NAT64', '64:ff9b::/96', '64:ff9b:1::/48'),
  ...named('discard-only', '100::/64', '100:0:0:1::/64'),
  ...named('unique local (private)', 'fc00::/7'),
  ...named('site-local (deprecated)', 'fec0::/10'),
  ...named('segment routing', '5f00::/16'),
];

export const GLOBAL_UNICAST_V6 = parseNetwork('2000::/3');

/**
 * Addresses at which clouds hand out credentials to whoever asks from inside. A network that happens to contain one
 * does not open it: the single address has to be listed (`169.254.169.254/32`).
 */
export const METADATA: readonly Address[] = [
  '169.254.169.254', // AWS, Google, Azure, DigitalOcean, OpenStack …
  '169.254.170.2', // AWS container credentials
  '169.254.170.23', // AWS pod identity
  '169.254.42.42', // Scaleway
  '100.100.100.200', // Alibaba
  '192.0.0.192', // Oracle
  '168.63.129.16', // Azure host agent: a public address, reachable only from inside
  'fd00:ec2::254', // AWS
  'fd00:ec2::23', // AWS pod identity
  'fd20:ce::254', // Google
  'fd00:42::42', // Scaleway
].map((text) => ipaddr.parse(text));

const SIX_TO_FOUR = parseNetwork('2002::/16');
const TEREDO = parseNetwork('2001::/32');
const NAT64 = [parseNetwork('64:ff9b::/96'), parseNetwork('64:ff9b:1::/48')];
const V4_COMPATIBLE = parseNetwork('::/96');

/**
 * The IPv4 addresses to which packets for an IPv6 transition address are really carried (6to4 RFC 3056, Teredo RFC 4380,
 * NAT64 RFC 6052, IPv4-compatible RFC 4291 §2.5.5.1). Empty for all others.
 */
export function embeddedV4(address: Address): Address[] {
  if (address.kind() === 'ipv4') return [];
  const bytes = address.toByteArray();
  const v4 = (from: number, flip = 0): Address =>
    ipaddr.fromByteArray(bytes.slice(from, from + 4).map((byte) => byte ^ flip));
  if (contains(SIX_TO_FOUR, address)) return [v4(2)];
  if (contains(TEREDO, address)) return [v4(4), v4(12, 0xff)];
  if (NAT64.some((network) => contains(network, address))) return [v4(12)];
  const isAnyOrLoopback = bytes.slice(0, 15).every((byte) => byte === 0) && (bytes[15] as number) <= 1;
  if (contains(V4_COMPATIBLE, address) && !isAnyOrLoopback) return [v4(12)];
  return [];
}
