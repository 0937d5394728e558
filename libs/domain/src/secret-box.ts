import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** A key-encryption key. `id` is written beside each value, so that keys can be rotated. */
export interface SecretKey {
  readonly id: string
  /** 32 bytes. */
  readonly key: Buffer
}

export const SECRET_KEY_BYTES = 32
/** Sizes that NIST SP 800-38D recommends for GCM. */
const NONCE_BYTES = 12
const TAG_BYTES = 16
const ALGORITHM = 'aes-256-gcm'
const FORMAT = 'v1'

/**
 * Envelope encryption: each value has a data key of its own, which is sealed with the first key of the ring.
 * The owner's uid is bound as associated data, so a value that was moved to another row cannot be opened.
 * Opens values of every key in the ring.
 */
export class SecretBox {
  private readonly keyById: ReadonlyMap<string, SecretKey>
  private readonly active: SecretKey

  constructor(ring: readonly SecretKey[]) {
    const [active] = ring
    if (!active) throw new Error('SECRET_KEYS holds no key')
    this.active = active
    this.keyById = new Map(ring.map((key) => [key.id, key]))
  }

  /** `v1.<key id>.<sealed data key>.<sealed text>`, base64url. */
  seal(text: string, ownerUid: string): string {
    const dataKey = randomBytes(SECRET_KEY_BYTES)
    const sealedKey = encrypt(this.active.key, dataKey, ownerUid)
    const sealedText = encrypt(dataKey, Buffer.from(text, 'utf8'), ownerUid)
    return [FORMAT, this.active.id, sealedKey.toString('base64url'), sealedText.toString('base64url')].join(
      '.',
    )
  }

  /** Throws when the key is not in the ring, the owner is another one, or the value was changed. */
  open(sealed: string, ownerUid: string): string {
    const [format, keyId, sealedKey, sealedText, ...more] = sealed.split('.')
    if (format !== FORMAT || !keyId || !sealedKey || sealedText === undefined || more.length > 0) {
      throw new Error('a sealed secret has an unknown format')
    }
    const key = this.keyById.get(keyId)
    if (!key)
      throw new Error(`SECRET_KEYS has no key "${keyId}"; add it again until all secrets are re-sealed`)
    const dataKey = decrypt(key.key, bytesOf(sealedKey), ownerUid)
    return decrypt(dataKey, bytesOf(sealedText), ownerUid).toString('utf8')
  }
}

/** Node leaves out what is no base64url: other texts would open as the same value. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new Error('a sealed secret is no base64url')
  return bytes
}

function encrypt(key: Buffer, plain: Buffer, ownerUid: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(ownerUid, 'utf8'))
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted])
}

function decrypt(key: Buffer, sealed: Buffer, ownerUid: string): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(ownerUid, 'utf8')).setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
}
