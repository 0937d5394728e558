import type { Problem } from '@barnabas/domain'
import type { Driver, IdentitySettings, NamedAddress, Network, ValidSettings } from '@barnabas/drivers'
import { validationFailed } from '../http/api-error.js'

const PROVIDERS = { aws: 'AWS', google: 'Google Cloud' } as const

/** Judges where a destination connects to, and as whom, when it is written, by the rules of its deliveries. */
export class TargetVerdict {
  constructor(
    private readonly network: Network,
    private readonly identity: IdentitySettings,
  ) {}

  /**
   * Throws 422 with the path of every setting that names an address which may not be connected to, or that needs an
   * identity which this service has not. A name that does
   * not resolve now is accepted: it is judged again at every delivery. Takes as long as a lookup may, 5 s.
   */
  async check(driver: Driver, settings: ValidSettings): Promise<void> {
    const unknown = this.missingIdentity(driver, settings)
    if (unknown) throw validationFailed([unknown])
    const judged = await Promise.all(driver.addresses(settings).map((address) => this.problemOf(address)))
    const problems = new Map(judged.flatMap((problem) => (problem ? [[problem.path, problem]] : [])))
    if (problems.size > 0) throw validationFailed([...problems.values()])
  }

  private missingIdentity(driver: Driver, settings: ValidSettings): Problem | null {
    const needed = driver.identity(settings)
    if (needed === null || this.identity[needed.provider] !== null) return null
    const name = PROVIDERS[needed.provider]
    return {
      path: needed.path,
      message: `needs an identity of this service at ${name}, which its operator has not set up; give keys instead`,
    }
  }

  private async problemOf(address: NamedAddress): Promise<Problem | null> {
    const { path, isPlainHttp = false } = address
    if (isPlainHttp && !this.network.allowsPlainHttp)
      return { path, message: 'must begin with https://; http without TLS is not allowed here' }
    if (await this.network.allows(address)) return null
    // One sentence for all reasons: the answer is no port scanner.
    return { path, message: 'must be an address that may be connected to from here' }
  }
}
