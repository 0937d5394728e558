/**
 * URLs that reach what no tenant may reach, or that some parser takes for such: ways to write loopback, private,
 * link-local and metadata addresses, IPv4 inside IPv6, and names of this machine. `PORT` stands for the port of a
 * listener on loopback.
 */
const URLS_WITH_PORT: Readonly<Record<string, readonly string[]>> = {
  'loopback in dotted form': [
    'http://127.0.0.1:PORT/',
    'http://127.0.0.2:PORT/',
    'http://127.255.255.254:PORT/',
    'https://127.0.0.1:PORT/',
  ],
  'loopback as one number': [
    'http://2130706433:PORT/',
    'http://017700000001:PORT/',
    'http://0x7f000001:PORT/',
    'http://0x7F.0x0.0x0.0x1:PORT/',
  ],
  'loopback in octal, hexadecimal and short forms': [
    'http://0177.0.0.1:PORT/',
    'http://0177.0.0.01:PORT/',
    'http://0x7f.1:PORT/',
    'http://127.1:PORT/',
    'http://127.0.1:PORT/',
    'http://127.0.0.1.:PORT/',
  ],
  'the unspecified address, which is loopback to Linux': [
    'http://0:PORT/',
    'http://0.0.0.0:PORT/',
    'http://0x0:PORT/',
    'http://[::]:PORT/',
    'http://[0:0:0:0:0:0:0:0]:PORT/',
  ],
  'digits and dots of other scripts': [
    'http://①②⑦.⓪.⓪.①:PORT/',
    'http://127。0。0。1:PORT/',
    'http://127．0．0．1:PORT/',
    'http://127｡0｡0｡1:PORT/',
    'http://１２７.0.0.1:PORT/',
    'http://ⓛocalhost:PORT/',
    'http://ｌｏｃａｌｈｏｓｔ:PORT/',
    'http://%31%32%37.0.0.1:PORT/',
    'http://loc\u00adalhost:PORT/',
  ],
  'names of this machine': [
    'http://localhost:PORT/',
    'http://LOCALHOST:PORT/',
    'http://localhost.:PORT/',
    'http://app.localhost:PORT/',
    'http://app.localhost.:PORT/',
  ],
  'loopback by IPv6': ['http://[::1]:PORT/', 'http://[0:0:0:0:0:0:0:1]:PORT/', 'http://[0::0001]:PORT/'],
  'IPv4 inside IPv6': [
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[0:0:0:0:0:FFFF:127.0.0.1]:PORT/',
    'http://[::127.0.0.1]:PORT/',
    'http://[::ffff:0:127.0.0.1]:PORT/',
    'http://[64:ff9b::7f00:1]:PORT/',
    'http://[64:ff9b:1::7f00:1]:PORT/',
    'http://[2002:7f00:1::]:PORT/',
    'http://[2001:0:7f00:1::]:PORT/',
    'http://[2001::80ff:fffe]:PORT/',
    'http://[::ffff:169.254.169.254]:PORT/',
    'http://[64:ff9b::a9fe:a9fe]:PORT/',
  ],
  'parsers that are lenient or of another opinion': [
    'http:127.0.0.1:PORT/',
    'http:/127.0.0.1:PORT/',
    'http:////127.0.0.1:PORT/',
    'http:\\\\127.0.0.1:PORT\\',
    'HTTP://127.0.0.1:PORT/',
    ' http://127.0.0.1:PORT/',
    'http://127.0.0\t.1:PORT/',
    'http://127.0.0\n.1:PORT/',
    'ht\ntp://127.0.0.1:PORT/',
    'http://foo@127.0.0.1:PORT/',
    'http://example.com@127.0.0.1:PORT/',
    'http://example.com:80@127.0.0.1:PORT/',
    'http://127.0.0.1:PORT\\@example.com/',
    'http://127.0.0.1:PORT#@example.com/',
    'http://127.0.0.1:PORT?@example.com/',
    'http://[fe80::1%25lo]:PORT/',
    'http://256.1.1.1:PORT/',
    'http://127.0.0.1:PORT0000/',
    'ftp://127.0.0.1:PORT/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:PORT/_x',
    'ws://127.0.0.1:PORT/',
  ],
  'private networks': [
    'http://10.0.0.1:PORT/',
    'http://100.64.0.1:PORT/',
    'http://172.16.0.1:PORT/',
    'http://172.31.255.254:PORT/',
    'http://192.168.1.1:PORT/',
    'http://192.0.0.1:PORT/',
    'http://192.0.2.1:PORT/',
    'http://192.88.99.1:PORT/',
    'http://198.18.0.1:PORT/',
    'http://198.51.100.1:PORT/',
    'http://203.0.113.1:PORT/',
    'http://[fc00::1]:PORT/',
    'http://[fd12:3456::1]:PORT/',
    'http://[fec0::1]:PORT/',
    'http://[100::1]:PORT/',
    'http://[2001:db8::1]:PORT/',
    'http://[3fff::1]:PORT/',
    'http://[5f00::1]:PORT/',
  ],
  'link-local addresses, groups, and what nobody has': [
    'http://169.254.0.1:PORT/',
    'http://[fe80::1]:PORT/',
    'http://224.0.0.1:PORT/',
    'http://240.0.0.1:PORT/',
    'http://255.255.255.255:PORT/',
    'http://[ff02::1]:PORT/',
  ],
  'metadata services': [
    'http://169.254.169.254:PORT/latest/meta-data/',
    'http://2852039166:PORT/',
    'http://0xa9fea9fe:PORT/',
    'http://169.254.170.2:PORT/',
    'http://168.63.129.16:PORT/',
    'http://100.100.100.200:PORT/',
    'http://192.0.0.192:PORT/',
    'http://[fd00:ec2::254]:PORT/',
    'http://[fd20:ce::254]:PORT/',
    'http://metadata.google.internal:PORT/',
    'http://metadata.google.internal.:PORT/',
    'http://metadata.amazonaws.com:PORT/',
  ],
  'names of private networks and clusters': [
    'http://db.internal:PORT/',
    'http://printer.local:PORT/',
    'http://api.default.svc:PORT/',
    'http://api.default.svc.cluster.local:PORT/',
    'http://API.Default.SVC.:PORT/',
  ],
}

/** Pairs of what is tried and a URL. */
export const hostileUrls = (port: number): [string, string][] =>
  Object.entries(URLS_WITH_PORT).flatMap(([what, urls]) =>
    urls.map((url): [string, string] => [what, url.replace('PORT', String(port))]),
  )

/** Addresses of the table, each in one form: what a name server could answer. */
export const hostileAddresses = (): string[] => {
  const hosts = hostileUrls(1).flatMap(([, url]) => (URL.canParse(url) ? [new URL(url).hostname] : []))
  const addresses = hosts
    .filter((host) => /^\[.*\]$|^[\d.]+$/.test(host))
    .map((host) => host.replace(/[[\]]/g, ''))
  return [...new Set(addresses)]
}
