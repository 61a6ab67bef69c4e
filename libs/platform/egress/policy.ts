import {
  type Address,
  contains,
  embeddedV4,
  GLOBAL_UNICAST_V6,
  METADATA,
  type Network,
  parseAddress,
  parseNetwork,
  SPECIAL,
  unmapped,
} from './ranges.js';

/** What the policy says of one address. `listed`: a network of `egress.allow` names it, so that plain http is allowed too. */
export type EgressVerdict =
  { readonly allowed: true; readonly listed: boolean } | { readonly allowed: false; readonly reason: string };

/**
 * Which addresses the product may connect to: every public one, and of the special ones (private, loopback, link-local,
 * transition, reserved …) those that `egress.allow` lists. Cloud metadata addresses need an entry of their own.
 * Immutable: a changed list is a new policy.
 */
export class EgressPolicy {
  readonly #networks: readonly Network[];

  /** @param allow networks in CIDR form; throws an Error naming the first that is none. */
  constructor(allow: readonly string[]) {
    this.#networks = allow.map((cidr) => {
      try {
        return parseNetwork(cidr);
      } catch {
        throw new Error(`"${cidr}" is not a network in CIDR form such as 10.1.0.0/16`);
      }
    });
  }

  /** Whether any network is listed at all: without one nothing can be reached by plain http. */
  get listsAny(): boolean {
    return this.#networks.length > 0;
  }

  isAllowed(ip: string): boolean {
    return this.verdict(ip).allowed;
  }

  /** The verdict with its reason, in words fit for a message. Text that is no IP address is refused. */
  verdict(ip: string): EgressVerdict {
    const address = parseAddress(ip);
    return address === null ? { allowed: false, reason: 'not an IP address' } : this.#judge(unmapped(address));
  }

  #judge(address: Address): EgressVerdict {
    const listed = this.#networks.some((network) => contains(network, address));
    if (isMetadata(address) && !this.#names(address)) return { allowed: false, reason: 'cloud metadata service' };
    const special = specialName(address);
    if (special !== null && !listed) return { allowed: false, reason: special };
    for (const inner of embeddedV4(address)) {
      const verdict = this.#judge(inner);
      if (!verdict.allowed) return { allowed: false, reason: `${special ?? 'tunnel'} to ${verdict.reason}` };
    }
    return { allowed: true, listed };
  }

  /** True when the list has this very address and not merely a network around it. */
  #names(address: Address): boolean {
    const bits = address.kind() === 'ipv4' ? 32 : 128;
    return this.#networks.some((network) => network.bits === bits && contains(network, address));
  }
}

/** The entry for `egress.allow` that would open an address: the whole of 127.0.0.0/8 for loopback, else only itself. */
export function allowEntryFor(ip: string): string {
  const parsed = parseAddress(ip);
  if (parsed === null) return ip;
  const address = unmapped(parsed);
  if (address.kind() === 'ipv6') return `${address.toString()}/128`;
  return address.range() === 'loopback' ? '127.0.0.0/8' : `${address.toString()}/32`;
}

function isMetadata(address: Address): boolean {
  const text = address.toNormalizedString();
  return METADATA.some((known) => known.toNormalizedString() === text);
}

function specialName(address: Address): string | null {
  const found = SPECIAL.find(({ network }) => contains(network, address));
  if (found !== undefined) return found.name;
  if (address.kind() === 'ipv6' && !contains(GLOBAL_UNICAST_V6, address)) return 'not global unicast';
  return null;
}
