import { allowEntryFor, EgressPolicy } from './policy.js';

const none = new EgressPolicy([]);

describe('without a list', () => {
  it.each([
    // IPv4
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.0.1',
    '169.254.169.254',
    '169.254.170.2',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '100.100.100.200',
    '168.63.129.16',
    // IPv6
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'fc00::1',
    'fd00::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    'ff02::1',
    '2001:db8::1',
    '3fff::1',
    '5f00::1',
    '100::1',
    '2001::1',
    '2001:2::1',
    '2001:10::1',
    '4000::1',
    '0200::1',
    // IPv4 in IPv6
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '::ffff:169.254.169.254',
    '::ffff:0:127.0.0.1',
    '::127.0.0.1',
    '::8.8.8.8',
    '64:ff9b::127.0.0.1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::8.8.8.8',
    '2002:7f00:1::1',
    '2002:808:808::1',
    '2001:0:808:808::f7f7:f7f7',
  ])('egress: %s is refused', (ip) => {
    expect(none.isAllowed(ip)).toBe(false);
  });

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
    '2001:4860:4860::8888',
    '2400:cb00::1',
    '::ffff:8.8.8.8',
  ])('egress: the public address %s is allowed', (ip) => {
    expect(none.isAllowed(ip)).toBe(true);
    expect(none.verdict(ip)).toEqual({ allowed: true, listed: false });
  });

  it.each([
    '',
    'localhost',
    'example.com',
    '127.1',
    '0x7f000001',
    '2130706433',
    '010.0.0.1',
    '1.2.3',
    '[::1]',
    '1.2.3.4:80',
    ' 8.8.8.8',
  ])('egress: %j is no address and refused', (ip) => {
    expect(none.verdict(ip)).toEqual({ allowed: false, reason: 'not an IP address' });
  });
});

describe('with a list', () => {
  it.each<[string[], string, boolean]>([
    [['10.1.0.0/16'], '10.1.2.3', true],
    [['10.1.0.0/16'], '10.2.0.1', false],
    [['10.1.0.0/16'], '::ffff:10.1.2.3', true],
    [['::ffff:10.1.0.0/112'], '10.1.2.3', true],
    [['127.0.0.0/8'], '127.0.0.1', true],
    [['127.0.0.0/8'], '::1', false],
    [['::1/128'], '::1', true],
    [['fd00::/8'], 'fd12::1', true],
    [['0.0.0.0/0'], '192.168.0.1', true],
    [['0.0.0.0/0'], 'fd00::1', false],
    [['::/0'], 'fd00::1', true],
    [['10.1.2.3/32'], '10.1.2.4', false],
    // transition addresses need both: themselves and the IPv4 address inside
    [['64:ff9b::/96'], '64:ff9b::8.8.8.8', true],
    [['64:ff9b::/96'], '64:ff9b::10.0.0.1', false],
    [['64:ff9b::/96', '10.0.0.0/8'], '64:ff9b::10.0.0.1', true],
    [['2002::/16'], '2002:808:808::1', true],
    [['2002::/16'], '2002:7f00:1::1', false],
    [['2001::/32'], '2001:0:808:808::f7f7:f7f7', true],
    [['2001::/32'], '2001:0:808:808::80ff:fffe', false], // 127.0.0.1 behind the flipped bits
    [['::/0'], '::127.0.0.1', false],
    // metadata services need an entry of their own
    [['169.254.0.0/16'], '169.254.169.254', false],
    [['169.254.0.0/16'], '169.254.1.1', true],
    [['0.0.0.0/0', '::/0'], '169.254.169.254', false],
    [['0.0.0.0/0', '::/0'], '::ffff:169.254.169.254', false],
    [['0.0.0.0/0', '::/0'], '64:ff9b::169.254.169.254', false],
    [['0.0.0.0/0', '::/0'], 'fd00:ec2::254', false],
    [['0.0.0.0/0'], '168.63.129.16', false],
    [['169.254.169.254/32'], '169.254.169.254', true],
    [['fd00:ec2::254/128'], 'fd00:ec2::254', true],
  ])('egress: %j and %s: %s', (allow, ip, allowed) => {
    expect(new EgressPolicy(allow).isAllowed(ip)).toBe(allowed);
  });

  it('egress: a public address in the list is told apart, since plain http is open to listed ones only', () => {
    expect(new EgressPolicy(['8.8.8.0/24']).verdict('8.8.8.8')).toEqual({ allowed: true, listed: true });
  });

  it.each(['10.0.0.0', '10.0.0.0/33', 'x', '', '10.0.0/8', '::/129'])('egress: %j is no network', (cidr) => {
    expect(() => new EgressPolicy([cidr])).toThrow(/not a network in CIDR form/);
  });
});

it.each([
  ['10.0.0.1', 'private network'],
  ['169.254.169.254', 'cloud metadata service'],
  ['127.0.0.1', 'loopback'],
  ['2002:7f00:1::1', '6to4'],
  ['4000::1', 'not global unicast'],
])('egress: the refusal of %s says %s', (ip, reason) => {
  expect(none.verdict(ip)).toEqual({ allowed: false, reason });
});

it('egress: a refusal inside a listed tunnel names both', () => {
  expect(new EgressPolicy(['64:ff9b::/96']).verdict('64:ff9b::127.0.0.1')).toEqual({
    allowed: false,
    reason: 'NAT64 to loopback',
  });
});

it.each([
  ['127.0.0.5', '127.0.0.0/8'],
  ['10.1.2.3', '10.1.2.3/32'],
  ['::1', '::1/128'],
  ['fd00:0:0::1', 'fd00::1/128'],
  ['::ffff:10.0.0.1', '10.0.0.1/32'],
])('egress: %s is opened by %s', (ip, entry) => {
  expect(allowEntryFor(ip)).toBe(entry);
  expect(new EgressPolicy([entry]).isAllowed(ip)).toBe(true);
});
