import { newTestAuthority, type KeyPair } from '@barnabas/testing'

/** PEM texts of an authority and of what it issued. */
export interface TestCertificates {
  readonly ca: string
  /** For localhost and 127.0.0.1. */
  readonly server: KeyPair
  /** For other.example.com. */
  readonly otherHost: KeyPair
  readonly client: KeyPair
}

/** Made anew for each test file. */
export async function makeCertificates(): Promise<TestCertificates> {
  const authority = await newTestAuthority()
  return {
    ca: authority.certificate,
    server: await authority.server(),
    otherHost: await authority.server({ name: 'other.example.com' }),
    client: await authority.client('client'),
  }
}
