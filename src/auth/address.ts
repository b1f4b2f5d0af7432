import { isIPv6 } from 'node:net';
import type { Actor } from '../db/context.ts';

/**
 * What is counted as one client: an IPv4 address, or the /64 network of an IPv6 address, since a single host is commonly
 * given a whole /64 (RFC 6177) and could change its address with every request.
 */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined
      ? left
      : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** The key that limits per client go by. */
export function clientOf(actor: Actor): string {
  return actor.kind === 'system' ? 'system' : networkOf(actor.address);
}
