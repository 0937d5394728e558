import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  sign as signWith,
  type KeyObject,
} from 'node:crypto'

/** Standard Webhooks 1.0.0, "Signature scheme": the prefix of a key says what it is for, the rest is base64. */
const HMAC_PREFIX = 'whsec_'
const ED25519_PREFIX = 'whsk_'
const PUBLIC_PREFIX = 'whpk_'

/** The standard's bounds for a symmetric key. */
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
const GENERATED_SECRET_BYTES = 32

/** An ed25519 secret is the seed, followed by the public key that belongs to it. */
const SEED_BYTES = 32
const ED25519_BYTES = 64
/** What stands before the seed in PKCS #8, and before the public key in SPKI (RFC 8410 §7, §4). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')

/** Strict base64, padding included: what one library pads silently another refuses. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** `v1`: HMAC-SHA256 with a key that both sides have. `v1a`: ed25519, receivers have the public key alone. */
export type Scheme = 'v1' | 'v1a'

export const newSecret = (scheme: Scheme = 'v1'): string =>
  scheme === 'v1' ? HMAC_PREFIX + randomBytes(GENERATED_SECRET_BYTES).toString('base64') : newEd25519Secret()

function newEd25519Secret(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(PKCS8_HEAD.length)
  return ED25519_PREFIX + Buffer.concat([seed, rawPublicKey(publicKey)]).toString('base64')
}

/** The scheme that a secret is for. */
export const schemeOf = (secret: string): Scheme => (secret.startsWith(ED25519_PREFIX) ? 'v1a' : 'v1')

/** What is wrong with a signing secret, or null. */
export function checkSecret(secret: string): string | null {
  if (schemeOf(secret) === 'v1a')
    return isEd25519Secret(bytesOf(secret, ED25519_PREFIX))
      ? null
      : `must be ${ED25519_PREFIX} followed by base64 of an ed25519 seed and the public key that belongs to it`
  const { length } = bytesOf(secret, HMAC_PREFIX)
  return length >= MIN_SECRET_BYTES && length <= MAX_SECRET_BYTES
    ? null
    : `must be ${HMAC_PREFIX} followed by base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`
}

/** Nothing when the prefix is another or the rest is not strict base64. */
function bytesOf(secret: string, prefix: string): Buffer {
  const encoded = secret.startsWith(prefix) ? secret.slice(prefix.length) : ''
  return BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0)
}

const isEd25519Secret = (bytes: Buffer): boolean =>
  bytes.length === ED25519_BYTES &&
  rawPublicKey(createPublicKey(privateKeyOf(bytes))).equals(bytes.subarray(SEED_BYTES))

const privateKeyOf = (bytes: Buffer): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([PKCS8_HEAD, bytes.subarray(0, SEED_BYTES)]),
    format: 'der',
    type: 'pkcs8',
  })

const rawPublicKey = (key: KeyObject): Buffer =>
  key.export({ type: 'spki', format: 'der' }).subarray(SPKI_HEAD.length)

/** What a receiver verifies `v1a` with: `whpk_…`. Null for secrets of `v1`, which have none. */
export function publicKeyOf(secret: string): string | null {
  if (schemeOf(secret) !== 'v1a') return null
  return PUBLIC_PREFIX + bytesOf(secret, ED25519_PREFIX).subarray(SEED_BYTES).toString('base64')
}

export interface SigningKey {
  readonly scheme: Scheme
  readonly key: KeyObject
}

/** The key of a secret that `checkSecret` accepts. To be made once: signing with it is 5 times as fast as with bytes. */
export function signingKey(secret: string): SigningKey {
  const scheme = schemeOf(secret)
  return scheme === 'v1'
    ? { scheme, key: createSecretKey(bytesOf(secret, HMAC_PREFIX)) }
    : { scheme, key: privateKeyOf(bytesOf(secret, ED25519_PREFIX)) }
}

/** One entry of `webhook-signature`: over `id.timestamp.body`, the body as the bytes that are sent. */
export function sign(
  { scheme, key }: SigningKey,
  id: string,
  timestampSeconds: number,
  body: Buffer,
): string {
  const head = `${id}.${timestampSeconds}.`
  if (scheme === 'v1') return `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`
  // Ed25519 signs no stream: it reads the text twice.
  return `v1a,${signWith(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`
}

/** Header-safe, and without the dot that separates the signed parts. */
const FIT_ID = /^[\x21-\x2d\x2f-\x7e]+$/

/**
 * The value of `webhook-id`: the event's id, the same on every attempt. The standard forbids dots in it; an id that
 * has one is replaced by its hash, which is as constant.
 */
export function webhookId(eventId: string): string {
  return FIT_ID.test(eventId) ? eventId : `evt_${createHash('sha256').update(eventId).digest('base64url')}`
}
