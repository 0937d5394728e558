import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  /** PEM. */
  readonly certificate: string
  readonly key: string
}

export interface TestCertificates {
  /** PEM of the authority that issued the others. */
  readonly ca: string
  /** For localhost and 127.0.0.1. */
  readonly server: TestCertificate
  /** For other.example.com. */
  readonly otherHost: TestCertificate
  readonly client: TestCertificate
}

/** An authority and certificates of it, made anew for each test run. */
export function makeCertificates(): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), 'barnabas-certificates-'))
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const read = (name: string): TestCertificate => ({
    certificate: readFileSync(join(folder, `${name}.pem`), 'utf8'),
    key: readFileSync(join(folder, `${name}.key`), 'utf8'),
  })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const issue = (name: string, altNames: string): TestCertificate => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${altNames}\n`)
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`]
    openssl('x509', '-req', '-in', `${name}.csr`, '-days', '2', '-out', `${name}.pem`, ...by)
    return read(name)
  }
  try {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=test',
    )
    return {
      ca: read('ca').certificate,
      server: issue('server', 'DNS:localhost,IP:127.0.0.1'),
      otherHost: issue('other', 'DNS:other.example.com'),
      client: issue('client', 'DNS:client'),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
